//! What rules need to know of a request or certificate.

use std::net::IpAddr;

use time::OffsetDateTime;

use super::Kind;
use crate::certificate::SubjectName;
use crate::subject::Subject;

/// The bits of a key usage, the lowest first (RFC 5280 §4.2.1.3).
const KEY_USAGES: [&str; 9] = [
    "digital signature",
    "non-repudiation",
    "key encipherment",
    "data encipherment",
    "key agreement",
    "certificate signing",
    "CRL signing",
    "encipher only",
    "decipher only",
];

/// The facts that [`crate::lint::judge`] looks at. Texts are as shown: on one line, of bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// A request or a certificate.
    pub kind: Kind,
    /// The version of a certificate, 3 today.
    pub version: Option<u32>,
    /// Basic constraints say CA.
    pub is_ca: bool,
    /// Subject and issuer are the same.
    pub is_self_issued: bool,
    /// Every common name of the subject.
    pub common_names: Vec<String>,
    /// Every organizational unit of the subject.
    pub units: Vec<String>,
    /// The alternative names.
    pub names: Vec<Name>,
    /// The public key, or nothing where none is made yet.
    pub key: Option<Key>,
    /// What the signature is made with.
    pub hash: Hash,
    /// Whether the signature holds; nothing where that can't be told here.
    pub holds: Option<bool>,
    /// The content bytes of a certificate's serial number.
    pub serial: Option<Vec<u8>>,
    /// Valid from and until, both inclusive; of a certificate only.
    pub validity: Option<(OffsetDateTime, OffsetDateTime)>,
    /// The bits of the key usage extension, the first bit lowest (RFC 5280 §4.2.1.3).
    pub key_usage: Option<u16>,
    /// The object identifiers of the extended key usage extension.
    pub purposes: Option<Vec<String>>,
    /// The TLS feature extension asks for a stapled OCSP answer (RFC 7633).
    pub must_staple: bool,
}

/// One alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A DNS name as written, whether it is one or not.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// What no web server is reached by, such as an email address: its kind.
    Other(&'static str),
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// RSA, big end first, without leading zeros.
    Rsa {
        /// The product of the primes.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
        /// Marked as for RSASSA-PSS only (RFC 4055 §1.2).
        pss_only: bool,
    },
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// ECDSA on another curve: its name or number.
    OtherCurve(String),
    /// Ed25519 or Ed448.
    Edwards(&'static str),
    /// Any other: its name or number.
    Other(String),
}

/// The family of the hash in a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// MD2, MD4 or MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256 and its sisters, or a hash that is part of the algorithm (Ed25519).
    Strong,
    /// Not known here.
    Unknown,
}

impl Facts {
    /// Nothing but the kind: what is read is filled in.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            version: None,
            is_ca: false,
            is_self_issued: false,
            common_names: Vec::new(),
            units: Vec::new(),
            names: Vec::new(),
            key: None,
            hash: Hash::Unknown,
            holds: None,
            serial: None,
            validity: None,
            key_usage: None,
            purposes: None,
            must_staple: false,
        }
    }

    /// The facts of a request that is still to be made for `subject`, with a key and a signature that Siteward makes.
    pub fn of_answers(subject: &Subject) -> Self {
        let name = |name: &SubjectName| match name {
            SubjectName::Dns(pattern) => Name::Dns(pattern.to_string()),
            SubjectName::Ip(ip) => Name::Ip(*ip),
        };
        Self {
            common_names: vec![subject.common_name.clone()],
            units: subject.organizational_unit.iter().cloned().collect(),
            names: subject.names.iter().map(name).collect(),
            hash: Hash::Strong,
            ..Self::of(Kind::Request)
        }
    }
}

impl Key {
    /// `RSA 2048`, `ECDSA P-256`: as people say it.
    pub fn label(&self) -> String {
        match self {
            Self::Rsa { modulus, .. } => format!("RSA {}", bits(modulus)),
            Self::P256 => "ECDSA P-256".into(),
            Self::P384 => "ECDSA P-384".into(),
            Self::P521 => "ECDSA P-521".into(),
            Self::OtherCurve(curve) => format!("ECDSA {curve}"),
            Self::Edwards(name) => (*name).into(),
            Self::Other(name) => name.clone(),
        }
    }
}

/// The length in bits of a number without leading zero bytes.
pub(crate) fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// The names of the bits that are set, with commas.
pub(crate) fn key_usages(bits: u16) -> String {
    let set = KEY_USAGES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}
