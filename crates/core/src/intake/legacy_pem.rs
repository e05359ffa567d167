//! Keys encrypted in the old way of OpenSSL, with `Proc-Type: 4,ENCRYPTED` and `DEK-Info` above the base64 (RFC 1421
//! §4.6.1.3). It is read only: one round of MD5 protects nothing.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::IntakeError;
use super::ber::{Element, SEQUENCE};
use super::cipher::Cipher;
use super::password::Password;
use super::pem::Block;

/// A key with the way it was encrypted.
pub(super) struct LegacyKey {
    cipher: Cipher,
    iv: Vec<u8>,
    data: Zeroizing<Vec<u8>>,
}

impl LegacyKey {
    /// Reads a block that has a `DEK-Info` header: the cipher's name and the initialization vector in hexadecimal.
    pub(super) fn read(block: &Block<'_>, info: &str) -> Result<Self, IntakeError> {
        let (name, iv) = info.split_once(',').ok_or(IntakeError::KeyDamaged)?;
        let cipher = match name.trim() {
            "AES-128-CBC" => Cipher::Aes128,
            "AES-192-CBC" => Cipher::Aes192,
            "AES-256-CBC" => Cipher::Aes256,
            "DES-EDE3-CBC" => Cipher::TripleDes,
            other => return Err(IntakeError::UnsupportedCipher(shown(other))),
        };
        let iv = unhex(iv.trim()).filter(|iv| iv.len() == cipher.block_len()).ok_or(IntakeError::KeyDamaged)?;
        Ok(Self { cipher, iv, data: block.decode()? })
    }

    /// The key in clear. Padding and form are all that tells a wrong password.
    pub(super) fn decrypt(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
        let key = derive(password.as_bytes(), &self.iv[..8], self.cipher.key_len());
        let clear = self.cipher.decrypt(&key, &self.iv, &self.data);
        let key = clear.filter(|clear| Element::only(clear).is_some_and(|key| key.tag == SEQUENCE));
        key.ok_or_else(|| Password::refusal(password))
    }
}

/// OpenSSL's `EVP_BytesToKey` with one round of MD5: each digest takes in the one before it.
fn derive(password: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    while key.len() < length {
        let last = key.len().saturating_sub(16);
        let digest = Md5::new().chain_update(&key[last..]).chain_update(password).chain_update(salt).finalize();
        key.extend_from_slice(&digest);
    }
    key.truncate(length);
    key
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A cipher's name that a stranger wrote: a few plain characters of it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect()
}
