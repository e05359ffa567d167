//! Counts what comes, off the way of requests: each thread counts for itself, and one task hands the counts to the store.

mod failure;

use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use http::header::{AUTHORIZATION, COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Version};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};
use siteward_core::site::SiteId;
use siteward_core::store::{Store, StoreError};
use siteward_core::traffic::{
    Agent, Cipher, Class, Client, Credentials, Exchange, Failure, Hour, Http, Shown, Tally, TlsVersion, Way, hour_of,
};
use siteward_core::trial::{TrialId, Would};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use failure::failure_of;

use crate::probe::OwnClients;
use crate::references::References;
use crate::seen::SeenClients;

/// How often the counts are written.
const EVERY: Duration = Duration::from_secs(5);

/// How often what is too old is removed, and the pause for others between one little and the next.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
const PRUNE_PAUSE: Duration = Duration::from_millis(50);

/// Threads that count without ever meeting another.
pub(crate) const SHARDS: usize = 16;

/// User agents that are remembered in each shard until the next write, and how long one may be.
const AGENTS: usize = 256;
const AGENT_LENGTH: usize = 300;

/// Sites whose counts are kept while they can't be written.
const WAITING: usize = 10_000;

/// What was counted since it was written last.
#[derive(Debug)]
pub(crate) struct Traffic {
    shards: [Mutex<Shard>; SHARDS],
    /// Kinds of requests that are told apart between two writes, in each shard; 0 counts nothing.
    kinds: usize,
    /// Requests and failed handshakes that could not be counted.
    lost: AtomicU64,
    /// Who is not counted.
    pub(crate) own: OwnClients,
    /// Whose certificates came.
    pub(crate) clients: SeenClients,
}

#[derive(Debug, Default)]
struct Shard {
    requests: Counts<(SiteId, Class, Client)>,
    /// Families by what is sent, since they take longer to tell than all the rest.
    agents: HashMap<Box<[u8]>, Agent, RandomState>,
    failures: Counts<(SiteId, Failure)>,
    trials: Counts<(SiteId, TrialId, Would, Client)>,
}

/// Strangers choose the keys: each map is small, and is hashed with a seed of its own.
type Counts<K> = HashMap<K, u64, RandomState>;

impl Shard {
    /// Who asks.
    fn client(&mut self, request: &Parts, remote: IpAddr) -> Client {
        let sent = request.headers.get(USER_AGENT);
        let bytes = sent.map_or(&b""[..], HeaderValue::as_bytes);
        if let Some(agent) = self.agents.get(bytes) {
            return Client::of(*agent, remote);
        }
        let agent = Agent::of(sent.map_or(Ok(""), HeaderValue::to_str).unwrap_or("Unreadable"));
        if self.agents.len() < AGENTS && bytes.len() <= AGENT_LENGTH {
            self.agents.insert(bytes.into(), agent);
        }
        Client::of(agent, remote)
    }

    /// Clients are told apart within bounds; without them there are no more kinds than people have put on trial.
    fn judge(&mut self, site: SiteId, trial: TrialId, would: Would, client: Client, kinds: usize) {
        let key = (site, trial, would, if would.is_worse() { client } else { Client::OTHERS });
        let is_told_apart = self.trials.len() < kinds || self.trials.contains_key(&key);
        let key = if is_told_apart { key } else { (site, trial, would, Client::OTHERS) };
        *self.trials.entry(key).or_default() += 1;
    }
}

impl Traffic {
    pub(crate) fn new(kinds: usize) -> Self {
        let (shards, lost) = (Default::default(), AtomicU64::new(0));
        Self { shards, kinds, lost, own: OwnClients::default(), clients: SeenClients::default() }
    }

    /// Who asks.
    pub(crate) fn client(&self, request: &Parts, remote: IpAddr) -> Client {
        self.shard().client(request, remote)
    }

