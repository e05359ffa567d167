//! Requests and certificates to judge, made here or by other programs.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use time::{Duration, OffsetDateTime};
use x509_parser::num_bigint::BigUint;

use crate::inspect::{self, Facts, Inspected, Key};
use crate::testing_ca::openssl;

/// The first thing in a file of the corpus.
pub(super) fn corpus(file: &str) -> Inspected {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/");
    let bytes = std::fs::read(format!("{path}{file}")).expect(file);
    inspect::read(&bytes).expect(file).remove(0)
}

fn read(der: &[u8]) -> Facts {
    inspect::read(der).unwrap().remove(0).facts
}

/// What a CA that follows the rules issues, on this day and for 40 days, but for this change.
pub(super) fn leaf(issued: OffsetDateTime, change: impl FnOnce(&mut CertificateParams)) -> Facts {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    read(&signed(issued, &key, &rcgen::PKCS_ECDSA_P256_SHA256, change))
}

/// The same for another key.
pub(super) fn leaf_for(issued: OffsetDateTime, key: &impl PublicKeyData) -> Facts {
    read(&signed(issued, key, &rcgen::PKCS_ECDSA_P256_SHA256, |_| {}))
}

/// The same, signed with RSA, where every `from` in it is then replaced by `to`.
pub(super) fn forged(issued: OffsetDateTime, from: &[u8], to: &[u8]) -> Facts {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut der = signed(issued, &key, &rcgen::PKCS_RSA_SHA256, |_| {});
    let places: Vec<usize> = (0..der.len() - from.len()).filter(|at| der[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| der[*at..at + from.len()].copy_from_slice(to));
    read(&der)
}

fn signed(
    issued: OffsetDateTime,
    key: &impl PublicKeyData,
    algorithm: &'static SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> Vec<u8> {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let issuer = Issuer::new(ca, KeyPair::generate_for(algorithm).unwrap());
    let mut params = asked();
    (params.not_before, params.not_after) = (issued, issued + Duration::days(40) - Duration::SECOND);
    params.serial_number = Some(SerialNumber::from_slice(&[0x4a; 16]));
    change(&mut params);
    params.signed_by(key, &issuer).unwrap().der().to_vec()
}

/// A request as the wizard makes it, but for this change.
pub(super) fn request(change: impl FnOnce(&mut CertificateParams)) -> Facts {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = asked();
    change(&mut params);
    read(params.serialize_request(&key).unwrap().der())
}

fn asked() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "shop.example");
    params.subject_alt_names = vec![dns("shop.example"), dns("*.shop.example")];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

pub(super) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// The TLS feature extension with `status_request`.
pub(super) fn must_staple() -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5])
}

/// A request that the `openssl` program makes with a new key of this kind.
pub(super) fn by_openssl(key: &[&str]) -> Facts {
    let subject = ["-nodes", "-keyout", "/dev/null", "-subj", "/CN=shop.example", "-outform", "DER"];
    let names = ["-addext", "subjectAltName=DNS:shop.example"];
    read(&openssl(&[&["req", "-new"], key, &subject, &names].concat(), b""))
}

/// A key of which nobody has the private half.
pub(super) struct Forged(Vec<u8>);

impl PublicKeyData for Forged {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

pub(super) fn rsa(modulus: &BigUint, exponent: &BigUint) -> Forged {
    Forged(der(0x30, &[integer(modulus), integer(exponent)].concat()))
}

fn integer(number: &BigUint) -> Vec<u8> {
    let sign = if number.bits().is_multiple_of(8) { &[0][..] } else { &[] };
    der(0x02, &[sign, &number.to_bytes_be()].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    match (high, low) {
        (0, ..0x80) => [&[tag, low], content].concat(),
        (0, _) => [&[tag, 0x81, low], content].concat(),
        _ => [&[tag, 0x82, high, low], content].concat(),
    }
}

/// A modulus of 2048 bits without fault.
pub(super) fn modulus() -> BigUint {
    match corpus("csr/openssl-rsa2048.pem").facts.key {
        Some(Key::Rsa { modulus, .. }) => BigUint::from_bytes_be(&modulus),
        key => panic!("{key:?}"),
    }
}
