//! What stands in a revocation list before and after its entries, and around all of it.

use time::OffsetDateTime;
use x509_parser::oid_registry::{OID_X509_EXT_CRL_NUMBER, OID_X509_EXT_ISSUER_DISTRIBUTION_POINT};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::scope::Scope;
use super::{CrlError, significant};
use crate::intake::ber::{self, Element};

/// The most extensions of a list.
const MAX_EXTENSIONS: usize = 32;

/// The elements of a list before and after its entries. `webpki` proves the strict form of all of them.
pub(super) struct Head<'a> {
    pub(super) issuer: Element<'a>,
    pub(super) this_update: OffsetDateTime,
    pub(super) next_update: OffsetDateTime,
    extensions: Vec<Element<'a>>,
}

impl<'a> Head<'a> {
    pub(super) fn of(der: &'a [u8]) -> Result<Self, CrlError> {
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

    /// The value of the extension with this identifier.
    fn value(&self, oid: &[u8]) -> Result<Option<&'a [u8]>, CrlError> {
        let is_it = |own: &&Element<'_>| Element::split(own.content).is_some_and(|(own, _)| own.content == oid);
        let Some(extension) = self.extensions.iter().find(is_it) else { return Ok(None) };
        let value = few(extension.content, 3).and_then(|parts| parts.last()?.tagged(ber::OCTET_STRING));
        value.map(|value| Some(value.content)).ok_or(CrlError::Unreadable)
    }

    /// Its number (RFC 5280 §5.2.3).
    pub(super) fn number(&self) -> Result<Option<&'a [u8]>, CrlError> {
        let Some(value) = self.value(OID_X509_EXT_CRL_NUMBER.as_bytes())? else { return Ok(None) };
        let number = Element::only(value).and_then(|value| value.tagged(ber::INTEGER)).ok_or(CrlError::Unreadable)?;
        Ok(Some(significant(number.content)))
    }

    /// Which certificates of its CA it is about.
    pub(super) fn scope(&self) -> Result<Scope, CrlError> {
        match self.value(OID_X509_EXT_ISSUER_DISTRIBUTION_POINT.as_bytes())? {
            Some(point) => Scope::parse(point),
            None => Ok(Scope::default()),
        }
    }
}

/// The elements in a row, where there are no more than `most`: nothing is signed yet that says so.
pub(super) fn few(mut rest: &[u8], most: usize) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (element, after) = Element::split(rest).filter(|_| elements.len() < most)?;
        elements.push(element);
        rest = after;
    }
    Some(elements)
}

fn time(element: &Element<'_>) -> Option<OffsetDateTime> {
    ASN1Time::from_der(element.whole).ok().map(|(_, time)| time.to_datetime())
}

/// What is signed in a list, how, and the signature.
pub(super) struct Signed<'a> {
    data: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn of(der: &'a [u8]) -> Option<Self> {
        let parts = Element::only(der)?.children()?;
        let [data, algorithm, signature] = parts.as_slice() else { return None };
        let [0, signature @ ..] = signature.content else { return None }; // no bits are unused
        Some(Self { data: data.whole, algorithm: algorithm.content, signature })
    }

    /// Whether the key in this SubjectPublicKeyInfo made the signature; `None` where nothing is known that could tell, as
    /// with digests that are no longer safe.
    pub(super) fn is_by(&self, key: &[u8]) -> Option<bool> {
        let known = || webpki::ALL_VERIFICATION_ALGS.iter().filter(|own| *own.signature_alg_id() == *self.algorithm);
        known().next()?;
        let parts = Element::only(key).and_then(|key| key.children());
        let Some([kind, bits]) = parts.as_deref() else { return Some(false) };
        let [0, key @ ..] = bits.content else { return Some(false) };
        let mut fitting = known().filter(|own| *own.public_key_alg_id() == *kind.content);
        Some(fitting.any(|own| own.verify_signature(key, self.data, self.signature).is_ok()))
    }
}
