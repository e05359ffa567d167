//! What HSTS does to the names of a site, and to those below them.

use std::collections::HashSet;
use std::fmt;

use super::secured::{Names, Secured, is_default, secured_names};
use crate::binding::Protocol;
use crate::host::{HostName, HostPattern};
use crate::site::Site;
use crate::ssl::RequireSsl;
use crate::table::SiteTable;

/// At least this is demanded of those who want to be built into browsers, in seconds.
const PRELOAD: u32 = 31_536_000;

/// What is missing before a site may agree to being built into browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// Browsers must remember for a year or longer.
    MaxAge,
    /// It must hold for all names below.
    Subdomains,
    /// No https binding names a host.
    NoHost,
    /// This host does not redirect from http to https on itself.
    Redirect(HostName),
    /// These hosts don't answer on the port where browsers go.
    OffPort(HostPattern),
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxAge => f.write_str("Browsers must be told to remember for a year or longer."),
            Self::Subdomains => f.write_str("It must hold for all names below too."),
            Self::NoHost => f.write_str("The site needs an https binding with a host name."),
            Self::Redirect(host) => write!(f, "http://{host} must redirect to https on the same name."),
            Self::OffPort(host) => {
                write!(f, "https://{host} must answer on port 443, with a certificate for it.")
            }
        }
    }
}

/// What is missing before `site` may agree to being built into browsers.
pub fn preload_unmet(site: &Site, max_age: u32, subdomains: bool) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    if max_age < PRELOAD {
        unmet.push(Unmet::MaxAge);
    }
    if !subdomains {
        unmet.push(Unmet::Subdomains);
    }
    if exact(site, Protocol::Https).next().is_none() {
        unmet.push(Unmet::NoHost);
    }
    let in_clear = Names::of(hosts(site, Protocol::Http));
    let secured = exact(site, Protocol::Https).filter(|name| in_clear.has_name(name));
    let mut names: Vec<&HostName> = exact(site, Protocol::Http).chain(secured).collect();
    names.sort_unstable();
    names.dedup();
    let redirects = matches!(site.rules.site().in_clear(), RequireSsl::Redirect | RequireSsl::RedirectMoved);
    // What only a certificate tells may be a neighbour's name.
    let same =
        |name: &HostName| hosts(site, Protocol::Https).any(|host| *host != HostPattern::Any && host.covers(name));
    unmet.extend(names.into_iter().filter(|name| !redirects || !same(name)).cloned().map(Unmet::Redirect));
    let mut off = off_port(site);
    if !site.proxied {
        let on_443 = Secured::of(&site.bindings).on_443;
        off.extend(
            hosts(site, Protocol::Https).filter(|host| **host != HostPattern::Any && !on_443.has(host)).cloned(),
        );
    }
    off.sort_unstable();
    off.dedup();
    unmet.extend(off.into_iter().map(Unmet::OffPort));
    unmet
}

/// What [`Site::preloads`] says of a site in its table.
pub(crate) fn may_preload(site: &Site) -> bool {
    site.hsts.is_some_and(|hsts| hsts.preload && preload_unmet(site, hsts.max_age, hsts.subdomains).is_empty())
}

fn hosts(site: &Site, protocol: Protocol) -> impl Iterator<Item = &HostPattern> {
    site.bindings.iter().filter(move |b| b.place.protocol == protocol).map(|b| &b.place.host)
}

fn exact(site: &Site, protocol: Protocol) -> impl Iterator<Item = &HostName> {
    hosts(site, protocol).filter_map(|host| match host {
        HostPattern::Exact(name) => Some(name),
        _ => None,
    })
}

/// The names of `site` that answer on port 80, and over https on another port than 443 only: a browser that remembers turns
/// `http://name` into `https://name`, and port 80 into 443 (RFC 6797 §8.3). Behind a proxy its ports are not known; other
/// ports than these two may stand behind them.
pub fn off_port(site: &Site) -> Vec<HostPattern> {
    if site.proxied {
        return Vec::new();
    }
    let on_80 = site.bindings.iter().filter(|binding| is_default(binding, Protocol::Http)).map(|b| &b.place.host);
    let (on_80, secured) = (Names::of(on_80), Secured::of(&site.bindings));
    let within = secured.anywhere.all().filter(|name| on_80.has(name));
    let named = on_80.all().filter(|name| secured.anywhere.has(name));
    let mut off: Vec<HostPattern> = within.chain(named).filter(|name| !secured.on_443.has(name)).cloned().collect();
    off.sort_unstable();
    off.dedup();
    off
}

