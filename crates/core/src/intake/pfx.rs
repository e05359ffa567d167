//! Certificates with their keys in PKCS#12, as `.pfx` and `.p12` files hold them (RFC 7292), in DER or BER.
//!
//! Everything that can be seen without the password is read first: algorithms that are not read and counts that would
//! take hours are refused before any work is done. The MAC tells a wrong password from all that may fail later.

use std::borrow::Cow;

use aws_lc_rs::{digest, hmac};

use super::IntakeError;
use super::ber::{CONTEXT_0, Element};
use super::oid;
use super::password::{self, Password, Purpose, Rounds, Work};
use super::piece::{Piece, add};
use super::scheme::{Encrypted, Pbkdf2, identifier, number, octets, sequence};

/// How deep bags may lie in bags.
const MAX_DEPTH: usize = 4;

/// One part of a PFX.
enum Safe<'a> {
    Clear(Cow<'a, [u8]>),
    Encrypted(Encrypted<'a>),
}

/// What is in a part.
enum Bag<'a> {
    Certificate(Cow<'a, [u8]>),
    Key(&'a [u8]),
    EncryptedKey(Encrypted<'a>),
}

/// Puts the certificates and the keys in `der`, still in clear PKCS#8, to `pieces`.
pub(super) fn open(der: &[u8], password: &str, work: &mut Work, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    let parts = sequence(Element::only(der))?;
    let [_version, content, rest @ ..] = &parts[..] else { return Err(IntakeError::Damaged) };
    let content = data(content)?;
    let safes = sequence(Element::only(&content))?.iter().map(Safe::read).collect::<Result<Vec<_>, _>>()?;
    for safe in &safes {
        if let Safe::Clear(content) = safe {
            bags(content, MAX_DEPTH)?;
        }
    }
    let mac = Mac::read(rest.first().ok_or(IntakeError::NoMac)?)?;
    let password = mac.find_password(&content, password, work)?;
    for safe in &safes {
        match safe {
            Safe::Clear(content) => open_bags(content, &password, work, pieces)?,
            Safe::Encrypted(content) => {
                let content = content.decrypt(&password, work)?.ok_or(IntakeError::WrongPassword)?;
                open_bags(&content, &password, work, pieces)?;
            }
        }
    }
    Ok(())
}

impl<'a> Safe<'a> {
    /// Reads one ContentInfo (RFC 5652 §3): data, or EncryptedData (§8).
    fn read(content_info: &Element<'a>) -> Result<Self, IntakeError> {
        let (kind, _) = identifier(content_info)?;
        if kind != oid::ENCRYPTED_DATA {
            return data(content_info).map(Self::Clear);
        }
        let parts = sequence(inside(content_info)?)?;
        let [_version, content, ..] = &parts[..] else { return Err(IntakeError::Damaged) };
        let [_kind, algorithm, content] = &sequence(Some(*content))?[..] else { return Err(IntakeError::Damaged) };
        Encrypted::read(algorithm, content).map(Self::Encrypted)
    }
}

/// The bytes in a ContentInfo of the kind "data".
fn data<'a>(content_info: &Element<'a>) -> Result<Cow<'a, [u8]>, IntakeError> {
    let (kind, _) = identifier(content_info)?;
    if kind != oid::DATA {
        return Err(IntakeError::UnsupportedCipher(oid::name(kind)));
    }
    inside(content_info)?.and_then(|content| content.octets()).ok_or(IntakeError::Damaged)
}

/// The element behind an identifier, in `[0]`.
fn inside<'a>(element: &Element<'a>) -> Result<Option<Element<'a>>, IntakeError> {
    let (_, content) = identifier(element)?;
    Ok(content.and_then(|content| Element::only(content.tagged(CONTEXT_0)?.content)))
}

fn open_bags(
    content: &[u8],
    password: &Password<'_>,
    work: &mut Work,
    pieces: &mut Vec<Piece>,
) -> Result<(), IntakeError> {
    for bag in bags(content, MAX_DEPTH)? {
        match bag {
            Bag::Certificate(der) => add(Piece::certificate(&der), pieces)?,
            Bag::Key(pkcs8) => add(Piece::Key(pkcs8.to_vec().into()), pieces)?,
            Bag::EncryptedKey(key) => {
                let pkcs8 = key.decrypt(password, work)?.ok_or(IntakeError::WrongPassword)?;
                add(Piece::Key(pkcs8), pieces)?;
            }
        }
    }
    Ok(())
}

