//! Every certificate, delivery, PFX and key that other programs made gives what its manifest says, through the public
//! intake, with a sentence for the cause.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use siteward_core::chain::{Chain, Doubt, InstallError, doubts};
use siteward_core::host::HostPattern;
use siteward_core::intake::{self, IntakeError, PairError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize)]
struct Manifest {
    now: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    file: String,
    kind: String,
    expect: String,
    reason: Option<String>,
    password: Option<String>,
    key: Option<String>,
}

/// What comes of a file, in the manifest's vocabulary.
enum Verdict {
    Refuse { sentence: String, words: &'static [&'static str] },
    Accept { doubts: Vec<&'static str> },
}

fn refuse(words: &'static [&'static str], error: &dyn std::error::Error) -> Verdict {
    Verdict::Refuse { sentence: error.to_string(), words }
}

fn intake_words(error: &IntakeError) -> &'static [&'static str] {
    use IntakeError::*;
    match error {
        Empty => &["empty"],
        TooLarge | ArchiveTooLarge => &["too-large"],
        TooMany => &["too-many", "chain-too-long"],
        CertificateTooLarge => &["too-large", "too-long"],
        Request | PrivateKey | Pkcs12 | Pkcs7 => &["not-a-certificate"],
        WebPage | Truncated | Base64 | OldVersion | Archive | NothingFound | Damaged | KeyDamaged => &["malformed"],
        ControlInName => &["nul-in-name"],
        PasswordNeeded | WrongPassword => &["wrong-password"],
        UnsupportedCipher(_) | UnsupportedKey(_) => &["unsupported-algorithm"],
        TooManyIterations => &["too-many-iterations"],
        NoMac => &["no-mac"],
        WeakKey(_) => &["weak-key"],
        OpenSsh | Jks => &["unsupported-format"],
    }
}

fn install_words(error: &InstallError) -> &'static [&'static str] {
    match error {
        InstallError::NoLeaf => &["no-leaf"],
        InstallError::KeyMismatch { .. } => &["key-mismatch"],
        InstallError::IsCa { .. } => &["is-ca"],
        InstallError::NotForServers { .. } => &["wrong-eku"],
        InstallError::WeakSignature { .. } => &["weak-signature"],
        InstallError::BadSignature { .. } => &["bad-signature"],
        InstallError::NoNames { .. } => &["missing-san", "name-invalid"],
        InstallError::TooLong => &["chain-too-long"],
    }
}

fn pair_words(error: &PairError) -> &'static [&'static str] {
    match error {
        PairError::NoCertificate => &["no-certificate"],
        PairError::NoKey => &["no-key"],
        PairError::KeyMismatch => &["key-mismatch"],
        PairError::Install(error) => install_words(error),
    }
}

fn doubt_word(doubt: &Doubt) -> &'static str {
    match doubt {
        Doubt::Expired(_) => "expired",
        Doubt::NotYetValid(_) => "not-yet-valid",
        Doubt::NotCovered(_) => "name-mismatch",
    }
}

fn corpus(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A certificate or a CA's reply, for the key that it was made for.
fn judge_reply(entry: &Entry, now: OffsetDateTime) -> Verdict {
    let mut certificates = match intake::read(&corpus(&entry.file)) {
        Ok(certificates) => certificates,
        Err(error) => return refuse(intake_words(&error), &error),
    };
    if entry.reason.as_deref() == Some("bad-signature") {
        // A signature can be judged only with the issuer that should have made it.
        certificates.extend(intake::read(&corpus("ca/int2.pem")).expect("an issuer"));
    }
    let key = entry.key.as_deref().expect("the key of a reply");
    let key = intake::open(&[(key, &corpus(key))], None).expect("a key").keys.remove(0);
    match Chain::build(certificates, key.id()) {
        Ok(chain) => judge_chain(&chain, entry.kind == "delivery", now),
        Err(error) => refuse(install_words(&error), &error),
    }
}

fn judge_chain(chain: &Chain, of_the_site: bool, now: OffsetDateTime) -> Verdict {
    let host = HostPattern::parse("www.corpus.test").expect("a host");
    let hosts = of_the_site.then_some(&host);
    let mut words: Vec<_> = doubts(&chain.leaf.facts(1), hosts, now).iter().map(doubt_word).collect();
    if chain.intermediates.is_empty() && chain.root.is_none() && !chain.strangers.is_empty() {
        words.push("chain-mismatch"); // what came along signed nothing here, and it is set aside
    }
    Verdict::Accept { doubts: words }
}

fn judge_pfx(entry: &Entry, now: OffsetDateTime) -> Verdict {
    let found = match intake::open(&[(&entry.file, &corpus(&entry.file))], entry.password.as_deref()) {
        Ok(found) => found,
        Err(error) => return refuse(intake_words(&error), &error),
    };
    match found.pairs() {
        Ok(pairs) => judge_chain(&pairs[0].chain, false, now),
        Err(error) => refuse(pair_words(&error), &error),
    }
}

fn judge_key(entry: &Entry) -> Verdict {
    match intake::open(&[(&entry.file, &corpus(&entry.file))], entry.password.as_deref()) {
        Ok(found) => {
            assert_eq!(found.keys.len(), 1, "{}", entry.file);
            Verdict::Accept { doubts: Vec::new() }
        }
        Err(error) => refuse(intake_words(&error), &error),
    }
}

/// What is wrong with the verdict, if anything.
fn difference(entry: &Entry, verdict: &Verdict) -> Option<String> {
    let reason = entry.reason.as_deref().unwrap_or_default();
    match (entry.expect.as_str(), verdict) {
        ("either", _) => None,
        ("accept", Verdict::Accept { doubts }) if doubts.iter().all(|word| *word == reason) => None,
        ("reject", Verdict::Accept { doubts }) if doubts.contains(&reason) => None,
        ("reject", Verdict::Refuse { words, .. }) if words.contains(&reason) => None,
        (expect, Verdict::Accept { doubts }) => Some(format!("accepted with {doubts:?}; {expect} {reason}")),
        (expect, Verdict::Refuse { sentence, .. }) => Some(format!("refused: {sentence}; {expect} {reason}")),
    }
}

#[test]
fn every_file_gives_what_its_manifest_says() {
    let manifest: Manifest = serde_json::from_slice(&corpus("manifest.json")).unwrap();
    let now = OffsetDateTime::parse(&manifest.now, &Rfc3339).unwrap();
    let mut judged = 0;
    let mut wrong = Vec::new();
    for entry in &manifest.entries {
        let started = Instant::now();
        let verdict = match entry.kind.as_str() {
            "cert" | "delivery" => judge_reply(entry, now),
            "pfx" => judge_pfx(entry, now),
            "key" => judge_key(entry),
            "csr" => continue, // a request brings no certificate in; requests are judged where they are inspected
            other => panic!("{}: unknown kind {other}", entry.file),
        };
        judged += 1;
        wrong.extend(difference(entry, &verdict).map(|difference| format!("{}: {difference}", entry.file)));
        if let Verdict::Refuse { sentence, .. } = verdict {
            assert!(sentence.ends_with('.') && sentence.len() > 40, "{}: {sentence}", entry.file);
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{}: {:?}", entry.file, started.elapsed());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged > 130, "{judged}");
}
