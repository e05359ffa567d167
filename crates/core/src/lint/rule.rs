//! What a rule is made of.

use time::{Date, OffsetDateTime};

use super::Severity::{self, Refuse};
use super::{Finding, Profile};
use crate::inspect::{Facts, Kind};

/// One row in the table of rules.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// As [`Finding::rule`].
    pub(super) id: &'static str,
    /// As [`Finding::title`].
    pub(super) title: &'static str,
    /// As [`Finding::section`].
    pub(super) section: &'static str,
    /// The first day it is in force.
    pub(super) since: Date,
    /// The first day it no longer is, because a stricter one follows.
    pub(super) until: Date,
    /// The day that must lie between these two.
    pub(super) day: Day,
    /// Requests, certificates, or both.
    pub(super) of: Of,
    /// How grave it is where a public CA signs; nothing where it does not matter there.
    pub(super) public: Option<Severity>,
    /// The same for a private CA.
    pub(super) private: Option<Severity>,
    /// What is wrong with these facts on this day, as a sentence; nothing where all is well.
    pub(super) look: fn(&Facts, OffsetDateTime) -> Option<String>,
    /// As [`Finding::what_to_do`].
    pub(super) what_to_do: &'static str,
}

/// By which day a rule is chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// The day a certificate was issued: what was right then stays right.
    Issued,
    /// The day of judging: programs of that day refuse it whenever it was issued.
    Judged,
}

/// What a rule is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Requests and any certificate.
    All,
    /// Requests and certificates of servers, not of CAs.
    Servers,
    /// Requests only.
    Requests,
    /// Certificates of servers only.
    Certificates,
}

impl Rule {
    /// The part that most rules share: a public CA's, for servers, in force from the first Baseline Requirements on.
    pub(super) const BASE: Self = Self {
        id: "",
        title: "",
        section: "",
        since: day(2012, 7, 1),
        until: Date::MAX,
        day: Day::Issued,
        of: Of::Servers,
        public: Some(Refuse),
        private: None,
        look: |_, _| None,
        what_to_do: "",
    };

    /// The finding, where the rule is in force and something is against it.
    pub(super) fn judge(&self, facts: &Facts, profile: Profile, on: OffsetDateTime) -> Option<Finding> {
        let severity = match profile {
            Profile::PublicCa => self.public,
            Profile::PrivateCa => self.private,
        }?;
        let day = match (self.day, facts.validity) {
            (Day::Issued, Some((issued, _))) => issued.date(),
            _ => on.date(),
        };
        if !self.of.includes(facts) || day < self.since || day >= self.until {
            return None;
        }
        let reason = (self.look)(facts, on)?;
        let Self { id: rule, title, section, what_to_do, .. } = *self;
        Some(Finding { rule, title, section, severity, reason, what_to_do })
    }
}

impl Of {
    fn includes(self, facts: &Facts) -> bool {
        match self {
            Self::All => true,
            Self::Servers => !facts.is_ca,
            Self::Requests => facts.kind == Kind::Request && !facts.is_ca,
            Self::Certificates => facts.kind == Kind::Certificate && !facts.is_ca,
        }
    }
}

/// A day in the table of rules.
pub(super) const fn day(year: i32, month: u8, day: u8) -> Date {
    let month = match time::Month::January.nth_next(month - 1) {
        time::Month::January if month != 1 => panic!("a month from 1 to 12"),
        month => month,
    };
    match Date::from_calendar_date(year, month, day) {
        Ok(date) => date,
        Err(_) => panic!("a day of the calendar"),
    }
}
