//! What is written is read again here; `programs` shows it to others.

mod programs;

use rcgen::CertificateParams;

use super::*;
use crate::intake;
use crate::key::KeyKind;
use crate::testing_ca::{TestCa, openssl};

const PASSWORD: &str = "correct hörse";

fn example(kind: KeyKind) -> (PrivateKey, Vec<X509>) {
    let ca = TestCa::new();
    let key = PrivateKey::generate(kind).unwrap();
    let leaf = ca.issue(CertificateParams::new(vec!["shop.example".into()]).unwrap(), key.pair());
    let chain = [&leaf[..], ca.intermediate_der()].map(|der| X509::parse(der).unwrap());
    (key, chain.into())
}

#[test]
fn every_file_with_a_key_is_read_again_as_the_same_key_and_chain() {
    for kind in [KeyKind::Rsa2048, KeyKind::EcdsaP256, KeyKind::EcdsaP384] {
        let (key, chain) = example(kind);
        for file in KeyFile::ALL {
            let written = file.write(&chain, &key, "Shop & Söhne", PASSWORD).unwrap();
            let found = intake::open(&[("file", &written)], Some(PASSWORD)).unwrap();
            assert_eq!(found.keys[0].id(), key.id(), "{kind:?} {file:?}");
            let ders = |chain: &[X509]| chain.iter().map(|own| own.fingerprint).collect::<Vec<_>>();
            assert_eq!(ders(&found.certificates), ders(&chain), "{kind:?} {file:?}");
            let pairs = found.pairs().unwrap();
            assert_eq!(pairs[0].chain.leaf.key_id, key.id(), "{kind:?} {file:?}");
        }
    }
}

#[test]
fn another_password_opens_nothing() {
    let (key, chain) = example(KeyKind::EcdsaP256);
    for file in KeyFile::ALL.into_iter().filter(|file| file.has_password()) {
        let written = file.write(&chain, &key, "Shop", PASSWORD).unwrap();
        assert_eq!(intake::open(&[("file", &written)], Some("correct horse")).unwrap_err(), IntakeError::WrongPassword);
        let secret = key.pkcs8();
        assert!(!written.windows(32).any(|bytes| secret.windows(32).any(|own| own == bytes)), "{file:?} in clear");
    }
}

#[test]
fn openssl_reads_the_certificates_of_a_p7b_in_their_order() {
    let (_, chain) = example(KeyKind::EcdsaP256);
    let pems: String = chain.iter().map(X509::to_pem).collect();
    for text in [
        openssl(&["pkcs7", "-inform", "DER", "-print_certs"], &p7b(&chain)),
        openssl(&["pkcs7", "-print_certs"], p7b_pem(&chain).as_bytes()),
    ] {
        let read = intake::read(&text).unwrap();
        assert_eq!(read.iter().map(X509::to_pem).collect::<String>(), pems);
    }
}

#[test]
fn a_password_for_a_file_has_8_characters_and_at_most_1024_bytes() {
    assert!(check_password("seven77").is_err());
    assert!(check_password("achtäöüß").is_ok());
    assert!(check_password(&"x".repeat(1025)).is_err());
}
