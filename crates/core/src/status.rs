//! The channel between the server and the console: what is really open and what fresh clients got, and back again
//! which sites are to be tried anew.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::binding::Place;
use crate::ledger::Revision;
use crate::receipt::Receipt;
use crate::site::SiteId;
use crate::table::Listen;

/// The longest that a page waits for what comes of a save.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a port is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    /// Connections are accepted.
    Open,
    /// It could not be opened, with the cause as a sentence; it is tried again.
    Failed(String),
}

/// What is known of a site from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Fresh clients are on their way.
    pub underway: bool,
    /// What they got last.
    pub receipt: Option<Arc<Receipt>>,
}

/// The last receipt of every site that was tried. A persistent map: an update, and a snapshot, cost the same however
/// many sites there are.
pub type Receipts = OrdMap<SiteId, Arc<Receipt>>;

#[derive(Debug, Clone, Default)]
struct State {
    revision: Revision,
    listening: Arc<BTreeMap<Listen, Listening>>,
    receipts: Receipts,
    /// Each with the first and the last change that fresh clients are on their way for.
    underway: OrdMap<SiteId, (Revision, Revision)>,
}

/// The console's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Status {
    state: watch::Receiver<State>,
    asked: watch::Sender<BTreeSet<SiteId>>,
}

/// The server's end: only it reports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    state: watch::Sender<State>,
    asked: watch::Sender<BTreeSet<SiteId>>,
}

impl Reporter {
    /// A channel that reports nothing yet.
    pub fn new() -> (Self, Status) {
        let (sender, receiver) = watch::channel(State::default());
        let asked = watch::Sender::default();
        (Self { state: sender, asked: asked.clone() }, Status { state: receiver, asked })
    }

    /// Reports the ports as they are after the table of `revision` was taken up.
    pub fn report(&self, revision: Revision, listening: BTreeMap<Listen, Listening>) {
        self.state.send_modify(|state| {
            state.revision = revision;
            state.listening = Arc::new(listening);
        });
    }

    /// Whether the port of a binding is open, as reported last.
    pub fn listening_at(&self, place: &Place) -> Option<Listening> {
        listening_at(&self.state.borrow().listening, place).cloned()
    }

    /// Tells that fresh clients are on their way to a site, because of the change `since`, or of none.
    pub fn set_out(&self, site: SiteId, since: Option<Revision>) {
        let (since, until) = since.map_or((Revision::MAX, Revision::MIN), |change| (change, change));
        self.state.send_modify(|state| {
            let (first, last) = state.underway.entry(site).or_insert((since, until));
            (*first, *last) = (since.min(*first), until.max(*last));
        });
    }

    /// Tells what they got; until [`Reporter::settled`] something may still come of it.
    pub fn receipt(&self, site: SiteId, receipt: Receipt) {
        self.state.send_modify(|state| _ = state.receipts.insert(site, Arc::new(receipt)));
    }

    /// What they got last.
    pub fn last_receipt(&self, site: SiteId) -> Option<Arc<Receipt>> {
        self.state.borrow().receipts.get(&site).cloned()
    }

    /// Tells that nobody is on the way to a site any more.
    pub fn settled(&self, site: SiteId) {
        self.state.send_if_modified(|state| state.underway.remove(&site).is_some());
    }

    /// Forgets a site that is gone.
    pub fn forget(&self, site: SiteId) {
        self.state.send_if_modified(|state| {
            let was_underway = state.underway.remove(&site).is_some();
            state.receipts.remove(&site).is_some() || was_underway
        });
    }

    /// Waits until the console asks for sites to be tried anew.
    pub async fn asked(&self) -> BTreeSet<SiteId> {
        // Never fails: this very value holds a sender.
        let _ = self.asked.subscribe().wait_for(|sites| !sites.is_empty()).await;
        let mut asked = BTreeSet::new();
        self.asked.send_if_modified(|sites| {
            asked = mem::take(sites);
            false
        });
        asked
    }
}

impl Status {
    /// Every port that should be open, and whether it is.
    pub fn listening(&self) -> Arc<BTreeMap<Listen, Listening>> {
        self.state.borrow().listening.clone()
    }

    /// Whether the port of a binding is open; `None` where that is not reported yet.
    pub fn listening_at(&self, place: &Place) -> Option<Listening> {
        listening_at(&self.state.borrow().listening, place).cloned()
    }

    /// Waits until the server has taken up `revision`, at most two seconds: a page shown after a save then tells what
    /// came of it.
    pub async fn reached(&self, revision: Revision) {
        self.wait(|state| state.revision >= revision).await;
    }

    /// What is known of a site from outside.
    pub fn sight(&self, site: SiteId) -> Sight {
        let state = self.state.borrow();
        Sight { underway: state.underway.contains_key(&site), receipt: state.receipts.get(&site).cloned() }
    }

    /// The last receipt of every site that was tried.
    pub fn receipts(&self) -> Receipts {
        self.state.borrow().receipts.clone()
    }

    /// Waits until fresh clients are back from every site that the change `revision` touched, at most two seconds. Others
    /// may be on their way for long.
    pub async fn tried(&self, revision: Revision) {
        self.wait(|state| state.underway.values().all(|&(first, last)| !(first..=last).contains(&revision))).await;
    }

    /// Has a site tried anew, and waits for what was got after `since`, at most two seconds.
    pub async fn ask(&self, site: SiteId, since: OffsetDateTime) {
        self.asked.send_modify(|sites| _ = sites.insert(site));
        let is_back = |state: &State| state.receipts.get(&site).is_some_and(|receipt| receipt.at >= since);
        self.wait(|state| is_back(state) && !state.underway.contains_key(&site)).await;
    }

    async fn wait(&self, is_reached: impl FnMut(&State) -> bool) {
        let mut receiver = self.state.clone();
        let _ = tokio::time::timeout(PATIENCE, receiver.wait_for(is_reached)).await;
    }
}

/// A port that is open on all addresses serves each of them; where it can't be, single ones may be open.
fn listening_at<'a>(listening: &'a BTreeMap<Listen, Listening>, place: &Place) -> Option<&'a Listening> {
    let of = |ip| listening.get(&Listen { ip, port: place.port.get(), protocol: place.protocol });
    of(place.ip).or_else(|| of(None))
}
