//! The counts of one site and hour: bounded, whatever visitors send.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Agent, Answer, Class, Client, Credentials, Facts, Failure, Folder, Way};
use crate::trial::{TrialId, Would};

/// What came to one site within an hour.
///
/// Sums are exact. Which folder a request went to is given up for the rarest ones once there are many, and of the
/// clients only those that ask often are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Tally {
    classes: BTreeMap<Class, Counted>,
    failures: BTreeMap<Failure, u64>,
    /// Requests of which nothing more is known.
    rest: u64,
    /// What settings on trial would have made of them.
    trials: BTreeMap<TrialId, BTreeMap<Would, Counted>>,
}

/// The requests of one class, or of one outcome of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Counted {
    requests: u64,
    clients: BTreeMap<Client, u64>,
}

impl Counted {
    fn count(&mut self, client: Client, requests: u64) {
        self.requests += requests;
        if client != Client::OTHERS {
            *self.clients.entry(client).or_default() += requests;
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (client, requests) in &other.clients {
            *self.clients.entry(*client).or_default() += requests;
        }
    }
}

impl Tally {
    /// Classes of requests that are told apart.
    pub const CLASSES: usize = 128;

    /// Clients within their classes that are told apart.
    pub const CLIENTS: usize = 128;

    /// Trials that are told apart: the newest. More are only where people begin one after the other within an hour.
    pub const TRIALS: usize = 16;

    /// Clients within the outcomes of trials that are told apart.
    pub const TRIAL_CLIENTS: usize = 64;

    /// Counts requests. Follow with [`Tally::bound`].
    pub fn count(&mut self, class: Class, client: Client, requests: u64) {
        self.classes.entry(class).or_default().count(client, requests);
    }

    /// Counts what a trial would have made of requests that are counted by their class too. Follow with [`Tally::bound`].
    pub fn judge(&mut self, trial: TrialId, would: Would, client: Client, requests: u64) {
        self.trials.entry(trial).or_default().entry(would).or_default().count(client, requests);
    }

    /// Counts handshakes that failed.
    pub fn fail(&mut self, failure: Failure, handshakes: u64) {
        *self.failures.entry(failure).or_default() += handshakes;
    }

    /// Counts what another tally did. Follow with [`Tally::bound`].
    pub fn add(&mut self, other: &Self) {
        for (class, counted) in &other.classes {
            self.classes.entry(*class).or_default().add(counted);
        }
        for (failure, handshakes) in &other.failures {
            self.fail(*failure, *handshakes);
        }
        for (trial, outcomes) in &other.trials {
            let own = self.trials.entry(*trial).or_default();
            outcomes.iter().for_each(|(would, counted)| own.entry(*would).or_default().add(counted));
        }
        self.rest += other.rest;
    }

    /// Keeps no more than may be kept.
    pub fn bound(&mut self) {
        self.give_up_folders();
        self.give_up_classes();
        give_up_clients(&mut self.classes.values_mut().collect::<Vec<_>>(), Self::CLIENTS);
        while self.trials.len() > Self::TRIALS {
            self.trials.pop_first();
        }
        let outcomes = self.trials.values_mut().flat_map(BTreeMap::values_mut);
        give_up_clients(&mut outcomes.collect::<Vec<_>>(), Self::TRIAL_CLIENTS);
    }

    /// Requests by class.
    pub fn classes(&self) -> impl Iterator<Item = (&Class, u64)> {
        self.classes.iter().map(|(class, counted)| (class, counted.requests))
    }

    /// Requests of the clients of a class that ask often: as many as this or somewhat more. What is left of the sum of
    /// the class is the others'.
    pub fn clients(&self, class: &Class) -> impl Iterator<Item = (&Client, u64)> {
        let clients = self.classes.get(class).into_iter().flat_map(|counted| &counted.clients);
        clients.map(|(client, requests)| (client, *requests))
    }

    /// What a trial would have made of requests, with the clients of each outcome that ask often.
    pub fn judged(&self, trial: TrialId) -> impl Iterator<Item = (Would, u64, &BTreeMap<Client, u64>)> {
        let outcomes = self.trials.get(&trial).into_iter().flatten();
        outcomes.map(|(would, counted)| (*would, counted.requests, &counted.clients))
    }

    /// Handshakes that failed, by reason.
    pub fn failures(&self) -> impl Iterator<Item = (Failure, u64)> {
        self.failures.iter().map(|(failure, handshakes)| (*failure, *handshakes))
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.classes().map(|(_, requests)| requests).sum::<u64>() + self.rest
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.failures.is_empty() && self.rest == 0 && self.trials.is_empty()
    }

    /// Credentials that came in clear and were refused or redirected for it, by kind and client; others together.
    pub fn leaks(&self) -> BTreeMap<(Credentials, Client), u64> {
        let mut leaks = BTreeMap::new();
        for (class, requests) in self.classes() {
            let Some(credentials) = leaked(class) else { continue };
            let mut others = requests;
            for (client, requests) in self.clients(class) {
                *leaks.entry((credentials, *client)).or_default() += requests;
                others -= requests;
            }
            if others > 0 {
                *leaks.entry((credentials, Client::OTHERS)).or_default() += others;
            }
        }
        leaks
    }

