//! How something was encrypted by a password: PBES2 (RFC 8018 §6.2) and the ways of PKCS#12 (RFC 7292 appendix C).
//!
//! Reading the algorithm is kept apart from using it: what is unsupported or costs too much is refused before any work.

use aws_lc_rs::{digest, pbkdf2};
use zeroize::Zeroizing;

use super::IntakeError;
use super::ber::{Element, INTEGER, OCTET_STRING, OID, SEQUENCE};
use super::cipher::Cipher;
use super::oid;
use super::password::{self, Password, Purpose, Rounds, ScryptCost, Work};

/// An algorithm with its parameters, and what they encrypted.
pub(super) struct Encrypted<'a> {
    derivation: Derivation<'a>,
    cipher: Cipher,
    data: std::borrow::Cow<'a, [u8]>,
}

enum Derivation<'a> {
    Pkcs12 { salt: &'a [u8], rounds: Rounds },
    Pbkdf2 { parameters: Pbkdf2<'a>, iv: &'a [u8] },
    Scrypt { salt: &'a [u8], cost: ScryptCost, iv: &'a [u8] },
}

/// The parameters of PBKDF2 (RFC 8018 appendix A.2).
pub(super) struct Pbkdf2<'a> {
    hash: pbkdf2::Algorithm,
    salt: &'a [u8],
    rounds: Rounds,
    /// The length of the key in bytes, where it is told.
    pub(super) length: Option<u64>,
}

impl<'a> Encrypted<'a> {
    /// `algorithm` is an AlgorithmIdentifier, `data` an octet string.
    pub(super) fn read(algorithm: &Element<'a>, data: &Element<'a>) -> Result<Self, IntakeError> {
        let (kind, parameters) = identifier(algorithm)?;
        let pkcs12 = |cipher| -> Result<_, IntakeError> {
            let [salt, rounds] = sequence(parameters)?[..] else { return Err(IntakeError::Damaged) };
            let (salt, rounds) = (octets(&salt)?, Rounds::new(number(&rounds)?)?);
            Ok((Derivation::Pkcs12 { salt, rounds }, cipher))
        };
        let (derivation, cipher) = match kind {
            oid::PBES2 => pbes2(parameters)?,
            oid::PBE_3DES => pkcs12(Cipher::TripleDes)?,
            oid::PBE_2KEY_3DES => pkcs12(Cipher::TwoKeyTripleDes)?,
            oid::PBE_RC2_128 => pkcs12(Cipher::Rc2With128)?,
            oid::PBE_RC2_40 => pkcs12(Cipher::Rc2With40)?,
            other => return Err(IntakeError::UnsupportedCipher(oid::name(other))),
        };
        Ok(Self { derivation, cipher, data: data.octets().ok_or(IntakeError::Damaged)? })
    }

    /// The content, or nothing where the password is another.
    pub(super) fn decrypt(
        &self,
        password: &Password<'_>,
        work: &mut Work,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, IntakeError> {
        let (key_len, block_len) = (self.cipher.key_len(), self.cipher.block_len());
        let (key, iv) = match &self.derivation {
            Derivation::Pkcs12 { salt, rounds } => {
                let mut derive = |purpose, length| {
                    let hash = &digest::SHA1_FOR_LEGACY_USE_ONLY;
                    password::pkcs12(hash, purpose, (password, salt), *rounds, length, work)
                };
                (derive(Purpose::Key, key_len)?, derive(Purpose::Iv, block_len)?)
            }
            Derivation::Pbkdf2 { parameters, iv } => {
                (parameters.derive(password, key_len, work)?, Zeroizing::new(iv.to_vec()))
            }
            Derivation::Scrypt { salt, cost, iv } => {
                (password::scrypt(*cost, (password, salt), key_len, work)?, Zeroizing::new(iv.to_vec()))
            }
        };
        Ok(self.cipher.decrypt(&key, &iv, &self.data))
    }
}

impl<'a> Pbkdf2<'a> {
    /// Salt, rounds, perhaps the length of the key, and the hash, which is SHA-1 where none is named.
    pub(super) fn read(parameters: Option<Element<'a>>) -> Result<Self, IntakeError> {
        let parts = sequence(parameters)?;
        let [salt, rounds, rest @ ..] = &parts[..] else { return Err(IntakeError::Damaged) };
        let length = rest.iter().find(|part| part.tag == INTEGER).map(number).transpose()?;
        let hash = match rest.iter().find(|part| part.tag == SEQUENCE) {
            Some(algorithm) => identifier(algorithm)?.0,
            None => oid::HMAC_SHA1,
        };
        let hash = match hash {
            oid::HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
            oid::HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
            oid::HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
            oid::HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
            other => return Err(IntakeError::UnsupportedCipher(oid::name(other))),
        };
        Ok(Self { hash, salt: octets(salt)?, rounds: Rounds::new(number(rounds)?)?, length })
    }

