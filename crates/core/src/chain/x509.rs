//! One certificate as read.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use time::OffsetDateTime;
use x509_parser::asn1_rs::{BmpString, Tag};
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name};

use crate::certificate::{CertificateFacts, CertificateId, Fingerprint, SubjectName};
use crate::host::HostPattern;
use crate::intake::{IntakeError, pem};

/// One certificate as read (RFC 5280): its DER and the facts taken from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509 {
    /// The whole certificate.
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    pub fingerprint: Fingerprint,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_id: Fingerprint,
    /// SHA-256 of its whole subject as encoded.
    pub subject_id: Fingerprint,
    /// The same of its whole issuer.
    pub issuer_id: Fingerprint,
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

impl X509 {
    /// The most bytes one certificate may have. Browsers stop near this size.
    pub const MAX_LEN: usize = 64 * 1024;

    /// Reads one DER certificate. Nothing may follow it, and it must be of version 3.
    ///
    /// # Errors
    /// `CertificateTooLarge`, `Damaged`, `ExtensionTwice`, `OldVersion`, `ControlInName`.
    pub fn parse(der: &[u8]) -> Result<Self, IntakeError> {
        if der.len() > Self::MAX_LEN {
            return Err(IntakeError::CertificateTooLarge);
        }
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| IntakeError::Damaged)?;
        if !rest.is_empty() {
            return Err(IntakeError::Damaged);
        }
        if certificate.extensions_map().is_err() {
            return Err(IntakeError::ExtensionTwice);
        }
        if certificate.version() != X509Version::V3 {
            return Err(IntakeError::OldVersion);
        }
        let names = alternative_names(&certificate)?;
        let first_name = names.first().map(SubjectName::to_string);
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let own_key = certificate.public_key();
        Ok(Self {
            fingerprint: Fingerprint::of(der),
            key_id: Fingerprint::of(own_key.raw),
            subject_id: Fingerprint::of(subject.as_raw()),
            issuer_id: Fingerprint::of(issuer.as_raw()),
            subject: common_name(subject).or(first_name).unwrap_or_else(|| shown(&subject.to_string())),
            issuer: named(issuer),
            key_label: key_label(own_key),
            serial: certificate.raw_serial_as_string(),
            names,
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
            is_ca: certificate.is_ca(),
            is_self_signed: subject.as_raw() == issuer.as_raw() && is_signed_by(&certificate, own_key),
            der: der.to_vec(),
        })
    }

    /// Its facts under the row id it is installed as.
    pub fn facts(&self, id: CertificateId) -> CertificateFacts {
        CertificateFacts {
            id,
            fingerprint: self.fingerprint,
            subject: self.subject.clone(),
            issuer: self.issuer.clone(),
            names: self.names.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }

    /// As text between BEGIN and END (RFC 7468 §5).
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }
}

/// The alternative names that can be matched. A control character in one has fooled clients before, so it is refused.
fn alternative_names(certificate: &X509Certificate<'_>) -> Result<Vec<SubjectName>, IntakeError> {
    let extension = certificate.subject_alternative_name().map_err(|_| IntakeError::Damaged)?;
    let mut names = Vec::new();
    for name in extension.iter().flat_map(|extension| &extension.value.general_names) {
        if matches!(name, GeneralName::DNSName(name) if name.chars().any(char::is_control)) {
            return Err(IntakeError::ControlInName);
        }
        names.extend(matchable(name));
    }
    Ok(names)
}

/// A DNS or IP name in the form that host names are matched in.
pub(crate) fn matchable(name: &GeneralName<'_>) -> Option<SubjectName> {
    match name {
        GeneralName::DNSName("") => None, // it would read as the pattern for any host
        GeneralName::DNSName(name) => HostPattern::parse(name).ok().map(SubjectName::Dns),
        GeneralName::IPAddress(bytes) => ip(bytes).map(SubjectName::Ip),
        _ => None,
    }
}

