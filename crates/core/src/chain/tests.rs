use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, PublicKeyData};
use rustls::pki_types::CertificateDer;
use time::{Duration, macros::datetime};

use super::*;
use crate::csr::server_params;
use crate::intake;
use crate::key::{KeyKind, PrivateKey};
use crate::subject::{Subject, SubjectAnswers};
use crate::testing_ca::TestCa;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn corpus(file: &str) -> Vec<X509> {
    let path = format!("{}/../../tests/corpus/{file}", env!("CARGO_MANIFEST_DIR"));
    intake::read(&std::fs::read(path).unwrap()).unwrap()
}

/// The chain of a delivery for the key that all of them are made for.
fn delivered(file: &str) -> Result<Chain, InstallError> {
    let key_id = corpus("delivery/p256/good/leaf.pem")[0].key_id;
    Chain::build(corpus(&format!("delivery/p256/{file}")), key_id)
}

fn subjects(certificates: &[X509]) -> Vec<&str> {
    certificates.iter().map(|own| own.subject.as_str()).collect()
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyKind::EcdsaP256).unwrap()
}

fn request(key: &PrivateKey, names: &str) -> Vec<u8> {
    let (common_name, names) = names.split_once(' ').unwrap_or((names, ""));
    let answers =
        SubjectAnswers { common_name: common_name.into(), names: names.replace(' ', "\n"), ..Default::default() };
    crate::csr::sign(&Subject::parse(&answers).unwrap(), key).unwrap()
}

fn parsed(ders: &[&[u8]]) -> Vec<X509> {
    ders.iter().map(|der| X509::parse(der).unwrap()).collect()
}

#[test]
fn the_facts_of_a_certificate_are_those_openssl_shows() {
    let leaf = corpus("delivery/p256/good/leaf.pem").remove(0);
    assert_eq!(leaf.subject, "www.corpus.test");
    assert_eq!(leaf.issuer, "Corpus Issuing CA 2");
    assert_eq!(leaf.key_label, "ECDSA P-256");
    assert_eq!(leaf.serial, "00:96:ad:8a:93:bc:07:54:10:ae:16:23:5a:49:4c:87:47");
    assert_eq!(leaf.not_before, datetime!(2026-11-22 11:07:32 UTC));
    assert_eq!(leaf.not_after, datetime!(2027-02-20 11:07:32 UTC));
    assert!(leaf.names.iter().any(|name| name.to_string() == "www.corpus.test"));
    assert!(!leaf.is_ca && !leaf.is_self_signed);
}

#[test]
fn a_chain_is_put_in_order_whatever_the_order_it_came_in() {
    let good = delivered("good/bundle-leaf-first.pem").unwrap();
    assert!(!good.intermediates.is_empty());
    for file in ["bundle-root-first.pem", "bundle-shuffled.pem", "bundle-duplicates.pem", "bundle-with-root.pem"] {
        let chain = delivered(&format!("good/{file}")).unwrap();
        assert_eq!(chain.leaf, good.leaf, "{file}");
        assert_eq!(subjects(&chain.intermediates), subjects(&good.intermediates), "{file}");
        assert!(chain.strangers.is_empty(), "{file}");
    }
    let root = delivered("good/bundle-with-root.pem").unwrap().root.expect("the root is shown");
    assert!(root.is_self_signed && root.is_ca);
    for pair in [vec![good.leaf], good.intermediates].concat().windows(2) {
        assert_eq!(pair[0].issuer, pair[1].subject);
    }
}

