//! Which certificates of its CA a revocation list is about.

use super::CrlError;
use super::head::few;
use crate::intake::ber::{self, Element};
use crate::trust_list::path::Link;

/// Fields of an issuing distribution point by their tags (RFC 5280 §5.2.5).
const POINT: u8 = ber::CONTEXT_0;
const ONLY_USERS: u8 = 0x81;
const ONLY_CAS: u8 = 0x82;
const SOME_REASONS: u8 = 0x83;
const INDIRECT: u8 = 0x84;
const ONLY_ATTRIBUTES: u8 = 0x85;

/// `fullName` of a distribution point, and a URI among its names.
const FULL_NAME: u8 = ber::CONTEXT_0;
const URI: u8 = 0x86;

/// The most names of a point.
const MAX_NAMES: usize = 32;

/// Which certificates of its CA a list is about; all of them by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Scope {
    /// A certificate must name one of these addresses too; any will do where there are none.
    points: Vec<String>,
    only: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of persons, devices and servers.
    Users,
    Cas,
}

impl Scope {
    /// What an issuing distribution point says.
    pub(super) fn parse(extension: &[u8]) -> Result<Self, CrlError> {
        let fields = Element::only(extension).and_then(|all| few(all.tagged(ber::SEQUENCE)?.content, 6));
        let mut scope = Self::default();
        for field in fields.ok_or(CrlError::Unreadable)? {
            match (field.tag, field.content) {
                (POINT, point) => scope.points = addresses(point)?,
                (SOME_REASONS, _) => return Err(CrlError::SomeReasons),
                (ONLY_USERS | ONLY_CAS | INDIRECT | ONLY_ATTRIBUTES, [0]) => {} // as where it is left out
                (ONLY_USERS, [0xff]) => scope.limit(Kind::Users)?,
                (ONLY_CAS, [0xff]) => scope.limit(Kind::Cas)?,
                (INDIRECT, [0xff]) => return Err(CrlError::Indirect),
                (ONLY_ATTRIBUTES, [0xff]) => return Err(CrlError::Attributes),
                _ => return Err(CrlError::Unreadable),
            }
        }
        if scope.points.is_empty() { Err(CrlError::NoAddress) } else { Ok(scope) }
    }

    /// No list is about certificates that are both.
    fn limit(&mut self, kind: Kind) -> Result<(), CrlError> {
        if self.only.replace(kind).is_some() { Err(CrlError::Unreadable) } else { Ok(()) }
    }

    /// Whether it is about this certificate (RFC 5280 §6.3.3 (b) (2)).
    pub(super) fn covers(&self, link: &Link) -> bool {
        let is_kind = self.only.is_none_or(|kind| (kind == Kind::Cas) == link.is_ca);
        is_kind && (self.points.is_empty() || self.points.iter().any(|point| link.points.contains(point)))
    }

    /// Whether it is about everything that `other` is about.
    pub(super) fn includes(&self, other: &Self) -> bool {
        let has_points = self.points.is_empty()
            || !other.points.is_empty() && other.points.iter().all(|point| self.points.contains(point));
        has_points && (self.only.is_none() || self.only == other.only)
    }
}

/// The addresses of a distribution point. A name that is relative to the CA's has none.
fn addresses(point: &[u8]) -> Result<Vec<String>, CrlError> {
    let name = Element::only(point).ok_or(CrlError::Unreadable)?;
    let Some(name) = name.tagged(FULL_NAME) else { return Err(CrlError::NoAddress) };
    let names = few(name.content, MAX_NAMES).ok_or(CrlError::Unreadable)?.into_iter();
    let addresses = names.filter_map(|name| name.tagged(URI)).map(|name| String::from_utf8(name.content.to_vec()));
    addresses.collect::<Result<_, _>>().map_err(|_| CrlError::Unreadable)
}
