//! The table of all sites: immutable, shared, and made anew by what a change touched only.

mod listeners;
mod single;
mod trust;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{HashMap, OrdMap, OrdSet};

use crate::binding::{Binding, Place, Protocol};
use crate::certificate::CertificateId;
use crate::document::{Document, Generation};
use crate::host::{HostName, HostPattern};
use crate::ledger::Revision;
use crate::proxies::{Listener, Proxies};
use crate::site::{Site, SiteId};
use crate::ssl::{TlsPolicy, may_preload};
use crate::trust_list::{OwnLists, TrustList, TrustListId};
use single::Single;

/// Every site at one revision.
///
/// Persistent maps share what did not change, so [`SiteTable::with`] costs what the touched site holds, not what the
/// table holds, and a reader keeps the table it borrowed whole.
#[derive(Debug, Clone, Default)]
pub struct SiteTable {
    revision: Revision,
    sites: OrdMap<SiteId, Arc<Site>>,
    ports: OrdMap<u16, Port>,
    /// Whose word is believed, and where.
    proxies: OrdMap<Listener, Arc<Proxies>>,
    /// Whether private keys can't be used, so that sites with https are closed.
    keys_locked: bool,
    generation: Generation,
    /// What Siteward itself publishes, by path.
    documents: HashMap<String, Document>,
    /// The revocation lists among these, ready to be asked.
    own_lists: OwnLists,
    trust_generation: Generation,
    trust_lists: OrdMap<TrustListId, Arc<TrustList>>,
    /// The sites that ask each trust list at any place.
    asking: OrdMap<TrustListId, OrdSet<SiteId>>,
}

/// One TCP port. It speaks one protocol on all its addresses.
#[derive(Debug, Clone)]
struct Port {
    protocol: Protocol,
    /// `None` stands for all addresses.
    addresses: OrdMap<Option<IpAddr>, Hosts>,
    /// The host names that sites have at single addresses.
    single: Single,
}

#[derive(Debug, Clone, Default)]
struct Hosts {
    exact: HashMap<HostName, SiteId>,
    /// By the name after the star.
    wildcard: HashMap<HostName, SiteId>,
    any: Option<SiteId>,
}

/// A port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Listen {
    /// The address, or all.
    pub ip: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// Where a visitor's host name leads.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The site.
    pub site: &'a Arc<Site>,
    /// The binding that named it.
    pub binding: &'a Binding,
}

