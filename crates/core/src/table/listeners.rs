//! What the table knows of listeners: which there are, and whose word is believed there.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use super::{Hosts, SiteTable};
use crate::binding::{Place, Protocol};
use crate::proxies::{Listener, Proxies, Shift, Speech};
use crate::site::{Site, SiteId};
use crate::ssl::may_preload;

impl SiteTable {
    /// The same table with other trusted proxies at some listeners.
    pub fn with_proxies(self, changes: impl IntoIterator<Item = Proxies>) -> Self {
        let mut next = self.clone();
        next.proxies.extend(changes.into_iter().map(|proxies| (proxies.listener, Arc::new(proxies))));
        for id in self.told_otherwise(&next) {
            let Some(site) = next.sites.get(&id) else { continue };
            let proxied = next.is_proxied(site);
            if proxied != site.proxied {
                let site = Site { proxied, ..Site::clone(site) };
                let site = Site { preloads: may_preload(&site), ..site };
                next.sites.insert(id, Arc::new(site));
            }
        }
        next
    }

    /// Whether a trusted proxy may bring visitors over https to an http binding of a site.
    pub(super) fn is_proxied(&self, site: &Site) -> bool {
        let mut places = site.bindings.iter().map(|binding| &binding.place);
        places.any(|place| place.protocol == Protocol::Http && self.has_proxies(place))
    }

    /// What was decided for this very listener, also where nobody is believed any more.
    pub fn proxies(&self, listener: Listener) -> Option<&Arc<Proxies>> {
        self.proxies.get(&listener)
    }

    /// Whose word is believed on connections to the local address `ip`:`port`.
    pub fn proxies_at(&self, ip: IpAddr, port: u16) -> Option<&Arc<Proxies>> {
        self.believed_at(Listener { port: NonZeroU16::new(port)?, ip: Some(ip.to_canonical()) })
    }

    /// Whose word is believed at a listener: those of this address, or where it has none those of all addresses of the port.
    pub fn believed_at(&self, listener: Listener) -> Option<&Arc<Proxies>> {
        self.believed(listener, self.protocol(listener.port)?)
    }

    /// The same on a port that speaks this.
    fn believed(&self, listener: Listener, spoken: Protocol) -> Option<&Arc<Proxies>> {
        let of = |ip| self.proxies.get(&Listener { ip, ..listener });
        match of(listener.ip) {
            Some(own) if own.is_own() => Some(own).filter(|own| own.holds(spoken)),
            _ => of(None).filter(|all| all.holds(spoken)),
        }
    }

    /// Whose word is believed otherwise in `next`, where its ports speak the same.
    pub fn shift(&self, next: &Self) -> Option<Shift> {
        self.proxies.diff(&next.proxies).find_map(|difference| {
            let (DiffItem::Add(&listener, _)
            | DiffItem::Remove(&listener, _)
            | DiffItem::Update { new: (&listener, _), .. }) = difference;
            let [before, after] = [self, next].map(|table| table.believed_at(listener).map(AsRef::as_ref));
            Shift::new(listener, next.protocol(listener.port)?, before, after)
        })
    }

    /// The sites that visitors may get to at a listener; for all addresses, at those where its proxies are believed.
    pub fn reached_at(&self, listener: Listener) -> BTreeSet<SiteId> {
        let Some(port) = self.ports.get(&listener.port.get()) else { return BTreeSet::new() };
        let has_own = |ip| self.proxies.get(&Listener { ip, ..listener }).is_some_and(|own| own.is_own());
        let is_reached = |ip: Option<IpAddr>| match listener.ip {
            Some(_) => ip.is_none() || ip == listener.ip,
            None => ip.is_none() || !has_own(ip),
        };
        port.addresses.iter().filter(|(ip, _)| is_reached(**ip)).flat_map(|(_, hosts)| hosts.sites()).collect()
    }

    /// What is spoken on a port that a binding is at.
    pub fn protocol(&self, port: NonZeroU16) -> Option<Protocol> {
        self.ports.get(&port.get()).map(|port| port.protocol)
    }

    /// How many bindings are at this listener.
    pub fn names_at(&self, listener: Listener) -> usize {
        let hosts = self.ports.get(&listener.port.get()).and_then(|port| port.addresses.get(&listener.ip));
        hosts.map_or(0, |hosts| hosts.exact.len() + hosts.wildcard.len() + usize::from(hosts.any.is_some()))
    }

    /// Whether somebody's word is believed on connections to a binding.
    fn has_proxies(&self, place: &Place) -> bool {
        let Place { port, ip, protocol, .. } = *place;
        if ip.is_some() {
            return self.believed(Listener { port, ip }, protocol).is_some();
        }
        self.proxies.iter().any(|(listener, own)| listener.port == port && own.holds(protocol))
    }

