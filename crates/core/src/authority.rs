//! Authorities: CAs that Siteward itself runs, for tests and private networks.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime, UtcOffset};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::certificate::SubjectName;
use crate::chain::X509;
use crate::chain::x509::{matchable, text};
use crate::csr::{country, server_params};
use crate::key::PrivateKey;

/// How long an authority's own certificate lasts: ten years, in days.
pub const AUTHORITY_DAYS: i64 = 3650;

/// How long a certificate issued by an authority lasts, in days.
pub const ISSUED_DAYS: i64 = 90;

/// A certificate could not be issued.
#[derive(Debug, thiserror::Error)]
#[error("The certificate could not be issued: {0}")]
pub struct IssueError(pub String);

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

/// Makes the self-signed certificate of an authority named `name`; DER. Path length 0, random serial, key identifiers.
///
/// # Errors
/// [`IssueError`].
pub fn create(name: &str, key: &PrivateKey, now: OffsetDateTime) -> Result<Vec<u8>, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(random_serial()?);
    params.not_before = start(now);
    params.not_after = params.not_before + Duration::days(AUTHORITY_DAYS);
    Ok(params.self_signed(key.pair())?.der().to_vec())
}

/// Issues a server certificate for what `csr` (DER) asks: its public key, subject and alternative names only; DER.
///
/// The request's own signature is verified first; unknown extensions are dropped. Valid from an hour ago for
/// [`ISSUED_DAYS`], but never longer than the authority.
///
/// # Errors
/// [`IssueError`] where the request can't be read or its signature does not hold.
pub fn sign_csr(csr: &[u8], authority: &[u8], key: &PrivateKey, now: OffsetDateTime) -> Result<Vec<u8>, IssueError> {
    let (mut params, public_key) = read_request(csr)?;
    limit(&mut params, authority, now)?;
    sign(params, &public_key, authority, key.pair())
}

/// Issues a server certificate for `names` and the key `subject_key`; DER. For the console itself.
///
/// # Errors
/// [`IssueError`].
pub fn issue(
    names: &[SubjectName],
    subject_key: &PrivateKey,
    authority: &[u8],
    key: &PrivateKey,
    now: OffsetDateTime,
) -> Result<Vec<u8>, IssueError> {
    let mut params = server_params(names, subject_key.kind().is_rsa())?;
    if let Some(first) = names.iter().map(ToString::to_string).find(|name| name.len() <= 64) {
        params.distinguished_name = named(&first);
    }
    limit(&mut params, authority, now)?;
    sign(params, subject_key.pair(), authority, key.pair())
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// An hour before `now`, for visitors whose clocks are slow.
pub(crate) fn start(now: OffsetDateTime) -> OffsetDateTime {
    (now - Duration::hours(1)).to_offset(UtcOffset::UTC)
}

/// 16 random bytes that read as a positive number of always the same length (RFC 5280 §4.1.2.2).
pub(crate) fn random_serial() -> Result<SerialNumber, IssueError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| IssueError("no random numbers".into()))?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(SerialNumber::from_slice(&serial))
}

/// Sets the dates: [`ISSUED_DAYS`], but within those of the authority.
fn limit(params: &mut CertificateParams, authority: &[u8], now: OffsetDateTime) -> Result<(), IssueError> {
    let authority = X509::parse(authority).map_err(|error| IssueError(error.to_string()))?;
    params.not_before = start(now).max(authority.not_before);
    params.not_after = (params.not_before + Duration::days(ISSUED_DAYS)).min(authority.not_after);
    if params.not_before < params.not_after {
        Ok(())
    } else {
        Err(IssueError(format!("the authority {} has expired", authority.subject)))
    }
}

/// Signs a server certificate as the authority whose certificate is `authority`.
pub(crate) fn sign(
    mut params: CertificateParams,
    public_key: &impl PublicKeyData,
    authority: &[u8],
    key: &KeyPair,
) -> Result<Vec<u8>, IssueError> {
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(random_serial()?);
    let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(authority), key)?;
    Ok(params.signed_by(public_key, &issuer)?.der().to_vec())
}