    /// Counts one request, and what settings on trial would have made of it.
    pub(crate) fn count(
        &self,
        request: &Parts,
        remote: IpAddr,
        site: SiteId,
        class: Class,
        trials: &[(TrialId, Would)],
    ) {
        let mut shard = self.shard();
        let client = shard.client(request, remote);
        for (trial, would) in trials {
            shard.judge(site, *trial, *would, client, self.kinds);
        }
        if let Some(requests) = shard.requests.get_mut(&(site, class, client)) {
            *requests += 1;
            return;
        }
        let coarse = (site, class.elsewhere(), Client::OTHERS);
        match shard.requests.len() {
            known if known < self.kinds => _ = shard.requests.insert((site, class, client), 1),
            // Somebody sends nothing but new kinds: less is told apart, so that what is usual is still counted.
            known if known < 2 * self.kinds || shard.requests.contains_key(&coarse) => {
                *shard.requests.entry(coarse).or_default() += 1;
            }
            _ => self.lose(),
        }
    }

    /// Counts one handshake that failed.
    pub(crate) fn fail(&self, site: SiteId, failure: Failure) {
        let mut shard = self.shard();
        if shard.failures.len() < self.kinds || shard.failures.contains_key(&(site, failure)) {
            *shard.failures.entry((site, failure)).or_default() += 1;
        } else if self.is_on() {
            self.lose();
        }
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether anything is counted at all.
    pub(crate) fn is_on(&self) -> bool {
        self.kinds > 0
    }

    /// This thread's own.
    fn shard(&self) -> MutexGuard<'_, Shard> {
        lock(&self.shards[seat()])
    }

    /// Everything that was counted since the last call, by site.
    fn take(&self) -> HashMap<SiteId, Tally> {
        let mut tallies: HashMap<SiteId, Tally> = HashMap::new();
        for shard in &self.shards {
            let Shard { requests, failures, trials, .. } = mem::take(&mut *lock(shard));
            for ((site, class, client), requests) in requests {
                tallies.entry(site).or_default().count(class, client, requests);
            }
            for ((site, failure), handshakes) in failures {
                tallies.entry(site).or_default().fail(failure, handshakes);
            }
            for ((site, trial, would, client), requests) in trials {
                tallies.entry(site).or_default().judge(trial, would, client, requests);
            }
        }
        tallies
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Counting can't panic half-way.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

static NEXT_SEAT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which shard a thread counts in.
    static SEAT: usize = NEXT_SEAT.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

/// Which of the shards is this thread's own.
pub(crate) fn seat() -> usize {
    SEAT.with(|seat| *seat)
}

/// The task that writes the counts.
#[derive(Debug)]
pub(crate) struct Recorder {
    stop: oneshot::Sender<()>,
    writing: JoinHandle<()>,
}

impl Recorder {
    /// Writes what `traffic` counts and `references` keeps into `store` until told to stop.
    pub(crate) fn start(traffic: Arc<Traffic>, references: Arc<References>, store: Store) -> Self {
        let (stop, stopped) = oneshot::channel();
        let writing = async move {
            tokio::select! {
                () = write(traffic, references, &store, stopped) => {}
                () = keep_pruned(&store) => {}
            }
        };
        Self { stop, writing: tokio::spawn(writing) }
    }

    /// Writes what is left.
    pub(crate) async fn finish(self) {
        // Either fails only where the task has ended, which is the aim.
        let _ = self.stop.send(());
        let _ = self.writing.await;
    }
}

async fn write(traffic: Arc<Traffic>, references: Arc<References>, store: &Store, mut stopped: oneshot::Receiver<()>) {
    let mut waiting = Waiting::default();
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_last = tokio::select! {
            _ = rounds.tick() => false,
            _ = &mut stopped => true,
        };
        let now = OffsetDateTime::now_utc();
        waiting.add(hour_of(now), traffic.take());
        waiting.write(store, now).await;
        references.write(store).await;
        traffic.clients.write(store).await;
        let lost = traffic.lost.swap(0, Ordering::Relaxed) + mem::take(&mut waiting.lost);
        if lost > 0 {
            tracing::warn!(lost, "requests were answered, or handshakes failed, and were not counted");
        }
        if is_last {
            return;
        }
    }
}

async fn keep_pruned(store: &Store) {
    let mut rounds = tokio::time::interval(PRUNE_EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        prune(store, OffsetDateTime::now_utc()).await;
    }
}

/// Removes all that is too old.
async fn prune(store: &Store, now: OffsetDateTime) {
    loop {
        let removed = async {
            let of_traffic = store.prune_traffic(now).await? | store.prune_refused(now).await?;
            Ok::<_, StoreError>(of_traffic | store.prune_seen(now).await?)
        };
        match removed.await {
            Ok(true) => tokio::time::sleep(PRUNE_PAUSE).await,
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "what is too old can't be removed for the moment"),
        }
    }
}