    /// Whether a binding is at this listener.
    pub fn has_listener(&self, listener: Listener) -> bool {
        self.ports.get(&listener.port.get()).is_some_and(|port| port.addresses.contains_key(&listener.ip))
    }

    /// Every listener that a binding is at, or for which something was decided.
    pub fn listeners(&self) -> BTreeSet<Listener> {
        let bound = self.ports.iter().flat_map(|(&port, own)| {
            let port = NonZeroU16::new(port);
            own.addresses.keys().filter_map(move |&ip| Some(Listener { port: port?, ip }))
        });
        bound.chain(self.proxies.keys().copied()).collect()
    }

    /// The sites on ports where another word is believed in `next`. Costs what these ports hold.
    fn told_otherwise(&self, next: &Self) -> BTreeSet<SiteId> {
        self.sites_at(next, |_| true)
    }

    /// The same where connections begin otherwise, with a header of the PROXY protocol or without.
    pub(super) fn announced_otherwise(&self, next: &Self) -> BTreeSet<SiteId> {
        self.sites_at(next, |own| own.nobody || own.speech == Speech::ProxyProtocol && !own.networks.is_empty())
    }

    /// The sites on ports with trusted proxies that differ in `next`, and were or are such.
    fn sites_at(&self, next: &Self, is_such: impl Fn(&Proxies) -> bool) -> BTreeSet<SiteId> {
        let changed = self.proxies.diff(&next.proxies).filter_map(|difference| match difference {
            DiffItem::Add(listener, own) | DiffItem::Remove(listener, own) => {
                is_such(own).then_some(listener.port.get())
            }
            DiffItem::Update { old: (listener, old), new: (_, new) } => {
                (is_such(old) || is_such(new)).then_some(listener.port.get())
            }
        });
        let ports: BTreeSet<u16> = changed.collect();
        let hosts = ports.iter().filter_map(|port| next.ports.get(port)).flat_map(|port| port.addresses.values());
        hosts.flat_map(Hosts::sites).collect()
    }
}

impl Hosts {
    fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.exact.values().chain(self.wildcard.values()).chain(&self.any).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::parse_ip;
    use crate::proxies::Networks;
    use crate::site::Enforcement;
    use crate::ssl::{RequireSsl, Rule, RulePath, Rules, Settings, TlsVersion};
    use crate::table::tests::{binding, site, table};

    fn proxies(ip: &str, port: u16, networks: &str) -> Proxies {
        let listener = Listener { port: NonZeroU16::new(port).unwrap(), ip: parse_ip(ip).unwrap() };
        let networks = Networks::parse(networks).unwrap();
        Proxies { listener, protocol: Protocol::Http, speech: Speech::XForwarded, networks, nobody: false, version: 1 }
    }

    #[test]
    fn an_address_has_the_proxies_of_its_own_or_those_of_all_addresses() {
        let all = proxies("", 80, "10.0.0.1");
        let own = proxies("192.0.2.1", 80, "10.0.0.2");
        let none = proxies("192.0.2.2", 80, "");
        let nobody = Proxies { nobody: true, ..proxies("192.0.2.3", 80, "") };
        let sites = [site(1, vec![binding(Protocol::Http, "", 80, ""), binding(Protocol::Http, "", 81, "")])];
        let other = Proxies { protocol: Protocol::Https, ..proxies("", 81, "10.0.0.1") };
        let table = table(sites.to_vec()).with_proxies([all, own, none, nobody, other]);
        let first = |ip: &str, port| {
            let found = table.proxies_at(ip.parse().unwrap(), port)?;
            Some(found.networks.list().remove(0))
        };
        assert_eq!(first("192.0.2.1", 80).as_deref(), Some("10.0.0.2"));
        assert_eq!(first("::ffff:192.0.2.1", 80).as_deref(), Some("10.0.0.2"));
        assert_eq!(first("192.0.2.2", 80).as_deref(), Some("10.0.0.1"));
        assert_eq!(first("192.0.2.3", 80), None, "whoever is believed at the others");
        assert_eq!(first("::1", 80).as_deref(), Some("10.0.0.1"));
        assert_eq!(first("192.0.2.1", 81), None, "what was decided for https does not hold for http");
    }