fn ip(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(Into::into);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(Into::into);
    v4().or_else(v6)
}

/// What the subject of a certificate is called; it may be of any version.
pub(crate) fn name_of(der: &[u8]) -> Option<String> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| named(certificate.subject()))
}

/// The common name, or the organization, or all of it.
pub(crate) fn named(name: &X509Name<'_>) -> String {
    common_name(name).or_else(|| name.iter_organization().find_map(text)).unwrap_or_else(|| shown(&name.to_string()))
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().find_map(text)
}

/// The value of an attribute in whatever string type it came, unless it is blank.
pub(crate) fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    let text = match value.tag() {
        Tag::BmpString => BmpString::try_from(value.clone()).ok()?.string(),
        Tag::T61String => value.data.iter().copied().map(char::from).collect(),
        _ => attribute.as_str().ok()?.to_string(),
    };
    Some(shown(&text)).filter(|text| !text.trim().is_empty())
}

/// At most 200 characters, none of them a control character: a CA may write anything.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn key_label(key: &SubjectPublicKeyInfo<'_>) -> String {
    if let Ok(PublicKey::RSA(rsa)) = key.parsed() {
        let modulus = rsa.modulus.iter().position(|&byte| byte != 0).map_or(&[][..], |start| &rsa.modulus[start..]);
        let spare = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        return format!("RSA {}", modulus.len() * 8 - spare);
    }
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match curve {
        Some(curve) if curve == oid::OID_EC_P256 => "ECDSA P-256".into(),
        Some(curve) if curve == oid::OID_NIST_EC_P384 => "ECDSA P-384".into(),
        Some(curve) if curve == oid::OID_NIST_EC_P521 => "ECDSA P-521".into(),
        _ if key.algorithm.algorithm == oid::OID_SIG_ED25519 => "Ed25519".into(),
        _ => key.algorithm.algorithm.to_id_string(),
    }
}

/// The subject key identifier (RFC 5280 §4.2.1.2).
pub(super) fn subject_key<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })
}

/// The identifier of the issuer's key (RFC 5280 §4.2.1.1).
pub(super) fn authority_key<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    })
}

/// Whether `key` made the signature of `certificate`.
pub(super) fn is_signed_by(certificate: &X509Certificate<'_>, key: &SubjectPublicKeyInfo<'_>) -> bool {
    match certificate.verify_signature(Some(key)) {
        Ok(()) => true,
        Err(X509Error::SignatureUnsupportedAlgorithm) => ecdsa(certificate, key).is_some_and(|algorithm| {
            let key = UnparsedPublicKey::new(algorithm, &key.subject_public_key.data);
            key.verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).is_ok()
        }),
        Err(_) => false,
    }
}

/// The pairs of curve and hash that CAs use and the parser does not know.
fn ecdsa(
    certificate: &X509Certificate<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let hash = &certificate.signature_algorithm.algorithm;
    let sha = |own| *hash == own;
    if curve == oid::OID_EC_P256 && sha(oid::OID_SIG_ECDSA_WITH_SHA512) {
        Some(&signature::ECDSA_P256_SHA512_ASN1)
    } else if curve == oid::OID_NIST_EC_P384 && sha(oid::OID_SIG_ECDSA_WITH_SHA512) {
        Some(&signature::ECDSA_P384_SHA512_ASN1)
    } else if curve == oid::OID_NIST_EC_P521 && sha(oid::OID_SIG_ECDSA_WITH_SHA256) {
        Some(&signature::ECDSA_P521_SHA256_ASN1)
    } else if curve == oid::OID_NIST_EC_P521 && sha(oid::OID_SIG_ECDSA_WITH_SHA384) {
        Some(&signature::ECDSA_P521_SHA384_ASN1)
    } else if curve == oid::OID_NIST_EC_P521 && sha(oid::OID_SIG_ECDSA_WITH_SHA512) {
        Some(&signature::ECDSA_P521_SHA512_ASN1)
    } else {
        None
    }
}
