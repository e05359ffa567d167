//! Certificates as CAs send them, put in order: leaf, then each issuer, without the root.

pub(crate) mod x509;

use std::collections::HashSet;

use time::OffsetDateTime;
use x509_parser::asn1_rs::oid;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use self::x509::X509;
use self::x509::{authority_key, is_signed_by, subject_key};
use crate::certificate::{CertificateFacts, Fingerprint};
use crate::host::HostPattern;

/// A leaf with the issuers to send along, in order, each signing the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The site's own certificate.
    pub leaf: X509,
    /// Issuers to send, nearest first; never a self-signed root.
    pub intermediates: Vec<X509>,
    /// How many of these, the last ones, did not come along but were known before.
    pub added: usize,
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
    /// The certificate for the key is one of a CA.
    #[error(
        "This certificate, for {subject}, is one of a CA, which browsers refuse for a site. Ask the CA for a server certificate."
    )]
    IsCa {
        /// The leaf's subject.
        subject: String,
    },
    /// Its extended key usage leaves serverAuth out (RFC 5280 §4.2.1.12).
    #[error(
        "This certificate, for {subject}, is not meant for web servers: its extended key usage leaves server authentication out. Ask the CA for a server certificate."
    )]
    NotForServers {
        /// The leaf's subject.
        subject: String,
    },
    /// Signed with MD5 or SHA-1.
    #[error(
        "This certificate, for {subject}, is signed with MD5 or SHA-1, which every browser refuses. Ask the CA to sign it with SHA-256."
    )]
    WeakSignature {
        /// The leaf's subject.
        subject: String,
    },
    /// It names an issuer that came with it, but that one did not sign it.
    #[error(
        "The signature of this certificate, for {subject}, is not one of the issuer that came with it: one of the two is damaged or of another time. Download both from the CA again."
    )]
    BadSignature {
        /// The leaf's subject.
        subject: String,
    },
    /// No alternative name that a visitor can type.
    #[error(
        "This certificate, for {subject}, has no alternative name that can match a host, and browsers look at nothing else. Ask the CA to put the host names there."
    )]
    NoNames {
        /// The leaf's subject.
        subject: String,
    },
    /// More issuers than [`Chain::MAX_INTERMEDIATES`].
    #[error("The chain is longer than 10 certificates, which browsers refuse. Ask the CA for a shorter one.")]
    TooLong,
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

impl Chain {
    /// The most issuers that are sent along.
    pub const MAX_INTERMEDIATES: usize = 9;

    /// Finds the leaf for the key `key_id` among `certificates` and orders its issuers behind it. Duplicates are dropped.
    ///
    /// # Errors
    /// [`InstallError`] by name.
    pub fn build(certificates: Vec<X509>, key_id: Fingerprint) -> Result<Self, InstallError> {
        let mut seen = HashSet::new();
        let mut rest: Vec<X509> = certificates.into_iter().filter(|own| seen.insert(own.fingerprint)).collect();
        let leaf = rest.swap_remove(find_leaf(&rest, key_id)?);
        check_leaf(&leaf)?;
        let mut chain = Self { leaf, intermediates: Vec::new(), added: 0, root: None, strangers: Vec::new() };
        while let Some(found) = find_issuer(chain.last(), &rest) {
            let issuer = rest.remove(found);
            if issuer.is_self_signed {
                chain.root = Some(issuer);
                break;
            }
            if chain.intermediates.len() == Self::MAX_INTERMEDIATES {
                return Err(InstallError::TooLong);
            }
            chain.intermediates.push(issuer);
        }
        if chain.intermediates.is_empty() && chain.root.is_none() && rest.iter().any(|own| claims(&chain.leaf, own)) {
            return Err(InstallError::BadSignature { subject: chain.leaf.subject });
        }
        chain.strangers = rest;
        Ok(chain)
    }

    /// The last certificate that is sent.
    pub fn last(&self) -> &X509 {
        self.intermediates.last().unwrap_or(&self.leaf)
    }

    /// The subject of the issuer that is missing, as [`X509::subject_id`]; nothing where the chain ends in a root.
    pub fn missing(&self) -> Option<Fingerprint> {
        let last = self.last();
        (self.root.is_none() && !last.is_self_signed).then_some(last.issuer_id)
    }

    /// Adds the missing issuer from `known`, which did not come along. False where it is not there, or the chain is full.
    pub fn extend(&mut self, mut known: Vec<X509>) -> bool {
        known.retain(|own| !self.intermediates.iter().any(|sent| sent.fingerprint == own.fingerprint));
        let Some(found) = find_issuer(self.last(), &known) else { return false };
        let issuer = known.swap_remove(found);
        if issuer.is_self_signed {
            self.root = Some(issuer);
        } else if self.intermediates.len() < Self::MAX_INTERMEDIATES {
            self.intermediates.push(issuer);
            self.added += 1;
        } else {
            return false;
        }
        true
    }
}

