//! Revocation lists of other CAs (RFC 5280 §5), read for one question: is this serial number on it?

use std::borrow::Cow;

use rustls::pki_types::SignatureVerificationAlgorithm;
use time::{Duration, OffsetDateTime};
use webpki::BorrowedCertRevocationList;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{OID_X509_EXT_CRL_NUMBER, OID_X509_EXT_ISSUER_DISTRIBUTION_POINT};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::path::Link;
use crate::certificate::Fingerprint;
use crate::chain::X509;
use crate::intake::ber::{self, Element};
use crate::intake::{pem, piece};

/// A revocation list, as far as it is needed to judge. Its signature is no part of it: see [`Crl::prove`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    /// Who issued it: the name as encoded.
    issuer: Box<[u8]>,
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// Until when the next one is there.
    pub next_update: OffsetDateTime,
    /// Its number, big end first, without leading zeros; CAs of old give none.
    pub number: Option<Box<[u8]>>,
    /// The digest of its bytes.
    pub digest: Fingerprint,
    /// The addresses that certificates on it name; where there are none it is about all of its issuer's.
    points: Vec<String>,
    serials: Serials,
}

/// Why a revocation list can't be taken. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Longer than [`Crl::MAX_LEN`].
    #[error("This file is larger than 16 MB, which no revocation list that is read here may be.")]
    TooLarge,
    /// It is none, or damaged.
    #[error("This is not a revocation list, or it is damaged. Bring the CRL as the CA publishes it, in DER or PEM.")]
    Unreadable,
    /// Version 1, or without extensions.
    #[error("This revocation list is of the old version 1. Ask the CA for one of version 2, with a number.")]
    OldVersion,
    /// It does not say when the next one comes.
    #[error(
        "This revocation list does not say until when it holds, so nobody could tell when it is out of date. Ask the CA for one that does."
    )]
    NoNextUpdate,
    /// RFC 5280 §5.2.4.
    #[error("This is a delta list: it tells only what changed since another one. Bring the complete list.")]
    Delta,
    /// RFC 5280 §5.2.5, §5.3.3.
    #[error(
        "This is an indirect list, about certificates of other CAs than the one that signed it. Bring the list that the CA signs for its own."
    )]
    Indirect,
    /// It leaves out reasons or kinds of certificates.
    #[error("This list is about a part of the CA’s certificates only. Bring the list that is about all of them.")]
    Partial,
    /// An extension that must be understood, and is not.
    #[error(
        "This list has an extension that must be understood and is not known here, so what it says would be guessed."
    )]
    UnknownExtension,
    /// Another CA's.
    #[error("This list is not one of {0}: its issuer is another name.")]
    OtherIssuer(String),
    /// The CA's key did not sign it.
    #[error("The signature of this list is not one of {0}: it is damaged, or of another key of the same name.")]
    BadSignature(String),
    /// Key usage leaves cRLSign out (RFC 5280 §4.2.1.3).
    #[error("{0} may not sign revocation lists, by its own key usage.")]
    MayNotSign(String),
    /// It is dated in the future.
    #[error("This list is dated {0}, which is in the future. Look at the clock of this server.")]
    Future(OffsetDateTime),
    /// A newer one is there.
    #[error("A newer list, made on {0}, is already in force. An older one never takes its place.")]
    Older(OffsetDateTime),
}

impl Crl {
    /// The most bytes of a list.
    pub const MAX_LEN: usize = 16 * 1024 * 1024;

    /// How far ahead the clock of a CA may be.
    const AHEAD: Duration = Duration::HOUR;

    /// The list in a file, DER or PEM (`X509 CRL`, RFC 7468 §6).
    ///
    /// # Errors
    /// `TooLarge`, `Unreadable`. Never panics, whatever the bytes.
    pub fn der_in(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CrlError> {
        match bytes {
            _ if bytes.len() > Self::MAX_LEN => Err(CrlError::TooLarge),
            [ber::SEQUENCE, ..] => Ok(Cow::Borrowed(bytes)),
            _ => {
                let text = piece::to_text(bytes);
                let blocks = pem::blocks(&text).map_err(|_| CrlError::Unreadable)?;
                let block = blocks.iter().find(|block| block.label == "X509 CRL").ok_or(CrlError::Unreadable)?;
                Ok(Cow::Owned(block.decode().map_err(|_| CrlError::Unreadable)?.to_vec()))
            }
        }
    }

    /// A list in DER as text (`X509 CRL`, RFC 7468 §6).
    pub fn to_pem(der: &[u8]) -> String {
        pem::encode("X509 CRL", der)
    }

    /// Reads a list in DER. It takes as long as the list is, with memory for its serial numbers; call it where blocking is
    /// allowed.
    ///
    /// # Errors
    /// [`CrlError`] by name. Never panics, whatever the bytes.
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > Self::MAX_LEN {
            return Err(CrlError::TooLarge);
        }
        let head = Head::of(der)?;
        let strict = BorrowedCertRevocationList::from_der(der)?;
        let mut serials = Vec::new();
        for entry in &strict {
            serials.push(significant(entry?.serial_number));
        }
        Ok(Self {
            issuer: head.issuer.whole.into(),
            this_update: head.this_update,
            next_update: head.next_update,
            number: head.number()?.map(Into::into),
            digest: Fingerprint::of(der),
            points: head.points()?,
            serials: Serials::of(serials).ok_or(CrlError::TooLarge)?,
        })
    }

