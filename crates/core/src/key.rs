//! Private keys: made here, sealed at rest, never printed.

use std::fmt;

use zeroize::Zeroizing;

use crate::certificate::Fingerprint;

/// The kinds of key a certificate request offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
}

/// Why a key can't be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library refused to make one.
    #[error("The key could not be made.")]
    Generate,
    /// The bytes are no PKCS#8 key of a supported kind.
    #[error("The private key could not be read.")]
    Read,
}

/// A private key. It has no `Display` and no `Serialize`, its `Debug` prints `[secret]`, and it is wiped on drop.
pub struct PrivateKey {
    #[expect(dead_code, reason = "stub")]
    pkcs8: Zeroizing<Vec<u8>>,
}

impl KeyKind {
    /// Every kind, in the order the wizard offers them.
    pub const ALL: [Self; 5] = [Self::EcdsaP256, Self::EcdsaP384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// `rsa-2048`, `ecdsa-p256`: as stored and posted.
    pub fn as_str(self) -> &'static str {
        todo!()
    }

    /// Reads what [`KeyKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// `RSA 2048`, `ECDSA P-256`: as people say it.
    pub fn label(self) -> &'static str {
        todo!()
    }
}

impl PrivateKey {
    /// Makes a new key. RSA 4096 takes up to seconds: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`KeyError::Generate`].
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let _ = kind;
        todo!()
    }

    /// Reads a PKCS#8 key (RFC 5958).
    ///
    /// # Errors
    /// [`KeyError::Read`].
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let _ = pkcs8;
        todo!()
    }

    /// The key in PKCS#8, for sealing and for rustls only.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        todo!()
    }

    /// The SHA-256 of its SubjectPublicKeyInfo: what a request, a certificate and a key have in common.
    pub fn id(&self) -> Fingerprint {
        todo!()
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        todo!()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
