//! What is known of an installed certificate without its key.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::host::{HostName, HostPattern};

/// The row id of a certificate. A certificate's content never changes, so its id also names its generation.
pub type CertificateId = i64;

/// A SHA-256, shown in groups of four hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The SHA-256 of `bytes`: of a leaf's DER for a certificate, of the SubjectPublicKeyInfo for a key.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let mut value = [0; 32];
        value.copy_from_slice(digest.as_ref());
        Self(value)
    }

    /// `9F3A 8BC1 … 04D7`: the first eight and the last four digits.
    pub fn short(&self) -> String {
        let b = &self.0;
        format!("{:02X}{:02X} {:02X}{:02X} … {:02X}{:02X}", b[0], b[1], b[2], b[3], b[30], b[31])
    }
}

/// All 64 digits in groups of four.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pair) in self.0.chunks(2).enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{:02X}{:02X}", pair[0], pair[1])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// One subject alternative name that Siteward can match (RFC 5280 §4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum SubjectName {
    /// A DNS name, exact or with one leading wildcard label; never [`HostPattern::Any`].
    Dns(HostPattern),
    /// An IP address.
    Ip(IpAddr),
}

impl SubjectName {
    /// Reads one alternative name as typed: an IP address, a host name, or a wildcard.
    ///
    /// # Errors
    /// As [`HostPattern::parse`]; an empty text is [`crate::host::HostNameError::Empty`].
    pub fn parse(text: &str) -> Result<Self, crate::host::HostNameError> {
        let text = text.trim();
        if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        match HostPattern::parse(text)? {
            HostPattern::Any => Err(crate::host::HostNameError::Empty),
            pattern => Ok(Self::Dns(pattern)),
        }
    }

    /// As people write it (U-labels).
    pub fn unicode(&self) -> String {
        match self {
            Self::Dns(pattern) => pattern.unicode(),
            Self::Ip(ip) => ip.to_string(),
        }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(pattern) => pattern.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

impl From<SubjectName> for String {
    fn from(name: SubjectName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for SubjectName {
    type Error = crate::host::HostNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// The facts of an installed certificate's leaf that serving and pages need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Row id.
    pub id: CertificateId,
    /// SHA-256 of the leaf.
    pub fingerprint: Fingerprint,
    /// The subject's common name, or its first alternative name.
    pub subject: String,
    /// The issuer's common name, or its organization.
    pub issuer: String,
    /// The names it covers.
    pub names: Vec<SubjectName>,
    /// Valid from, inclusive.
    pub not_before: OffsetDateTime,
    /// Valid until, inclusive.
    pub not_after: OffsetDateTime,
}

impl CertificateFacts {
    /// Whether `now` lies within its dates (RFC 5280 §4.1.2.5, both ends inclusive).
    pub fn valid_at(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// `shop.example, by Meridian TLS CA 4, until 2026-12-24`: for the ledger.
    pub fn in_words(&self) -> String {
        format!("{}, by {}, until {}", self.subject, self.issuer, self.not_after.date())
    }

    /// Whether a client that asked for `host` accepts it by name (RFC 9525 §6).
    pub fn covers(&self, host: &HostName) -> bool {
        self.names.iter().any(|name| matches!(name, SubjectName::Dns(pattern) if pattern.covers(host)))
    }

    /// Whether it covers every host name that `pattern` covers. A binding without host name is covered by anything.
    pub fn covers_pattern(&self, pattern: &HostPattern) -> bool {
        match pattern {
            HostPattern::Any => true,
            HostPattern::Exact(host) => self.covers(host),
            wildcard => self.names.iter().any(|name| matches!(name, SubjectName::Dns(own) if own == wildcard)),
        }
    }

    /// The DNS names without a star.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.names.iter().filter_map(|name| match name {
            SubjectName::Dns(HostPattern::Exact(host)) => Some(host),
            _ => None,
        })
    }
}
