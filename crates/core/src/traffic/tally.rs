//! The counts of one site and hour: bounded, whatever visitors send.

mod stored;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use self::stored::Stored;
use super::{Class, Client, Credentials, Failure, Folder, Way};
use crate::trial::{TrialId, Would};

/// What came to one site within an hour.
///
/// Sums are exact. Which folder a request went to is given up for the rarest ones once there are many, and of the
/// clients only those that ask often are told apart, of each kind of requests by itself: the busiest kind leaves room for others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Tally {
    classes: BTreeMap<Class, Counted>,
    failures: BTreeMap<Failure, u64>,
    /// Requests of which nothing more is known.
    rest: u64,
    /// What settings on trial would have made of them.
    trials: BTreeMap<TrialId, BTreeMap<Would, Counted>>,
    /// Credentials that came in clear and were refused or redirected for it. They are kept elsewhere, and not with the rest.
    leaks: BTreeMap<Credentials, Counted>,
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

    /// Nobody is kept of whom nothing is told.
    fn forget_nobody(&mut self) {
        self.clients.retain(|_, requests| *requests > 0);
    }
}

impl Tally {
    /// Classes of requests that are told apart.
    pub const CLASSES: usize = 128;

    /// Clients within their classes that are told apart: no less than classes, so that none is without any.
    pub const CLIENTS: usize = Self::CLASSES;

    /// Clients that leaked and are told apart until it is written.
    pub const LEAKING: usize = 128;

    /// Trials that are told apart: the newest. More are only where people begin one after the other within an hour.
    pub const TRIALS: usize = 16;

    /// Clients within the outcomes of trials that are told apart.
    pub const TRIAL_CLIENTS: usize = 64;

    /// Counts requests. Follow with [`Tally::bound`].
    pub fn count(&mut self, class: Class, client: Client, requests: u64) {
        self.classes.entry(class).or_default().count(client, requests);
        if let Some(credentials) = leaked(&class) {
            self.leaks.entry(credentials).or_default().count(client, requests);
        }
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
        for (credentials, counted) in &other.leaks {
            self.leaks.entry(*credentials).or_default().add(counted);
        }
        self.rest += other.rest;
    }

    /// Keeps no more than may be kept.
    pub fn bound(&mut self) {
        self.give_up_folders();
        self.give_up_classes();
        while self.trials.len() > Self::TRIALS {
            self.trials.pop_first();
        }
        self.give_up_clients();
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

    /// Credentials that came in clear and were refused or redirected for it, by kind and client; others together. What was
    /// read from the database tells of none.
    pub fn leaks(&self) -> BTreeMap<(Credentials, Client), u64> {
        let mut leaks = BTreeMap::new();
        for (credentials, counted) in &self.leaks {
            let others = counted.requests - counted.clients.values().sum::<u64>();
            let told = counted.clients.iter().map(|(client, requests)| (*client, *requests));
            let all = told.chain((others > 0).then_some((Client::OTHERS, others)));
            leaks.extend(all.map(|(client, requests)| ((*credentials, client), requests)));
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

    /// Gives up the rarest clients: of classes that differ by their folders only together, of outcomes each by itself, and
    /// of leaks those of one network together, since whoever invents user agents mostly has one.
    fn give_up_clients(&mut self) {
        let mut kinds = BTreeMap::<Class, Vec<&mut u64>>::new();
        for (class, counted) in &mut self.classes {
            kinds.entry(class.elsewhere()).or_default().extend(counted.clients.values_mut());
        }
        give_up(kinds.into_values().collect(), Self::CLIENTS);
        self.classes.values_mut().for_each(Counted::forget_nobody);

        let outcomes = self.trials.values_mut().flat_map(BTreeMap::values_mut);
        give_up(outcomes.map(|counted| counted.clients.values_mut().collect()).collect(), Self::TRIAL_CLIENTS);
        self.trials.values_mut().flat_map(BTreeMap::values_mut).for_each(Counted::forget_nobody);

        let mut networks = BTreeMap::<IpAddr, Vec<&mut u64>>::new();
        for (client, requests) in self.leaks.values_mut().flat_map(|counted| &mut counted.clients) {
            networks.entry(client.network).or_default().push(requests);
        }
        give_up(networks.into_values().collect(), Self::LEAKING);
        self.leaks.values_mut().for_each(Counted::forget_nobody);
    }
}

/// Keeps `kept` counts in all, the others become 0. Each group has the same number of places, the smallest groups first; what
/// one does not need is for the others.
fn give_up(mut groups: Vec<Vec<&mut u64>>, mut kept: usize) {
    groups.sort_by_key(Vec::len);
    let still = (1..=groups.len()).rev();
    for (group, still) in groups.into_iter().zip(still) {
        kept -= give_up_rarest(group, kept.div_ceil(still));
    }
}

/// Keeps so many counts at most, and tells how many. Takes from each what the first one too many has (Misra and Gries):
/// nobody is said to have asked more often than they did, and who has more than their share of an hour is always told,
/// however often tallies are added.
fn give_up_rarest(mut counts: Vec<&mut u64>, kept: usize) -> usize {
    if counts.len() <= kept {
        return counts.len();
    }
    let (_, first_too_many, _) = counts.select_nth_unstable_by(kept, |a, b| b.cmp(a));
    let first_too_many = **first_too_many;
    counts.iter_mut().for_each(|count| **count = count.saturating_sub(first_too_many));
    counts.iter().filter(|count| ***count > 0).count()
}

/// What a class of requests leaked, if anything.
fn leaked(class: &Class) -> Option<Credentials> {
    match class.facts.way {
        Way::Clear(credentials) if credentials != Credentials::None && class.answer.wants_ssl() => Some(credentials),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
