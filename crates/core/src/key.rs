//! Private keys: made here, sealed at rest, never printed.

use std::fmt;

use rcgen::{KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm};
use rustls::pki_types::{AlgorithmIdentifier, PrivatePkcs8KeyDer, alg_id};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
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
    pair: Zeroizing<KeyPair>,
    kind: KeyKind,
}

impl KeyKind {
    /// Every kind, in the order the wizard offers them.
    pub const ALL: [Self; 5] = [Self::EcdsaP256, Self::EcdsaP384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// `rsa-2048`, `ecdsa-p256`: as stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
        }
    }

    /// Reads what [`KeyKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// `RSA 2048`, `ECDSA P-256`: as people say it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
        }
    }

    /// Whether it is an RSA key, which can also encipher a session key (RFC 5280 §4.2.1.3).
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

impl PrivateKey {
    /// Makes a new key. RSA 4096 takes up to seconds: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`KeyError::Generate`].
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let pair = match kind {
            KeyKind::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyKind::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyKind::Rsa4096 => rsa(RsaKeySize::_4096),
            KeyKind::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyKind::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        };
        let pair = pair.map_err(|_| KeyError::Generate)?;
        Ok(Self { pair: Zeroizing::new(pair), kind })
    }

    /// Reads a PKCS#8 key (RFC 5958).
    ///
    /// # Errors
    /// [`KeyError::Read`].
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let algorithm = algorithm(&pkcs8).ok_or(KeyError::Read)?;
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()), algorithm);
        let pair = Zeroizing::new(pair.map_err(|_| KeyError::Read)?);
        let kind = kind(&pair).ok_or(KeyError::Read)?;
        Ok(Self { pair, kind })
    }

    /// The key in PKCS#8, for sealing and for rustls only.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        self.pair.serialized_der()
    }

    /// The key as rcgen signs with it.
    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// The SHA-256 of its SubjectPublicKeyInfo: what a request, a certificate and a key have in common.
    pub fn id(&self) -> Fingerprint {
        Fingerprint::of(&self.pair.subject_public_key_info())
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }
}

/// The algorithm named at the head of a PKCS#8 key. Trying each in turn would leave copies of the key behind.
fn algorithm(pkcs8: &[u8]) -> Option<&'static SignatureAlgorithm> {
    let head = &pkcs8[..pkcs8.len().min(40)];
    let names = |id: AlgorithmIdentifier| head.windows(id.len()).any(|bytes| bytes == id.as_ref());
    if names(alg_id::ECDSA_P256) {
        return Some(&rcgen::PKCS_ECDSA_P256_SHA256);
    }
    if names(alg_id::ECDSA_P384) {
        return Some(&rcgen::PKCS_ECDSA_P384_SHA384);
    }
    names(alg_id::RSA_ENCRYPTION).then_some(&rcgen::PKCS_RSA_SHA256)
}

fn kind(pair: &KeyPair) -> Option<KeyKind> {
    if pair.algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Some(KeyKind::EcdsaP256);
    }
    if pair.algorithm() == &rcgen::PKCS_ECDSA_P384_SHA384 {
        return Some(KeyKind::EcdsaP384);
    }
    let (_, key) = RSAPublicKey::from_der(pair.der_bytes()).ok()?;
    match key.key_size() {
        2048 => Some(KeyKind::Rsa2048),
        3072 => Some(KeyKind::Rsa3072),
        4096 => Some(KeyKind::Rsa4096),
        _ => None,
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing_ca::openssl;

    #[test]
    fn every_kind_of_key_survives_being_stored() {
        for kind in KeyKind::ALL {
            let key = PrivateKey::generate(kind).unwrap();
            let stored = Zeroizing::new(key.pkcs8().to_vec());
            let again = PrivateKey::from_pkcs8(stored).unwrap();
            assert_eq!(again.id(), key.id(), "{kind:?}");
            assert_eq!(again.kind(), kind);
            assert_eq!(KeyKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn the_id_is_the_digest_that_openssl_finds_for_the_public_key() {
        for kind in [KeyKind::EcdsaP384, KeyKind::Rsa2048] {
            let key = PrivateKey::generate(kind).unwrap();
            let spki = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], key.pkcs8());
            assert_eq!(Fingerprint::of(&spki), key.id(), "{kind:?}");
        }
    }

    #[test]
    fn a_key_cannot_be_printed() {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        assert_eq!(format!("{key:?}"), "[secret]");
    }

    #[test]
    fn what_is_no_key_of_an_offered_kind_is_refused() {
        let weak =
            openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-outform", "DER"], b"");
        let other = openssl(&["genpkey", "-algorithm", "ED25519", "-outform", "DER"], b"");
        for bytes in [vec![], vec![0x30, 0x80], b"garbage".to_vec(), weak, other] {
            assert_eq!(PrivateKey::from_pkcs8(Zeroizing::new(bytes)).unwrap_err(), KeyError::Read);
        }
    }
}