impl SiteTable {
    /// The ledger revision this table stands for.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The next table: the same but for `changes`, each the new state of a site or `None` where it is gone.
    pub fn with(&self, revision: Revision, changes: impl IntoIterator<Item = (SiteId, Option<Site>)>) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        for (id, site) in changes {
            if let Some(old) = next.sites.remove(&id) {
                old.bindings.iter().for_each(|b| next.release(&b.place, id));
                next.ask_no_longer(&old);
            }
            if let Some(mut site) = site {
                site.locked = next.locks(&site);
                site.proxied = next.is_proxied(&site);
                site.preloads = may_preload(&site);
                site.bindings.iter().for_each(|b| next.reserve(&b.place, id));
                for list in site.rules.trust_lists() {
                    next.asking.entry(*list).or_default().insert(id);
                }
                next.sites.insert(id, Arc::new(site));
            }
        }
        next
    }

    /// The same table, with every site that has https closed, or open again.
    pub fn with_keys_locked(&self, keys_locked: bool) -> Self {
        let mut next = Self { keys_locked, ..self.clone() };
        for (&id, site) in &self.sites {
            let locked = next.locks(site);
            if locked != site.locked {
                next.sites.insert(id, Arc::new(Site { locked, ..Site::clone(site) }));
            }
        }
        next
    }

    fn locks(&self, site: &Site) -> bool {
        self.keys_locked && site.has_https()
    }

    fn reserve(&mut self, place: &Place, id: SiteId) {
        let fresh = || Port { protocol: place.protocol, addresses: OrdMap::new(), single: Single::default() };
        let port = self.ports.entry(place.port.get()).or_insert_with(fresh);
        port.single.reserve(place, id);
        let hosts = port.addresses.entry(place.ip).or_default();
        match &place.host {
            HostPattern::Exact(name) => drop(hosts.exact.insert(name.clone(), id)),
            HostPattern::Wildcard(parent) => drop(hosts.wildcard.insert(parent.clone(), id)),
            HostPattern::Any => hosts.any = Some(id),
        }
    }

    /// Frees a place, unless another site took it within the same change.
    fn release(&mut self, place: &Place, id: SiteId) {
        let Some(port) = self.ports.get_mut(&place.port.get()) else { return };
        port.single.release(place, id);
        let Some(hosts) = port.addresses.get_mut(&place.ip) else { return };
        match &place.host {
            HostPattern::Exact(name) if hosts.exact.get(name) == Some(&id) => drop(hosts.exact.remove(name)),
            HostPattern::Wildcard(name) if hosts.wildcard.get(name) == Some(&id) => drop(hosts.wildcard.remove(name)),
            HostPattern::Any if hosts.any == Some(id) => hosts.any = None,
            _ => {}
        }
        if hosts.is_empty() {
            port.addresses.remove(&place.ip);
        }
        if port.addresses.is_empty() {
            self.ports.remove(&place.port.get());
        }
    }

    /// The site that answers for `host` at the local address `ip`:`port`. In this order:
    /// 1. the exact name bound to this address, then to all addresses;
    /// 2. the wildcard one label up, likewise;
    /// 3. the binding without host name, likewise;
    /// 4. none.
    ///
    /// Without a host name only the third applies.
    pub fn find(&self, ip: IpAddr, port: u16, host: Option<&HostName>) -> Option<Found<'_>> {
        let addresses = &self.ports.get(&port)?.addresses;
        let hosts = [addresses.get(&Some(ip.to_canonical())), addresses.get(&None)];
        let hosts = || hosts.into_iter().flatten();
        let exact = || host.and_then(|host| hosts().find_map(|h| h.exact.get(host)));
        let wildcard = || {
            let parent = host?.parent()?;
            hosts().find_map(|h| h.wildcard.get(parent))
        };
        let any = || hosts().find_map(|h| h.any.as_ref());
        let id = exact().or_else(wildcard).or_else(any)?;
        let site = self.sites.get(id)?;
        site.binding_for(ip, port, host).map(|binding| Found { site, binding })
    }

    /// Whether `host` leads to this site wherever a binding at `place` is reached, as far as that can be told at the same cost
    /// however many addresses are bound. For a binding on all addresses: at `local`, where a visitor came to, at any address
    /// that no binding names, and no other site may have the name at a single one. A neighbour without host name at another
    /// single address does not count.
    pub(crate) fn leads_only_to(&self, id: SiteId, place: &Place, local: Option<IpAddr>, host: &HostName) -> bool {
        let port = place.port.get();
        let leads = |ip| self.find(ip, port, Some(host)).is_some_and(|found| found.site.id == id);
        let is_of_another = || self.ports.get(&port).is_some_and(|port| port.single.is_of_another(id, host));
        match place.ip {
            Some(ip) => leads(ip),
            None => leads(Ipv6Addr::UNSPECIFIED.into()) && local.is_none_or(leads) && !is_of_another(),
        }
    }

    /// The site with this id.
    pub fn site(&self, id: SiteId) -> Option<&Arc<Site>> {
        self.sites.get(&id)
    }

    /// Every site, by id.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = &Arc<Site>> {
        self.sites.values()
    }

    /// Every address and port that a binding needs open. An address is left out where all addresses of its port are.
    pub fn listens(&self) -> BTreeSet<Listen> {
        let mut listens = BTreeSet::new();
        for (&port, Port { protocol, addresses, .. }) in &self.ports {
            let wanted = if addresses.contains_key(&None) { vec![None] } else { addresses.keys().copied().collect() };
            listens.extend(wanted.into_iter().map(|ip| Listen { ip, port, protocol: *protocol }));
        }
        listens
    }
}

impl SiteTable {
    /// The single addresses that bindings of `port` name, also where all addresses are wanted too.
    pub fn addresses(&self, port: u16) -> impl Iterator<Item = IpAddr> {
        self.ports.get(&port).into_iter().flat_map(|port| port.addresses.keys().flatten().copied())
    }

