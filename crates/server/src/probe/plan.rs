//! Which clients go where, and what each is meant to get.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use siteward_core::binding::{Binding, Protocol};
use siteward_core::certificate::{CertificateId, SubjectName};
use siteward_core::host::{HostName, HostPattern};
use siteward_core::path::UrlPath;
use siteward_core::proxies::Speech;
use siteward_core::receipt::Client;
use siteward_core::site::{Site, SiteState};
use siteward_core::ssl::{KeyExchange, Redirect, Refusal, TlsPolicy, TlsVersion, Transport, Verdict};
use siteward_core::table::SiteTable;

use crate::proxied::trusted;
use crate::socket::Ends;

/// The label that stands for the star of a wildcard: one that nobody has bound by itself.
const MADE_UP: &str = "siteward-receipt";

/// One client to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) client: Client,
    pub(super) address: SocketAddr,
    /// The host name it asks for.
    pub(super) host: Option<HostName>,
    pub(super) wanted: Wanted,
    /// Its address is a trusted proxy's there, and must begin with a header of the PROXY protocol.
    pub(super) announces: bool,
}

impl Try {
    fn new(table: &SiteTable, client: Client, address: SocketAddr, host: Option<HostName>, wanted: Wanted) -> Self {
        // It comes from the very address it goes to.
        let ends = Ends { local: address, remote: address };
        let announces = trusted(table, &ends).is_some_and(|own| own.speech == Speech::ProxyProtocol);
        Self { client, address, host, wanted, announces }
    }
}

/// What a client is meant to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A handshake with this certificate. A client may find nothing in common with its key.
    Certificate(CertificateId),
    /// The alert `unrecognized_name`.
    UnrecognizedName,
    /// Whatever another binding has, which is tried on its own: nothing of it is to be held against this one.
    Elsewhere,
    /// No handshake: the site's settings want TLS 1.3.
    NewerVersion,
    /// 403 with this substatus.
    Refusal(Refusal),
    /// This status, with an address that begins so.
    Redirect(Redirect, String),
    /// Whatever the site has.
    Content,
}

/// Every client for one binding, none where nothing leads to it.
pub(super) fn tries(table: &SiteTable, site: &Site, binding: &Binding) -> Vec<Try> {
    if site.state == SiteState::Stopped || site.locked {
        return Vec::new();
    }
    let mut reached = addresses(binding).into_iter().filter_map(|ip| Some((ip, host(table, ip, binding)?)));
    let Some(first) = reached.next() else { return Vec::new() };
    let others = reached;
    match binding.place.protocol {
        Protocol::Http => {
            [first].into_iter().chain(others).map(|(ip, host)| plain(table, site, binding, ip, host)).collect()
        }
        Protocol::Https => {
            let Some(certificate) = binding.certificate.as_ref().map(|facts| facts.id) else { return Vec::new() };
            let port = binding.place.port.get();
            let secured = |client, (ip, host): (IpAddr, Option<HostName>)| {
                let is_too_old = client == Client::Tls12 && wants_tls13(site.rules.tls());
                let wanted = if is_too_old { Wanted::NewerVersion } else { Wanted::Certificate(certificate) };
                Try::new(table, client, SocketAddr::new(ip, port), host, wanted)
            };
            let kinds = [Client::Tls13, Client::Tls12, Client::EcdsaOnly, Client::RsaOnly];
            let mut tries: Vec<Try> = kinds.map(|client| secured(client, first.clone())).into();
            tries.extend(without_server_name(table, first.0, binding));
            tries.extend(others.map(|other| secured(Client::Tls13, other)));
            tries
        }
    }
}