/// The bags in SafeContents (RFC 7292 §4.2); revocation lists and secrets that are no keys are left out.
fn bags(content: &[u8], depth: usize) -> Result<Vec<Bag<'_>>, IntakeError> {
    let mut bags = Vec::new();
    for bag in sequence(Element::only(content))? {
        let (kind, _) = identifier(&bag)?;
        let Some(value) = inside(&bag)? else { return Err(IntakeError::Damaged) };
        match kind {
            oid::KEY_BAG => bags.push(Bag::Key(value.whole)),
            oid::SHROUDED_KEY_BAG => {
                let [algorithm, data] = &sequence(Some(value))?[..] else { return Err(IntakeError::Damaged) };
                bags.push(Bag::EncryptedKey(Encrypted::read(algorithm, data)?));
            }
            oid::CERTIFICATE_BAG if identifier(&value)?.0 == oid::X509_CERTIFICATE => {
                let der = inside(&value)?.and_then(|der| der.octets()).ok_or(IntakeError::Damaged)?;
                bags.push(Bag::Certificate(der));
            }
            oid::NESTED_BAGS => {
                bags.extend(self::bags(value.whole, depth.checked_sub(1).ok_or(IntakeError::Damaged)?)?);
            }
            _ => {}
        }
    }
    Ok(bags)
}

/// The proof that the password is right and nothing was changed (RFC 7292 §4, RFC 9579).
struct Mac<'a> {
    derivation: Derivation<'a>,
    algorithm: hmac::Algorithm,
    tag: &'a [u8],
}

enum Derivation<'a> {
    Pkcs12 { hash: &'static digest::Algorithm, salt: &'a [u8], rounds: Rounds },
    Pbkdf2 { parameters: Pbkdf2<'a>, length: usize },
}

impl<'a> Mac<'a> {
    fn read(mac_data: &Element<'a>) -> Result<Self, IntakeError> {
        let parts = sequence(Some(*mac_data))?;
        let [digest_info, salt, rounds @ ..] = &parts[..] else { return Err(IntakeError::Damaged) };
        let [algorithm, tag] = &sequence(Some(*digest_info))?[..] else { return Err(IntakeError::Damaged) };
        let tag = octets(tag)?;
        let (kind, parameters) = identifier(algorithm)?;
        if kind == oid::PBMAC1 {
            return Self::read_pbmac1(parameters, tag);
        }
        let (hash, algorithm) = match kind {
            oid::SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            oid::SHA224 => (&digest::SHA224, hmac::HMAC_SHA224),
            oid::SHA256 => (&digest::SHA256, hmac::HMAC_SHA256),
            oid::SHA384 => (&digest::SHA384, hmac::HMAC_SHA384),
            oid::SHA512 => (&digest::SHA512, hmac::HMAC_SHA512),
            other => return Err(IntakeError::UnsupportedCipher(oid::name(other))),
        };
        let rounds = Rounds::new(rounds.first().map_or(Ok(1), number)?)?;
        Ok(Self { derivation: Derivation::Pkcs12 { hash, salt: octets(salt)?, rounds }, algorithm, tag })
    }

    /// The parameters of PBMAC1 (RFC 8018 §7.1); the length of the key must be told (RFC 9579).
    fn read_pbmac1(parameters: Option<Element<'a>>, tag: &'a [u8]) -> Result<Self, IntakeError> {
        let [derivation, mac] = &sequence(parameters)?[..] else { return Err(IntakeError::Damaged) };
        let algorithm = match identifier(mac)?.0 {
            oid::HMAC_SHA256 => hmac::HMAC_SHA256,
            oid::HMAC_SHA384 => hmac::HMAC_SHA384,
            oid::HMAC_SHA512 => hmac::HMAC_SHA512,
            other => return Err(IntakeError::UnsupportedCipher(oid::name(other))),
        };
        let (kind, parameters) = identifier(derivation)?;
        if kind != oid::PBKDF2 {
            return Err(IntakeError::UnsupportedCipher(oid::name(kind)));
        }
        let parameters = Pbkdf2::read(parameters)?;
        let length = parameters
            .length
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| (20..=64).contains(length));
        let length = length.ok_or(IntakeError::Damaged)?;
        Ok(Self { derivation: Derivation::Pbkdf2 { parameters, length }, algorithm, tag })
    }

    /// The form of the password that made this MAC over `content`.
    fn find_password<'p>(
        &self,
        content: &[u8],
        password: &'p str,
        work: &mut Work,
    ) -> Result<Password<'p>, IntakeError> {
        for form in Password::forms(password) {
            let key = match &self.derivation {
                Derivation::Pkcs12 { hash, salt, rounds } => {
                    password::pkcs12(hash, Purpose::Mac, (&form, salt), *rounds, hash.output_len(), work)?
                }
                Derivation::Pbkdf2 { parameters, length } => parameters.derive(&form, *length, work)?,
            };
            if password::is_mac(self.algorithm, &key, content, self.tag) {
                return Ok(form);
            }
        }
        Err(Password::refusal(password))
    }
}