/// What a request asks for, by hand-picked fields, and its public key.
pub(crate) fn read_request(csr: &[u8]) -> Result<(CertificateParams, SubjectPublicKeyInfo), IssueError> {
    let (rest, request) =
        X509CertificationRequest::from_der(csr).map_err(|_| IssueError("the request can't be read".into()))?;
    if !rest.is_empty() || request.verify_signature().is_err() {
        return Err(IssueError("the request's own signature does not hold".into()));
    }
    let info = &request.certification_request_info;
    let public_key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw)?;
    let is_rsa = info.subject_pki.algorithm.algorithm == oid::OID_PKCS1_RSAENCRYPTION;
    let names = requested_names(&request);
    if names.is_empty() {
        return Err(IssueError("the request names no host".into()));
    }
    let mut params = server_params(&names, is_rsa)?;
    params.distinguished_name = requested_subject(&info.subject)?;
    Ok((params, public_key))
}

/// The alternative names that can be matched, or else the common name.
fn requested_names(request: &X509CertificationRequest<'_>) -> Vec<SubjectName> {
    let mut names = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        if let ParsedExtension::SubjectAlternativeName(alternative) = extension {
            names.extend(alternative.general_names.iter().filter_map(matchable));
        }
    }
    if names.is_empty() {
        let subject = &request.certification_request_info.subject;
        names.extend(subject.iter_common_name().filter_map(text).find_map(|name| SubjectName::parse(&name).ok()));
    }
    names
}