/// The certificate for the key; the one that lasts longest where there are several.
fn find_leaf(certificates: &[X509], key_id: Fingerprint) -> Result<usize, InstallError> {
    let fitting = certificates.iter().enumerate().filter(|(_, own)| own.key_id == key_id);
    if let Some((found, _)) = fitting.max_by_key(|(_, own)| (!own.is_ca, own.not_after)) {
        return Ok(found);
    }
    match certificates.iter().find(|own| !own.is_ca) {
        Some(other) => Err(InstallError::KeyMismatch { subject: other.subject.clone() }),
        None => Err(InstallError::NoLeaf),
    }
}

/// What no browser takes is refused; what only the date or the name makes wrong is a [`Doubt`].
fn check_leaf(leaf: &X509) -> Result<(), InstallError> {
    let subject = leaf.subject.clone();
    if leaf.is_ca {
        return Err(InstallError::IsCa { subject });
    }
    let Ok((_, parsed)) = X509Certificate::from_der(&leaf.der) else {
        return Err(InstallError::NoLeaf);
    };
    if let Ok(Some(usage)) = parsed.extended_key_usage()
        && !usage.value.server_auth
        && !usage.value.any
    {
        return Err(InstallError::NotForServers { subject });
    }
    if is_weak(&parsed) {
        return Err(InstallError::WeakSignature { subject });
    }
    if !has_names(&parsed) {
        return Err(InstallError::NoNames { subject });
    }
    Ok(())
}

/// Whether there is any DNS or IP alternative name that a client can match, even one that no binding can have, such as
/// `my_host.example`.
fn has_names(certificate: &X509Certificate<'_>) -> bool {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return false };
    let names = &extension.value.general_names;
    names.iter().any(|name| match name {
        GeneralName::DNSName(name) => *name != "*" && name.split('.').all(|label| (1..=63).contains(&label.len())),
        GeneralName::IPAddress(_) => true,
        _ => false,
    })
}

/// Whether it is signed with MD5 or SHA-1.
fn is_weak(certificate: &X509Certificate<'_>) -> bool {
    let ecdsa_with_sha1 = oid!(1.2.840.10045.4.1);
    let weak = [oid::OID_PKCS1_MD5WITHRSAENC, oid::OID_PKCS1_SHA1WITHRSA, oid::OID_SHA1_WITH_RSA, ecdsa_with_sha1];
    weak.contains(&certificate.signature_algorithm.algorithm)
}

/// Who signed `certificate`: named by it, a CA, and proven by the signature. Of several the one whose key identifier
/// fits, then the one that lasts longest.
pub(crate) fn find_issuer<'a>(certificate: &X509, candidates: impl IntoIterator<Item = &'a X509>) -> Option<usize> {
    if certificate.is_self_signed {
        return None;
    }
    let (_, own) = X509Certificate::from_der(&certificate.der).ok()?;
    let named = candidates.into_iter().enumerate().filter(|(_, candidate)| candidate.is_ca);
    let issuers =
        named.filter(|(_, candidate)| candidate.subject_id == certificate.issuer_id).filter_map(|(i, candidate)| {
            let (_, issuer) = X509Certificate::from_der(&candidate.der).ok()?;
            let is_by = is_signed_by(&own, issuer.public_key());
            is_by.then(|| (authority_key(&own) == subject_key(&issuer), candidate.not_after, i))
        });
    issuers.max().map(|(.., i)| i)
}

/// Whether `certificate` names `candidate` as its issuer, by name and, where it tells it, by key identifier.
fn claims(certificate: &X509, candidate: &X509) -> bool {
    let parsed = (X509Certificate::from_der(&certificate.der), X509Certificate::from_der(&candidate.der));
    let (Ok((_, own)), Ok((_, issuer))) = parsed else { return false };
    let fits = authority_key(&own).is_none_or(|key| subject_key(&issuer) == Some(key));
    !certificate.is_self_signed && candidate.is_ca && issuer.subject().as_raw() == own.issuer().as_raw() && fits
}

/// What is questionable about serving `certificate` at `now` for each of `hosts`.
pub fn doubts<'a>(
    certificate: &CertificateFacts,
    hosts: impl IntoIterator<Item = &'a HostPattern>,
    now: OffsetDateTime,
) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if certificate.not_after < now {
        doubts.push(Doubt::Expired(day(certificate.not_after)));
    }
    if now < certificate.not_before {
        doubts.push(Doubt::NotYetValid(day(certificate.not_before)));
    }
    for host in hosts {
        let doubt = || Doubt::NotCovered(host.unicode());
        if !certificate.covers_pattern(host) && !doubts.contains(&doubt()) {
            doubts.push(doubt());
        }
    }
    doubts
}

/// `24 November 2026`.
fn day(time: OffsetDateTime) -> String {
    format!("{} {} {}", time.day(), time.month(), time.year())
}

#[cfg(test)]
mod tests;
