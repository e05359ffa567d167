//! Private keys as other programs write them: PKCS#8 (RFC 5208, RFC 5958), PKCS#1 (RFC 8017 appendix A.1.2) and SEC 1
//! (RFC 5915). Each is written anew in the one form that is stored, and proven on the way.

use zeroize::Zeroizing;

use super::IntakeError;
use super::ber::{self, CONTEXT_0, Element, INTEGER, OCTET_STRING, OID, SEQUENCE};
use super::oid;
use super::password::{Password, Work};
use super::scheme::{Encrypted, identifier, octets, sequence};
use crate::key::PrivateKey;

/// `[1]` around the public half in SEC 1.
const CONTEXT_1: u8 = 0xa1;

/// The fewest bits of an RSA key that any browser or public CA takes.
const MIN_RSA_BITS: usize = 2048;

/// The sizes of RSA keys that Siteward makes and serves.
const RSA_BITS: [usize; 3] = [2048, 3072, 4096];

/// Reads a key in clear, whichever of the three forms it has.
pub(super) fn read(der: &[u8]) -> Result<PrivateKey, IntakeError> {
    let key = Element::only(der).and_then(|key| key.tagged(SEQUENCE)).ok_or(IntakeError::KeyDamaged)?;
    let parts = key.children().ok_or(IntakeError::KeyDamaged)?;
    let tags: Vec<u8> = parts.iter().map(|part| part.tag).collect();
    match tags[..] {
        [INTEGER, SEQUENCE, OCTET_STRING, ..] => in_pkcs8(&parts[1], &parts[2]),
        [INTEGER, OCTET_STRING, ..] => ec(&key, None),
        [INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER] => Err(IntakeError::UnsupportedKey("DSA".into())),
        [INTEGER, INTEGER, ..] => rsa(&key),
        _ => Err(IntakeError::KeyDamaged),
    }
}

/// The key in an EncryptedPrivateKeyInfo (RFC 5958 §3), in clear. Padding and form are all that tells a wrong password.
pub(super) fn decrypt(der: &[u8], password: &str, work: &mut Work) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let [algorithm, data] = &sequence(Element::only(der))?[..] else { return Err(IntakeError::KeyDamaged) };
    let encrypted = Encrypted::read(algorithm, data)?;
    if password.is_empty() {
        return Err(IntakeError::PasswordNeeded);
    }
    for form in Password::forms(password) {
        let clear = encrypted.decrypt(&form, work)?;
        let key = clear.filter(|clear| Element::only(clear).is_some_and(|key| key.tag == SEQUENCE));
        if let Some(key) = key {
            return Ok(key);
        }
    }
    Err(IntakeError::WrongPassword)
}

fn in_pkcs8(algorithm: &Element<'_>, key: &Element<'_>) -> Result<PrivateKey, IntakeError> {
    let (kind, parameters) = identifier(algorithm).map_err(|_| IntakeError::KeyDamaged)?;
    if kind != oid::RSA && kind != oid::EC {
        return Err(IntakeError::UnsupportedKey(oid::name(kind)));
    }
    let key = Element::only(key.content).and_then(|key| key.tagged(SEQUENCE)).ok_or(IntakeError::KeyDamaged)?;
    if kind == oid::RSA { rsa(&key) } else { ec(&key, parameters) }
}

/// `key` is an RSAPrivateKey. That its parts fit each other is proven where it is loaded.
fn rsa(key: &Element<'_>) -> Result<PrivateKey, IntakeError> {
    let parts = key.children().ok_or(IntakeError::KeyDamaged)?;
    let [version, modulus, ..] = &parts[..] else { return Err(IntakeError::KeyDamaged) };
    if version.number() != Some(0) {
        return Err(IntakeError::UnsupportedKey("RSA with more than two primes".into()));
    }
    let bits = bits(modulus.content);
    if bits < MIN_RSA_BITS {
        return Err(IntakeError::WeakKey(bits));
    }
    if !RSA_BITS.contains(&bits) {
        return Err(IntakeError::UnsupportedKey(format!("RSA with {bits} bits")));
    }
    store(&[&ber::encode(OID, &[oid::RSA]), &[0x05, 0x00]], key.whole)
}

/// The bits of a number without its leading zeros.
fn bits(number: &[u8]) -> usize {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    let number = &number[start..];
    number.len() * 8 - number.first().map_or(0, |byte| byte.leading_zeros() as usize)
}

/// `key` is an ECPrivateKey, whose curve may be named only around it.
fn ec(key: &Element<'_>, curve: Option<Element<'_>>) -> Result<PrivateKey, IntakeError> {
    let parts = key.children().ok_or(IntakeError::KeyDamaged)?;
    let [_version, secret, rest @ ..] = &parts[..] else { return Err(IntakeError::KeyDamaged) };
    let tagged = |tag| rest.iter().find(|part| part.tag == tag);
    let own_curve = || tagged(CONTEXT_0).and_then(|part| Element::only(part.content));
    let public = tagged(CONTEXT_1).map_or(&[][..], |part| part.whole);
    let curve = match curve.or_else(own_curve) {
        Some(curve) if curve.tag == OID => curve.content,
        Some(_) => return Err(IntakeError::UnsupportedKey("ECDSA on a curve without a name".into())),
        None => curve_of(public).ok_or(IntakeError::KeyDamaged)?,
    };
    let length = match curve {
        oid::P256 => 32,
        oid::P384 => 48,
        other => return Err(IntakeError::UnsupportedKey(oid::name(other))),
    };
    let secret = padded(octets(secret).map_err(|_| IntakeError::KeyDamaged)?, length)?;
    let key = ber::encode(SEQUENCE, &[&[INTEGER, 1, 1], &ber::encode(OCTET_STRING, &[&secret]), public]);
    store(&[&ber::encode(OID, &[oid::EC]), &ber::encode(OID, &[curve])], &key)
}

/// The curve where it is not named, as GnuTLS's `certtool` leaves it out: by the length of `public`, the point in a BIT
/// STRING in `[1]`. Loading the key proves it.
fn curve_of(public: &[u8]) -> Option<&'static [u8]> {
    match public.len() {
        70 => Some(oid::P256),
        102 => Some(oid::P384),
        _ => None,
    }
}

/// The number in exactly `length` bytes; some programs leave leading zeros out or add one.
fn padded(number: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    let number = &number[start..];
    let zeros = length.checked_sub(number.len()).ok_or(IntakeError::KeyDamaged)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.resize(zeros, 0);
    padded.extend_from_slice(number);
    Ok(padded)
}

/// The key in PKCS#8, read as every stored key is: that proves its parts.
fn store(algorithm: &[&[u8]], key: &[u8]) -> Result<PrivateKey, IntakeError> {
    let algorithm = ber::encode(SEQUENCE, algorithm);
    let pkcs8 = ber::encode(SEQUENCE, &[&[INTEGER, 1, 0], &algorithm, &ber::encode(OCTET_STRING, &[key])]);
    PrivateKey::from_pkcs8(pkcs8).map_err(|_| IntakeError::KeyDamaged)
}
