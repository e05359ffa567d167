//! Receipts: fresh clients connect to the sites' own addresses, and what they get is compared with what was intended.
//!
//! A change sends them to the sites it touched, at once; a start and every six hours send them to all sites, gently.

mod attempt;
mod clients;
mod judge;
mod line;
mod own;
mod plan;
mod settle;

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use siteward_core::binding::Binding;
use siteward_core::receipt::{BindingReceipt, Cause, Receipt};
use siteward_core::site::{Site, SiteId};
use siteward_core::status::{Listening, Reporter};
use siteward_core::store::{Store, StoreError};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use clients::Clients;
use line::Line;
pub(crate) use own::OwnClients;
use plan::{Try, tries};

use crate::traffic::Traffic;

/// How often every site is tried.
const EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// After how long a site is tried again that could not be reached.
const AGAIN: Duration = Duration::from_secs(30);

/// Sites that a change touched and that are tried at the same time.
const AT_ONCE: usize = 4;

/// The most sites of one change that are tried at once; the others are tried with all sites, gently.
const EAGERLY: usize = 300;

/// Clients on their way at the same time, over all sites.
const CLIENTS: usize = 32;

/// How many times as long as a site took is rested before the next of all sites: they cost a fifth of one processor.
const REST: u32 = 4;

/// Sends fresh clients for as long as it lives.
#[derive(Debug)]
pub(crate) struct Prober {
    shared: Arc<Shared>,
    _working: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    reporter: Reporter,
    /// In whose counts the clients are left out.
    traffic: Arc<Traffic>,
    clients: Clients,
    on_their_way: Semaphore,
    /// Sites to be tried at once.
    touched: Line,
    /// Sites to be tried when there is time.
    all: Line,
    /// Sites that could not be reached, to be tried again.
    unreached: Mutex<HashSet<SiteId>>,
    /// Sites that were tried, and whose switches were not looked at yet.
    unsettled: Mutex<HashSet<SiteId>>,
}

impl Prober {
    /// Begins with all sites, those first whose newest certificate nobody has seen yet.
    pub(crate) fn start(store: Store, reporter: Reporter, traffic: Arc<Traffic>) -> Self {
        let shared = Arc::new(Shared {
            store,
            reporter,
            traffic,
            clients: Clients::new(),
            on_their_way: Semaphore::new(CLIENTS),
            touched: Line::new(),
            all: Line::new(),
            unreached: Mutex::default(),
            unsettled: Mutex::default(),
        });
        let mut working = JoinSet::new();
        for _ in 0..AT_ONCE {
            working.spawn(shared.clone().try_touched());
        }
        working.spawn(shared.clone().try_all());
        working.spawn(shared.clone().line_up_all());
        working.spawn(shared.clone().line_up_asked());
        working.spawn(shared.clone().line_up_unreached());
        Self { shared, _working: working }
    }

    /// Tells that clients will be on their way to every site that `next` has changed: these.
    pub(crate) fn announce(&self, before: &SiteTable, next: &SiteTable) -> Vec<SiteId> {
        let (there, gone): (Vec<_>, Vec<_>) = before.touched(next).partition(|&id| next.site(id).is_some());
        gone.into_iter().for_each(|id| self.shared.reporter.forget(id));
        there.iter().take(EAGERLY).for_each(|&id| self.shared.reporter.set_out(id, Some(next.revision())));
        there
    }

    /// Sends clients to sites that were announced.
    pub(crate) fn send(&self, sites: Vec<SiteId>) {
        let (now, later) = sites.split_at(sites.len().min(EAGERLY));
        now.iter().for_each(|&id| self.shared.touched.push(id));
        later.iter().for_each(|&id| self.shared.all.push(id));
    }
}

impl Shared {
    fn set_out(&self, id: SiteId) {
        self.reporter.set_out(id, None);
        self.touched.push(id);
    }

    async fn line_up_all(self: Arc<Self>) {
        match self.store.list_unproven_sites().await {
            Ok(sites) => sites.into_iter().for_each(|id| self.set_out(id)),
            Err(error) => tracing::error!(%error, "it can't be read which certificates were just put in service"),
        }
        let mut times = interval(EVERY);
        loop {
            times.tick().await;
            self.store.table().sites().for_each(|site| self.all.push(site.id));
        }
    }

