//! A tally as it is stored. Thousands of hours are read at once, so none of their words is copied on the way.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Counted, Tally};
use crate::traffic::{Agent, Answer, Class, Client, Facts, Failure, Folder};
use crate::trial::{TrialId, Would};

/// As in the database.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
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
            leaks: BTreeMap::new(),
        }
    }
}

/// A value as its text.
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
