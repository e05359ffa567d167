//! Authorities: CAs that Siteward itself runs, for tests and private networks.

mod constraints;
mod crl;
mod request;
mod sign;
#[cfg(test)]
mod tests;

use std::fmt;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use self::constraints::{Constraints, Subtree, SubtreeError};
pub use self::crl::{CRL_DAYS, Reason, Revoked, revocation_list};
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::request::read_request;
pub use self::request::{Requested, is_mail};
pub use self::sign::{IssueError, Order, Purpose, Signer, serial_of};
pub(crate) use self::sign::{random_serial, sign, start};
use crate::certificate::{Fingerprint, SubjectName};
use crate::chain::x509::text;
use crate::csr::country;
use crate::document::DocumentKind;
use crate::host::HostName;
use crate::key::PrivateKey;

/// How long an authority's own certificate lasts unless somebody chooses otherwise: ten years, in days.
pub const AUTHORITY_DAYS: i64 = 3650;

/// The longest an authority's own certificate may last: thirty years, in days.
pub const MAX_AUTHORITY_DAYS: i64 = 10_957;

/// How long a certificate issued by an authority lasts unless somebody chooses otherwise, in days.
pub const ISSUED_DAYS: i64 = 90;

/// What an authority's own certificate says, but for its key and issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Common name, at most 64 characters.
    pub common_name: String,
    /// Organization, at most 64 characters.
    pub organization: Option<String>,
    /// Country/region: two capital letters of ISO 3166-1.
    pub country: Option<String>,
    /// How many authorities may follow one another below it; `None` for any number (RFC 5280 §4.2.1.9).
    pub path_length: Option<u8>,
    /// The names it may sign for.
    pub constraints: Constraints,
    /// How long it lasts, in days, within the life of who signs it.
    pub days: i64,
}

impl Draft {
    /// A root that signs no further authorities, for [`AUTHORITY_DAYS`].
    pub fn root(common_name: &str) -> Self {
        Self {
            common_name: common_name.into(),
            organization: None,
            country: None,
            path_length: Some(0),
            constraints: Constraints::default(),
            days: AUTHORITY_DAYS,
        }
    }

    /// What an authority's certificate (DER) says.
    ///
    /// # Errors
    /// [`IssueError`] where it can't be read.
    pub fn of(certificate: &[u8]) -> Result<Self, IssueError> {
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| IssueError::unreadable())?;
        let subject = certificate.subject();
        let validity = certificate.validity();
        let basic = certificate.basic_constraints().ok().flatten();
        Ok(Self {
            common_name: subject.iter_common_name().find_map(text).unwrap_or_default(),
            organization: subject.iter_organization().find_map(text),
            country: subject.iter_country().find_map(text),
            path_length: basic.and_then(|basic| basic.value.path_len_constraint).and_then(|n| u8::try_from(n).ok()),
            constraints: Constraints::of(&certificate),
            days: (validity.not_after.timestamp() - validity.not_before.timestamp()) / (24 * 60 * 60),
        })
    }
}

/// Makes the certificate of an authority with the key `key`; DER. Without `signer` it signs itself.
///
/// # Errors
/// [`IssueError`].
pub fn create(
    draft: &Draft,
    key: &PrivateKey,
    signer: Option<&Signer<'_>>,
    now: OffsetDateTime,
) -> Result<Vec<u8>, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&draft.common_name, draft.organization.as_deref(), draft.country.as_deref())?;
    params.is_ca = IsCa::Ca(match draft.path_length {
        Some(length) => BasicConstraints::Constrained(length),
        None => BasicConstraints::Unconstrained,
    });
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = draft.constraints.extension();
    if let Some(signer) = signer {
        signer.limit(&mut params, draft.days, now)?;
        signer.point(&mut params);
        return sign(params, key.pair(), &signer.issuer()?);
    }
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(random_serial()?);
    params.not_before = start(now);
    params.not_after = params.not_before + Duration::days(draft.days);
    Ok(params.self_signed(key.pair())?.der().to_vec())
}

/// From the country down to the common name, as CAs write it.
pub(super) fn named(
    common_name: &str,
    organization: Option<&str>,
    code: Option<&str>,
) -> Result<DistinguishedName, IssueError> {
    let mut name = DistinguishedName::new();
    if let Some(code) = code {
        name.push(DnType::CountryName, country(code)?);
    }
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    Ok(name)
}

/// The name that the authorities of `chain` (DER, in any order) may not sign for, and the authority that forbids it.
pub fn forbidden<'a>(chain: &[Vec<u8>], names: &'a [SubjectName]) -> Option<(&'a SubjectName, String)> {
    for authority in chain.iter().filter_map(|der| Draft::of(der).ok()) {
        if let Some(name) = names.iter().find(|name| !authority.constraints.allow(name)) {
            return Some((name, authority.common_name));
        }
    }
    None
}

/// The host, and port unless it is 80, at which Siteward's http is reached by whoever checks certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// An address can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Enter a host name or IP address, with a colon and the port unless it is 80, such as pki.shop.example:8080.")]
pub struct AddressError;

impl Address {
    /// Reads an address as typed or stored; an empty text is none. `http://` before it and a slash after it are dropped.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Option<Self>, AddressError> {
        let text = text.trim();
        let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>() {
            return Ok(Some(Self(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() })));
        }
        let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(ip) => format!("[{}]", ip.parse::<std::net::Ipv6Addr>().map_err(|_| AddressError)?),
            None => match host.parse::<std::net::Ipv4Addr>() {
                Ok(ip) => ip.to_string(),
                Err(_) => HostName::parse(host).map_err(|_| AddressError)?.to_string(),
            },
        };
        let port = port.map(str::parse::<std::num::NonZeroU16>).transpose().map_err(|_| AddressError)?;
        Ok(Some(match port.map(std::num::NonZeroU16::get) {
            None | Some(80) => Self(host),
            Some(port) => Self(format!("{host}:{port}")),
        }))
    }

    /// The address of a document of the key with this id.
    pub fn url(&self, kind: DocumentKind, key_id: Fingerprint) -> String {
        format!("http://{}{}", self.0, kind.path(key_id))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