    async fn line_up_asked(self: Arc<Self>) {
        loop {
            self.reporter.asked().await.into_iter().for_each(|id| self.set_out(id));
        }
    }

    /// A port may be open by the next time.
    async fn line_up_unreached(self: Arc<Self>) {
        let mut times = interval(AGAIN);
        loop {
            times.tick().await;
            mem::take(&mut *self.unreached()).into_iter().for_each(|id| self.all.push(id));
        }
    }

    async fn try_touched(self: Arc<Self>) {
        while let Some(id) = self.touched.next().await {
            self.try_apart(id).await;
        }
    }

    async fn try_all(self: Arc<Self>) {
        while let Some(id) = self.all.next().await {
            let began = Instant::now();
            self.try_apart(id).await;
            sleep(began.elapsed() * REST).await;
        }
    }

    /// In a task of its own: a panic costs one site its receipt, and no later one.
    async fn try_apart(self: &Arc<Self>, id: SiteId) {
        let (mut apart, shared) = (JoinSet::new(), self.clone());
        apart.spawn(async move { shared.try_site(id).await });
        if let Some(Err(error)) = apart.join_next().await {
            tracing::error!(site = id, %error, "the trial of a site broke off");
            self.reporter.settled(id);
        }
        self.settle_waiting().await;
    }

    /// Tries one site as it is now, and reports.
    async fn try_site(self: &Arc<Self>, id: SiteId) {
        let table = self.store.table();
        let Some(site) = table.site(id) else { return self.reporter.forget(id) };
        let planned = self.planned(&table, site);
        let outcome = self.receipt(site, planned.clone()).await;
        let now = self.store.table();
        // Nothing is said of what changed meanwhile: whoever took that up has lined the site up again.
        if now.site(id).is_none_or(|now| now.version != site.version || now.locked != site.locked) {
            return;
        }
        // Another site may have taken an address over.
        if self.planned(&now, site) != planned {
            return self.touched.push(id);
        }
        match outcome {
            Ok(receipt) => {
                if receipt.fault(|cause| cause == Cause::Port).is_some() {
                    self.unreached().insert(id);
                }
                let is_refused = receipt.fault(|cause| cause == Cause::Certificate).is_some();
                self.reporter.receipt(id, receipt);
                self.settle(id, is_refused).await;
            }
            Err(error) => tracing::error!(site = site.name, %error, "a site could not be tried"),
        }
        if !self.touched.has(id) {
            self.reporter.settled(id);
        }
    }

    fn unreached(&self) -> MutexGuard<'_, HashSet<SiteId>> {
        self.unreached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receipt(self: &Arc<Self>, site: &Site, planned: Vec<Vec<Try>>) -> Result<Receipt, StoreError> {
        let known = Arc::new(self.known(planned.iter().flatten()).await?);
        let mut bindings: Vec<BindingReceipt> = site
            .bindings
            .iter()
            .map(|binding| BindingReceipt { binding: binding.id, attempts: self.closed(binding).into_iter().collect() })
            .collect();
        let mut underway = JoinSet::new();
        for (of, tries) in planned.into_iter().enumerate() {
            for (order, one) in tries.into_iter().enumerate() {
                let (shared, known) = (self.clone(), known.clone());
                underway.spawn(async move { (of, order, shared.attempt(one, &known).await) });
            }
        }
        let mut back = underway.join_all().await;
        back.sort_by_key(|&(of, order, _)| (of, order));
        for (of, _, attempt) in back {
            bindings[of].attempts.extend(attempt);
        }
        Ok(Receipt { version: site.version, at: OffsetDateTime::now_utc(), bindings })
    }

    /// The clients for each binding, none where its port is not ours: another program may answer there.
    fn planned(&self, table: &SiteTable, site: &Site) -> Vec<Vec<Try>> {
        let is_open = |binding: &Binding| self.reporter.listening_at(&binding.place) == Some(Listening::Open);
        let of = |binding| if is_open(binding) { tries(table, site, binding) } else { Vec::new() };
        site.bindings.iter().map(of).collect()
    }
}
