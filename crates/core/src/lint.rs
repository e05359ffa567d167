//! Judges a request or certificate by the rules in force on its date.
//!
//! Dates and sections are those of the CA/Browser Forum's Baseline Requirements for TLS server certificates (BR), of
//! the root programs of browsers, and of RFCs; each rule names its own. Left out, because it can't be told from what is
//! judged: whether a domain is registered, what CAA records say, and whether a key is on a list of compromised ones,
//! such as those that Debian's OpenSSL made from 2006 to 2008 (ARCHITECTURE.md, "Decisions").

mod addresses;
mod dates;
mod key;
mod names;
mod primes;
mod rule;
mod signature;
mod usage;

use time::OffsetDateTime;

use crate::inspect::Facts;

/// Whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A CA that browsers trust by themselves.
    PublicCa,
    /// A CA that only the own network trusts: what browsers demand of any certificate.
    PrivateCa,
}

/// How grave a finding is, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A CA refuses to sign it, or browsers refuse to take it.
    Refuse,
    /// Some CA, browser or visitor will have trouble with it.
    Warn,
    /// Worth knowing.
    Note,
}

/// One thing that is against a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, which stays the same from version to version: `organizational-unit`.
    pub rule: &'static str,
    /// What it concerns.
    pub title: &'static str,
    /// Where the rule is written.
    pub section: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong here, as a sentence. It may hold parts of what was judged, on one line and of bounded length.
    pub reason: String,
    /// What to do, as a sentence.
    pub what_to_do: &'static str,
}

impl Profile {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::PublicCa, Self::PrivateCa];

    /// `public`, `private`: as posted by a form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublicCa => "public",
            Self::PrivateCa => "private",
        }
    }

    /// Reads what [`Profile::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text)
    }
}

/// What is against the rules, gravest first. A certificate is judged by the rules of the day it was issued, except
/// where browsers of `on` refuse it whenever it was issued; a request by the rules of `on`.
pub fn judge(facts: &Facts, profile: Profile, on: OffsetDateTime) -> Vec<Finding> {
    let rules = [names::RULES, key::RULES, signature::RULES, dates::RULES, usage::RULES].into_iter().flatten();
    let mut findings: Vec<Finding> = rules.filter_map(|rule| rule.judge(facts, profile, on)).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

#[cfg(test)]
mod tests;
