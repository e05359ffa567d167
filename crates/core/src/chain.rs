//! Certificates as CAs send them, put in order: leaf, then each issuer, without the root.

use time::OffsetDateTime;

use crate::certificate::{CertificateFacts, CertificateId, Fingerprint, SubjectName};
use crate::host::HostPattern;

/// One certificate as read (RFC 5280): its DER and the facts taken from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509 {
    /// The whole certificate.
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    pub fingerprint: Fingerprint,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_id: Fingerprint,
    /// The subject's common name, or its first alternative name, or its whole subject.
    pub subject: String,
    /// The issuer's common name, or its organization, or the whole issuer.
    pub issuer: String,
    /// `RSA 2048`, `ECDSA P-256`, or the algorithm's name.
    pub key_label: String,
    /// In hexadecimal pairs joined by colons.
    pub serial: String,
    /// DNS and IP alternative names that Siteward can match.
    pub names: Vec<SubjectName>,
    /// Valid from, inclusive.
    pub not_before: OffsetDateTime,
    /// Valid until, inclusive.
    pub not_after: OffsetDateTime,
    /// Basic constraints say CA.
    pub is_ca: bool,
    /// Subject and issuer are the same and its own key signed it.
    pub is_self_signed: bool,
}

/// A leaf with the issuers to send along, in order, each signing the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The site's own certificate.
    pub leaf: X509,
    /// Issuers to send, nearest first; never a self-signed root.
    pub intermediates: Vec<X509>,
    /// The root, where the reply held it: shown, not sent.
    pub root: Option<X509>,
    /// Certificates of the reply that are not part of this chain.
    pub strangers: Vec<X509>,
}

/// Why a reply can't be installed for a request. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// There are only CA certificates in it.
    #[error(
        "The reply holds only certificates of CAs, not the one for this site. Ask the CA for the site's certificate."
    )]
    NoLeaf,
    /// A leaf, but for another key.
    #[error(
        "This certificate, for {subject}, was made for another key than the one of this request. Find the request it answers, or ask the CA to sign this one."
    )]
    KeyMismatch {
        /// The leaf's subject.
        subject: String,
    },
}

/// What makes a certificate questionable; it is installed only after a confirmation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Its last day is over.
    #[error("It expired on {0}. Visitors would get no connection.")]
    Expired(String),
    /// Its first day is to come.
    #[error("It is not valid before {0}. Until then visitors would get no connection.")]
    NotYetValid(String),
    /// A binding's host name is not among its names.
    #[error("It does not cover {0}. Browsers would warn every visitor of that name.")]
    NotCovered(String),
}

impl X509 {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// [`crate::intake::IntakeError`] by name.
    pub fn parse(der: &[u8]) -> Result<Self, crate::intake::IntakeError> {
        let _ = der;
        todo!()
    }

    /// Its facts under the row id it is installed as.
    pub fn facts(&self, id: CertificateId) -> CertificateFacts {
        let _ = id;
        todo!()
    }
}

impl Chain {
    /// Finds the leaf for the key `key_id` among `certificates` and orders its issuers behind it. Duplicates are dropped.
    ///
    /// # Errors
    /// [`InstallError`] by name.
    pub fn build(certificates: Vec<X509>, key_id: Fingerprint) -> Result<Self, InstallError> {
        let _ = (certificates, key_id);
        todo!()
    }
}

/// What is questionable about serving `certificate` at `now` for each of `hosts`.
pub fn doubts<'a>(
    certificate: &CertificateFacts,
    hosts: impl IntoIterator<Item = &'a HostPattern>,
    now: OffsetDateTime,
) -> Vec<Doubt> {
    let _ = (certificate, now, hosts.into_iter().count());
    todo!()
}