    /// The sites that are other or gone in `next`, and those on ports where connections begin otherwise there, each once. Costs what differs between the two.
    pub fn touched<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = SiteId> + 'a {
        let changed = self.sites.diff(&next.sites).map(|difference| match difference {
            DiffItem::Add(id, _) | DiffItem::Remove(id, _) | DiffItem::Update { new: (id, _), .. } => *id,
        });
        let mut announced_otherwise = self.announced_otherwise(next);
        let changed: Vec<SiteId> = changed.inspect(|id| _ = announced_otherwise.remove(id)).collect();
        changed.into_iter().chain(announced_otherwise)
    }

    /// Certificates, each with the policy of the handshakes it was for, that sites name here and no longer in `next`,
    /// or whose sites have other SSL settings or other CAs on their trust lists there. Costs what differs between the two,
    /// and tells of what another site still has too.
    pub fn released_handshakes(&self, next: &Self) -> Vec<(CertificateId, TlsPolicy)> {
        let certificates = |site: &Site| -> BTreeSet<CertificateId> {
            site.bindings.iter().filter_map(|binding| Some(binding.certificate.as_deref()?.id)).collect()
        };
        let released = self.sites.diff(&next.sites).flat_map(|difference| {
            let (old, certificates) = match difference {
                DiffItem::Add(..) => return Vec::new(),
                DiffItem::Update { old: (_, old), new: (_, new) } if old.rules == new.rules => {
                    (old, &certificates(old) - &certificates(new))
                }
                DiffItem::Update { old: (_, old), .. } | DiffItem::Remove(_, old) => (old, certificates(old)),
            };
            let policy = self.tls(old);
            certificates.into_iter().map(|id| (id, policy)).collect::<Vec<_>>()
        });
        let lists = self.trust_lists.diff(&next.trust_lists).filter_map(|difference| match difference {
            DiffItem::Add(id, _) | DiffItem::Remove(id, _) => Some(*id),
            DiffItem::Update { old: (id, old), new: (_, new) } => (old.identity() != new.identity()).then_some(*id),
        });
        let of_lists = lists.flat_map(|id| self.sites_asking(id)).flat_map(|site| {
            let policy = self.tls(site);
            certificates(site).into_iter().map(move |id| (id, policy))
        });
        released.chain(of_lists).collect()
    }
}

impl Hosts {
    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty() && self.any.is_none()
    }
}

impl Site {
    /// Its own best binding for a visitor, in the order of [`SiteTable::find`].
    fn binding_for(&self, ip: IpAddr, port: u16, host: Option<&HostName>) -> Option<&Binding> {
        let ip = ip.to_canonical();
        let fits = |b: &&Binding| {
            let place = &b.place;
            let named = match (&place.host, host) {
                (HostPattern::Any, _) => true,
                (pattern, Some(host)) => pattern.covers(host),
                (_, None) => false,
            };
            named && place.port.get() == port && place.ip.is_none_or(|own| own == ip)
        };
        self.bindings.iter().filter(fits).max_by_key(|b| (b.place.host.rank(), b.place.ip.is_some()))
    }
}

