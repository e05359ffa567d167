//! Rules on what the key may be used for.

use time::OffsetDateTime;

use super::Severity::{Note, Refuse, Warn};
use super::rule::{Of, Rule, day};
use crate::inspect::{Facts, Key, key_usages};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "key-usage",
        section: "CA/Browser Forum BR 7.1.2.7.11 (ballot SC-62)",
        since: day(2023, 9, 15),
        of: Of::Certificates,
        private: Some(Note),
        look: forbidden_usage,
        what_to_do: "Ask the CA for a server certificate with digital signature only.",
        ..KEY_USAGE
    },
    Rule {
        id: "request-key-usage",
        section: "CA/Browser Forum BR 7.1.2.7.11 (ballot SC-62)",
        since: day(2023, 9, 15),
        of: Of::Requests,
        public: Some(Note),
        look: forbidden_usage,
        what_to_do: "Ask for digital signature only; CAs leave the rest out.",
        ..KEY_USAGE
    },
    Rule {
        id: "data-encipherment",
        section: "CA/Browser Forum BR 7.1.2.7.11 (ballot SC-62)",
        since: day(2023, 9, 15),
        public: Some(Note),
        look: data_encipherment,
        what_to_do: "Leave data encipherment out next time.",
        ..KEY_USAGE
    },
    Rule {
        id: "no-digital-signature",
        section: "RFC 8446 §4.4.2.2; CA/Browser Forum BR 7.1.2.7.11",
        since: day(2018, 8, 1),
        of: Of::Certificates,
        private: Some(Refuse),
        look: no_digital_signature,
        what_to_do: "Ask the CA for a server certificate with digital signature.",
        ..KEY_USAGE
    },
    Rule {
        id: "request-no-digital-signature",
        section: "RFC 8446 §4.4.2.2",
        since: day(2018, 8, 1),
        of: Of::Requests,
        public: Some(Warn),
        private: Some(Warn),
        look: no_digital_signature,
        what_to_do: "Ask for digital signature too.",
        ..KEY_USAGE
    },
    Rule {
        id: "no-purpose",
        section: "CA/Browser Forum BR 7.1.2.7.10; Mozilla Root Store Policy 5.2",
        since: day(2020, 7, 1),
        of: Of::Certificates,
        look: no_purpose,
        what_to_do: "Ask the CA for server authentication.",
        ..PURPOSE
    },
    Rule {
        id: "no-purpose-apple",
        section: "Apple, Requirements for trusted certificates in iOS 13 and macOS 10.15",
        since: day(2019, 7, 2),
        of: Of::Certificates,
        public: None,
        private: Some(Warn),
        look: no_purpose,
        what_to_do: "Issue it for server authentication: iPhones and Macs refuse it otherwise.",
        ..PURPOSE
    },
    Rule {
        id: "not-for-servers",
        section: "RFC 5280 §4.2.1.12; CA/Browser Forum BR 7.1.2.7.10",
        of: Of::Certificates,
        private: Some(Refuse),
        look: not_for_servers,
        what_to_do: "Ask the CA for a server certificate.",
        ..PURPOSE
    },
    Rule {
        id: "request-not-for-servers",
        section: "RFC 5280 §4.2.1.12",
        of: Of::Requests,
        public: Some(Warn),
        private: Some(Warn),
        look: not_for_servers,
        what_to_do: "Ask for server authentication.",
        ..PURPOSE
    },
    Rule {
        id: "other-purposes",
        section: "CA/Browser Forum BR 7.1.2.7.10 (ballot SC-62)",
        since: day(2023, 9, 15),
        of: Of::Certificates,
        look: other_purposes,
        what_to_do: "Ask the CA for server authentication alone.",
        ..PURPOSE
    },
    Rule {
        id: "client-authentication",
        section: "Chrome Root Program Policy 1.8, section 1.3.2",
        since: day(2027, 3, 15),
        of: Of::Certificates,
        look: for_clients_too,
        what_to_do: "Ask the CA for server authentication alone, and have a private CA issue for clients.",
        ..PURPOSE
    },
    Rule {
        id: "client-authentication-soon",
        section: "Chrome Root Program Policy 1.8, section 1.3.2",
        since: day(2026, 6, 15),
        until: day(2027, 3, 15),
        of: Of::Certificates,
        public: Some(Warn),
        look: for_clients_until_2027,
        what_to_do: "Where this site is a client itself, have a private CA issue for that before this is renewed.",
        ..PURPOSE
    },
    Rule {
        id: "request-client-authentication",
        section: "Chrome Root Program Policy 1.8, section 1.3.2",
        since: day(2026, 6, 15),
        of: Of::Requests,
        public: Some(Warn),
        look: for_clients_asked,
        what_to_do: "Ask for server authentication alone.",
        ..PURPOSE
    },
    Rule {
        id: "must-staple",
        title: "Must-staple",
        section: "RFC 7633 §4; CA/Browser Forum BR 4.9.9 (ballot SC-63)",
        since: day(2015, 10, 1),
        public: Some(Note),
        private: Some(Note),
        look: must_staple,
        what_to_do: "Leave must-staple out, unless the CA still answers OCSP and the server staples it.",
        ..Rule::BASE
    },
];

