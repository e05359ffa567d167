//! The host names that sites have at single addresses of a port.

use std::net::IpAddr;

use imbl::{HashMap, OrdSet};

use crate::binding::Place;
use crate::host::{HostName, HostPattern};
use crate::site::SiteId;

/// Who has which host name at a single address, ready to be asked whatever the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Single {
    exact: Names,
    /// By the name after the star.
    wildcard: Names,
}

type Names = HashMap<HostName, OrdSet<(SiteId, IpAddr)>>;

impl Single {
    /// Adds a place, if it is one of a host name at a single address.
    pub(super) fn reserve(&mut self, place: &Place, id: SiteId) {
        let Some((names, name, ip)) = self.of(place) else { return };
        names.entry(name.clone()).or_default().insert((id, ip));
    }

    /// Takes back what [`Single::reserve`] added.
    pub(super) fn release(&mut self, place: &Place, id: SiteId) {
        let Some((names, name, ip)) = self.of(place) else { return };
        let Some(holders) = names.get_mut(name) else { return };
        holders.remove(&(id, ip));
        if holders.is_empty() {
            names.remove(name);
        }
    }

    /// Whether another site than `id` has `host` at any single address, exactly or by wildcard.
    pub(super) fn is_of_another(&self, id: SiteId, host: &HostName) -> bool {
        let wildcard = host.parent().and_then(|parent| self.wildcard.get(parent));
        let holders = [self.exact.get(host), wildcard].into_iter().flatten();
        // They are in order: where the first and the last are of one site, all are.
        holders.flat_map(|holders| [holders.get_min(), holders.get_max()]).flatten().any(|(of, _)| *of != id)
    }

    fn of<'a>(&mut self, place: &'a Place) -> Option<(&mut Names, &'a HostName, IpAddr)> {
        let ip = place.ip?;
        match &place.host {
            HostPattern::Exact(name) => Some((&mut self.exact, name, ip)),
            HostPattern::Wildcard(parent) => Some((&mut self.wildcard, parent, ip)),
            HostPattern::Any => None,
        }
    }
}
