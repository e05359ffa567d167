//! Rules on how long a certificate is valid, and whether it is now.

use time::{Date, OffsetDateTime};

use super::Severity::{Refuse, Warn};
use super::rule::{Day, Of, Rule, day};
use crate::inspect::Facts;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "validity-825",
        section: "CA/Browser Forum BR 6.3.2 (ballot 193)",
        since: day(2018, 3, 1),
        until: day(2020, 9, 1),
        look: longer_than::<825>,
        ..VALIDITY
    },
    Rule {
        id: "validity-398",
        section: "CA/Browser Forum BR 6.3.2 (ballot SC-31)",
        since: day(2020, 9, 1),
        until: day(2026, 3, 15),
        look: longer_than::<398>,
        ..VALIDITY
    },
    Rule { id: "validity-200", since: day(2026, 3, 15), until: day(2027, 3, 15), look: longer_than::<200>, ..VALIDITY },
    Rule { id: "validity-100", since: day(2027, 3, 15), until: day(2029, 3, 15), look: longer_than::<100>, ..VALIDITY },
    Rule { id: "validity-47", since: day(2029, 3, 15), look: longer_than::<47>, ..VALIDITY },
    Rule {
        id: "validity-apple",
        section: "Apple, Requirements for trusted certificates in iOS 13 and macOS 10.15",
        since: day(2019, 7, 2),
        public: None,
        private: Some(Warn),
        look: longer_than::<825>,
        what_to_do: "Issue it for 825 days or fewer: iPhones and Macs refuse it otherwise, whichever CA signed it.",
        ..VALIDITY
    },
    Rule {
        id: "dates-reversed",
        title: "Dates",
        section: "RFC 5280 §4.1.2.5",
        since: Date::MIN,
        of: Of::All,
        private: Some(Refuse),
        look: reversed,
        what_to_do: "Ask the CA for another certificate.",
        ..Rule::BASE
    },
    Rule {
        id: "expired",
        title: "Expired",
        section: "RFC 5280 §4.1.2.5",
        since: Date::MIN,
        day: Day::Judged,
        of: Of::All,
        private: Some(Refuse),
        look: expired,
        what_to_do: "Renew it.",
        ..Rule::BASE
    },
    Rule {
        id: "not-yet-valid",
        title: "Not yet valid",
        section: "RFC 5280 §4.1.2.5",
        since: Date::MIN,
        day: Day::Judged,
        of: Of::All,
        public: Some(Warn),
        private: Some(Warn),
        look: not_yet_valid,
        what_to_do: "Install it on that day, or check the clock here.",
        ..Rule::BASE
    },
];

const VALIDITY: Rule = Rule {
    title: "Validity",
    section: "CA/Browser Forum BR 6.3.2 (ballot SC-81)",
    of: Of::Certificates,
    what_to_do: "Ask for a shorter one, and renew more often.",
    ..Rule::BASE
};

/// Both ends count, and any part of a day is a day (BR 6.3.2).
fn longer_than<const DAYS: u64>(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let (from, until) = facts.validity?;
    let days = ((until - from).whole_seconds() + 1).unsigned_abs().div_ceil(86_400);
    let over = from < until && days > DAYS;
    over.then(|| format!("It is valid for {days} days; one issued on {} may be for {DAYS} at most.", in_words(from)))
}

fn reversed(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    facts.validity.filter(|(from, until)| until < from).map(|_| "It ends before it begins.".into())
}

fn expired(facts: &Facts, on: OffsetDateTime) -> Option<String> {
    facts.validity.filter(|(_, until)| *until < on).map(|(_, until)| format!("Its last day was {}.", in_words(until)))
}

fn not_yet_valid(facts: &Facts, on: OffsetDateTime) -> Option<String> {
    facts.validity.filter(|(from, _)| on < *from).map(|(from, _)| format!("Its first day is {}.", in_words(from)))
}

/// `22 November 2026`.
fn in_words(moment: OffsetDateTime) -> String {
    format!("{} {} {}", moment.day(), moment.month(), moment.year())
}