impl HostPattern {
    /// Exact before wildcard before any.
    fn rank(&self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Wildcard(_) => 1,
            Self::Exact(_) => 2,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::binding::parse_ip;
    use crate::certificate::{CertificateFacts, Fingerprint, SubjectName};
    use crate::site::{Enforcement, SiteState};
    use proptest::prelude::*;
    use std::num::NonZeroU16;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    pub(crate) fn binding(protocol: Protocol, ip: &str, port: u16, host: &str) -> Binding {
        let place = Place {
            protocol,
            ip: parse_ip(ip).unwrap(),
            port: NonZeroU16::new(port).unwrap(),
            host: HostPattern::parse(host).unwrap(),
        };
        Binding { id: 0, place, certificate: None }
    }

    pub(crate) fn site(id: SiteId, bindings: Vec<Binding>) -> Site {
        Site {
            id,
            name: format!("site {id}"),
            folder: "/".into(),
            state: SiteState::Running,
            rules: Arc::default(),
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

    pub(crate) fn table(sites: Vec<Site>) -> SiteTable {
        SiteTable::default().with(1, sites.into_iter().map(|site| (site.id, Some(site))))
    }

    fn found(table: &SiteTable, ip: IpAddr, port: u16, host: &str) -> Option<SiteId> {
        let host = (!host.is_empty()).then(|| HostName::parse(host).unwrap());
        table.find(ip, port, host.as_ref()).map(|found| found.site.id)
    }

    #[test]
    fn a_visitor_reaches_the_exact_name_then_the_wildcard_then_the_binding_without_a_name() {
        let table = table(vec![
            site(1, vec![binding(Protocol::Http, "", 80, "shop.example")]),
            site(2, vec![binding(Protocol::Http, "", 80, "*.shop.example")]),
            site(3, vec![binding(Protocol::Http, "127.0.0.1", 80, "")]),
            site(4, vec![binding(Protocol::Http, "", 80, "www.shop.example")]),
            site(5, vec![binding(Protocol::Http, "127.0.0.1", 80, "shop.example")]),
        ]);
        let elsewhere: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(found(&table, HERE, 80, "shop.example"), Some(5), "the name at this very address");
        assert_eq!(found(&table, elsewhere, 80, "shop.example"), Some(1));
        assert_eq!(found(&table, HERE, 80, "www.shop.example"), Some(4));
        assert_eq!(found(&table, HERE, 80, "m.shop.example"), Some(2));
        assert_eq!(found(&table, HERE, 80, "a.m.shop.example"), Some(3));
        assert_eq!(found(&table, HERE, 80, ""), Some(3));
        assert_eq!(found(&table, elsewhere, 80, "other.example"), None);
        assert_eq!(found(&table, HERE, 81, "shop.example"), None);
    }

    #[test]
    fn a_name_leads_only_to_a_site_where_no_other_has_it_at_any_address() {
        let https = |ip, host| binding(Protocol::Https, ip, 443, host);
        let name = HostName::parse("www.shop.example").unwrap();
        for (neighbour, leads) in [
            (vec![], true),
            (vec![https("127.0.0.1", "")], true),
            (vec![https("127.0.0.1", "other.example"), https("127.0.0.2", "*.www.shop.example")], true),
            (vec![https("127.0.0.1", "www.shop.example")], false),
            (vec![https("127.0.0.1", "*.shop.example")], false),
            (vec![https("", "www.shop.example")], false),
            (vec![binding(Protocol::Https, "127.0.0.1", 8443, "www.shop.example")], true),
        ] {
            let own = https("", "");
            let told: Vec<_> = neighbour.iter().map(|binding| binding.place.to_string()).collect();
            let table = table(vec![site(2, vec![own.clone(), https("127.0.0.9", "www.shop.example")])]);
            let table = table.with(2, [1, 3].map(|id| (id, Some(site(id, neighbour.clone())))));
            assert_eq!(table.leads_only_to(2, &own.place, None, &name), leads, "{told:?}");
            let is_nameless = neighbour.iter().any(|binding| binding.place.host == HostPattern::Any);
            let local = table.leads_only_to(2, &own.place, Some(HERE), &name);
            assert_eq!(local, leads && !is_nameless, "where the visitor came to: {told:?}");
            assert!(table.leads_only_to(2, &https("127.0.0.9", "").place, Some(HERE), &name), "{told:?}");
            let table = table.with(3, [(1, None), (3, None)]);
            assert!(table.leads_only_to(2, &own.place, Some(HERE), &name), "the others are gone: {told:?}");
        }
    }

    #[test]
    fn of_the_names_that_only_a_certificate_tells_the_first_eight_are_asked() {
        let names: Vec<String> = (1..=9).map(|number| format!("{number}.example")).collect();
        let facts = CertificateFacts {
            id: 1,
            fingerprint: Fingerprint::default(),
            subject: "1.example".into(),
            issuer: "Test CA".into(),
            names: names.iter().map(|name| SubjectName::parse(name).unwrap()).collect(),
            not_before: time::OffsetDateTime::UNIX_EPOCH,
            not_after: time::OffsetDateTime::UNIX_EPOCH,
        };
        let own = Binding { certificate: Some(Arc::new(facts)), ..binding(Protocol::Https, "", 443, "") };
        for (taken, address) in [(0, Some("https://1.example")), (7, Some("https://8.example")), (8, None)] {
            let taken = names[..taken].iter().map(|name| binding(Protocol::Https, "", 443, name)).collect();
            let table = table(vec![site(1, vec![own.clone()]), site(2, taken)]);
            assert_eq!(table.site(1).unwrap().https_address(&table, None, None).as_deref(), address);
        }
    }

    #[test]
    fn an_ipv4_visitor_of_a_dual_stack_socket_is_found_by_its_ipv4_address() {
        let table = table(vec![site(1, vec![binding(Protocol::Http, "127.0.0.1", 80, "")])]);
        assert_eq!(found(&table, "::ffff:127.0.0.1".parse().unwrap(), 80, "a.example"), Some(1));
    }

    #[test]
    fn a_port_is_listened_on_once_where_all_its_addresses_are_bound() {
        let table = table(vec![
            site(1, vec![binding(Protocol::Http, "", 80, ""), binding(Protocol::Http, "127.0.0.1", 80, "a.example")]),
            site(2, vec![binding(Protocol::Https, "127.0.0.1", 443, ""), binding(Protocol::Https, "::1", 443, "")]),
        ]);
        let listens: Vec<_> = table.listens().into_iter().map(|l| (l.ip, l.port)).collect();
        assert_eq!(listens, [(None, 80), (Some(HERE), 443), (Some("::1".parse().unwrap()), 443)]);
        let empty = table.with(2, [(1, None), (2, None)]);
        assert!(empty.listens().is_empty());
        assert!(empty.ports.is_empty());
    }

    #[test]
    fn without_the_master_key_sites_with_https_are_closed_and_those_without_go_on_also_after_a_change() {
        let secured =
            || vec![binding(Protocol::Http, "", 80, "a.example"), binding(Protocol::Https, "", 443, "a.example")];
        let plain = || vec![binding(Protocol::Http, "", 80, "b.example")];
        let open = table(vec![site(1, secured()), site(2, plain())]);
        let locked = |table: &SiteTable| [1, 2].map(|id| table.site(id).unwrap().locked);
        assert_eq!(locked(&open), [false, false]);
        let closed = open.with_keys_locked(true);
        assert_eq!(locked(&closed), [true, false]);
        assert_eq!(closed.site(1).unwrap().enforcement(&closed, time::OffsetDateTime::UNIX_EPOCH), Enforcement::Closed);
        let swapped = closed.with(2, [(1, Some(site(1, plain()))), (2, Some(site(2, secured())))]);
        assert_eq!(locked(&swapped), [false, true]);
        assert_eq!(locked(&swapped.with_keys_locked(false)), [false, false]);
    }

    #[test]
    fn two_sites_may_swap_a_name_in_one_change() {
        let a = || binding(Protocol::Http, "", 80, "a.example");
        let b = || binding(Protocol::Http, "", 80, "b.example");
        let before = table(vec![site(1, vec![a()]), site(2, vec![b()])]);
        let after = before.with(2, [(1, Some(site(1, vec![b()]))), (2, Some(site(2, vec![a()])))]);
        assert_eq!(found(&after, HERE, 80, "a.example"), Some(2));
        assert_eq!(found(&after, HERE, 80, "b.example"), Some(1));
        assert_eq!(found(&before, HERE, 80, "a.example"), Some(1), "the old table is unchanged");
    }

    proptest! {
        /// A table made by changes is the table made at once from what is left.
        #[test]
        fn a_table_made_step_by_step_answers_like_one_made_at_once(
            steps in prop::collection::vec((1..6i64, prop::option::of(prop::collection::btree_set(0..12usize, 0..4))), 1..30)
        ) {
            let places = ["", "a.x", "b.x", "*.x.y", "q.x.y", "r.s"];
            let make = |id: SiteId, picks: &std::collections::BTreeSet<usize>, taken: &mut std::collections::BTreeSet<usize>| {
                let bindings = picks.iter().filter(|p| taken.insert(**p)).map(|&p| {
                    binding(Protocol::Http, if p % 2 == 0 { "" } else { "127.0.0.1" }, 80, places[p / 2])
                });
                site(id, bindings.collect())
            };
            let mut state: std::collections::BTreeMap<SiteId, Site> = Default::default();
            let mut table = SiteTable::default();
            for (revision, (id, picks)) in steps.into_iter().enumerate() {
                state.remove(&id);
                let key = |b: &Binding| {
                    let host = b.place.host.to_string();
                    2 * places.iter().position(|p| *p == host).unwrap() + usize::from(b.place.ip.is_some())
                };
                let mut taken = state.values().flat_map(|s| &s.bindings).map(key).collect();
                let next = picks.map(|picks| make(id, &picks, &mut taken));
                if let Some(site) = &next {
                    state.insert(id, site.clone());
                }
                table = table.with(revision as Revision, [(id, next)]);
            }
            let whole = SiteTable::default().with(0, state.into_iter().map(|(id, site)| (id, Some(site))));
            prop_assert_eq!(table.listens(), whole.listens());
            for host in ["", "a.x", "b.x", "q.x.y", "z.x.y", "r.s", "none.z"] {
                for ip in [HERE, "10.0.0.1".parse().unwrap()] {
                    prop_assert_eq!(found(&table, ip, 80, host), found(&whole, ip, 80, host), "{} {}", host, ip);
                }
                let Ok(host) = HostName::parse(host) else { continue };
                let place = binding(Protocol::Http, "", 80, "").place;
                for id in 1..6 {
                    let leads = |table: &SiteTable| table.leads_only_to(id, &place, None, &host);
                    prop_assert_eq!(leads(&table), leads(&whole), "{} {}", host, id);
                }
            }
        }
    }
}