    /// Gives up the folders of the rarest classes.
    fn give_up_folders(&mut self) {
        while self.classes.len() > Self::CLASSES {
            let placed = self.classes().filter(|(class, _)| class.folder != Folder::ELSEWHERE);
            let mut rarest: Vec<(u64, Class)> = placed.map(|(class, requests)| (requests, *class)).collect();
            rarest.sort_unstable();
            rarest.truncate(self.classes.len() - Self::CLASSES);
            if rarest.is_empty() {
                return;
            }
            for (_, class) in rarest {
                let Some(counted) = self.classes.remove(&class) else { continue };
                self.classes.entry(class.elsewhere()).or_default().add(&counted);
            }
        }
    }

    /// Without folders, too many classes come only from a log with odd codes.
    fn give_up_classes(&mut self) {
        while self.classes.len() > Self::CLASSES {
            let rarest = self.classes().min_by_key(|(_, requests)| *requests).map(|(class, _)| *class);
            let Some(counted) = rarest.and_then(|class| self.classes.remove(&class)) else { return };
            self.rest += counted.requests;
        }
    }
}

/// Keeps `kept` clients in all. Takes from each client what the first one too many has (Misra and Gries): nobody is said to
/// have asked more often than they did, and who has more than their share of an hour is always told, however often
/// tallies are added.
fn give_up_clients(all: &mut [&mut Counted], kept: usize) {
    let mut counts: Vec<u64> = all.iter().flat_map(|counted| counted.clients.values().copied()).collect();
    if counts.len() <= kept {
        return;
    }
    let (_, &mut first_too_many, _) = counts.select_nth_unstable_by(kept, |a, b| b.cmp(a));
    for counted in all {
        counted.clients.retain(|_, requests| {
            *requests = requests.saturating_sub(first_too_many);
            *requests > 0
        });
    }
}

/// What a class of requests leaked, if anything.
fn leaked(class: &Class) -> Option<Credentials> {
    match class.facts.way {
        Way::Clear(credentials) if credentials != Credentials::None && class.answer.wants_ssl() => Some(credentials),
        _ => None,
    }
}

/// As in the database.
#[derive(Serialize, Deserialize)]
struct Stored {
    classes: Vec<StoredClass>,
    failures: Vec<(Text<Failure>, u64)>,
    rest: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trials: Vec<(TrialId, Text<Would>, u64, StoredClients)>,
}

/// How, status, substatus, folder, requests, clients.
type StoredClass = (Text<Facts>, u16, u8, Text<Folder>, u64, StoredClients);

/// Each client's user agent, network and requests.
type StoredClients = Vec<(Text<Agent>, IpAddr, u64)>;

impl From<Counted> for (u64, StoredClients) {
    fn from(counted: Counted) -> Self {
        let client = |(client, requests): (Client, u64)| (Text(client.agent), client.network, requests);
        (counted.requests, counted.clients.into_iter().map(client).collect())
    }
}

impl From<(u64, StoredClients)> for Counted {
    fn from((requests, clients): (u64, StoredClients)) -> Self {
        let client = |(Text(agent), network, requests)| (Client { agent, network }, requests);
        Self { requests, clients: clients.into_iter().map(client).collect() }
    }
}

impl From<Tally> for Stored {
    fn from(tally: Tally) -> Self {
        let class = |(class, counted): (Class, Counted)| {
            let Class { facts, answer: Answer { status, substatus }, folder } = class;
            let (requests, clients) = counted.into();
            (Text(facts), status, substatus, Text(folder), requests, clients)
        };
        let outcomes = |(trial, outcomes): (TrialId, BTreeMap<Would, Counted>)| {
            outcomes.into_iter().map(move |(would, counted)| {
                let (requests, clients) = counted.into();
                (trial, Text(would), requests, clients)
            })
        };
        Self {
            failures: tally.failures.into_iter().map(|(failure, handshakes)| (Text(failure), handshakes)).collect(),
            classes: tally.classes.into_iter().map(class).collect(),
            rest: tally.rest,
            trials: tally.trials.into_iter().flat_map(outcomes).collect(),
        }
    }
}

impl From<Stored> for Tally {
    fn from(stored: Stored) -> Self {
        let class = |(Text(facts), status, substatus, Text(folder), requests, clients): StoredClass| {
            (Class { facts, answer: Answer { status, substatus }, folder }, (requests, clients).into())
        };
        let mut trials = BTreeMap::<TrialId, BTreeMap<Would, Counted>>::new();
        for (trial, Text(would), requests, clients) in stored.trials {
            trials.entry(trial).or_default().insert(would, (requests, clients).into());
        }
        Self {
            classes: stored.classes.into_iter().map(class).collect(),
            failures: stored.failures.into_iter().map(|(Text(failure), handshakes)| (failure, handshakes)).collect(),
            rest: stored.rest,
            trials,
        }
    }
}

/// A value as its text. Thousands of hours are read at once, so none of their words is copied on the way.
struct Text<T>(T);

/// What can be read back from its text.
trait Word: fmt::Display + Sized {
    fn read(text: &str) -> Option<Self>;
}

macro_rules! words {
    ($($name:ty),+) => {$(
        impl Word for $name {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }
    )+};
}

words!(Facts, Folder, Agent, Failure, Would);

impl<T: Word> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: Word> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<T: Word> Visitor<'_> for Reader<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word that a tally writes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<T>, E> {
        T::read(text).map(Text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests;
