//! PFX files and encrypted keys that ask for their password to be hashed a billion times, in every way there is.

use siteward_core::intake::IntakeError;

use super::der::{element, integer, octets, oid, sequence};
use super::{Case, Expect};

const BILLION: u64 = 1_000_000_000;

const DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 1];
const ENCRYPTED_DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 6];
const SHROUDED_KEY_BAG: &[u64] = &[1, 2, 840, 113549, 1, 12, 10, 1, 2];
const PBES2: &[u64] = &[1, 2, 840, 113549, 1, 5, 13];
const PBKDF2: &[u64] = &[1, 2, 840, 113549, 1, 5, 12];
const PBMAC1: &[u64] = &[1, 2, 840, 113549, 1, 5, 14];
const SCRYPT: &[u64] = &[1, 3, 6, 1, 4, 1, 11591, 4, 11];
const AES_256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 42];
const HMAC_SHA256: &[u64] = &[1, 2, 840, 113549, 2, 9];

pub(super) fn cases() -> Vec<Case> {
    let refused = |name: String, bytes| Case::new(name, bytes, Expect::Refused(IntakeError::TooManyIterations));
    let mut cases = Vec::new();
    for (name, algorithm) in algorithms() {
        let encrypted = sequence(&[&algorithm, &octets(&[0; 256])]);
        cases.push(refused(format!("a key under {name}"), encrypted.clone()));
        let bag = sequence(&[&oid(SHROUDED_KEY_BAG), &element(0xa0, &[&encrypted])]);
        cases.push(refused(format!("a PFX whose key is under {name}"), pfx(&safe(&bag), &mac(hash(4), 2048))));
        let info = sequence(&[&oid(DATA), &algorithm, &element(0x80, &[&[0; 256]])]);
        let content = element(0xa0, &[&sequence(&[&integer(0), &info])]);
        let hidden = sequence(&[&oid(ENCRYPTED_DATA), &content]);
        cases.push(refused(format!("a PFX whose certificate is under {name}"), pfx(&hidden, &mac(hash(4), 2048))));
    }
    for (name, mac) in macs() {
        cases.push(refused(format!("a PFX proven by {name}"), pfx(&safe(&[]), &mac)));
    }
    // The MAC is hashed for first, and it is another's: no key is tried.
    let dear = sequence(&[&pbes2(&pbkdf2(2_000_000)), &octets(&[0; 256])]);
    let bag = sequence(&[&oid(SHROUDED_KEY_BAG), &element(0xa0, &[&dear])]);
    let many = pfx(&safe(&bag.repeat(1000)), &mac(hash(4), 1));
    cases.push(Case::new("a PFX of a thousand dear keys", many, Expect::Refused(IntakeError::WrongPassword)));
    cases
}

fn algorithms() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("PBKDF2".into(), pbes2(&pbkdf2(BILLION)))];
    let costs = [(1 << 30, 8, 1), (1 << 14, BILLION, 1), (1 << 14, 8, BILLION), (1 << 63, 1 << 62, 1 << 61)];
    for (n, r, p) in costs {
        let scrypt = sequence(&[&octets(b"saltsalt"), &integer(n), &integer(r), &integer(p)]);
        all.push((format!("scrypt with {n}, {r}, {p}"), pbes2(&sequence(&[&oid(SCRYPT), &scrypt]))));
    }
    for last in [3, 4, 5, 6] {
        let parameters = sequence(&[&octets(b"saltsalt"), &integer(BILLION)]);
        let pbe = sequence(&[&oid(&[1, 2, 840, 113549, 1, 12, 1, last]), &parameters]);
        all.push((format!("PKCS#12’s own derivation {last}"), pbe));
    }
    all
}

fn pbkdf2(rounds: u64) -> Vec<u8> {
    let hash = sequence(&[&oid(HMAC_SHA256)]);
    sequence(&[&oid(PBKDF2), &sequence(&[&octets(b"saltsalt"), &integer(rounds), &integer(32), &hash])])
}

fn pbes2(derivation: &[u8]) -> Vec<u8> {
    let cipher = sequence(&[&oid(AES_256), &octets(&[0; 16])]);
    sequence(&[&oid(PBES2), &sequence(&[derivation, &cipher])])
}

fn macs() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = (0..5).map(|i| (format!("hash {i}"), mac(hash(i), BILLION))).collect();
    let hmac = sequence(&[&oid(HMAC_SHA256)]);
    let pbmac1 = sequence(&[&oid(PBMAC1), &sequence(&[&pbkdf2(BILLION), &hmac])]);
    let info = sequence(&[&pbmac1, &octets(&[0; 32])]);
    all.push(("PBMAC1".into(), sequence(&[&info, &octets(b"NOT USED"), &integer(1)])));
    all
}

/// SHA-1, and then SHA-224, SHA-384, SHA-512 and SHA-256.
fn hash(i: usize) -> Vec<u8> {
    match i {
        0 => oid(&[1, 3, 14, 3, 2, 26]),
        1 => oid(&[2, 16, 840, 1, 101, 3, 4, 2, 4]),
        2 => oid(&[2, 16, 840, 1, 101, 3, 4, 2, 2]),
        3 => oid(&[2, 16, 840, 1, 101, 3, 4, 2, 3]),
        _ => oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1]),
    }
}

fn mac(hash: Vec<u8>, rounds: u64) -> Vec<u8> {
    let info = sequence(&[&sequence(&[&hash]), &octets(&[0; 32])]);
    sequence(&[&info, &octets(b"saltsalt"), &integer(rounds)])
}

/// SafeContents in clear, as a ContentInfo.
fn safe(bags: &[u8]) -> Vec<u8> {
    sequence(&[&oid(DATA), &element(0xa0, &[&octets(&sequence(&[bags]))])])
}

fn pfx(safe: &[u8], mac: &[u8]) -> Vec<u8> {
    let content = sequence(&[&oid(DATA), &element(0xa0, &[&octets(&sequence(&[safe]))])]);
    sequence(&[&integer(3), &content, mac])
}
