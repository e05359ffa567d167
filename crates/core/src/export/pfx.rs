//! A key with its certificates in PKCS#12 (RFC 7292), laid out as Windows, OpenSSL and Java lay it out: the certificates
//! encrypted together, the key in a bag of its own, a MAC over both.

use aws_lc_rs::{digest, hmac};
use zeroize::Zeroizing;

use super::ExportError;
use super::encrypted::{NULL, Scheme, number, random, standard};
use crate::chain::X509;
use crate::intake::ber::{CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, encode};
use crate::intake::oid;
use crate::intake::password::{self, Purpose, Rounds, Work};
use crate::key::PrivateKey;

const BMP_STRING: u8 = 0x1e;

/// `[0]` in place of the tag of an octet string.
const IMPLICIT_0: u8 = 0x80;

/// The whole file.
pub(super) fn write(
    scheme: Scheme,
    chain: &[X509],
    key: &PrivateKey,
    name: &str,
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let attributes = attributes(name, &key.id().0);
    let certificates = chain.iter().enumerate().map(|(position, certificate)| {
        let attributes = if position == 0 { attributes.as_slice() } else { &[] };
        let value = encode(CONTEXT_0, &[&encode(OCTET_STRING, &[&certificate.der])]);
        bag(oid::CERTIFICATE_BAG, &encode(SEQUENCE, &[&encode(OID, &[oid::X509_CERTIFICATE]), &value]), attributes)
    });
    let certificates = sequence(certificates);
    let key = bag(oid::SHROUDED_KEY_BAG, &scheme.key(key.pkcs8(), password)?, &attributes);
    let safes = sequence([encrypted_data(scheme, &certificates, password)?, data(&sequence([key]))]);
    let mac = mac(scheme, &safes, password)?;
    Ok(encode(SEQUENCE, &[&encode(INTEGER, &[&[3]]), &data(&safes), &mac]))
}

fn sequence(parts: impl IntoIterator<Item = Zeroizing<Vec<u8>>>) -> Zeroizing<Vec<u8>> {
    let parts: Vec<_> = parts.into_iter().collect();
    encode(SEQUENCE, &parts.iter().map(|part| part.as_slice()).collect::<Vec<_>>())
}

/// A SafeBag (RFC 7292 §4.2).
fn bag(kind: &[u8], value: &[u8], attributes: &[u8]) -> Zeroizing<Vec<u8>> {
    encode(SEQUENCE, &[&encode(OID, &[kind]), &encode(CONTEXT_0, &[value]), attributes])
}

/// What tells which certificate the key belongs to, and its name; a set, so in the order of their bytes.
fn attributes(name: &str, key_id: &[u8]) -> Zeroizing<Vec<u8>> {
    let attribute = |kind, value: &[u8]| encode(SEQUENCE, &[&encode(OID, &[kind]), &encode(SET, &[value])]);
    // A BMP string has no characters beyond the first plane.
    let units: Vec<u8> = name
        .chars()
        .map(|c| u16::try_from(u32::from(c)).unwrap_or(u16::from(b'?')))
        .flat_map(u16::to_be_bytes)
        .collect();
    let mut attributes = [
        attribute(oid::FRIENDLY_NAME, &encode(BMP_STRING, &[&units])),
        attribute(oid::LOCAL_KEY_ID, &encode(OCTET_STRING, &[key_id])),
    ];
    attributes.sort_by(|one, other| one.as_slice().cmp(other));
    encode(SET, &[&attributes[0], &attributes[1]])
}

/// A ContentInfo of the kind "data" (RFC 5652 §4).
fn data(content: &[u8]) -> Zeroizing<Vec<u8>> {
    let content = encode(OCTET_STRING, &[content]);
    encode(SEQUENCE, &[&encode(OID, &[oid::DATA]), &encode(CONTEXT_0, &[&content])])
}

/// A ContentInfo of the kind "encrypted data" (RFC 5652 §8).
fn encrypted_data(scheme: Scheme, content: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let encrypted = scheme.encrypt(content, password)?;
    let content = encode(IMPLICIT_0, &[&encrypted.data]);
    let content = encode(SEQUENCE, &[&encode(OID, &[oid::DATA]), &encrypted.algorithm, &content]);
    let data = encode(SEQUENCE, &[&encode(INTEGER, &[&[0]]), &content]);
    Ok(encode(SEQUENCE, &[&encode(OID, &[oid::ENCRYPTED_DATA]), &encode(CONTEXT_0, &[&data])]))
}

/// The MacData (RFC 7292 §4).
fn mac(scheme: Scheme, content: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let (hash, algorithm, name) = match scheme {
        Scheme::Aes256 => (&digest::SHA256, hmac::HMAC_SHA256, oid::SHA256),
        Scheme::TripleDes => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, oid::SHA1),
    };
    let salt: [u8; 16] = random()?;
    let (password, rounds) = (standard(password)?, Rounds::new(scheme.rounds().into())?);
    let derived = (&password, &salt[..]);
    let key = password::pkcs12(hash, Purpose::Mac, derived, rounds, hash.output_len(), &mut Work::new())?;
    let tag = hmac::sign(&hmac::Key::new(algorithm, &key), content);
    let algorithm = encode(SEQUENCE, &[&encode(OID, &[name]), NULL]);
    let info = encode(SEQUENCE, &[&algorithm, &encode(OCTET_STRING, &[tag.as_ref()])]);
    Ok(encode(SEQUENCE, &[&info, &encode(OCTET_STRING, &[&salt]), &number(scheme.rounds())]))
}
