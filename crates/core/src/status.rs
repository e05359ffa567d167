//! The one-way channel from the server to the console: what is really open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::ledger::Revision;
use crate::table::Listen;

/// Whether a port is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    /// Connections are accepted.
    Open,
    /// It could not be opened, with the cause as a sentence; it is tried again.
    Failed(String),
}

#[derive(Debug, Clone, Default)]
struct State {
    revision: Revision,
    listening: Arc<BTreeMap<Listen, Listening>>,
}

/// The console's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Status(watch::Receiver<State>);

/// The server's end: only it reports.
#[derive(Debug)]
pub struct Reporter(watch::Sender<State>);

impl Reporter {
    /// A channel that reports nothing yet.
    pub fn new() -> (Self, Status) {
        let (sender, receiver) = watch::channel(State::default());
        (Self(sender), Status(receiver))
    }

    /// Reports the ports as they are after the table of `revision` was taken up.
    pub fn report(&self, revision: Revision, listening: BTreeMap<Listen, Listening>) {
        self.0.send_replace(State { revision, listening: Arc::new(listening) });
    }
}

impl Status {
    /// Every port that should be open, and whether it is.
    pub fn listening(&self) -> Arc<BTreeMap<Listen, Listening>> {
        self.0.borrow().listening.clone()
    }

    /// Waits until the server has taken up `revision`, at most two seconds: a page shown after a save then tells what
    /// came of it.
    pub async fn reached(&self, revision: Revision) {
        let mut receiver = self.0.clone();
        let reached = receiver.wait_for(|state| state.revision >= revision);
        let _ = tokio::time::timeout(Duration::from_secs(2), reached).await;
    }
}