/// A name that comes over plain HTTP, below one whose browsers are told never to do so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// The name, as people write it.
    pub name: String,
    /// The site that it leads to.
    pub site: String,
    /// Nothing answers there over https with a certificate for it, so that browsers could not go there at all.
    pub is_lost: bool,
}

/// The names below those of `site` that bindings of the team answer over plain HTTP, or over nothing else. At most `limit`.
/// Costs what the table holds; for pages only.
pub fn caught_below(table: &SiteTable, site: &Site, limit: usize) -> Vec<Caught> {
    let above = told(site);
    let secured = Secured::of(table.sites().flat_map(|other| &other.bindings));
    let (mut caught, mut seen) = (Vec::new(), HashSet::new());
    for other in table.sites() {
        let stays = other.rules.site().in_clear() == RequireSsl::Off;
        for binding in other.bindings.iter().filter(|b| b.place.protocol == Protocol::Http) {
            let host = &binding.place.host;
            if !above.iter().any(|above| is_below(host, above)) {
                continue;
            }
            let is_lost = !other.proxied && !secured.has(binding);
            if (stays || is_lost) && seen.insert(host) {
                caught.push(Caught { name: host.unicode(), site: other.name.clone(), is_lost });
            }
            if caught.len() == limit {
                return caught;
            }
        }
    }
    caught
}

/// The names for which `site` tells browsers anything: those of its https bindings, of certificates where a binding has no
/// name, and where a trusted proxy may end TLS those that it answers over plain HTTP.
fn told(site: &Site) -> Vec<&HostPattern> {
    let certified = site.bindings.iter().filter(|b| b.place.host == HostPattern::Any).flat_map(secured_names);
    let by_proxy = hosts(site, Protocol::Http).filter(|_| site.proxied);
    let named = hosts(site, Protocol::Https).chain(by_proxy).filter(|host| **host != HostPattern::Any);
    named.chain(certified).collect()
}

