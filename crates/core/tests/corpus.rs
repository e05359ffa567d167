//! Every certificate, delivery, request, PFX and key that other programs made gives what its manifest says, through the
//! public intake, with a sentence that names the cause.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use siteward_core::chain::{Chain, Doubt, InstallError, doubts};
use siteward_core::host::HostPattern;
use siteward_core::inspect::{self, InspectError};
use siteward_core::intake::{self, IntakeError, PairError};
use siteward_core::lint::{Profile, Severity, judge};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize)]
struct Manifest {
    now: String,
    files: usize,
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

/// What comes of a file: whether it is taken, and everything that a person is told against it.
struct Verdict {
    refused: bool,
    told: Vec<Told>,
}

/// One sentence, with the words of the manifest that it stands for.
struct Told {
    words: &'static [&'static str],
    sentence: String,
}

impl Verdict {
    fn refuse(words: &'static [&'static str], error: &dyn Error) -> Self {
        Self { refused: true, told: vec![Told { words, sentence: error.to_string() }] }
    }

    fn accept() -> Self {
        Self { refused: false, told: Vec::new() }
    }
}

/// What the sentence for a reason must say. A file whose form is wrong in a way of its own has its own line.
const CAUSES: [(&str, &str, &[&str]); 45] = [
    ("", "bad-signature", &["signature"]),
    ("", "chain-too-long", &["more than 100 certificates"]),
    ("", "empty", &["empty"]),
    ("", "escape-html", &["invisible"]),
    ("", "escape-log", &["invisible"]),
    ("", "expired", &["expired on"]),
    ("", "is-ca", &["is one of a CA"]),
    ("delivery/", "key-mismatch", &["made for another key"]),
    ("pfx/", "key-mismatch", &["does not belong to the certificate"]),
    ("", "missing-san", &["no alternative name"]),
    ("", "name-invalid", &["no alternative name that can match a host"]),
    ("", "name-mismatch", &["does not cover"]),
    ("", "no-certificate", &["no certificate"]),
    ("", "no-leaf", &["only certificates of CAs"]),
    ("", "no-mac", &["no integrity check"]),
    ("", "not-a-certificate", &["certificate request, not a certificate"]),
    ("", "not-yet-valid", &["not valid before"]),
    ("", "nul-in-name", &["invisible"]),
    ("", "too-large", &["larger than 64 KiB"]),
    ("cert/", "too-long", &["larger than 64 KiB"]),
    ("csr/", "too-long", &["more than the 64 characters"]),
    ("", "too-many", &["more than 100"]),
    ("", "too-many-iterations", &["hashed more than two million times"]),
    ("", "unsupported-algorithm", &["of the kind"]),
    ("", "unsupported-format", &["no key for a web site"]),
    ("pfx/", "unsupported-format", &["Java key store"]),
    ("", "weak-key", &["bits", "2048"]),
    ("", "weak-signature", &["MD5"]),
    ("", "wrong-eku", &["leaves server authentication out"]),
    ("", "wrong-password", &["password does not open this"]),
    ("", "malformed", &["damaged", "can't be read to its end"]),
    ("cert/dup-ext.der", "malformed", &["same extension twice"]),
    ("cert/v1.der", "malformed", &["old version"]),
    ("csr/random.bin", "malformed", &["no request or certificate in this"]),
    ("csr/forged-ulabel.der", "malformed", &["No name in the DNS is written like"]),
    ("csr/forged-badutf8.der", "malformed", &["impossible character"]),
    ("delivery/p256/bad/bad-base64.pem", "malformed", &["between BEGIN and END is damaged"]),
    ("delivery/p256/bad/html-page.crt", "malformed", &["web page"]),
    ("delivery/p256/bad/random.bin", "malformed", &["no certificate in this"]),
    ("delivery/p256/bad/truncated.pem", "malformed", &["cut off"]),
    ("delivery/p256/bad/zip-file.zip", "malformed", &["ZIP archive can't be opened"]),
    ("keys/rsa-corrupt-crt.pem", "malformed", &["private key in this is damaged", "parts do not fit"]),
    ("keys/truncated.pem", "malformed", &["cut off"]),
    ("pfx/random.pfx", "malformed", &["no certificate in this"]),
    ("", "chain-mismatch", &["Corpus Policy CA 1"]), // the page names whom it set aside
];

