mod open;

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::key::{KeyKind, PrivateKey};
use crate::testing_ca::{TestCa, openssl};

/// A real file made by another program.
fn corpus(file: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
    std::fs::read(folder.join(file)).expect(file)
}

fn delivery(file: &str) -> Vec<u8> {
    corpus(&format!("delivery/p256/{file}"))
}

fn leaf() -> X509 {
    read(&delivery("good/leaf.pem")).unwrap().remove(0)
}

#[test]
fn a_leaf_is_found_in_whatever_form_it_came() {
    for file in [
        "leaf.pem",
        "leaf.cer",
        "leaf-der-named.pem",
        "leaf-pem-named.cer",
        "text-preamble.pem",
        "bag-attributes.pem",
        "crlf.pem",
        "cr-only.pem",
        "bom-utf8.pem",
        "utf16-bom.pem",
        "trailing-spaces.pem",
        "indented.pem",
        "mail-quoted.pem",
        "no-final-newline.pem",
        "one-line-base64.pem",
        "wrap76.pem",
        "x509-header.pem",
        "trusted-header.pem",
        "bare-base64.cer",
        "concatenated.der",
        "bundle-leaf-first.pem",
        "bundle-shuffled.pem",
        "chain.p7b",
        "chain-pem.p7b",
        "chain-root-first.p7b",
        "chain-with-crl.p7b",
        "leaf-only.p7b",
        "leaf-gnutls.p7b",
        "p7b-in-certificate-header.pem",
    ] {
        let found = read(&delivery(&format!("good/{file}"))).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(found.contains(&leaf()), "{file}");
    }
}

#[test]
fn pkcs7_of_indefinite_lengths_holds_the_same_certificates() {
    let der = delivery("good/chain.p7b");
    assert_eq!(read(&indefinite(&der)).unwrap(), read(&der).unwrap());
}

/// The same in BER, with every constructed element of indefinite length except those that are signed or fingerprinted.
fn indefinite(mut der: &[u8]) -> Vec<u8> {
    let mut ber = Vec::new();
    while !der.is_empty() {
        let (element, rest) = ber::Element::split(der).unwrap();
        der = rest;
        if element.tag & 0x20 == 0 || X509::parse(element.whole).is_ok() {
            ber.extend_from_slice(element.whole);
        } else {
            ber.extend_from_slice(&[element.tag, 0x80]);
            ber.extend_from_slice(&indefinite(element.content));
            ber.extend_from_slice(&[0, 0]);
        }
    }
    ber
}

#[test]
fn what_holds_a_key_or_no_certificate_is_no_reply() {
    let key = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b"");
    let both = [key, TestCa::new().root_pem().into_bytes()].concat();
    let pfx = openssl(&["pkcs12", "-export", "-nokeys", "-passout", "pass:"], &both);
    assert_eq!(read(&pfx), Err(IntakeError::Pkcs12));
    let empty = openssl(&["crl2pkcs7", "-nocrl"], b"");
    assert_eq!(read(&empty), Err(IntakeError::Pkcs7));
}

#[test]
fn what_is_no_reply_is_refused_by_name() {
    use IntakeError::*;
    for (file, error) in [
        ("empty.pem", Empty),
        ("blank.pem", Empty),
        ("csr-instead.pem", Request),
        ("html-page.crt", WebPage),
        ("truncated.pem", Truncated),
        ("truncated.der", Damaged),
        ("bad-base64.pem", Base64),
        ("trailing-zeros.der", Damaged),
        ("der-indefinite.der", Damaged),
        ("der-length-lie.der", Damaged),
        ("der-4gb-length.der", Damaged),
        ("der-nested.der", Damaged),
        ("empty-block.pem", Damaged),
        ("random.bin", NothingFound),
    ] {
        assert_eq!(read(&delivery(&format!("bad/{file}"))), Err(error), "{file}");
    }
    assert!(read(&delivery("bad/line-missing.pem")).is_err());
}

#[test]
fn a_private_key_is_never_taken_even_beside_a_certificate() {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
    assert_eq!(read(key.pkcs8()), Err(IntakeError::PrivateKey));
    let text = leaf().to_pem() + &pem::encode("PRIVATE KEY", key.pkcs8());
    assert_eq!(read(text.as_bytes()), Err(IntakeError::PrivateKey));
    assert_eq!(read(pem::encode("CERTIFICATE", key.pkcs8()).as_bytes()), Err(IntakeError::PrivateKey));
}

#[test]
fn a_reply_has_at_most_1_mib_and_100_certificates() {
    assert_eq!(read(&vec![b' '; MAX_REPLY + 1]), Err(IntakeError::TooLarge));
    assert_eq!(read(&vec![b' '; MAX_REPLY]), Err(IntakeError::Empty));
    let (pem, der) = (leaf().to_pem(), leaf().der);
    assert_eq!(read(pem.repeat(100).as_bytes()).unwrap().len(), 100);
    assert_eq!(read(pem.repeat(101).as_bytes()), Err(IntakeError::TooMany));
    assert_eq!(read(&der.repeat(101)), Err(IntakeError::TooMany));
    let mut large = vec![0x30, 0x83, 0x01, 0x00, 0x00];
    large.resize(5 + 0x10000, 0);
    assert_eq!(read(&large), Err(IntakeError::CertificateTooLarge));
}

#[test]
fn a_text_full_of_begin_lines_is_read_in_linear_time() {
    let started = std::time::Instant::now();
    for text in
        ["-----BEGIN ", "-----BEGIN CERTIFICATE-----\n", "-----END ", "-----", "-----BEGIN X-----\n-----END X-----\n"]
    {
        let text = text.repeat(MAX_REPLY / text.len());
        assert!(read(text.as_bytes()).is_err());
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

/// Cuts, doubles and flips bytes of good files.
fn mutated(sources: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let sources = prop::sample::select(sources);
    (sources, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..8)).prop_map(
        |(mut bytes, edits)| {
            for (at, value, kind) in edits {
                let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                match kind {
                    0 if !bytes.is_empty() => bytes[at] = value,
                    1 => bytes.truncate(at),
                    _ => bytes.insert(at, value),
                }
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_sequence_of_any_bytes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 256..300)) {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let _ = open(&[("any.der", &[&[0x30, 0x82], &length[..], &bytes].concat())], Some("secret"));
    }

    #[test]
    fn a_mutated_delivery_is_read_or_refused(
        bytes in mutated(vec![delivery("good/bundle-leaf-first.pem"), leaf().der, delivery("good/chain.p7b")]),
    ) {
        if let Ok(certificates) = read(&bytes) {
            for certificate in certificates {
                prop_assert_eq!(X509::parse(&certificate.der), Ok(certificate));
            }
        }
    }
}