/// One value of each kind that a certificate's subject has, in the request's order.
fn requested_subject(subject: &X509Name<'_>) -> Result<DistinguishedName, rcgen::Error> {
    let mut name = DistinguishedName::new();
    for attribute in subject.iter_attributes() {
        let kind = attribute.attr_type();
        let kinds = [
            (oid::OID_X509_COUNTRY_NAME, DnType::CountryName),
            (oid::OID_X509_STATE_OR_PROVINCE_NAME, DnType::StateOrProvinceName),
            (oid::OID_X509_LOCALITY_NAME, DnType::LocalityName),
            (oid::OID_X509_ORGANIZATION_NAME, DnType::OrganizationName),
            (oid::OID_X509_ORGANIZATIONAL_UNIT, DnType::OrganizationalUnitName),
            (oid::OID_X509_COMMON_NAME, DnType::CommonName),
        ];
        let known = kinds.into_iter().find(|(own, _)| own == kind);
        if let (Some((_, kind)), Some(value)) = (known, text(attribute)) {
            let value = if kind == DnType::CountryName { country(&value)? } else { value.into() };
            name.push(kind, value);
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyKind;
    use crate::subject::{Subject, SubjectAnswers};
    use crate::testing_ca::openssl;
    use rcgen::{CustomExtension, string::Ia5String};
    use time::macros::datetime;

    fn verify_strictly(root: &[u8], leaf: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, der: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, X509::parse(der).unwrap().to_pem()).unwrap();
            path.to_str().unwrap().to_string()
        };
        let (root, leaf) = (write("root.pem", root), write("leaf.pem", leaf));
        let options = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", &root, &leaf];
        let said = String::from_utf8(openssl(&options, b"")).unwrap();
        assert!(said.trim_end().ends_with("OK"), "{said}");
    }

    fn as_openssl_reads_it(der: &[u8]) -> String {
        let options = ["x509", "-noout", "-text", "-nameopt", "sep_comma_plus,utf8", "-inform", "DER"];
        String::from_utf8(openssl(&options, der)).unwrap()
    }

    fn request(key: &PrivateKey) -> Vec<u8> {
        let answers = SubjectAnswers {
            common_name: "shop.example".into(),
            organization: "Bücher AG".into(),
            country: "CH".into(),
            names: "www.shop.example\n192.0.2.7".into(),
            ..Default::default()
        };
        crate::csr::sign(&Subject::parse(&answers).unwrap(), key).unwrap()
    }

    fn make(kind: KeyKind) -> PrivateKey {
        PrivateKey::generate(kind).unwrap()
    }

    #[test]
    fn openssl_accepts_what_an_authority_of_any_key_signs_for_any_key() {
        let now = OffsetDateTime::now_utc();
        let subjects = [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Rsa2048].map(make);
        for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Rsa2048] {
            let key = make(kind);
            let root = create("Bücher Authority", &key, now).unwrap();
            for subject in &subjects {
                let leaf = sign_csr(&request(subject), &root, &key, now).unwrap();
                verify_strictly(&root, &leaf);
                assert_eq!(X509::parse(&leaf).unwrap().key_id, subject.id());
            }
        }
    }

    #[test]
    fn an_authority_may_sign_servers_but_no_further_authorities() {
        let root = create("Test", &make(KeyKind::EcdsaP256), OffsetDateTime::now_utc()).unwrap();
        let text = as_openssl_reads_it(&root);
        assert!(text.contains("CA:TRUE, pathlen:0"), "{text}");
        assert!(text.contains("X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign"), "{text}");
        let parsed = X509::parse(&root).unwrap();
        assert!(parsed.is_self_signed && parsed.is_ca);
        assert_eq!(parsed.subject, "Test");
    }

    #[test]
    fn a_leaf_has_the_subject_and_names_of_the_request_and_server_use_only() {
        let (key, now) = (make(KeyKind::EcdsaP256), OffsetDateTime::now_utc());
        let root = create("Test", &key, now).unwrap();
        let text = as_openssl_reads_it(&sign_csr(&request(&make(KeyKind::Rsa2048)), &root, &key, now).unwrap());
        for expected in [
            "Subject: C=CH,O=Bücher AG,CN=shop.example",
            "DNS:shop.example, DNS:www.shop.example, IP Address:192.0.2.7",
            "Digital Signature, Key Encipherment",
            "TLS Web Server Authentication\n",
            "CA:FALSE",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn no_extension_of_a_request_but_its_names_reaches_the_certificate() {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![
            rcgen::SanType::DnsName("shop.example".try_into().unwrap()),
            rcgen::SanType::Rfc822Name(Ia5String::try_from("me@shop.example").unwrap()),
        ];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
        let (key, now) = (make(KeyKind::EcdsaP256), OffsetDateTime::now_utc());
        let csr = params.serialize_request(make(KeyKind::EcdsaP256).pair()).unwrap();
        let root = create("Test", &key, now).unwrap();
        let leaf = sign_csr(csr.der(), &root, &key, now).unwrap();
        let text = as_openssl_reads_it(&leaf);
        for unwanted in ["1.2.3.4", "Certificate Sign", "CA:TRUE", "me@"] {
            assert!(!text.contains(unwanted), "{unwanted}: {text}");
        }
        verify_strictly(&root, &leaf);
    }

    #[test]
    fn a_request_whose_signature_does_not_hold_is_refused() {
        let (key, now) = (make(KeyKind::EcdsaP256), OffsetDateTime::now_utc());
        let root = create("Test", &key, now).unwrap();
        let good = request(&make(KeyKind::EcdsaP256));
        let mut forged = good.clone();
        let at = forged.windows(4).position(|bytes| bytes == b"shop").unwrap();
        forged[at] = b'S';
        let trailing = [&good[..], b"\0"].concat();
        for csr in [&b""[..], b"garbage", &forged, &trailing, &good[..good.len() - 1]] {
            assert!(sign_csr(csr, &root, &key, now).is_err());
        }
    }

    #[test]
    fn a_certificate_starts_an_hour_ago_and_ends_with_its_authority() {
        let key = make(KeyKind::EcdsaP256);
        let now = datetime!(2026-11-22 12:00 UTC);
        let root = create("Test", &key, now).unwrap();
        let end = X509::parse(&root).unwrap().not_after;
        assert_eq!(end, now - Duration::hours(1) + Duration::days(AUTHORITY_DAYS));
        let names = [SubjectName::parse("localhost").unwrap()];
        let leaf = |now| issue(&names, &key, &root, &key, now).map(|der| X509::parse(&der).unwrap());
        let first = leaf(now).unwrap();
        assert_eq!(first.not_before, now - Duration::hours(1));
        assert_eq!(first.not_after, first.not_before + Duration::days(ISSUED_DAYS));
        assert_eq!(leaf(end - Duration::days(1)).unwrap().not_after, end);
        assert!(leaf(end + Duration::days(1)).is_err());
    }

    #[test]
    fn serial_numbers_are_random_positive_and_16_bytes_long() {
        let serials: std::collections::HashSet<_> = (0..50).map(|_| random_serial().unwrap().to_bytes()).collect();
        assert_eq!(serials.len(), 50);
        assert!(serials.iter().all(|serial| serial.len() == 16 && (0x40..0x80).contains(&serial[0])));
    }
}
