//! Writes certificates, and the keys of those who may have them, as other programs read them.

mod encrypted;
mod pfx;
mod pkcs7;

use zeroize::Zeroizing;

pub use self::pkcs7::{p7b, p7b_pem};
use crate::chain::X509;
use crate::intake::{IntakeError, pem};
use crate::key::PrivateKey;

/// The fewest characters of the password of an exported file.
pub const MIN_PASSWORD: usize = 8;

/// The most bytes of it.
pub const MAX_PASSWORD: usize = 1024;

/// A file that holds a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFile {
    /// Key and chain in PKCS#12 (RFC 7292): AES-256, with PBKDF2 and a MAC of SHA-256.
    Pfx,
    /// The same with triple DES and SHA-1, for programs that read nothing newer.
    LegacyPfx,
    /// The chain and the key in PEM; the key in encrypted PKCS#8 (RFC 5958 §3), AES-256.
    Pem,
    /// The chain and the key in PEM, the key for whoever reads the file.
    ClearPem,
}

/// A file could not be written. Not for people: nothing they typed is the cause.
#[derive(Debug, thiserror::Error)]
#[error("the file could not be written: {0}")]
pub struct ExportError(&'static str);

impl From<IntakeError> for ExportError {
    fn from(_: IntakeError) -> Self {
        Self("a derivation was refused")
    }
}

impl KeyFile {
    /// Every form, in the order they are offered.
    pub const ALL: [Self; 4] = [Self::Pfx, Self::LegacyPfx, Self::Pem, Self::ClearPem];

    /// `pfx`, `pfx-legacy`, `pem` or `pem-clear`: as posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pfx => "pfx",
            Self::LegacyPfx => "pfx-legacy",
            Self::Pem => "pem",
            Self::ClearPem => "pem-clear",
        }
    }

    /// Reads what [`KeyFile::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.as_str() == text)
    }

    /// As people say it, and as the ledger keeps it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pfx => "PFX, AES-256",
            Self::LegacyPfx => "PFX, triple DES",
            Self::Pem => "PEM, encrypted",
            Self::ClearPem => "PEM, not encrypted",
        }
    }

    /// Whether it is encrypted under a password.
    pub fn has_password(self) -> bool {
        self != Self::ClearPem
    }

    /// Writes the file: the key, and the chain it belongs to, leaf first. The password of one that has none is ignored.
    /// Takes a tenth of a second: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write(
        self,
        chain: &[X509],
        key: &PrivateKey,
        name: &str,
        password: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ExportError> {
        let key = match self {
            Self::Pfx => return pfx::write(encrypted::Scheme::Aes256, chain, key, name, password),
            Self::LegacyPfx => return pfx::write(encrypted::Scheme::TripleDes, chain, key, name, password),
            Self::Pem => {
                pem::encode_secret("ENCRYPTED PRIVATE KEY", &encrypted::Scheme::Aes256.key(key.pkcs8(), password)?)
            }
            Self::ClearPem => pem::encode_secret("PRIVATE KEY", key.pkcs8()),
        };
        let chain: String = chain.iter().map(X509::to_pem).collect();
        let mut file = Zeroizing::new(Vec::with_capacity(chain.len() + key.len()));
        file.extend_from_slice(chain.as_bytes());
        file.extend_from_slice(key.as_bytes());
        Ok(file)
    }
}

/// A password for an exported file is too short, too long, or fine.
///
/// # Errors
/// A sentence.
pub fn check_password(password: &str) -> Result<(), String> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(format!("Choose a password of at least {MIN_PASSWORD} characters for the file."));
    }
    if password.len() > MAX_PASSWORD {
        return Err(format!("Choose a password of at most {MAX_PASSWORD} bytes."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
