//! Rules on the signature, the serial number and the version.

use time::OffsetDateTime;

use super::Severity::{Refuse, Warn};
use super::rule::{Day, Of, Rule, day};
use crate::inspect::{Facts, Hash, Kind};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "md5",
        title: "Signature with MD5",
        section: "CA/Browser Forum BR 7.1.3.2; RFC 6151 §2.1",
        day: Day::Judged,
        look: |facts, _| made_with(facts, Hash::Md5, "MD5 or older, which can be forged in seconds."),
        ..HASH
    },
    Rule {
        id: "sha1",
        title: "Signature with SHA-1",
        section: "CA/Browser Forum BR 7.1.3.2 (ballot 118)",
        since: day(2016, 1, 1),
        day: Day::Judged,
        look: |facts, _| made_with(facts, Hash::Sha1, "SHA-1, which CAs and browsers refuse."),
        ..HASH
    },
    Rule {
        id: "signature-broken",
        title: "Signature does not hold",
        section: "RFC 2986 §4.2; RFC 5280 §4.1.1.3",
        of: Of::All,
        private: Some(Refuse),
        look: signature_broken,
        what_to_do: "Bring it again as it was made; if it stays so, make it anew.",
        ..Rule::BASE
    },
    Rule {
        id: "version",
        title: "X.509 version",
        section: "CA/Browser Forum BR 7.1.1; RFC 5280 §4.1.2.1",
        of: Of::Certificates,
        private: Some(Refuse),
        look: version,
        what_to_do: "Ask the CA for X.509 version 3.",
        ..Rule::BASE
    },
    Rule {
        id: "serial-not-positive",
        title: "Serial number",
        section: "RFC 5280 §4.1.2.2",
        of: Of::Certificates,
        private: Some(Warn),
        look: serial_not_positive,
        what_to_do: "Ask the CA for another certificate.",
        ..Rule::BASE
    },
    Rule {
        id: "serial-too-long",
        title: "Serial number",
        section: "RFC 5280 §4.1.2.2; CA/Browser Forum BR 7.1.2.7",
        of: Of::Certificates,
        private: Some(Warn),
        look: serial_too_long,
        what_to_do: "Ask the CA for another certificate.",
        ..Rule::BASE
    },
    Rule {
        id: "serial-entropy",
        title: "Serial number",
        section: "CA/Browser Forum BR 7.1.2.7 (ballot 164)",
        since: day(2016, 9, 30),
        of: Of::Certificates,
        public: Some(Warn),
        look: serial_too_short,
        what_to_do: "Ask the CA whether its serial numbers are random.",
        ..Rule::BASE
    },
];

const HASH: Rule =
    Rule { of: Of::All, private: Some(Refuse), what_to_do: "Have it signed with SHA-256.", ..Rule::BASE };

/// The signature of a root on itself proves nothing and is not looked at by browsers.
fn made_with(facts: &Facts, hash: Hash, why: &str) -> Option<String> {
    let is_root = facts.kind == Kind::Certificate && facts.is_ca && facts.is_self_issued;
    (facts.hash == hash && !is_root).then(|| format!("It is signed with {why}"))
}

fn signature_broken(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let reason = match facts.kind {
        Kind::Request => "Its own key did not make this signature over this content.",
        Kind::Certificate => "The key of its issuer did not make this signature over this content.",
    };
    (facts.holds == Some(false)).then(|| reason.into())
}

fn version(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let version = facts.version.filter(|version| *version != 3)?;
    Some(format!("It is of version {version}, and only version 3 has room for host names."))
}

fn serial_not_positive(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let serial = facts.serial.as_deref()?;
    let negative = serial.first().is_some_and(|first| *first >= 0x80);
    (negative || significant(serial) == 0).then(|| "It is zero or negative.".into())
}

fn serial_too_long(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let length = facts.serial.as_deref()?.len();
    (length > 20).then(|| format!("It has {length} bytes; programs expect 20 at most."))
}

fn serial_too_short(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let length = significant(facts.serial.as_deref()?);
    (length < 8).then(|| format!("It has {length} bytes, too few for 64 random bits."))
}

/// Bytes without the leading zeros.
fn significant(serial: &[u8]) -> usize {
    serial.iter().skip_while(|byte| **byte == 0).count()
}
