//! Revocation lists of other CAs (RFC 5280 §5), read for one question: is this serial number on it?

mod error;
mod head;
mod scope;

use std::borrow::Cow;

use time::{Duration, OffsetDateTime};
use webpki::BorrowedCertRevocationList;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

pub use self::error::CrlError;
use self::head::{Head, Signed};
use self::scope::Scope;
use super::path::Link;
use crate::certificate::Fingerprint;
use crate::chain::X509;
use crate::intake::{ber, pem, piece};

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
    scope: Scope,
    serials: Serials,
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
        let scope = head.scope()?;
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
            scope,
            serials: Serials::of(serials).ok_or(CrlError::TooLarge)?,
        })
    }

    /// Proves that `ca` issued and signed the list that `der` holds.
    ///
    /// # Errors
    /// `OtherIssuer`, `MayNotSign`, `WeakSignature`, `ShortKey`, `BadSignature`, `Unreadable`.
    pub fn prove(&self, der: &[u8], ca: &X509) -> Result<(), CrlError> {
        let (_, parsed) = X509Certificate::from_der(&ca.der).map_err(|_| CrlError::Unreadable)?;
        if parsed.subject().as_raw() != &*self.issuer {
            return Err(CrlError::OtherIssuer(ca.subject.clone()));
        }
        if !parsed.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign())) {
            return Err(CrlError::MayNotSign(ca.subject.clone()));
        }
        let signed = Signed::of(der).ok_or(CrlError::Unreadable)?;
        match signed.is_by(parsed.public_key().raw) {
            Some(true) => Ok(()),
            Some(false) if is_short(&parsed) => Err(CrlError::ShortKey(ca.subject.clone())),
            Some(false) => Err(CrlError::BadSignature(ca.subject.clone())),
            None => Err(CrlError::WeakSignature(ca.subject.clone())),
        }
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

    /// Whether it is about all certificates of its CA, not only about those that name an address of it or are of one kind.
    pub fn is_whole(&self) -> bool {
        self.scope == Scope::default()
    }

    /// Whether it may still be relied on at `now`.
    pub fn is_current(&self, now: OffsetDateTime) -> bool {
        now < self.next_update
    }

    /// Proves that nobody whom `known` could name gets past the list where it takes that one's place.
    ///
    /// # Errors
    /// `OtherScope`.
    pub fn includes(&self, known: &Self) -> Result<(), CrlError> {
        if self.scope.includes(&known.scope) { Ok(()) } else { Err(CrlError::OtherScope) }
    }

    /// Whether it is by the issuer of this certificate.
    pub(super) fn is_of(&self, link: &Link) -> bool {
        *self.issuer == *link.issuer
    }

    /// Whether it is about this certificate of its issuer, so that it would name it if that were revoked.
    pub(super) fn covers(&self, link: &Link) -> bool {
        self.scope.covers(link)
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

/// Whether the key of a CA is too short for anybody to rely on what it signed.
fn is_short(ca: &X509Certificate<'_>) -> bool {
    matches!(ca.public_key().parsed(), Ok(PublicKey::RSA(key)) if key.key_size() < 2048)
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
