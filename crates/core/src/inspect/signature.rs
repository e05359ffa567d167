//! The signature: what made it, and whether it holds.

use aws_lc_rs::signature::{self as verify, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use super::facts::{Hash, Key, bits};

/// The RSA keys whose signatures are checked, in bits.
const RSA_SIZES: std::ops::RangeInclusive<usize> = 1024..=8192;

/// One of the algorithms signatures are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rsa(Digest),
    /// With a salt as long as the hash, and the same hash for the mask, or else not checked here.
    RsaPss(Digest, Usual),
    Ecdsa(Digest),
    Ed25519,
    Ed448,
    Other,
}

/// Whether the parameters are those that everybody uses.
type Usual = bool;

/// The hash named in an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Other,
}

impl Algorithm {
    pub(super) fn read(identifier: &AlgorithmIdentifier<'_>) -> Self {
        match identifier.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.2" | "1.2.840.113549.1.1.3" | "1.2.840.113549.1.1.4" => Self::Rsa(Digest::Md5),
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Self::Rsa(Digest::Sha1),
            "1.2.840.113549.1.1.11" => Self::Rsa(Digest::Sha256),
            "1.2.840.113549.1.1.12" => Self::Rsa(Digest::Sha384),
            "1.2.840.113549.1.1.13" => Self::Rsa(Digest::Sha512),
            "1.2.840.113549.1.1.10" => pss(identifier),
            "1.2.840.10045.4.1" => Self::Ecdsa(Digest::Sha1),
            "1.2.840.10045.4.3.2" => Self::Ecdsa(Digest::Sha256),
            "1.2.840.10045.4.3.3" => Self::Ecdsa(Digest::Sha384),
            "1.2.840.10045.4.3.4" => Self::Ecdsa(Digest::Sha512),
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            _ => Self::Other,
        }
    }

    pub(super) fn hash(self) -> Hash {
        match self {
            Self::Rsa(digest) | Self::RsaPss(digest, _) | Self::Ecdsa(digest) => match digest {
                Digest::Md5 => Hash::Md5,
                Digest::Sha1 => Hash::Sha1,
                Digest::Sha256 | Digest::Sha384 | Digest::Sha512 => Hash::Strong,
                Digest::Other => Hash::Unknown,
            },
            Self::Ed25519 | Self::Ed448 => Hash::Strong,
            Self::Other => Hash::Unknown,
        }
    }

    /// As people say it.
    pub(super) fn label(self, identifier: &AlgorithmIdentifier<'_>) -> String {
        match self {
            Self::Rsa(Digest::Md5) => "RSA with MD5 or older".into(),
            Self::Rsa(digest) => format!("RSA with {}", digest.label()),
            Self::RsaPss(digest, _) => format!("RSASSA-PSS with {}", digest.label()),
            Self::Ecdsa(digest) => format!("ECDSA with {}", digest.label()),
            Self::Ed25519 => "Ed25519".into(),
            Self::Ed448 => "Ed448".into(),
            Self::Other => identifier.algorithm.to_id_string(),
        }
    }

    /// Whether the owner of `key`, whose bits are `public`, made `signature` over `signed`; nothing where that can't be
    /// told, as for MD5 or an RSA key outside [`RSA_SIZES`].
    pub(super) fn holds(self, key: &Key, public: &[u8], signature: &[u8], signed: &[u8]) -> Option<bool> {
        let algorithm = self.verifier(key)?;
        Some(UnparsedPublicKey::new(algorithm, public).verify(signed, signature).is_ok())
    }

    fn verifier(self, key: &Key) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, key) {
            (Self::Rsa(digest), Key::Rsa { modulus, .. }) => rsa(digest, bits(modulus)),
            (Self::RsaPss(digest, true), Key::Rsa { modulus, .. }) => rsa_pss(digest, bits(modulus)),
            (Self::Ecdsa(digest), key) => ecdsa(digest, key),
            (Self::Ed25519, Key::Edwards("Ed25519")) => Some(&verify::ED25519),
            _ => None,
        }
    }
}

impl Digest {
    fn label(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Other => "an unknown hash",
        }
    }
}

/// Reads the parameters of RSASSA-PSS; SHA-1 and a salt of 20 bytes where none are written (RFC 4055 §3.1).
fn pss(identifier: &AlgorithmIdentifier<'_>) -> Algorithm {
    let parameters = identifier.parameters.as_ref().and_then(|any| RsaSsaPssParams::try_from(any).ok());
    let Some(parameters) = parameters else { return Algorithm::RsaPss(Digest::Other, false) };
    let hash = parameters.hash_algorithm_oid();
    let (digest, length) = match hash.to_id_string().as_str() {
        "1.3.14.3.2.26" => (Digest::Sha1, 20),
        "2.16.840.1.101.3.4.2.1" => (Digest::Sha256, 32),
        "2.16.840.1.101.3.4.2.2" => (Digest::Sha384, 48),
        "2.16.840.1.101.3.4.2.3" => (Digest::Sha512, 64),
        _ => (Digest::Other, 0),
    };
    let mask = parameters.mask_gen_algorithm().ok();
    let same_hash = mask.is_some_and(|mask| mask.hash == *hash);
    Algorithm::RsaPss(digest, same_hash && parameters.salt_length() == length)
}

fn rsa(digest: Digest, size: usize) -> Option<&'static dyn VerificationAlgorithm> {
    match digest {
        _ if !RSA_SIZES.contains(&size) => None,
        Digest::Sha1 => Some(&verify::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        Digest::Sha256 => Some(&verify::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        Digest::Sha384 if size >= 2048 => Some(&verify::RSA_PKCS1_2048_8192_SHA384),
        Digest::Sha512 => Some(&verify::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

fn rsa_pss(digest: Digest, size: usize) -> Option<&'static dyn VerificationAlgorithm> {
    match digest {
        _ if !(2048..=*RSA_SIZES.end()).contains(&size) => None,
        Digest::Sha256 => Some(&verify::RSA_PSS_2048_8192_SHA256),
        Digest::Sha384 => Some(&verify::RSA_PSS_2048_8192_SHA384),
        Digest::Sha512 => Some(&verify::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn ecdsa(digest: Digest, key: &Key) -> Option<&'static dyn VerificationAlgorithm> {
    match (key, digest) {
        (Key::P256, Digest::Sha256) => Some(&verify::ECDSA_P256_SHA256_ASN1),
        (Key::P256, Digest::Sha384) => Some(&verify::ECDSA_P256_SHA384_ASN1),
        (Key::P256, Digest::Sha512) => Some(&verify::ECDSA_P256_SHA512_ASN1),
        (Key::P384, Digest::Sha256) => Some(&verify::ECDSA_P384_SHA256_ASN1),
        (Key::P384, Digest::Sha384) => Some(&verify::ECDSA_P384_SHA384_ASN1),
        (Key::P384, Digest::Sha512) => Some(&verify::ECDSA_P384_SHA512_ASN1),
        (Key::P521, Digest::Sha256) => Some(&verify::ECDSA_P521_SHA256_ASN1),
        (Key::P521, Digest::Sha384) => Some(&verify::ECDSA_P521_SHA384_ASN1),
        (Key::P521, Digest::Sha512) => Some(&verify::ECDSA_P521_SHA512_ASN1),
        _ => None,
    }
}
