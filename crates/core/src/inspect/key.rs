//! The public key.

use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::Fields;
use super::facts::Key;
use super::oid::short;
use super::text::{number, unsigned};
use crate::certificate::Fingerprint;

pub(super) fn describe(info: &SubjectPublicKeyInfo<'_>, fields: &mut Fields) -> Key {
    let key = read(info);
    fields.section = "Public key";
    fields.add("Kind and size", &key.label());
    if let Key::Rsa { exponent, pss_only, .. } = &key {
        fields.add("Exponent", &number(exponent));
        if *pss_only {
            fields.add("Use", "RSASSA-PSS only");
        }
    }
    fields.add_code("SHA-256 of the public key", &Fingerprint::of(info.raw).to_string());
    key
}

pub(super) fn read(info: &SubjectPublicKeyInfo<'_>) -> Key {
    let algorithm = &info.algorithm.algorithm;
    let pss_only = *algorithm == oid::OID_PKCS1_RSASSAPSS;
    if (pss_only || *algorithm == oid::OID_PKCS1_RSAENCRYPTION)
        && let Ok((_, rsa)) = RSAPublicKey::from_der(&info.subject_public_key.data)
    {
        return Key::Rsa {
            modulus: unsigned(rsa.modulus).to_vec(),
            exponent: unsigned(rsa.exponent).to_vec(),
            pss_only,
        };
    }
    match algorithm.to_id_string().as_str() {
        "1.2.840.10045.2.1" => curve(info),
        "1.3.101.112" => Key::Edwards("Ed25519"),
        "1.3.101.113" => Key::Edwards("Ed448"),
        "1.2.840.10040.4.1" => Key::Other("DSA".into()),
        _ if *algorithm == oid::OID_PKCS1_RSAENCRYPTION => Key::Other("RSA, damaged".into()),
        _ => Key::Other(short(algorithm)),
    }
}

fn curve(info: &SubjectPublicKeyInfo<'_>) -> Key {
    let Some(curve) = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok()) else {
        return Key::OtherCurve("on a curve without a name".into());
    };
    match curve.to_id_string().as_str() {
        "1.2.840.10045.3.1.7" => Key::P256,
        "1.3.132.0.34" => Key::P384,
        "1.3.132.0.35" => Key::P521,
        "1.2.840.10045.3.1.1" => Key::OtherCurve("P-192".into()),
        "1.3.132.0.33" => Key::OtherCurve("P-224".into()),
        "1.3.132.0.10" => Key::OtherCurve("secp256k1".into()),
        "1.3.36.3.3.2.8.1.1.7" => Key::OtherCurve("brainpoolP256r1".into()),
        "1.3.36.3.3.2.8.1.1.11" => Key::OtherCurve("brainpoolP384r1".into()),
        number => Key::OtherCurve(number.into()),
    }
}