/// The addresses of this machine at which the binding is reached from here.
fn addresses(binding: &Binding) -> Vec<IpAddr> {
    match binding.place.ip {
        Some(ip) => vec![ip],
        None => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// A host name that leads to this binding at `ip`, or none where it takes a visitor without one; `None` where another
/// binding has all of them.
fn host(table: &SiteTable, ip: IpAddr, binding: &Binding) -> Option<Option<HostName>> {
    let leads_here = |host: &Option<HostName>| {
        table.find(ip, binding.place.port.get(), host.as_ref()).is_some_and(|found| found.binding.id == binding.id)
    };
    hosts(binding).into_iter().find(leads_here)
}

fn hosts(binding: &Binding) -> Vec<Option<HostName>> {
    let of = |pattern: &HostPattern| match pattern {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::Wildcard(parent) => HostName::parse(&format!("{MADE_UP}.{parent}")).ok(),
        HostPattern::Any => None,
    };
    if binding.place.host != HostPattern::Any {
        return of(&binding.place.host).map(Some).into_iter().collect();
    }
    let names = binding.certificate.iter().flat_map(|facts| &facts.names);
    let named = names.filter_map(|name| match name {
        SubjectName::Dns(pattern) => of(pattern).map(Some),
        SubjectName::Ip(_) => None,
    });
    named.chain([None]).collect()
}

/// Without a server name the address alone decides, which may lead to another binding.
fn without_server_name(table: &SiteTable, ip: IpAddr, binding: &Binding) -> Option<Try> {
    let port = binding.place.port.get();
    let wanted = match table.find(ip, port, None) {
        None => Wanted::UnrecognizedName,
        Some(found) if found.site.state == SiteState::Stopped || found.site.locked => return None,
        Some(found) if found.binding.id != binding.id => Wanted::Elsewhere,
        Some(found) => Wanted::Certificate(found.binding.certificate.as_ref()?.id),
    };
    Some(Try::new(table, Client::NoServerName, SocketAddr::new(ip, port), None, wanted))
}

/// Post-quantum key exchange is for TLS 1.3 only.
fn wants_tls13(policy: TlsPolicy) -> bool {
    policy.min_tls != TlsVersion::Tls12 || policy.key_exchange != KeyExchange::Any
}

fn plain(table: &SiteTable, site: &Site, binding: &Binding, ip: IpAddr, host: Option<HostName>) -> Try {
    let demands = UrlPath::parse("/").map_or_else(|_| site.rules.site(), |first_page| site.rules.demands(&first_page));
    let wanted = match demands.verdict(Transport::Clear { credentials: false, reads: true }) {
        Verdict::Go => Wanted::Content,
        Verdict::Refuse(refusal) => Wanted::Refusal(refusal),
        Verdict::Redirect(how) => match site.https_address(table, Some(ip), host.as_ref()) {
            Some(address) => Wanted::Redirect(how, address),
            None => Wanted::Refusal(Refusal::SslRequired),
        },
    };
    Try::new(table, Client::Plain, SocketAddr::new(ip, binding.place.port.get()), host, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::binding::{Place, parse_port};
    use siteward_core::certificate::{CertificateFacts, Fingerprint};
    use siteward_core::ssl::Rules;
    use std::sync::Arc;
    use time::macros::datetime;

    fn https(id: i64, ip: Option<&str>, host: &str, names: &[&str]) -> Binding {
        let certificate = CertificateFacts {
            id,
            fingerprint: Fingerprint([0; 32]),
            subject: String::new(),
            issuer: String::new(),
            names: names.iter().map(|name| SubjectName::parse(name).unwrap()).collect(),
            not_before: datetime!(2026-01-01 00:00 UTC),
            not_after: datetime!(2027-01-01 00:00 UTC),
        };
        let ip = ip.map(|ip| ip.parse().unwrap());
        let (port, host) = (parse_port("8443").unwrap(), HostPattern::parse(host).unwrap());
        let place = Place { protocol: Protocol::Https, ip, port, host };
        Binding { id, place, certificate: Some(Arc::new(certificate)) }
    }

    fn site(id: i64, bindings: Vec<Binding>) -> Site {
        let (name, folder, rules) = (format!("Site {id}"), "/".into(), Arc::new(Rules::new([])));
        Site {
            id,
            name,
            folder,
            state: SiteState::Running,
            rules,
            exemptions: Arc::default(),
            pages: Arc::default(),
            hsts: None,
            trials: Arc::default(),
            version: 1,
            bindings,
            proxied: false,
            preloads: false,
            locked: false,
        }
    }

    /// Who is sent to the first binding of the first of `sites`.
    fn sent(sites: Vec<Site>) -> Vec<(Client, String, Option<String>, Wanted)> {
        let first = sites[0].clone();
        let table = SiteTable::default().with(1, sites.into_iter().map(|site| (site.id, Some(site))));
        let tries = tries(&table, &first, &first.bindings[0]).into_iter();
        tries.map(|t| (t.client, t.address.ip().to_string(), t.host.map(|host| host.to_string()), t.wanted)).collect()
    }

    #[test]
    fn every_kind_goes_to_one_address_and_one_to_the_other_family_too() {
        let sent = sent(vec![site(1, vec![https(1, None, "shop.example", &["shop.example"])])]);
        let shop = Some("shop.example".to_owned());
        let own = Wanted::Certificate(1);
        assert_eq!(
            sent,
            [
                (Client::Tls13, "127.0.0.1".into(), shop.clone(), own.clone()),
                (Client::Tls12, "127.0.0.1".into(), shop.clone(), own.clone()),
                (Client::EcdsaOnly, "127.0.0.1".into(), shop.clone(), own.clone()),
                (Client::RsaOnly, "127.0.0.1".into(), shop.clone(), own.clone()),
                (Client::NoServerName, "127.0.0.1".into(), None, Wanted::UnrecognizedName),
                (Client::Tls13, "::1".into(), shop, own),
            ]
        );
    }

    #[test]
    fn a_wildcard_is_asked_for_a_made_up_name_and_a_binding_without_one_for_a_name_of_its_certificate() {
        let star = sent(vec![site(1, vec![https(1, Some("192.0.2.1"), "*.shop.example", &["*.shop.example"])])]);
        assert_eq!(star[0].2.as_deref(), Some("siteward-receipt.shop.example"));
        let any = sent(vec![
            site(1, vec![https(1, Some("192.0.2.1"), "", &["shop.example", "maps.example"])]),
            site(2, vec![https(2, None, "shop.example", &["shop.example"])]),
        ]);
        assert_eq!(any[0].2.as_deref(), Some("maps.example"), "the other name leads to another site");
        assert_eq!(any[4].3, Wanted::Certificate(1), "without a server name it is reached as well");
    }

    #[test]
    fn a_client_without_server_name_that_is_led_to_another_binding_asks_nothing_of_it() {
        let shop = site(1, vec![https(1, None, "shop.example", &["shop.example"])]);
        let sent = sent(vec![shop, site(2, vec![https(2, None, "", &[])])]);
        assert_eq!((sent[4].0, &sent[4].3), (Client::NoServerName, &Wanted::Elsewhere));
    }

    #[test]
    fn where_another_binding_has_the_address_nobody_is_sent() {
        let own = site(1, vec![https(1, None, "shop.example", &[])]);
        let other = site(2, vec![https(2, Some("127.0.0.1"), "shop.example", &[])]);
        let sent = sent(vec![own, other]);
        assert!(sent.iter().all(|(_, ip, ..)| ip == "::1") && sent.len() == 5, "{sent:?}");
    }
}