#[test]
fn every_good_delivery_makes_a_chain() {
    for file in [
        "leaf.pem",
        "issued-by-int1.pem",
        "cross-signed.pem",
        "one-day.pem",
        "ten-years.pem",
        "sha384.pem",
        "sha512.pem",
        "other-name.pem",
        "text-preamble.pem",
    ] {
        delivered(&format!("good/{file}")).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn a_certificate_that_signed_nothing_in_the_chain_is_set_aside() {
    let chain = delivered("good/bundle-with-unrelated.pem").unwrap();
    assert_eq!(chain.strangers.len(), 1);
    let chain = delivered("bad/chain-does-not-match.pem").unwrap();
    assert!(chain.intermediates.is_empty());
    assert!(!chain.strangers.is_empty());
}

#[test]
fn an_issuer_is_proven_by_its_signature_not_by_its_name() {
    let (ca, impostor) = (TestCa::new(), TestCa::new());
    let key = key();
    let leaf = ca.sign_now(&request(&key, "shop.example"));
    let mixed =
        parsed(&[impostor.root_der(), impostor.intermediate_der(), &leaf, ca.intermediate_der(), ca.root_der()]);
    let chain = Chain::build(mixed, key.id()).unwrap();
    assert_eq!(chain.intermediates, parsed(&[ca.intermediate_der()]));
    assert_eq!(chain.root, Some(X509::parse(ca.root_der()).unwrap()));
    assert_eq!(chain.strangers.len(), 2);
}

#[test]
fn of_two_leaves_for_one_key_the_longer_lived_is_taken() {
    let (ca, key) = (TestCa::new(), key());
    let csr = request(&key, "shop.example");
    let short = ca.sign(&csr, NOW, NOW + Duration::days(30), None);
    let long = ca.sign(&csr, NOW, NOW + Duration::days(60), None);
    let chain = Chain::build(parsed(&[&long, &short]), key.id()).unwrap();
    assert_eq!(chain.leaf.der, long);
    assert_eq!(chain.strangers.len(), 1);
}

#[test]
fn a_reply_for_another_key_is_refused_with_its_subject() {
    let error = delivered("bad/wrong-key.pem").unwrap_err();
    assert_eq!(error, InstallError::KeyMismatch { subject: "www.corpus.test".into() });
}

#[test]
fn a_reply_without_a_leaf_is_refused() {
    for file in ["bad/only-ca-certificates.pem", "bad/only-intermediate.pem"] {
        assert_eq!(delivered(file), Err(InstallError::NoLeaf), "{file}");
    }
    assert_eq!(Chain::build(Vec::new(), key().id()), Err(InstallError::NoLeaf));
}

#[test]
fn a_leaf_that_no_browser_takes_is_refused_by_name() {
    let subject = || "www.corpus.test".to_string();
    for (file, error) in [
        ("ca-as-leaf.pem", InstallError::IsCa { subject: subject() }),
        ("eku-codesigning.pem", InstallError::NotForServers { subject: subject() }),
        ("eku-clientonly.pem", InstallError::NotForServers { subject: subject() }),
        ("sha1.pem", InstallError::WeakSignature { subject: subject() }),
        ("md5.pem", InstallError::WeakSignature { subject: subject() }),
        ("no-san.pem", InstallError::NoNames { subject: subject() }),
    ] {
        assert_eq!(delivered(&format!("bad/{file}")), Err(error), "{file}");
    }
}

#[test]
fn a_chain_that_is_too_long_is_refused() {
    let keys: Vec<PrivateKey> = (0..13).map(|_| key()).collect();
    let ca_params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let mut chain = vec![ca_params("CA 0").self_signed(keys[0].pair()).unwrap().der().to_vec()];
    for i in 1..keys.len() {
        let issuer =
            Issuer::from_ca_cert_der(&CertificateDer::from(chain[i - 1].as_slice()), keys[i - 1].pair()).unwrap();
        let params = match i {
            12 => server_params(&[crate::certificate::SubjectName::parse("shop.example").unwrap()], false).unwrap(),
            _ => ca_params(&format!("CA {i}")),
        };
        chain.push(params.signed_by(keys[i].pair(), &issuer).unwrap().der().to_vec());
    }
    let certificates = chain.iter().map(|der| X509::parse(der).unwrap()).collect();
    assert_eq!(Chain::build(certificates, keys[12].id()), Err(InstallError::TooLong));
}

#[test]
fn an_issuer_that_signs_itself_in_a_circle_ends_the_search() {
    let (a, b, leaf_key) = (key(), key(), key());
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let (pa, pb) = (params("A"), params("B"));
    let (ia, ib) = (Issuer::from_params(&pa, a.pair()), Issuer::from_params(&pb, b.pair()));
    let a_by_b = pa.signed_by(a.pair(), &ib).unwrap().der().to_vec();
    let b_by_a = pb.signed_by(b.pair(), &ia).unwrap().der().to_vec();
    let names = [crate::certificate::SubjectName::parse("shop.example").unwrap()];
    let leaf = server_params(&names, false).unwrap().signed_by(leaf_key.pair(), &ia).unwrap().der().to_vec();
    let chain = Chain::build(parsed(&[&a_by_b, &b_by_a, &leaf]), leaf_key.id()).unwrap();
    assert_eq!(chain.intermediates.len(), 2);
}

#[test]
fn a_ca_may_write_anything_into_a_name_and_it_is_shown_harmlessly() {
    let html = corpus("cert/html-cn.der").remove(0);
    assert!(html.subject.contains("<script>"), "pages escape it: {}", html.subject);
    let (ca, key) = (TestCa::new(), key());
    let mut params = server_params(&[crate::certificate::SubjectName::parse("shop.example").unwrap()], false).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a\nb\u{0}");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    let leaf = X509::parse(&ca.issue(params, &key.pair())).unwrap();
    assert_eq!(leaf.subject, "a\u{fffd}b\u{fffd}");
    assert_eq!(leaf.key_id, Fingerprint::of(&key.pair().subject_public_key_info()));
    Chain::build(vec![leaf], key.id()).expect("any extended key usage includes serverAuth");
}

#[test]
fn only_names_that_visitors_can_send_are_kept() {
    let names = |file: &str| corpus(file)[0].names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names("cert/underscore.der"), Vec::<String>::new());
    assert_eq!(names("cert/ip-as-dns.der"), Vec::<String>::new());
    assert_eq!(names("cert/ip-san.der").len(), 2);
    assert_eq!(names("cert/1000-san.der").len(), 1000);
}

#[test]
fn a_certificate_is_doubtful_outside_its_dates_and_names() {
    let (ca, key) = (TestCa::new(), key());
    let csr = request(&key, "shop.example *.shop.example");
    let leaf = X509::parse(&ca.sign(&csr, NOW, NOW + Duration::days(90), None)).unwrap().facts(1);
    let hosts = |names: &[&str]| names.iter().map(|name| HostPattern::parse(name).unwrap()).collect::<Vec<_>>();
    let covered = hosts(&["", "shop.example", "*.shop.example", "www.shop.example"]);
    assert_eq!(doubts(&leaf, &covered, NOW), []);
    assert_eq!(doubts(&leaf, &covered, leaf.not_after), []);
    let other = hosts(&["other.example", "other.example", "*.other.example"]);
    assert_eq!(
        doubts(&leaf, &other, NOW + Duration::days(91)),
        [
            Doubt::Expired("20 February 2027".into()),
            Doubt::NotCovered("other.example".into()),
            Doubt::NotCovered("*.other.example".into())
        ]
    );
    assert_eq!(doubts(&leaf, &[], NOW - Duration::days(1)), [Doubt::NotYetValid("22 November 2026".into())]);
}

#[test]
fn a_chain_goes_on_with_issuers_that_were_known_before_up_to_the_root() {
    let (ca, other, key) = (TestCa::new(), TestCa::new(), key());
    let leaf = ca.sign_now(&request(&key, "shop.example"));
    let mut chain = Chain::build(parsed(&[&leaf]), key.id()).unwrap();
    let [root, intermediate] = [ca.root_der(), ca.intermediate_der()].map(|der| X509::parse(der).unwrap());
    assert_eq!(chain.missing(), Some(intermediate.subject_id));
    assert!(!chain.extend(parsed(&[other.intermediate_der(), ca.root_der()])), "a namesake did not sign it");
    assert!(chain.extend(parsed(&[other.intermediate_der(), ca.intermediate_der()])));
    assert_eq!((chain.intermediates.clone(), chain.added), (vec![intermediate.clone()], 1));
    assert_eq!(chain.missing(), Some(root.subject_id));
    assert!(!chain.extend(vec![intermediate]), "nothing is sent twice");
    assert!(chain.extend(vec![root.clone()]));
    assert_eq!((chain.root.as_ref(), chain.added, chain.missing()), (Some(&root), 1, None));
}