    pub(super) fn derive(
        &self,
        password: &Password<'_>,
        length: usize,
        work: &mut Work,
    ) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
        password::pbkdf2(self.hash, (password, self.salt), self.rounds, length, work)
    }
}

fn pbes2(parameters: Option<Element<'_>>) -> Result<(Derivation<'_>, Cipher), IntakeError> {
    let [derivation, cipher] = sequence(parameters)?[..] else { return Err(IntakeError::Damaged) };
    let (kind, iv) = identifier(&cipher)?;
    let cipher = match kind {
        oid::AES_128 => Cipher::Aes128,
        oid::AES_192 => Cipher::Aes192,
        oid::AES_256 => Cipher::Aes256,
        oid::TRIPLE_DES => Cipher::TripleDes,
        other => return Err(IntakeError::UnsupportedCipher(oid::name(other))),
    };
    let iv = octets(&iv.ok_or(IntakeError::Damaged)?)?;
    let (kind, parameters) = identifier(&derivation)?;
    let (derivation, length) = match kind {
        oid::PBKDF2 => {
            let parameters = Pbkdf2::read(parameters)?;
            let length = parameters.length;
            (Derivation::Pbkdf2 { parameters, iv }, length)
        }
        oid::SCRYPT => scrypt(parameters, iv)?,
        other => return Err(IntakeError::UnsupportedCipher(oid::name(other))),
    };
    let fits = length.is_none_or(|length| length == cipher.key_len() as u64) && iv.len() == cipher.block_len();
    if fits { Ok((derivation, cipher)) } else { Err(IntakeError::Damaged) }
}

/// The parameters of scrypt (RFC 7914 §7.1).
fn scrypt<'a>(parameters: Option<Element<'a>>, iv: &'a [u8]) -> Result<(Derivation<'a>, Option<u64>), IntakeError> {
    let parts = sequence(parameters)?;
    let [salt, n, r, p, rest @ ..] = &parts[..] else { return Err(IntakeError::Damaged) };
    let length = rest.first().map(number).transpose()?;
    let cost = ScryptCost::new(number(n)?, number(r)?, number(p)?)?;
    Ok((Derivation::Scrypt { salt: octets(salt)?, cost, iv }, length))
}

/// The identifier in an AlgorithmIdentifier, and its parameters (RFC 5280 §4.1.1.2).
pub(super) fn identifier<'a>(algorithm: &Element<'a>) -> Result<(&'a [u8], Option<Element<'a>>), IntakeError> {
    let parts = sequence(Some(*algorithm))?;
    let kind = parts.first().and_then(|kind| kind.tagged(OID)).ok_or(IntakeError::Damaged)?;
    Ok((kind.content, parts.get(1).copied()))
}

pub(super) fn sequence(element: Option<Element<'_>>) -> Result<Vec<Element<'_>>, IntakeError> {
    element.and_then(|element| element.tagged(SEQUENCE)?.children()).ok_or(IntakeError::Damaged)
}

pub(super) fn octets<'a>(element: &Element<'a>) -> Result<&'a [u8], IntakeError> {
    element.tagged(OCTET_STRING).map(|element| element.content).ok_or(IntakeError::Damaged)
}

pub(super) fn number(element: &Element<'_>) -> Result<u64, IntakeError> {
    element.number().ok_or(IntakeError::Damaged)
}
