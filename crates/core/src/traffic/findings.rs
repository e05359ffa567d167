//! What a trial has come to.

use std::collections::{BTreeMap, HashMap};

use super::{Client, Hour, Source, Tally};
use crate::trial::{TrialId, Would};

/// What settings on trial would have made of the requests that came meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// All requests that were judged.
    pub requests: u64,
    /// Those that were let through and would have been refused.
    pub refused: u64,
    /// Those that were not sent on to https and would have been.
    pub redirected: u64,
    /// Those that were refused, or sent on, and would have been so again.
    pub already: u64,
    /// Those of which it can't be told: a certificate would have been needed, and was not asked for by its trust list.
    pub unsure: u64,
    /// The refused ones by substatus.
    pub reasons: BTreeMap<u8, u64>,
    /// Who would have been refused, the most frequent first. Those who ask rarely are not here.
    pub clients: Vec<(Client, u64)>,
}

impl Findings {
    /// What the hours of a site tell of one of its trials.
    pub fn new(trial: TrialId, hours: &[(Hour, Source, Tally)]) -> Self {
        let (mut findings, mut clients) = (Self::default(), HashMap::<Client, u64>::new());
        for (would, requests, own) in hours.iter().flat_map(|(.., tally)| tally.judged(trial)) {
            findings.requests += requests;
            match would {
                Would::Served => {}
                Would::Already => findings.already += requests,
                Would::Unsure => findings.unsure += requests,
                Would::Redirected => findings.redirected += requests,
                Would::Refused(substatus) => {
                    findings.refused += requests;
                    *findings.reasons.entry(substatus).or_default() += requests;
                    own.iter().for_each(|(client, requests)| *clients.entry(*client).or_default() += requests);
                }
            }
        }
        findings.clients = clients.into_iter().collect();
        findings.clients.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        findings
    }
}