/// The line of [`CAUSES`] for a file and a reason: the one that names the file most closely.
fn cause(file: &str, reason: &str) -> Option<usize> {
    let fits = |(_, (at, own, _)): &(usize, &(&str, &str, _))| *own == reason && file.starts_with(at);
    CAUSES.iter().enumerate().filter(fits).max_by_key(|(_, (at, ..))| at.len()).map(|(i, _)| i)
}

fn intake_words(error: &IntakeError) -> &'static [&'static str] {
    use IntakeError::*;
    match error {
        Empty => &["empty"],
        TooLarge | ArchiveTooLarge => &["too-large"],
        TooMany => &["too-many", "chain-too-long"],
        CertificateTooLarge => &["too-large", "too-long"],
        Request | PrivateKey | Pkcs12 | Pkcs7 => &["not-a-certificate"],
        WebPage | Truncated | Base64 | OldVersion | Archive | NothingFound | Damaged | ExtensionTwice | KeyDamaged => {
            &["malformed"]
        }
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

fn inspect_words(error: &InspectError) -> &'static [&'static str] {
    match error {
        InspectError::Empty => &["empty"],
        InspectError::TooLarge => &["too-large"],
        InspectError::TooMany => &["too-many"],
        InspectError::PrivateKey => &["not-a-certificate"],
        InspectError::Damaged | InspectError::NothingFound => &["malformed"],
        InspectError::Intake(error) => intake_words(error),
    }
}

/// The words for what a rule finds; a rule that only a public CA has, on names under .test for instance, has none.
fn rule_words(rule: &str) -> Option<&'static [&'static str]> {
    match rule {
        "md5" | "sha1" => Some(&["weak-signature"]),
        "rsa-size" => Some(&["weak-key"]),
        "signature-broken" => Some(&["bad-signature"]),
        "common-name-too-long" => Some(&["too-long"]),
        "unseen-character" => Some(&["nul-in-name", "escape-log", "escape-html", "malformed"]),
        "not-a-host-name" => Some(&["name-invalid", "malformed"]),
        _ => None,
    }
}

