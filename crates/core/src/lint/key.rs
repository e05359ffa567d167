//! Rules on the public key.

use time::OffsetDateTime;

use super::Severity::{Note, Refuse, Warn};
use super::primes;
use super::rule::{Day, Of, Rule, day};
use crate::inspect::{Facts, Key, bits};

/// The largest modulus that is searched for weak primes, in bytes; the time for it grows with its square.
const MAX_SEARCHED: usize = 1024;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "rsa-size",
        title: "RSA key size",
        section: "CA/Browser Forum BR 6.1.5",
        since: day(2014, 1, 1),
        day: Day::Judged,
        private: Some(Refuse),
        look: small_rsa,
        what_to_do: "Make a new key: ECDSA P-256, or RSA with 2048 bits or more.",
        ..BASE
    },
    Rule {
        id: "rsa-size-multiple",
        title: "RSA key size",
        section: "CA/Browser Forum BR 6.1.5; Mozilla Root Store Policy 5.1",
        since: day(2017, 2, 28),
        private: Some(Note),
        look: odd_sized_rsa,
        what_to_do: "Make a new key with 2048, 3072 or 4096 bits.",
        ..BASE
    },
    Rule {
        id: "rsa-exponent",
        title: "RSA exponent",
        section: "CA/Browser Forum BR 6.1.6",
        since: day(2013, 2, 21),
        private: Some(Refuse),
        look: wrong_exponent,
        what_to_do: "Make a new key; every program takes 65537 as the exponent by itself.",
        ..BASE
    },
    Rule {
        id: "rsa-exponent-range",
        title: "RSA exponent",
        section: "CA/Browser Forum BR 6.1.6",
        since: day(2013, 2, 21),
        public: Some(Warn),
        private: Some(Note),
        look: unusual_exponent,
        what_to_do: "Make a new key; every program takes 65537 as the exponent by itself.",
        ..BASE
    },
    Rule {
        id: "rsa-small-factor",
        title: "RSA modulus",
        section: "CA/Browser Forum BR 6.1.6; NIST SP 800-89 §5.3.3",
        since: day(2013, 2, 21),
        public: Some(Warn),
        private: Some(Warn),
        look: small_factor,
        what_to_do: "Make a new key with another program.",
        ..BASE
    },
    Rule {
        id: "roca",
        title: "Key known to be weak (ROCA)",
        section: "CA/Browser Forum BR 6.1.1.3; CVE-2017-15361",
        since: day(2017, 10, 16),
        day: Day::Judged,
        private: Some(Refuse),
        look: roca,
        what_to_do: "Make a new key outside that card or chip, and have every certificate for the old one revoked.",
        ..BASE
    },
    Rule {
        id: "close-primes",
        title: "Key known to be weak (close primes)",
        section: "CA/Browser Forum BR 6.1.1.3 (ballot SC-73)",
        since: day(2024, 11, 15),
        day: Day::Judged,
        private: Some(Refuse),
        look: close_primes,
        what_to_do: "Make a new key with another program, and have every certificate for the old one revoked.",
        ..BASE
    },
    Rule {
        id: "rsa-pss-key",
        title: "RSA key for RSASSA-PSS only",
        section: "CA/Browser Forum BR 7.1.3.1.1",
        since: day(2020, 8, 20),
        private: Some(Warn),
        look: pss_only,
        what_to_do: "Make the request with an ordinary RSA key; TLS 1.3 signs with PSS all the same.",
        ..BASE
    },
    Rule {
        id: "curve",
        title: "Elliptic curve",
        section: "CA/Browser Forum BR 6.1.5",
        private: Some(Refuse),
        look: other_curve,
        what_to_do: "Make a new key on P-256 or P-384.",
        ..BASE
    },
    Rule {
        id: "p-521",
        title: "Elliptic curve P-521",
        section: "Mozilla Root Store Policy 5.1.2",
        since: day(2017, 2, 28),
        public: Some(Warn),
        private: Some(Warn),
        look: p_521,
        what_to_do: "Make a new key on P-256 or P-384.",
        ..BASE
    },
    Rule {
        id: "edwards-curve",
        title: "Ed25519 or Ed448",
        section: "CA/Browser Forum BR 6.1.5",
        private: Some(Warn),
        look: edwards,
        what_to_do: "Make a new key: ECDSA P-256, or RSA with 2048 bits or more.",
        ..BASE
    },
    Rule {
        id: "other-key",
        title: "Kind of key",
        section: "CA/Browser Forum BR 6.1.5",
        private: Some(Refuse),
        look: other_key,
        what_to_do: "Make a new key: ECDSA P-256, or RSA with 2048 bits or more.",
        ..BASE
    },
];

