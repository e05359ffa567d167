//! Whom a change of a trust list would turn away, judged by the client certificates that came.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::path::{Path, Untrusted};
use super::{Finding, TrustList, TrustListId};
use crate::ssl::{ClientCertificate, ClientCertificates, Refusal, Trusted};
use crate::table::SiteTable;

/// A client certificate that came, where a path from it to a CA of a trust list was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The trust list.
    pub list: TrustListId,
    /// What was sent, the client's own certificate first.
    pub sent: Arc<[CertificateDer<'static>]>,
    /// Whose it says it is.
    pub subject: Arc<str>,
    /// When it came last.
    pub at: OffsetDateTime,
}

impl Seen {
    /// How many are kept for one trust list: those that came last.
    pub const MOST: usize = 500;
}

/// Somebody who is let in and would not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedAway {
    /// Whose certificate it says it is.
    pub subject: Arc<str>,
    /// When it came last.
    pub at: OffsetDateTime,
    /// What it would get.
    pub refusal: Refusal,
    /// Why, in a sentence or two.
    pub why: String,
}

/// What a change would make of the certificates that came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// Those that are let in and would not be, in the order in which they were given.
    pub turned_away: Vec<TurnedAway>,
    /// How many are refused and would be let in.
    pub let_in: usize,
    /// How many are let in either way.
    pub stay: usize,
    /// How many are refused either way.
    pub refused: usize,
}

impl Effect {
    /// Judges each certificate at `now` by the trust list of `before`, and by that of `then`. Paths are proven anew, which
    /// costs some signatures for each certificate: call it where blocking is allowed.
    pub fn new(seen: &[Seen], before: Judge<'_>, then: Judge<'_>, now: OffsetDateTime) -> Self {
        let mut effect = Self::default();
        for one in seen {
            let path = before.path(&one.sent, now);
            let (worth, _) = before.told(&path, now);
            let (worth_then, why) = match before.has_cas_of(&then) {
                true => then.told(&path, now),
                false => then.told(&then.path(&one.sent, now), now),
            };
            match (refusal(worth), refusal(worth_then)) {
                (None, None) => effect.stay += 1,
                (Some(_), None) => effect.let_in += 1,
                (Some(_), Some(_)) => effect.refused += 1,
                (None, Some(refusal)) => {
                    let (subject, at) = (one.subject.clone(), one.at);
                    effect.turned_away.push(TurnedAway { subject, at, refusal, why });
                }
            }
        }
        effect
    }

    /// How many certificates were judged.
    pub fn len(&self) -> usize {
        self.turned_away.len() + self.let_in + self.stay + self.refused
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why whoever shows it is refused, where certificates are looked at.
fn refusal(worth: ClientCertificate) -> Option<Refusal> {
    ClientCertificates::Require.refusal(worth)
}

/// A trust list as one table has it, with what Siteward's own authorities have revoked there.
#[derive(Debug, Clone)]
pub struct Judge<'a> {
    table: &'a SiteTable,
    list: Result<&'a Arc<TrustList>, Finding<'static>>,
}

impl<'a> Judge<'a> {
    /// The trust list with this id; nobody is trusted where it is not there.
    pub fn new(table: &'a SiteTable, list: TrustListId) -> Self {
        Self { table, list: table.trust_list(Trusted::List(list)) }
    }

    /// Whether a path to a CA of this list is one of the other's, too.
    fn has_cas_of(&self, other: &Self) -> bool {
        matches!((&self.list, &other.list), (Ok(own), Ok(other)) if own.identity() == other.identity())
    }

    fn path(&self, sent: &[CertificateDer<'_>], now: OffsetDateTime) -> Result<Path, Untrusted> {
        self.list.as_ref().map_or(Err(Untrusted::UnknownIssuer), |list| list.path(sent, now))
    }

    fn told(&self, path: &Result<Path, Untrusted>, now: OffsetDateTime) -> (ClientCertificate, String) {
        let told = |finding: Finding<'_>| (finding.client(), finding.to_string());
        match (&self.list, path) {
            (Err(finding), _) => told(finding.clone()),
            (Ok(list), Ok(path)) => told(list.judge(path, self.table.own_lists(), now)),
            (Ok(_), Err(why)) => told(Finding::Untrusted(why.clone())),
        }
    }
}