/// Counts that are not written yet, by hour: usually one.
#[derive(Debug, Default)]
struct Waiting {
    hours: HashMap<Hour, HashMap<SiteId, Tally>>,
    lost: u64,
}

impl Waiting {
    fn add(&mut self, hour: Hour, tallies: impl IntoIterator<Item = (SiteId, Tally)>) {
        let sites = self.hours.entry(hour).or_default();
        for (site, tally) in tallies {
            let sum = sites.entry(site).or_default();
            sum.add(&tally);
            sum.bound();
        }
    }

    /// Keeps what could not be written, of so many sites as there is room for.
    fn put_back(&mut self, hour: Hour, mut tallies: Vec<(SiteId, Tally)>) {
        let held: usize = self.hours.values().map(HashMap::len).sum();
        let kept = tallies.len().min(WAITING.saturating_sub(held));
        self.lost += tallies.drain(kept..).map(|(_, tally)| tally.requests()).sum::<u64>();
        self.add(hour, tallies);
    }

    async fn write(&mut self, store: &Store, now: OffsetDateTime) {
        for (hour, sites) in mem::take(&mut self.hours) {
            let mut tallies: Vec<(SiteId, Tally)> = sites.into_iter().collect();
            if let Err(error) = store.record_traffic(hour, &mut tallies, now).await {
                tracing::warn!(%error, "traffic can't be written for the moment");
                self.put_back(hour, tallies);
            }
        }
    }
}

/// What a request in clear gave away.
pub(crate) fn credentials(request: &Parts) -> Credentials {
    match (request.headers.contains_key(AUTHORIZATION), request.headers.contains_key(COOKIE)) {
        (false, false) => Credentials::None,
        (false, true) => Credentials::Cookie,
        (true, false) => Credentials::Authorization,
        (true, true) => Credentials::Both,
    }
}

pub(crate) fn http(version: Version) -> Http {
    match version {
        Version::HTTP_10 => Http::Http10,
        Version::HTTP_11 => Http::Http11,
        Version::HTTP_2 => Http::Http2,
        Version::HTTP_3 => Http::Http3,
        _ => Http::Unknown,
    }
}

/// What a handshake agreed on; what the client showed is judged at each request.
pub(crate) fn way(connection: &rustls::CommonState) -> Way {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
        _ => TlsVersion::Unknown,
    };
    let cipher = connection.negotiated_cipher_suite().map_or(Cipher::Unknown, |suite| cipher(suite.suite()));
    let exchange = match connection.negotiated_key_exchange_group().map(|group| group.name()) {
        None => Exchange::Unknown,
        Some(NamedGroup::X25519) => Exchange::X25519,
        Some(NamedGroup::secp256r1) => Exchange::P256,
        Some(NamedGroup::secp384r1) => Exchange::P384,
        Some(NamedGroup::X25519MLKEM768 | NamedGroup::secp256r1MLKEM768 | NamedGroup::MLKEM768) => {
            Exchange::PostQuantum
        }
        Some(_) => Exchange::Other,
    };
    Way::Tls { version, cipher, exchange, shown: Shown::Unknown }
}

fn cipher(suite: CipherSuite) -> Cipher {
    let name = suite.as_str().unwrap_or_default();
    match name {
        _ if name.contains("AES_128") || name.contains("AES128") => Cipher::Aes128,
        _ if name.contains("AES_256") || name.contains("AES256") => Cipher::Aes256,
        _ if name.contains("CHACHA20") => Cipher::ChaCha20,
        _ => Cipher::Unknown,
    }
}

#[cfg(test)]
mod tests;