/// A key is judged in a CA's certificate too.
const BASE: Rule = Rule { of: Of::All, ..Rule::BASE };

fn small_rsa(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let size = bits(modulus(facts)?);
    (size < 2048).then(|| format!("The key has {size} bits; CAs and browsers take 2048 and more."))
}

fn odd_sized_rsa(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let size = bits(modulus(facts)?);
    (!size.is_multiple_of(8)).then(|| format!("The key has {size} bits, which 8 does not divide."))
}

fn wrong_exponent(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    is_wrong(exponent(facts)?).then(|| "The exponent is even or below 3: such a key protects nothing.".into())
}

fn unusual_exponent(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let exponent = exponent(facts)?;
    let usual = is_wrong(exponent) || (17..=256).contains(&bits(exponent));
    (!usual).then(|| "The exponent is not between 65537 and 2²⁵⁶; some CAs refuse it.".into())
}

fn small_factor(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let factor = primes::small_factor(modulus(facts)?)?;
    Some(format!("{factor} divides the modulus: it is damaged, or a broken program made it."))
}

fn roca(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let found = primes::is_roca(searched(facts)?);
    found.then(|| "It has the mark of keys from broken Infineon chips: its private key can be computed.".into())
}

fn close_primes(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let found = primes::has_close_primes(searched(facts)?);
    found.then(|| "Its primes lie so close together that anybody can compute its private key.".into())
}

fn pss_only(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let marked = matches!(facts.key, Some(Key::Rsa { pss_only: true, .. }));
    marked.then(|| "It is marked so, and browsers don’t take such keys.".into())
}

fn other_curve(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    match &facts.key {
        Some(Key::OtherCurve(curve)) => Some(format!("The key is on another curve than P-256 and P-384: {curve}.")),
        _ => None,
    }
}

fn p_521(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    (facts.key == Some(Key::P521)).then(|| "Chrome does not take it, and Mozilla does not let CAs sign it.".into())
}

fn edwards(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    match &facts.key {
        Some(Key::Edwards(name)) => {
            Some(format!("The key is {name}: public CAs sign no such key, and browsers take none."))
        }
        _ => None,
    }
}

fn other_key(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    match &facts.key {
        Some(Key::Other(name)) => Some(format!("Browsers take RSA and ECDSA keys only; this one is {name}.")),
        _ => None,
    }
}

fn modulus(facts: &Facts) -> Option<&[u8]> {
    match &facts.key {
        Some(Key::Rsa { modulus, .. }) => Some(modulus),
        _ => None,
    }
}

fn exponent(facts: &Facts) -> Option<&[u8]> {
    match &facts.key {
        Some(Key::Rsa { exponent, .. }) => Some(exponent),
        _ => None,
    }
}

fn is_wrong(exponent: &[u8]) -> bool {
    bits(exponent) < 2 || exponent.last().is_none_or(|last| last % 2 == 0)
}

/// The modulus, unless it is too large to be searched.
fn searched(facts: &Facts) -> Option<&[u8]> {
    modulus(facts).filter(|modulus| modulus.len() <= MAX_SEARCHED)
}
