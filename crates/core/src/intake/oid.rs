//! The object identifiers that are met in keys and encrypted files.

use std::borrow::Cow;

use x509_parser::asn1_rs::{Oid, oid};

pub(crate) const SIGNED_DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.2);
pub(crate) const DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.1);
pub(crate) const ENCRYPTED_DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.6);

pub(super) const RSA: &[u8] = &oid!(raw 1.2.840.113549.1.1.1);
pub(super) const EC: &[u8] = &oid!(raw 1.2.840.10045.2.1);
pub(super) const P256: &[u8] = &oid!(raw 1.2.840.10045.3.1.7);
pub(super) const P384: &[u8] = &oid!(raw 1.3.132.0.34);

pub(crate) const PBES2: &[u8] = &oid!(raw 1.2.840.113549.1.5.13);
pub(crate) const PBKDF2: &[u8] = &oid!(raw 1.2.840.113549.1.5.12);
pub(super) const PBMAC1: &[u8] = &oid!(raw 1.2.840.113549.1.5.14);
pub(super) const SCRYPT: &[u8] = &oid!(raw 1.3.6.1.4.1.11591.4.11);
pub(crate) const PBE_3DES: &[u8] = &oid!(raw 1.2.840.113549.1.12.1.3);
pub(super) const PBE_2KEY_3DES: &[u8] = &oid!(raw 1.2.840.113549.1.12.1.4);
pub(super) const PBE_RC2_128: &[u8] = &oid!(raw 1.2.840.113549.1.12.1.5);
pub(super) const PBE_RC2_40: &[u8] = &oid!(raw 1.2.840.113549.1.12.1.6);
pub(super) const AES_128: &[u8] = &oid!(raw 2.16.840.1.101.3.4.1.2);
pub(super) const AES_192: &[u8] = &oid!(raw 2.16.840.1.101.3.4.1.22);
pub(crate) const AES_256: &[u8] = &oid!(raw 2.16.840.1.101.3.4.1.42);
pub(super) const TRIPLE_DES: &[u8] = &oid!(raw 1.2.840.113549.3.7);

pub(crate) const SHA1: &[u8] = &oid!(raw 1.3.14.3.2.26);
pub(super) const SHA224: &[u8] = &oid!(raw 2.16.840.1.101.3.4.2.4);
pub(crate) const SHA256: &[u8] = &oid!(raw 2.16.840.1.101.3.4.2.1);
pub(super) const SHA384: &[u8] = &oid!(raw 2.16.840.1.101.3.4.2.2);
pub(super) const SHA512: &[u8] = &oid!(raw 2.16.840.1.101.3.4.2.3);
pub(super) const HMAC_SHA1: &[u8] = &oid!(raw 1.2.840.113549.2.7);
pub(crate) const HMAC_SHA256: &[u8] = &oid!(raw 1.2.840.113549.2.9);
pub(super) const HMAC_SHA384: &[u8] = &oid!(raw 1.2.840.113549.2.10);
pub(super) const HMAC_SHA512: &[u8] = &oid!(raw 1.2.840.113549.2.11);

pub(super) const KEY_BAG: &[u8] = &oid!(raw 1.2.840.113549.1.12.10.1.1);
pub(crate) const SHROUDED_KEY_BAG: &[u8] = &oid!(raw 1.2.840.113549.1.12.10.1.2);
pub(crate) const CERTIFICATE_BAG: &[u8] = &oid!(raw 1.2.840.113549.1.12.10.1.3);
pub(super) const NESTED_BAGS: &[u8] = &oid!(raw 1.2.840.113549.1.12.10.1.6);
pub(crate) const X509_CERTIFICATE: &[u8] = &oid!(raw 1.2.840.113549.1.9.22.1);
pub(crate) const FRIENDLY_NAME: &[u8] = &oid!(raw 1.2.840.113549.1.9.20);
pub(crate) const LOCAL_KEY_ID: &[u8] = &oid!(raw 1.2.840.113549.1.9.21);

/// What is known by name but not read.
const NAMES: [(&[u8], &str); 35] = [
    (&oid!(raw 1.3.101.110), "X25519"),
    (&oid!(raw 1.3.101.111), "X448"),
    (&oid!(raw 1.3.101.112), "Ed25519"),
    (&oid!(raw 1.3.101.113), "Ed448"),
    (&oid!(raw 1.2.840.113549.1.1.10), "RSA-PSS"),
    (&oid!(raw 1.2.840.10040.4.1), "DSA"),
    (&oid!(raw 1.2.840.113549.1.3.1), "Diffie-Hellman"),
    (&oid!(raw 1.2.840.10046.2.1), "Diffie-Hellman"),
    (&oid!(raw 1.3.132.0.10), "ECDSA secp256k1"),
    (&oid!(raw 1.3.132.0.33), "ECDSA P-224"),
    (&oid!(raw 1.3.132.0.35), "ECDSA P-521"),
    (&oid!(raw 1.3.36.3.3.2.8.1.1.7), "ECDSA brainpoolP256r1"),
    (&oid!(raw 1.3.36.3.3.2.8.1.1.11), "ECDSA brainpoolP384r1"),
    (&oid!(raw 1.3.36.3.3.2.8.1.1.13), "ECDSA brainpoolP512r1"),
    (&oid!(raw 1.2.156.10197.1.301), "SM2"),
    (&oid!(raw 1.2.643.7.1.1.1.1), "GOST R 34.10-2012"),
    (&oid!(raw 2.16.840.1.101.3.4.3.17), "ML-DSA-44"),
    (&oid!(raw 2.16.840.1.101.3.4.3.18), "ML-DSA-65"),
    (&oid!(raw 2.16.840.1.101.3.4.3.19), "ML-DSA-87"),
    (&oid!(raw 1.2.840.113549.1.5.1), "DES (PBES1 with MD2)"),
    (&oid!(raw 1.2.840.113549.1.5.3), "DES (PBES1 with MD5)"),
    (&oid!(raw 1.2.840.113549.1.5.4), "RC2 (PBES1 with MD2)"),
    (&oid!(raw 1.2.840.113549.1.5.6), "RC2 (PBES1 with MD5)"),
    (&oid!(raw 1.2.840.113549.1.5.10), "DES (PBES1 with SHA-1)"),
    (&oid!(raw 1.2.840.113549.1.5.11), "RC2 (PBES1 with SHA-1)"),
    (&oid!(raw 1.2.840.113549.1.12.1.1), "RC4 of 128 bits"),
    (&oid!(raw 1.2.840.113549.1.12.1.2), "RC4 of 40 bits"),
    (&oid!(raw 1.2.840.113549.1.7.3), "a public key"),
    (&oid!(raw 1.2.840.113549.3.2), "RC2"),
    (&oid!(raw 1.3.14.3.2.7), "DES"),
    (&oid!(raw 2.16.840.1.101.3.4.1.6), "AES-128 in GCM mode"),
    (&oid!(raw 2.16.840.1.101.3.4.1.46), "AES-256 in GCM mode"),
    (&oid!(raw 1.2.392.200011.61.1.1.1.2), "Camellia-128"),
    (&oid!(raw 1.2.392.200011.61.1.1.1.4), "Camellia-256"),
    (&oid!(raw 1.2.840.113549.2.5), "MD5"),
];

/// Its name where it has one here, otherwise its numbers.
pub(super) fn name(oid: &[u8]) -> String {
    let known = NAMES.iter().find(|(own, _)| *own == oid).map(|(_, name)| (*name).to_string());
    known.unwrap_or_else(|| Oid::new(Cow::Borrowed(&oid[..oid.len().min(40)])).to_id_string())
}
