//! Places: how many of something there may be at the same time, and how many of them one address may take.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of places. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    shares: Arc<Shares>,
}

/// A place taken; dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Place {
    _free: OwnedSemaphorePermit,
    /// None while it counts for nobody.
    share: Option<Share>,
    shares: Arc<Shares>,
}

/// How many places each address has. Those that have none are not listed, so there are never more entries than places.
#[derive(Debug)]
struct Shares {
    most: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

#[derive(Debug)]
struct Share {
    of: IpAddr,
    among: Arc<Shares>,
}

impl Places {
    /// As many as `all`, of which one address may take `most`.
    pub(crate) fn new(all: usize, most: usize) -> Self {
        let shares = Shares { most, taken: Mutex::default() };
        Self { free: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))), shares: Arc::new(shares) }
    }

    /// Waits for a place; `None` if the address has its share.
    pub(crate) async fn wait(&self, address: IpAddr) -> Option<Place> {
        let share = self.shares.share(address)?;
        Some(Place { share: Some(share), ..self.wait_for_nobody().await? })
    }

    /// Waits for a place that counts for no address: a trusted proxy stands for many visitors.
    pub(crate) async fn wait_for_nobody(&self) -> Option<Place> {
        let free = self.free.clone().acquire_owned().await.ok()?;
        Some(Place { _free: free, share: None, shares: self.shares.clone() })
    }

    /// Takes a place, if one is free and the address has less than its share. Without an address it counts for nobody.
    pub(crate) fn take(&self, address: impl Into<Option<IpAddr>>) -> Option<Place> {
        let share = match address.into() {
            Some(address) => Some(self.shares.share(address)?),
            None => None,
        };
        let free = self.free.clone().try_acquire_owned().ok()?;
        Some(Place { _free: free, share, shares: self.shares.clone() })
    }
}

impl Place {
    /// Counts it for `address` from now on; false if the address has its share.
    pub(crate) fn count_for(&mut self, address: IpAddr) -> bool {
        self.share = self.shares.share(address);
        self.share.is_some()
    }
}

impl Shares {
    fn share(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let of = network(address);
        let mut taken = self.lock();
        let own = taken.get(&of).copied().unwrap_or_default();
        if own >= self.most {
            return None;
        }
        taken.insert(of, own + 1);
        Some(Share { of, among: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.among.lock();
        match taken.get_mut(&self.of) {
            Some(own) if *own > 1 => *own -= 1,
            _ => _ = taken.remove(&self.of),
        }
    }
}

/// Whoever has one IPv6 address mostly has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_takes_its_share_and_the_rest_is_for_others() {
        let places = Places::new(3, 2);
        let taken = [places.take(ip("192.0.2.1")), places.take(ip("192.0.2.1"))];
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take(ip("192.0.2.1")).is_none(), "it has its share");
        let other = places.take(ip("192.0.2.2")).unwrap();
        assert!(places.take(ip("192.0.2.3")).is_none(), "there is none left");
        drop((taken, other));
        assert!(places.take(ip("192.0.2.1")).is_some());
        assert!(places.shares.lock().is_empty(), "nothing is remembered of those who left");
    }

    #[tokio::test]
    async fn a_place_of_a_proxy_counts_for_the_visitor_as_soon_as_that_is_known() {
        let places = Places::new(9, 1);
        let mut proxied = [places.wait_for_nobody().await.unwrap(), places.wait_for_nobody().await.unwrap()];
        assert!(proxied[0].count_for(ip("192.0.2.1")));
        assert!(!proxied[1].count_for(ip("192.0.2.1")), "it has its share");
        assert!(places.take(ip("192.0.2.1")).is_none());
        drop(proxied);
        assert!(places.take(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn a_network_of_ipv6_addresses_counts_as_one() {
        let places = Places::new(9, 1);
        let _taken = places.take(ip("2001:db8:0:1::1")).unwrap();
        assert!(places.take(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(places.take(ip("2001:db8:0:2::1")).is_some());
    }
}