fn doubt_words(doubt: &Doubt) -> &'static [&'static str] {
    match doubt {
        Doubt::Expired(_) => &["expired"],
        Doubt::NotYetValid(_) => &["not-yet-valid"],
        Doubt::NotCovered(_) => &["name-mismatch"],
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus")
}

fn corpus(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A certificate or a CA's reply, for the key that it was made for.
fn judge_reply(entry: &Entry, now: OffsetDateTime) -> Verdict {
    let mut certificates = match intake::read(&corpus(&entry.file)) {
        Ok(certificates) => certificates,
        Err(error) => return Verdict::refuse(intake_words(&error), &error),
    };
    if entry.reason.as_deref() == Some("bad-signature") {
        // A signature can be judged only with the issuer that should have made it.
        certificates.extend(intake::read(&corpus("ca/int2.pem")).expect("an issuer"));
    }
    let key = entry.key.as_deref().expect("the key of a reply");
    let key = intake::open(&[(key, &corpus(key))], None).expect("a key").keys.remove(0);
    match Chain::build(certificates, key.id()) {
        Ok(chain) => judge_chain(&chain, entry.kind == "delivery", now),
        Err(error) => Verdict::refuse(install_words(&error), &error),
    }
}

fn judge_chain(chain: &Chain, of_the_site: bool, now: OffsetDateTime) -> Verdict {
    let host = HostPattern::parse("www.corpus.test").expect("a host");
    let hosts = of_the_site.then_some(&host);
    let doubts = doubts(&chain.leaf.facts(1), hosts, now);
    let told = doubts.iter().map(|doubt| Told { words: doubt_words(doubt), sentence: doubt.to_string() });
    let mut verdict = Verdict { refused: false, told: told.collect() };
    if chain.intermediates.is_empty() && chain.root.is_none() {
        // What came along signed nothing here: it is set aside, by name.
        let strangers = chain.strangers.iter();
        verdict.told.extend(strangers.map(|own| Told { words: &["chain-mismatch"], sentence: own.subject.clone() }));
    }
    verdict
}

fn judge_pfx(entry: &Entry, now: OffsetDateTime) -> Verdict {
    let found = match intake::open(&[(&entry.file, &corpus(&entry.file))], entry.password.as_deref()) {
        Ok(found) => found,
        Err(error) => return Verdict::refuse(intake_words(&error), &error),
    };
    match found.pairs() {
        Ok(pairs) => judge_chain(&pairs[0].chain, false, now),
        Err(error) => Verdict::refuse(pair_words(&error), &error),
    }
}

fn judge_key(entry: &Entry) -> Verdict {
    match intake::open(&[(&entry.file, &corpus(&entry.file))], entry.password.as_deref()) {
        Ok(found) => {
            assert_eq!(found.keys.len(), 1, "{}", entry.file);
            Verdict::accept()
        }
        Err(error) => Verdict::refuse(intake_words(&error), &error),
    }
}

/// A request, as the page that reads requests judges it.
fn judge_request(entry: &Entry, now: OffsetDateTime) -> Verdict {
    let bytes = corpus(&entry.file);
    let requests = match inspect::read(&bytes) {
        Ok(requests) => requests,
        Err(error) => return Verdict::refuse(inspect_words(&error), &error),
    };
    assert_eq!(intake::read(&bytes), Err(IntakeError::Request), "{}: where a reply is expected", entry.file);
    let findings = requests.iter().flat_map(|request| judge(&request.facts, Profile::PublicCa, now));
    let refused = findings.filter(|finding| finding.severity == Severity::Refuse);
    let told = refused.filter_map(|finding| Some(Told { words: rule_words(finding.rule)?, sentence: finding.reason }));
    let told: Vec<Told> = told.collect();
    Verdict { refused: !told.is_empty(), told }
}

/// What is wrong with the verdict, if anything.
fn difference(entry: &Entry, verdict: &Verdict) -> Option<String> {
    let reason = entry.reason.as_deref().unwrap_or_default();
    let names_it = |told: &Told| told.words.contains(&reason);
    let right = match entry.expect.as_str() {
        "accept" => !verdict.refused && verdict.told.iter().all(names_it),
        "reject" => verdict.told.iter().any(names_it),
        "either" => !verdict.refused || verdict.told.iter().any(names_it),
        other => panic!("{}: unknown verdict {other}", entry.file),
    };
    let said: Vec<&str> = verdict.told.iter().map(|told| told.sentence.as_str()).collect();
    if !right {
        return Some(format!("{} {reason}, but refused is {} with {said:?}", entry.expect, verdict.refused));
    }
    let told = verdict.told.iter().find(|told| names_it(told))?;
    let Some(cause) = cause(&entry.file, reason) else { return Some(format!("no words for {reason}: {said:?}")) };
    let silent = CAUSES[cause].2.iter().find(|words| !told.sentence.contains(**words));
    silent.map(|words| format!("“{}” does not say “{words}”", told.sentence))
}

#[test]
fn every_file_gives_what_its_manifest_says_in_words_that_name_the_cause() {
    let manifest: Manifest = serde_json::from_slice(&corpus("manifest.json")).unwrap();
    let now = OffsetDateTime::parse(&manifest.now, &Rfc3339).unwrap();
    let mut wrong = Vec::new();
    let mut judged = BTreeSet::new();
    for entry in &manifest.entries {
        let started = Instant::now();
        let verdict = match entry.kind.as_str() {
            "cert" | "delivery" => judge_reply(entry, now),
            "pfx" => judge_pfx(entry, now),
            "key" => judge_key(entry),
            "csr" => judge_request(entry, now),
            other => panic!("{}: unknown kind {other}", entry.file),
        };
        wrong.extend(difference(entry, &verdict).map(|difference| format!("{}: {difference}", entry.file)));
        // A second where it is built with optimisation; ten in a debug build on a busy machine.
        assert!(started.elapsed() < Duration::from_secs(10), "{}: {:?}", entry.file, started.elapsed());
        judged.insert(entry.file.as_str());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(judged.len(), manifest.files, "the manifest’s own count");
    let there = ["cert", "csr", "delivery", "keys", "pfx"].iter().flat_map(|kind| files(kind)).collect::<BTreeSet<_>>();
    assert_eq!(judged, there.iter().map(String::as_str).collect(), "every file has its entry");
}

#[test]
fn every_cause_has_a_file_in_the_corpus() {
    let manifest: Manifest = serde_json::from_slice(&corpus("manifest.json")).unwrap();
    let reason = |entry: &Entry| cause(&entry.file, entry.reason.as_deref()?);
    let used: BTreeSet<usize> = manifest.entries.iter().filter_map(reason).collect();
    let unused: Vec<_> = (0..CAUSES.len()).filter(|i| !used.contains(i)).map(|i| CAUSES[i]).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// Every file below a folder of the corpus, as the manifest names it.
fn files(below: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder().join(below)).expect(below) {
        let entry = entry.expect(below);
        let path = format!("{below}/{}", entry.file_name().to_str().expect(below));
        if entry.file_type().expect(below).is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}