const KEY_USAGE: Rule = Rule { title: "Key usage", ..Rule::BASE };
const PURPOSE: Rule = Rule { title: "Extended key usage", ..Rule::BASE };

// Bits of RFC 5280 §4.2.1.3, the first one lowest.
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_ENCIPHERMENT: u16 = 1 << 2;
const DATA_ENCIPHERMENT: u16 = 1 << 3;
const KEY_AGREEMENT: u16 = 1 << 4;

const ANY_PURPOSE: &str = "2.5.29.37.0";
const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT: &str = "1.3.6.1.5.5.7.3.2";

/// Purposes that BR 7.1.2.7.10 forbids beside server authentication.
const FORBIDDEN: [(&str, &str); 6] = [
    (ANY_PURPOSE, "any purpose"),
    ("1.3.6.1.5.5.7.3.3", "code signing"),
    ("1.3.6.1.5.5.7.3.4", "email protection"),
    ("1.3.6.1.5.5.7.3.8", "time stamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSP signing"),
    ("1.3.6.1.4.1.11129.2.4.4", "signing precertificates"),
];

fn is_rsa(facts: &Facts) -> bool {
    matches!(facts.key, Some(Key::Rsa { .. }))
}

fn has(facts: &Facts, bits: u16) -> bool {
    facts.key_usage.is_some_and(|usage| usage & bits != 0)
}

/// Any bit that the tables of BR 7.1.2.7.11 don't permit for the kind of key.
fn forbidden_usage(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let (kind, permitted) = match is_rsa(facts) {
        true => ("an RSA key", DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | DATA_ENCIPHERMENT),
        false => ("an ECDSA key", DIGITAL_SIGNATURE | KEY_AGREEMENT),
    };
    let more = key_usages(facts.key_usage? & !permitted);
    (!more.is_empty()).then(|| format!("It says {more}, which a server certificate with {kind} may not."))
}

fn data_encipherment(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let reason = "Data encipherment is still allowed and about to be forbidden; TLS never uses it.";
    (is_rsa(facts) && has(facts, DATA_ENCIPHERMENT)).then(|| reason.into())
}

fn no_digital_signature(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let missing = facts.key_usage.is_some_and(|usage| usage & DIGITAL_SIGNATURE == 0);
    missing.then(|| "Digital signature is left out, which every connection of TLS 1.3 needs.".into())
}

fn no_purpose(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    facts.purposes.is_none().then(|| "It does not say that it is for server authentication.".into())
}

fn is_for(facts: &Facts, purpose: &str) -> bool {
    facts.purposes.iter().flatten().any(|own| own == purpose)
}

fn not_for_servers(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let named = facts.purposes.is_some() && !is_for(facts, SERVER) && !is_for(facts, ANY_PURPOSE);
    named.then(|| "Server authentication is left out, so browsers refuse it.".into())
}

fn other_purposes(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let found: Vec<&str> = FORBIDDEN.iter().filter(|(oid, _)| is_for(facts, oid)).map(|(_, name)| *name).collect();
    (!found.is_empty())
        .then(|| format!("It is also for {}, which no public server certificate may be.", found.join(", ")))
}

fn for_clients_too(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    is_for(facts, CLIENT)
        .then(|| "It is for client authentication too, which no public server certificate may be.".into())
}

fn for_clients_until_2027(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let reason = "It is for client authentication too; from 15 March 2027 no new public server certificate is.";
    is_for(facts, CLIENT).then(|| reason.into())
}

fn for_clients_asked(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    is_for(facts, CLIENT).then(|| "It asks for client authentication too: public CAs leave that out, or refuse.".into())
}

fn must_staple(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let reason = "Firefox refuses the site while no fresh OCSP answer comes along, and many CAs no longer give any.";
    facts.must_staple.then(|| reason.into())
}
