//! Which connections are those of our own clients, so that the access log and the counts of traffic tell of visitors only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::socket::Ends;

/// How long an end is remembered: the server may notice the end of a connection after its client.
const KEPT: Duration = Duration::from_secs(30);

/// The clients' ends of their connections, and since when.
#[derive(Debug, Default)]
pub(crate) struct OwnClients(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    ends: HashMap<SocketAddr, Instant>,
    cleared: Option<Instant>,
}

impl OwnClients {
    /// Remembers a client's end, before it connects.
    pub(crate) fn add(&self, end: SocketAddr) {
        let (mut recent, now) = (self.lock(), Instant::now());
        if recent.cleared.is_none_or(|at| now - at > KEPT) {
            recent.ends.retain(|_, since| now - *since <= KEPT);
            recent.cleared = Some(now);
        }
        recent.ends.insert(end, now);
    }

    /// Whether a connection is one of ours. Costs visitors nothing: who comes from elsewhere is none.
    pub(crate) fn has(&self, ends: &Ends) -> bool {
        ends.remote.ip() == ends.local.ip() && self.had(ends.remote, Instant::now())
    }

    /// A visitor may come from the same port later.
    fn had(&self, end: SocketAddr, now: Instant) -> bool {
        self.lock().ends.get(&end).is_some_and(|since| now - *since <= KEPT)
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_who_gets_the_port_of_a_client_later_is_a_visitor() {
        let (own, end) = (OwnClients::default(), "127.0.0.1:50000".parse().unwrap());
        own.add(end);
        let now = Instant::now();
        assert!(own.had(end, now));
        assert!(!own.had(end, now + 2 * KEPT));
    }
}
