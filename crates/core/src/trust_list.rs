//! Trust lists: the CAs whose client certificates open a place, what they revoked, and who is let in.
//!
//! `path` proves once what does not change, `judge` says at each request what a certificate is worth now, `crl` reads what
//! other CAs revoked, `allow` whom the list lets in, `explain` tells all of it to a person, `preview` whom a change would turn away.

mod address;
mod allow;
mod crl;
mod explain;
mod judge;
mod path;
mod preview;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use time::OffsetDateTime;
use webpki::anchor_from_trusted_cert;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use self::address::{AddressError, CrlAddress};
pub use self::allow::{AllowRule, BadPattern, Field, Holder};
pub use self::crl::{Crl, CrlError, Identity};
pub use self::explain::{Explained, Explainer, NotOneClient, as_sent};
pub use self::judge::{Finding, OwnLists};
use self::path::Link;
pub use self::path::{MAX_SENT, MAX_SENT_BYTES, Path, Untrusted, is_bounded, subject};
pub use self::preview::{Effect, Judge, Seen, TurnedAway};
use crate::certificate::Fingerprint;
use crate::chain::{X509, find_issuer};
use crate::intake::ber;

/// The row id of a trust list.
pub type TrustListId = i64;

/// The row id of a CA on a trust list.
pub type TrustedCaId = i64;

/// What is done where a revocation list is missing or out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhenStale {
    /// Nobody whom it could name is let in.
    #[default]
    Closed,
    /// What was known last counts.
    Open,
}

impl WhenStale {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Closed, Self::Open];

    /// As stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    /// Reads what [`WhenStale::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == text)
    }
}

/// Where it is known from what a CA of a list has revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// Nowhere: nothing is ever taken for revoked.
    Never,
    /// The list that was uploaded or fetched last; `None` while there is none yet.
    By(Option<Arc<Crl>>),
    /// What Siteward itself publishes for this authority.
    Own,
}

/// A CA to put on a list, with what is known of it.
#[derive(Debug, Clone)]
pub struct CaDraft {
    /// Row id.
    pub id: TrustedCaId,
    /// Its certificate.
    pub certificate: X509,
    /// Where it is known from what it revoked.
    pub checked: Checked,
}

/// A CA on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ca {
    id: TrustedCaId,
    name: String,
    key_id: Fingerprint,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    /// How many CAs may stand below it (RFC 5280 §4.2.1.9).
    path_length: Option<usize>,
    checked: Checked,
    /// Its own certificate and those of the CAs above it that are known, for as far as they are.
    above: Vec<Link>,
}

/// A trust list, ready to judge. Everything in it is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustList {
    /// Row id.
    pub id: TrustListId,
    /// Unique name.
    pub name: String,
    /// What is done where a revocation list is missing or out of date.
    pub when_stale: WhenStale,
    cas: Vec<Ca>,
    /// Of the same CAs, in the same order.
    anchors: Vec<TrustAnchor<'static>>,
    allow: Vec<AllowRule>,
    identity: Fingerprint,
}

/// Why a certificate can't stand on a trust list. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTrustable {
    /// It is not one of a CA.
    #[error(
        "{0} is not the certificate of a CA. Bring the one of the CA that signs the certificates of your visitors."
    )]
    NotCa(String),
    /// Its key usage or extended key usage leaves out what is asked of it.
    #[error("{0} may not sign certificates for clients, by its own key usage or extended key usage.")]
    NotForClients(String),
    /// Signatures can't be checked with it.
    #[error("The certificate of {0} can’t be used to check others.")]
    Unusable(String),
}

/// Whether a certificate can stand on a trust list.
///
/// # Errors
/// [`NotTrustable`] by name.
pub fn check_ca(certificate: &X509) -> Result<(), NotTrustable> {
    anchor(certificate).map(drop)
}