    /// Proves that `ca` issued and signed the list that `der` holds.
    ///
    /// # Errors
    /// `OtherIssuer`, `MayNotSign`, `BadSignature`, `Unreadable`.
    pub fn prove(&self, der: &[u8], ca: &X509) -> Result<(), CrlError> {
        let (_, parsed) = X509Certificate::from_der(&ca.der).map_err(|_| CrlError::Unreadable)?;
        if parsed.subject().as_raw() != &*self.issuer {
            return Err(CrlError::OtherIssuer(ca.subject.clone()));
        }
        if !parsed.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign())) {
            return Err(CrlError::MayNotSign(ca.subject.clone()));
        }
        let signed = Signed::of(der).ok_or(CrlError::Unreadable)?;
        if signed.is_by(parsed.public_key().raw) { Ok(()) } else { Err(CrlError::BadSignature(ca.subject.clone())) }
    }

    /// Proves that the list may take the place of `known` at `now`: an older one would let in again who was revoked.
    ///
    /// # Errors
    /// `Older`, `Future`.
    pub fn follows(&self, known: Option<&Identity>, now: OffsetDateTime) -> Result<(), CrlError> {
        if self.this_update > now + Self::AHEAD {
            return Err(CrlError::Future(self.this_update));
        }
        let Some(known) = known else { return Ok(()) };
        let is_lower = match (&self.number, &known.number) {
            (Some(own), Some(known)) => (own.len(), own) < (known.len(), known),
            _ => false,
        };
        if is_lower || self.this_update < known.this_update { Err(CrlError::Older(known.this_update)) } else { Ok(()) }
    }

    /// What tells it from others of its issuer.
    pub fn identity(&self) -> Identity {
        Identity { this_update: self.this_update, number: self.number.clone(), digest: self.digest }
    }

    /// How many certificates it names.
    pub fn len(&self) -> usize {
        self.serials.starts.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it may still be relied on at `now`.
    pub fn is_current(&self, now: OffsetDateTime) -> bool {
        now < self.next_update
    }

    /// Whether it is about this certificate at all (RFC 5280 §6.3.3 (b)).
    pub(super) fn covers(&self, link: &Link) -> bool {
        *self.issuer == *link.issuer
            && (self.points.is_empty() || self.points.iter().any(|point| link.points.contains(point)))
    }

    /// Whether it names this serial number.
    pub(super) fn names(&self, serial: &[u8]) -> bool {
        self.serials.contains(significant(serial))
    }
}

/// What tells one list of a CA from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// Its number, big end first.
    pub number: Option<Box<[u8]>>,
    /// The digest of its bytes.
    pub digest: Fingerprint,
}

impl From<webpki::Error> for CrlError {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::UnsupportedCrlVersion => Self::OldVersion,
            E::UnsupportedDeltaCrl => Self::Delta,
            E::UnsupportedIndirectCrl => Self::Indirect,
            E::UnsupportedRevocationReasonsPartitioning => Self::Partial,
            E::UnsupportedCriticalExtension => Self::UnknownExtension,
            _ => Self::Unreadable,
        }
    }
}

/// The most extensions of a list.
const MAX_EXTENSIONS: usize = 32;

/// The elements of a list before and after its entries. `webpki` proves the strict form of all of them.
struct Head<'a> {
    issuer: Element<'a>,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
    extensions: Vec<Element<'a>>,
}

impl<'a> Head<'a> {
    fn of(der: &'a [u8]) -> Result<Self, CrlError> {
        let whole = Element::only(der).and_then(|all| all.tagged(ber::SEQUENCE)).ok_or(CrlError::Unreadable)?;
        let (list, _) = Element::split(whole.content).ok_or(CrlError::Unreadable)?;
        let parts = list.tagged(ber::SEQUENCE).and_then(|list| few(list.content, 7)).ok_or(CrlError::Unreadable)?;
        let [first, _, issuer, this_update, rest @ ..] = parts.as_slice() else { return Err(CrlError::Unreadable) };
        match first.tag {
            ber::INTEGER => {}
            ber::SEQUENCE => return Err(CrlError::OldVersion),
            _ => return Err(CrlError::Unreadable),
        }
        let next_update = rest.first().and_then(time).ok_or(CrlError::NoNextUpdate)?;
        let extensions = rest.last().and_then(|last| last.tagged(ber::CONTEXT_0));
        let extensions = extensions.and_then(|tagged| few(Element::only(tagged.content)?.content, MAX_EXTENSIONS));
        Ok(Self {
            issuer: *issuer,
            this_update: time(this_update).ok_or(CrlError::Unreadable)?,
            next_update,
            extensions: extensions.ok_or(CrlError::OldVersion)?,
        })
    }

