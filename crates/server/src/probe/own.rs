//! Which connections are those of our own clients, so that the access log and the counts of traffic tell of visitors only.

use std::collections::HashSet;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::socket::Ends;

/// How long an end is remembered at least: the server may notice the end of a connection after its client.
const KEPT: Duration = Duration::from_secs(30);

/// The clients' ends of their connections, in two generations.
#[derive(Debug, Default)]
pub(crate) struct OwnClients(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    since: Option<Instant>,
    newer: HashSet<SocketAddr>,
    older: HashSet<SocketAddr>,
}

impl OwnClients {
    /// Remembers a client's end, before it connects.
    pub(crate) fn add(&self, end: SocketAddr) {
        let mut recent = self.lock();
        if recent.since.is_none_or(|since| since.elapsed() > KEPT) {
            recent.older = mem::take(&mut recent.newer);
            recent.since = Some(Instant::now());
        }
        recent.newer.insert(end);
    }

    /// Whether a connection is one of ours. Costs visitors nothing: who comes from elsewhere is none.
    pub(crate) fn has(&self, ends: &Ends) -> bool {
        if ends.remote.ip() != ends.local.ip() {
            return false;
        }
        let recent = self.lock();
        recent.newer.contains(&ends.remote) || recent.older.contains(&ends.remote)
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