fn anchor(certificate: &X509) -> Result<TrustAnchor<'static>, NotTrustable> {
    let name = || certificate.subject.clone();
    if !certificate.is_ca {
        return Err(NotTrustable::NotCa(name()));
    }
    let unusable = || NotTrustable::Unusable(name());
    let (_, parsed) = X509Certificate::from_der(&certificate.der).map_err(|_| unusable())?;
    let signs = parsed.key_usage().map_err(|_| unusable())?.is_none_or(|usage| usage.value.key_cert_sign());
    let usage = parsed.extended_key_usage().map_err(|_| unusable())?;
    if !signs || !usage.is_none_or(|usage| usage.value.client_auth || usage.value.any) {
        return Err(NotTrustable::NotForClients(name()));
    }
    let anchor = anchor_from_trusted_cert(&CertificateDer::from(certificate.der.as_slice())).map(|own| own.to_owned());
    anchor.map_err(|_| unusable())
}

impl TrustList {
    /// The most CAs on a list.
    pub const MAX_CAS: usize = 100;

    /// The most allow rules of a list.
    pub const MAX_RULES: usize = 200;

    /// A list of these CAs. `known` are certificates of further CAs, above which it may be known what was revoked.
    ///
    /// # Errors
    /// [`NotTrustable`] where one of the CAs can't be used: nobody is to be let in by what is left of a list.
    pub fn new(
        (id, name, when_stale): (TrustListId, String, WhenStale),
        drafts: Vec<CaDraft>,
        allow: Vec<AllowRule>,
        known: &[X509],
    ) -> Result<Self, NotTrustable> {
        let pool: Vec<&X509> = drafts.iter().map(|draft| &draft.certificate).chain(known).collect();
        let (mut cas, mut anchors) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        let mut identified = id.to_be_bytes().to_vec();
        for draft in &drafts {
            anchors.push(anchor(&draft.certificate)?);
            cas.push(Ca::new(draft, &pool));
            identified.extend_from_slice(&draft.certificate.fingerprint.0);
        }
        Ok(Self { id, name, when_stale, cas, anchors, allow, identity: Fingerprint::of(&identified) })
    }

    /// The digest of its id and its CAs. What they revoked and whom it lets in is no part of it.
    pub fn identity(&self) -> Fingerprint {
        self.identity
    }

    /// The subjects of its CAs as encoded, for the hints of a handshake (RFC 8446 §4.2.4).
    pub fn subjects(&self) -> impl Iterator<Item = Vec<u8>> {
        self.anchors.iter().map(|anchor| ber::encode(ber::SEQUENCE, &[&anchor.subject]).to_vec())
    }

    /// The list that was taken from a CA last, where it is uploaded or fetched.
    pub fn crl(&self, ca: TrustedCaId) -> Option<&Arc<Crl>> {
        self.cas.iter().find(|own| own.id == ca).and_then(|own| match &own.checked {
            Checked::By(crl) => crl.as_ref(),
            Checked::Never | Checked::Own => None,
        })
    }

    /// The same list with what was just taken from a CA.
    pub fn taking(mut self, ca: TrustedCaId, crl: Arc<Crl>) -> Self {
        if let Some(own) = self.cas.iter_mut().find(|own| own.id == ca) {
            own.checked = Checked::By(Some(crl));
        }
        self
    }
}

impl Ca {
    fn new(draft: &CaDraft, pool: &[&X509]) -> Self {
        let own = &draft.certificate;
        Self {
            id: draft.id,
            name: own.subject.clone(),
            key_id: own.key_id,
            not_before: own.not_before,
            not_after: own.not_after,
            path_length: path_length(own),
            checked: draft.checked.clone(),
            above: above(own, pool),
        }
    }
}

/// How many CAs may stand below one; `None` for any number. One that can't be read allows none.
fn path_length(own: &X509) -> Option<usize> {
    let Ok((_, parsed)) = X509Certificate::from_der(&own.der) else { return Some(0) };
    let basic = parsed.basic_constraints().ok().flatten()?;
    basic.value.path_len_constraint.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// The most CAs above one of a list that are looked for.
const MAX_ABOVE: usize = 7;

/// A CA and those above it, each with the key that signed it, as long as they are in the pool.
fn above(own: &X509, pool: &[&X509]) -> Vec<Link> {
    let mut links = Vec::new();
    let mut next = own;
    while !next.is_self_signed && links.len() < MAX_ABOVE {
        let Some(issuer) = find_issuer(next, pool.iter().copied()).map(|found| pool[found]) else { break };
        let Ok((_, parsed)) = X509Certificate::from_der(&next.der) else { break };
        links.push(Link::of(&parsed, issuer.key_id));
        next = issuer;
    }
    links
}