    fn extension(&self, oid: &[u8]) -> Option<Element<'a>> {
        let is_it = |own: &&Element<'_>| Element::split(own.content).is_some_and(|(own, _)| own.content == oid);
        self.extensions.iter().find(is_it).copied()
    }

    /// Its number (RFC 5280 §5.2.3).
    fn number(&self) -> Result<Option<&'a [u8]>, CrlError> {
        let Some(extension) = self.extension(OID_X509_EXT_CRL_NUMBER.as_bytes()) else { return Ok(None) };
        let value = extension.children().and_then(|parts| Element::only(parts.last()?.content));
        let number = value.and_then(|value| value.tagged(ber::INTEGER)).ok_or(CrlError::Unreadable)?;
        Ok(Some(significant(number.content)))
    }

    /// The addresses of the part of a CA's certificates that it is about (RFC 5280 §5.2.5).
    fn points(&self) -> Result<Vec<String>, CrlError> {
        let Some(extension) = self.extension(OID_X509_EXT_ISSUER_DISTRIBUTION_POINT.as_bytes()) else {
            return Ok(Vec::new());
        };
        let parsed = X509Extension::from_der(extension.whole).map_err(|_| CrlError::Unreadable)?.1;
        let ParsedExtension::IssuingDistributionPoint(scope) = parsed.parsed_extension() else {
            return Err(CrlError::Unreadable);
        };
        if scope.only_contains_user_certs || scope.only_contains_ca_certs || scope.only_contains_attribute_certs {
            return Err(CrlError::Partial);
        }
        match &scope.distribution_point {
            None => Ok(Vec::new()),
            Some(point) => Some(addresses(point)).filter(|points| !points.is_empty()).ok_or(CrlError::Partial),
        }
    }
}

/// The elements in a row, where there are no more than `most`: nothing is signed yet that says so.
fn few(mut rest: &[u8], most: usize) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (element, after) = Element::split(rest).filter(|_| elements.len() < most)?;
        elements.push(element);
        rest = after;
    }
    Some(elements)
}

/// The addresses of a distribution point.
pub(super) fn addresses(point: &DistributionPointName<'_>) -> Vec<String> {
    let DistributionPointName::FullName(names) = point else { return Vec::new() };
    let address = |name: &GeneralName<'_>| match name {
        GeneralName::URI(address) => Some((*address).to_owned()),
        _ => None,
    };
    names.iter().filter_map(address).collect()
}

fn time(element: &Element<'_>) -> Option<OffsetDateTime> {
    ASN1Time::from_der(element.whole).ok().map(|(_, time)| time.to_datetime())
}

/// What is signed in a list, how, and the signature.
struct Signed<'a> {
    data: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn of(der: &'a [u8]) -> Option<Self> {
        let parts = Element::only(der)?.children()?;
        let [data, algorithm, signature] = parts.as_slice() else { return None };
        let [0, signature @ ..] = signature.content else { return None }; // no bits are unused
        Some(Self { data: data.whole, algorithm: algorithm.content, signature })
    }

    /// Whether the key in this SubjectPublicKeyInfo made the signature.
    fn is_by(&self, key: &[u8]) -> bool {
        let parts = Element::only(key).and_then(|key| key.children());
        let Some([kind, bits]) = parts.as_deref() else { return false };
        let [0, key @ ..] = bits.content else { return false };
        let fits = |own: &&&dyn SignatureVerificationAlgorithm| {
            own.signature_alg_id().as_ref() == self.algorithm && own.public_key_alg_id().as_ref() == kind.content
        };
        let mut fitting = webpki::ALL_VERIFICATION_ALGS.iter().filter(fits);
        fitting.any(|own| own.verify_signature(key, self.data, self.signature).is_ok())
    }
}

/// Serial numbers, sorted, in one piece of memory: a list may hold half a million.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Serials {
    bytes: Box<[u8]>,
    starts: Box<[u32]>,
}

impl Serials {
    /// `None` where they are longer in all than any list may be.
    fn of(mut serials: Vec<&[u8]>) -> Option<Self> {
        serials.sort_unstable();
        serials.dedup();
        let mut bytes = Vec::with_capacity(serials.iter().map(|serial| serial.len()).sum());
        let mut starts = Vec::with_capacity(serials.len());
        for serial in serials {
            starts.push(u32::try_from(bytes.len()).ok()?);
            bytes.extend_from_slice(serial);
        }
        Some(Self { bytes: bytes.into(), starts: starts.into() })
    }

    fn at(&self, index: usize) -> &[u8] {
        let end = self.starts.get(index + 1).map_or(self.bytes.len(), |end| *end as usize);
        &self.bytes[self.starts[index] as usize..end]
    }

    fn contains(&self, serial: &[u8]) -> bool {
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle).cmp(serial) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }
}

/// A number without leading zeros: CAs have written them with and without.
fn significant(number: &[u8]) -> &[u8] {
    number.iter().position(|&byte| byte != 0).map_or(&[], |start| &number[start..])
}
