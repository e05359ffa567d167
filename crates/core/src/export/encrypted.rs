//! Encrypts under a password, in the two ways that everybody reads: PBES2 (RFC 8018 §6.2) with AES-256, and the old one of
//! PKCS#12 (RFC 7292 appendix C) with triple DES.

use aes::Aes256;
use aws_lc_rs::{pbkdf2, rand};
use cbc::Encryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherEncrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use des::TdesEde3;
use zeroize::Zeroizing;

use super::ExportError;
use crate::intake::ber::{INTEGER, OCTET_STRING, OID, SEQUENCE, encode};
use crate::intake::oid;
use crate::intake::password::{self, Password, Purpose, Rounds, Work};

/// The null that some algorithms have for parameters.
pub(super) const NULL: &[u8] = &[5, 0];

/// A way to encrypt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Aes256,
    TripleDes,
}

/// What was encrypted, and how.
pub(super) struct Encrypted {
    /// An AlgorithmIdentifier.
    pub(super) algorithm: Zeroizing<Vec<u8>>,
    pub(super) data: Vec<u8>,
}

impl Scheme {
    /// How often a derivation is repeated: old programs count slowly, and some refuse to count far.
    pub(super) fn rounds(self) -> u32 {
        match self {
            Self::Aes256 => 100_000,
            Self::TripleDes => 2_048,
        }
    }

    /// A PKCS#8 key as EncryptedPrivateKeyInfo (RFC 5958 §3); DER.
    pub(super) fn key(self, pkcs8: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, ExportError> {
        let Encrypted { algorithm, data } = self.encrypt(pkcs8, password)?;
        Ok(encode(SEQUENCE, &[&algorithm, &encode(OCTET_STRING, &[&data])]))
    }

    /// Encrypts anything, under a salt of its own.
    pub(super) fn encrypt(self, content: &[u8], password: &str) -> Result<Encrypted, ExportError> {
        let password = &standard(password)?;
        match self {
            Self::Aes256 => aes(content, password, self.rounds()),
            Self::TripleDes => triple_des(content, password, self.rounds()),
        }
    }
}

/// The password in the form the standard says.
pub(super) fn standard(password: &str) -> Result<Password<'_>, ExportError> {
    Password::forms(password).into_iter().next().ok_or(ExportError("no form of the password"))
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ExportError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| ExportError("no random numbers"))?;
    Ok(bytes)
}

/// A number that is not negative.
pub(super) fn number(value: u32) -> Zeroizing<Vec<u8>> {
    let digits = value.to_be_bytes();
    let digits = &digits[digits.iter().position(|&byte| byte != 0).unwrap_or(3)..];
    let sign: &[u8] = if digits[0] < 0x80 { &[] } else { &[0] };
    encode(INTEGER, &[sign, digits])
}

fn aes(content: &[u8], password: &Password<'_>, rounds: u32) -> Result<Encrypted, ExportError> {
    let (salt, iv): ([u8; 16], [u8; 16]) = (random()?, random()?);
    let (hash, count) = (pbkdf2::PBKDF2_HMAC_SHA256, Rounds::new(rounds.into())?);
    let key = password::pbkdf2(hash, (password, &salt), count, 32, &mut Work::new())?;
    let cipher = Aes256::new_from_slice(&key).map_err(|_| ExportError("a key of another length"))?;
    let prf = encode(SEQUENCE, &[&encode(OID, &[oid::HMAC_SHA256]), NULL]);
    let parameters = encode(SEQUENCE, &[&encode(OCTET_STRING, &[&salt]), &number(rounds), &prf]);
    let derivation = encode(SEQUENCE, &[&encode(OID, &[oid::PBKDF2]), &parameters]);
    let encryption = encode(SEQUENCE, &[&encode(OID, &[oid::AES_256]), &encode(OCTET_STRING, &[&iv])]);
    let parameters = encode(SEQUENCE, &[&derivation, &encryption]);
    let algorithm = encode(SEQUENCE, &[&encode(OID, &[oid::PBES2]), &parameters]);
    Ok(Encrypted { algorithm, data: cbc(cipher, &iv, content)? })
}

fn triple_des(content: &[u8], password: &Password<'_>, rounds: u32) -> Result<Encrypted, ExportError> {
    let salt: [u8; 8] = random()?;
    let count = Rounds::new(rounds.into())?;
    let derive = |purpose, length| {
        let hash = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
        password::pkcs12(hash, purpose, (password, &salt), count, length, &mut Work::new())
    };
    let (key, iv) = (derive(Purpose::Key, 24)?, derive(Purpose::Iv, 8)?);
    let cipher = TdesEde3::new_from_slice(&key).map_err(|_| ExportError("a key of another length"))?;
    let parameters = encode(SEQUENCE, &[&encode(OCTET_STRING, &[&salt]), &number(rounds)]);
    let algorithm = encode(SEQUENCE, &[&encode(OID, &[oid::PBE_3DES]), &parameters]);
    Ok(Encrypted { algorithm, data: cbc(cipher, &iv, content)? })
}

/// CBC with the padding of PKCS#7. What was there before the encryption is overwritten in place.
fn cbc<C: BlockCipherEncrypt>(cipher: C, iv: &[u8], content: &[u8]) -> Result<Vec<u8>, ExportError> {
    let mut data = Vec::with_capacity(content.len() + iv.len());
    data.extend_from_slice(content);
    data.resize(content.len() + iv.len(), 0);
    let iv = iv.try_into().map_err(|_| ExportError("a vector of another length"))?;
    let encryptor = Encryptor::inner_iv_init(cipher, iv);
    let length = encryptor.encrypt_padded::<Pkcs7>(&mut data, content.len());
    let length = length.map_err(|_| ExportError("no room for the padding"))?.len();
    data.truncate(length);
    Ok(data)
}
