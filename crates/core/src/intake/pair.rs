//! Which key belongs to which certificate, by public key.

use super::Found;
use crate::chain::{Chain, InstallError};
use crate::key::PrivateKey;

/// A private key with its certificate and the issuers to send along: what can be imported.
#[derive(Debug)]
pub struct Pair {
    /// The key.
    pub key: PrivateKey,
    /// The chain of the certificate for that key.
    pub chain: Chain,
}

/// Why nothing that was found can be imported. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Keys only.
    #[error("There is a private key in this, but no certificate. Bring the certificate for it too.")]
    NoCertificate,
    /// Certificates only.
    #[error("There is a certificate in this, but no private key. Bring the key that it was requested with too.")]
    NoKey,
    /// Both, but no two that fit.
    #[error(
        "The private key in this does not belong to the certificate. Bring the key that the certificate was requested with."
    )]
    KeyMismatch,
    /// The certificate that fits can't be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
}

impl Found {
    /// Each key that has a certificate, with its chain. A key without one, or with one that can't be installed, is left
    /// out, unless there is nothing else.
    ///
    /// # Errors
    /// [`PairError`] by name.
    pub fn pairs(self) -> Result<Vec<Pair>, PairError> {
        if self.certificates.is_empty() {
            return Err(PairError::NoCertificate);
        }
        if self.keys.is_empty() {
            return Err(PairError::NoKey);
        }
        let mut pairs = Vec::new();
        let mut instead = PairError::KeyMismatch;
        for key in self.keys {
            let id = key.id();
            if !self.certificates.iter().any(|certificate| certificate.key_id == id) {
                continue;
            }
            match Chain::build(self.certificates.clone(), id) {
                Ok(chain) => pairs.push(Pair { key, chain }),
                Err(error) => instead = error.into(),
            }
        }
        if pairs.is_empty() { Err(instead) } else { Ok(pairs) }
    }
}