/// Whether a name under `host` can be below one under `above`.
fn is_below(host: &HostPattern, above: &HostPattern) -> bool {
    let is_within = |name: &HostName, top: &HostName| {
        name.as_str().strip_suffix(top.as_str()).is_some_and(|rest| rest.ends_with('.'))
    };
    match (host, above) {
        (
            HostPattern::Exact(name) | HostPattern::Wildcard(name),
            HostPattern::Exact(top) | HostPattern::Wildcard(top),
        ) => is_within(name, top) || matches!(host, HostPattern::Wildcard(_)) && name == top,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::sync::Arc;

    use time::OffsetDateTime;

    use super::*;
    use crate::binding::{Binding, Place};
    use crate::certificate::{CertificateFacts, Fingerprint, SubjectName};
    use crate::proxies::{Listener, Networks, Proxies, Speech};
    use crate::site::SiteId;
    use crate::ssl::{Evidence, Hsts, HstsMode, Rule, RulePath, Rules, Wait};

    /// `http://shop.example`, or `https://*.shop.example:8443 with a.example b.example`; no host is any.
    fn binding(text: &str) -> Binding {
        let (address, names) = text.split_once(" with ").unwrap_or((text, ""));
        let (protocol, rest) = address.split_once("://").unwrap();
        let protocol = Protocol::parse(protocol).unwrap();
        let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
        let port = NonZeroU16::new(port.parse().unwrap_or(protocol.default_port())).unwrap();
        let names = names.split(' ').filter(|name| !name.is_empty()).map(|name| SubjectName::parse(name).unwrap());
        let certificate = CertificateFacts {
            id: 1,
            fingerprint: Fingerprint::default(),
            subject: "shop.example".into(),
            issuer: "Test CA".into(),
            names: names.collect(),
            not_before: OffsetDateTime::UNIX_EPOCH,
            not_after: OffsetDateTime::UNIX_EPOCH,
        };
        let place = Place { protocol, ip: None, port, host: HostPattern::parse(host).unwrap() };
        Binding { id: 0, place, certificate: (protocol == Protocol::Https).then(|| Arc::new(certificate)) }
    }

    fn site(id: SiteId, require_ssl: RequireSsl, bindings: &[&str]) -> Site {
        let rule = Rule { id: 1, path: RulePath::site(), settings: require_ssl.into(), reason: String::new() };
        let bindings = bindings.iter().map(|text| binding(text)).collect();
        Site { rules: Arc::new(Rules::new([rule])), ..crate::table::tests::site(id, bindings) }
    }

    fn caught(sites: Vec<Site>) -> Vec<String> {
        let top = sites[0].clone();
        let table = SiteTable::default().with(1, sites.into_iter().map(|site| (site.id, Some(site))));
        let told = |caught: Caught| format!("{}{}", caught.name, if caught.is_lost { " lost" } else { "" });
        caught_below(&table, &top, 9).into_iter().map(told).collect()
    }

    const SHOP: &str = "https://shop.example with shop.example *.shop.example";

    #[test]
    fn who_is_built_into_browsers_redirects_wherever_plain_http_leads_to_its_name() {
        let redirect = |host: &str| vec![Unmet::Redirect(HostName::parse(host).unwrap())];
        let off_port = |host: &str| vec![Unmet::OffPort(HostPattern::parse(host).unwrap())];
        let www = "https://www.shop.example with www.shop.example";
        for (require_ssl, bindings, unmet) in [
            (RequireSsl::Redirect, vec!["http://shop.example", SHOP], vec![]),
            (RequireSsl::Off, vec![SHOP], vec![]),
            (RequireSsl::Off, vec!["http://", SHOP], redirect("shop.example")),
            (RequireSsl::Refuse, vec!["http://", SHOP], redirect("shop.example")),
            (RequireSsl::Redirect, vec!["http://", SHOP], vec![]),
            (RequireSsl::Off, vec!["http://*.shop.example", www], redirect("www.shop.example")),
            (RequireSsl::Redirect, vec!["http://shop.example", www], redirect("shop.example")),
            (
                RequireSsl::Redirect,
                vec!["http://shop.example", "http://a.example", SHOP, "https:// with a.example"],
                redirect("a.example"),
            ),
            (
                RequireSsl::Redirect,
                vec!["http://a.shop.example", SHOP, "https://*.shop.example with *.shop.example"],
                vec![],
            ),
            (RequireSsl::Redirect, vec!["https:// with shop.example"], vec![Unmet::NoHost]),
            (
                RequireSsl::Redirect,
                vec!["http://shop.example", "https://shop.example:8443 with shop.example"],
                off_port("shop.example"),
            ),
            (
                RequireSsl::Redirect,
                vec!["http://shop.example:8080", "https://shop.example:8443 with shop.example"],
                off_port("shop.example"),
            ),
            (RequireSsl::Redirect, vec![SHOP, "https://a.example with b.example"], off_port("a.example")),
        ] {
            let site = site(1, require_ssl, &bindings);
            assert_eq!(preload_unmet(&site, PRELOAD, true), unmet, "{require_ssl:?} {bindings:?}");
            let since = OffsetDateTime::UNIX_EPOCH;
            let hsts = Hsts {
                mode: HstsMode::Fixed,
                max_age: PRELOAD,
                subdomains: true,
                preload: true,
                since,
                told_before: since,
            };
            let table = SiteTable::default().with(1, [(1, Some(Site { hsts: Some(hsts), ..site }))]);
            let told = hsts.field(table.site(1).unwrap(), since).unwrap();
            assert_eq!(told.ends_with("; preload"), unmet.is_empty(), "{bindings:?}");
        }
        let short = preload_unmet(&site(1, RequireSsl::Redirect, &[SHOP]), PRELOAD - 1, false);
        assert_eq!(short, [Unmet::MaxAge, Unmet::Subdomains]);
    }

    #[test]
    fn a_name_whose_https_is_not_on_port_443_keeps_the_ramp_waiting() {
        for (bindings, off) in [
            (vec!["http://shop.example", SHOP], vec![]),
            (vec!["http://shop.example", "https://shop.example:8443 with shop.example"], vec!["shop.example"]),
            (vec!["http://", "https://shop.example:8443 with shop.example"], vec!["shop.example"]),
            (vec!["http://", "https://:8443 with shop.example *.shop.example"], vec!["*.shop.example", "shop.example"]),
            (vec!["http://a.shop.example", "https://*.shop.example:8443 with *.shop.example"], vec!["a.shop.example"]),
            (vec!["http://shop.example", SHOP, "https://shop.example:8443 with shop.example"], vec![]),
            (vec!["http://shop.example", "https://:443 with shop.example"], vec![]),
            (vec!["http://shop.example:8080", "https://shop.example:8443 with shop.example"], vec![]),
            (vec!["http://shop.example", "https://other.example:8443 with other.example"], vec![]),
        ] {
            let site = site(1, RequireSsl::Redirect, &bindings);
            let told: Vec<String> = off_port(&site).iter().map(ToString::to_string).collect();
            assert_eq!(told, off, "{bindings:?}");
            assert!(off_port(&Site { proxied: true, ..site.clone() }).is_empty(), "the proxy's ports are not known");
            let (since, mode) = (OffsetDateTime::UNIX_EPOCH, HstsMode::Ramp);
            let hsts = Hsts { mode, max_age: 300, subdomains: false, preload: false, since, told_before: since };
            let evidence = Evidence { secured: 1, ..Evidence::new(&site, Some(true), &[]) };
            let next = hsts.next(evidence, since + time::Duration::WEEK);
            assert_eq!(next, if off.is_empty() { Ok(86_400) } else { Err(Wait::OffPort) }, "{bindings:?}");
        }
    }

    #[test]
    fn names_below_are_caught_where_they_stay_in_clear_and_where_nothing_answers_over_https() {
        let top = |bindings: &[&str]| site(1, RequireSsl::Redirect, bindings);
        let shop = || top(&["http://shop.example", SHOP]);
        for (sites, told) in [
            (vec![shop(), site(2, RequireSsl::Off, &["http://a.shop.example"])], vec!["a.shop.example lost"]),
            (vec![shop(), site(2, RequireSsl::Redirect, &["http://a.shop.example"])], vec!["a.shop.example lost"]),
            (vec![shop(), site(2, RequireSsl::Refuse, &["http://*.shop.example"])], vec!["*.shop.example lost"]),
            (vec![shop(), site(2, RequireSsl::Off, &["http://othershop.example", "http://"])], vec![]),
            (vec![top(&["http://www.shop.example", SHOP])], vec!["www.shop.example lost"]),
            (vec![top(&["http://", "https:// with shop.example"])], vec![]),
            (
                vec![
                    top(&["https:// with shop.example"]),
                    site(2, RequireSsl::Redirect, &["http://a.shop.example", "http://b.shop.example"]),
                    site(3, RequireSsl::Off, &["https://a.shop.example with a.shop.example"]),
                ],
                vec!["b.shop.example lost"],
            ),
            (
                vec![
                    shop(),
                    site(2, RequireSsl::Off, &["http://a.shop.example", "https://a.shop.example with *.shop.example"]),
                    site(3, RequireSsl::Refuse, &["http://b.shop.example", "https://b.shop.example with b.example"]),
                    site(
                        4,
                        RequireSsl::Refuse,
                        &["http://c.shop.example", "https://c.shop.example:8443 with *.shop.example"],
                    ),
                    site(5, RequireSsl::Refuse, &["http://d.shop.example:8080", "https://:8443 with *.shop.example"]),
                ],
                vec!["a.shop.example", "b.shop.example lost", "c.shop.example lost"],
            ),
        ] {
            let bindings: Vec<_> = sites.iter().flat_map(|site| &site.bindings).map(|b| b.place.to_string()).collect();
            assert_eq!(caught(sites), told, "{bindings:?}");
        }
    }

    #[test]
    fn behind_a_trusted_proxy_names_of_plain_http_are_told_too_and_none_is_lost() {
        let bindings = ["http://shop.example", "http://a.shop.example"];
        let (top, below) =
            (site(1, RequireSsl::Refuse, &bindings), site(2, RequireSsl::Off, &["http://b.shop.example"]));
        let bare = site(3, RequireSsl::Refuse, &["http://c.shop.example:81"]);
        let table = SiteTable::default().with(1, [top, below, bare].map(|site| (site.id, Some(site))));
        let listener = Listener { port: NonZeroU16::new(80).unwrap(), ip: None };
        let (protocol, networks) = (Protocol::Http, Networks::parse("10.0.0.1").unwrap());
        let proxies = Proxies { listener, protocol, speech: Speech::XForwarded, networks, nobody: false, version: 1 };
        let table = table.with_proxies([proxies]);
        let caught = caught_below(&table, table.site(1).unwrap(), 9);
        let told: Vec<_> = caught.iter().map(|own| (own.name.as_str(), own.is_lost)).collect();
        assert_eq!(told, [("b.shop.example", false), ("c.shop.example", true)]);
    }
}