    #[test]
    fn a_site_that_proxies_bring_visitors_to_over_https_is_not_closed_without_a_certificate() {
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let demand = |min_tls| Settings { require_ssl: Some(RequireSsl::Refuse), min_tls, ..Settings::default() };
        let strict = |id, min_tls| {
            let rule = Rule { id, path: RulePath::site(), settings: demand(min_tls), reason: String::new() };
            let binding = binding(Protocol::Http, "", 80, &format!("s{id}.example"));
            Site { rules: Arc::new(Rules::new([rule])), ..site(id, vec![binding]) }
        };
        let alone = table(vec![strict(1, None), strict(2, Some(TlsVersion::Tls13))]);
        let told = |table: &SiteTable| [1, 2].map(|id| table.site(id).unwrap().enforcement(table, now));
        assert_eq!(told(&alone), [Enforcement::Closed; 2]);
        let proxied = alone.with_proxies([proxies("", 80, "10.0.0.1")]);
        assert_eq!(told(&proxied), [Enforcement::Refuses, Enforcement::Closed], "what a proxy agreed on is not known");
        let changed = proxied.with(2, [(1, Some(strict(1, None)))]);
        assert_eq!(told(&changed)[0], Enforcement::Refuses);
        assert_eq!(told(&changed.with_proxies([proxies("", 80, "")]))[0], Enforcement::Closed);

        let rule = Rule { id: 1, path: RulePath::site(), settings: demand(None), reason: String::new() };
        let at = binding(Protocol::Http, "192.0.2.1", 80, "");
        let one = table(vec![Site { rules: Arc::new(Rules::new([rule])), ..site(1, vec![at]) }]);
        let proxied = one.with_proxies([proxies("", 80, "10.0.0.1")]);
        let told = |table: &SiteTable| table.site(1).unwrap().enforcement(table, now);
        assert_eq!(told(&proxied), Enforcement::Refuses);
        let nobody = Proxies { nobody: true, ..proxies("192.0.2.1", 80, "") };
        assert_eq!(told(&proxied.with_proxies([nobody])), Enforcement::Closed, "nobody is believed at its address");
    }

    #[test]
    fn sites_on_a_port_whose_connections_begin_otherwise_are_touched_and_no_others() {
        let sites = [(1, "", 80, "a.x"), (2, "127.0.0.1", 80, "*.b.x"), (3, "", 81, ""), (4, "", 80, "")];
        let sites = sites.map(|(id, ip, port, host)| site(id, vec![binding(Protocol::Http, ip, port, host)]));
        let before = table(sites.to_vec());
        let announced = Proxies { speech: Speech::ProxyProtocol, ..proxies("", 80, "10.0.0.1") };
        let next = before.clone().with_proxies([announced]);
        assert_eq!(before.touched(&next).collect::<Vec<_>>(), [1, 2, 4]);
        let fields = next.clone().with_proxies([proxies("", 80, "10.0.0.1")]);
        assert_eq!(next.touched(&fields).collect::<Vec<_>>(), [1, 2, 4]);
        let others = fields.clone().with_proxies([proxies("", 80, "10.0.0.2")]);
        assert_eq!(fields.touched(&others).count(), 0, "fresh clients get the same");
        assert_eq!(next.touched(&next.clone()).count(), 0);
        let listeners = next.listeners().into_iter().map(|listener| listener.to_string()).collect::<Vec<_>>();
        assert_eq!(listeners, ["port 80", "port 80 at 127.0.0.1", "port 81"]);
    }

    #[test]
    fn a_change_for_all_addresses_reaches_the_sites_at_those_that_list_nobody_themselves() {
        let sites = [(1, "", 80), (2, "192.0.2.1", 80), (3, "192.0.2.2", 80), (4, "192.0.2.3", 80), (5, "", 81)];
        let sites = sites.map(|(id, ip, port)| site(id, vec![binding(Protocol::Http, ip, port, "")]));
        let nobody = Proxies { nobody: true, ..proxies("192.0.2.3", 80, "") };
        let own = [proxies("192.0.2.1", 80, "10.0.0.2"), proxies("192.0.2.2", 80, ""), nobody];
        let table = table(sites.to_vec()).with_proxies(own);
        let at = |ip: &str| Vec::from_iter(table.reached_at(proxies(ip, 80, "").listener));
        assert_eq!(at(""), [1, 3]);
        assert_eq!(at("192.0.2.1"), [1, 2]);
        let next = table.clone().with_proxies([proxies("", 80, "10.0.0.1")]);
        let shift = table.shift(&next).unwrap();
        assert_eq!((shift.listener.ip, shift.gained.list().remove(0).as_str()), (None, "10.0.0.1"));
        let other = next.clone().with_proxies([proxies("192.0.2.2", 80, "10.0.0.1")]);
        assert_eq!(next.shift(&other), None, "it lists whom it believed before");
    }
}
