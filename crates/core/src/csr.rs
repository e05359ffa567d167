//! PKCS#10 certificate requests (RFC 2986).

use rcgen::string::PrintableString;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, Error, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType,
};

use crate::certificate::SubjectName;
use crate::intake::pem;
use crate::key::PrivateKey;
use crate::subject::Subject;

/// The two armours a request can be saved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Armour {
    /// `BEGIN CERTIFICATE REQUEST` (RFC 7468 §7).
    Standard,
    /// `BEGIN NEW CERTIFICATE REQUEST`, as IIS writes it.
    New,
}

/// A signed request could not be made.
#[derive(Debug, thiserror::Error)]
#[error("The certificate request could not be made: {0}")]
pub struct CsrError(pub String);

/// Why a text holds no request to sign. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No request in it.
    #[error("There is no request in this. Paste all from BEGIN CERTIFICATE REQUEST to END CERTIFICATE REQUEST.")]
    None,
    /// More than one.
    #[error("There are several requests in this. Sign one at a time.")]
    Several,
    /// A private key.
    #[error("There is a private key in this. Leave it out: whoever made the request keeps it.")]
    PrivateKey,
    /// Over 64 KiB, or with a line missing.
    #[error("This request is damaged or not complete. Copy it again.")]
    Damaged,
}

/// The one request in a text, in either armour with anything around it; DER.
///
/// # Errors
/// [`TextError`].
pub fn in_text(text: &str) -> Result<Vec<u8>, TextError> {
    const MAX_LEN: usize = 64 * 1024;
    if text.len() > MAX_LEN {
        return Err(TextError::Damaged);
    }
    let blocks = pem::blocks(text).map_err(|_| TextError::Damaged)?;
    if blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) {
        return Err(TextError::PrivateKey);
    }
    let mut requests = blocks.iter().filter(|block| block.label.ends_with("CERTIFICATE REQUEST"));
    let request = requests.next().ok_or(TextError::None)?;
    if requests.next().is_some() {
        return Err(TextError::Several);
    }
    Ok(request.decode().map_err(|_| TextError::Damaged)?.to_vec())
}

/// Signs a request for `subject` with `key`; DER. Asks for the alternative names, key usage and serverAuth.
///
/// # Errors
/// [`CsrError`] where the library refuses a value.
pub fn sign(subject: &Subject, key: &PrivateKey) -> Result<Vec<u8>, CsrError> {
    let refused = |error: Error| CsrError(error.to_string());
    let mut params = server_params(&subject.names, key.kind().is_rsa()).map_err(refused)?;
    params.distinguished_name = distinguished_name(subject).map_err(refused)?;
    let request = params.serialize_request(key.pair()).map_err(refused)?;
    Ok(request.der().to_vec())
}

/// The request as text.
pub fn to_pem(der: &[u8], armour: Armour) -> String {
    match armour {
        Armour::Standard => pem::encode("CERTIFICATE REQUEST", der),
        Armour::New => pem::encode("NEW CERTIFICATE REQUEST", der),
    }
}

/// What every server certificate says or asks for: names, key usage, serverAuth; no subject yet.
pub(crate) fn server_params(names: &[SubjectName], is_rsa: bool) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = names.iter().map(alternative_name).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if is_rsa {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment); // for TLS 1.2 clients with RSA key exchange
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

pub(crate) fn alternative_name(name: &SubjectName) -> Result<SanType, Error> {
    match name {
        SubjectName::Dns(pattern) => Ok(SanType::DnsName(pattern.to_string().try_into()?)),
        SubjectName::Ip(ip) => Ok(SanType::IpAddress(*ip)),
    }
}

/// The country, which is a PrintableString (X.520 §6.3.1).
pub(crate) fn country(code: &str) -> Result<DnValue, Error> {
    Ok(DnValue::PrintableString(PrintableString::try_from(code)?))
}

/// From the country down to the common name, as CAs write it.
fn distinguished_name(subject: &Subject) -> Result<DistinguishedName, Error> {
    let mut name = DistinguishedName::new();
    if let Some(code) = &subject.country {
        name.push(DnType::CountryName, country(code)?);
    }
    for (kind, value) in [
        (DnType::StateOrProvinceName, &subject.state),
        (DnType::LocalityName, &subject.locality),
        (DnType::OrganizationName, &subject.organization),
        (DnType::OrganizationalUnitName, &subject.organizational_unit),
    ] {
        if let Some(value) = value {
            name.push(kind, value);
        }
    }
    name.push(DnType::CommonName, &subject.common_name);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyKind;
    use crate::subject::SubjectAnswers;
    use crate::testing_ca::openssl;

    fn subject() -> Subject {
        let answers = SubjectAnswers {
            common_name: "bücher.example".into(),
            organization: "Bücher & Söhne, \"Zürich\" <b>".into(),
            organizational_unit: "Web team".into(),
            locality: "Zürich".into(),
            state: "ZH".into(),
            country: "CH".into(),
            names: "*.bücher.example\n192.0.2.7\n2001:db8::1".into(),
        };
        Subject::parse(&answers).unwrap()
    }

    fn as_openssl_reads_it(der: &[u8]) -> String {
        let options = ["req", "-verify", "-noout", "-text", "-nameopt", "sep_comma_plus,utf8", "-inform", "DER"];
        String::from_utf8(openssl(&options, der)).unwrap()
    }

    #[test]
    fn openssl_verifies_the_request_of_every_kind_of_key() {
        for kind in KeyKind::ALL {
            let key = PrivateKey::generate(kind).unwrap();
            let text = as_openssl_reads_it(&sign(&subject(), &key).unwrap());
            let order = "C=CH,ST=ZH,L=Zürich,O=Bücher & Söhne, \"Zürich\" <b>,OU=Web team,CN=xn--bcher-kva.example";
            assert!(text.contains(order), "{kind:?}: {text}");
            assert!(
                text.contains("DNS:xn--bcher-kva.example, DNS:*.xn--bcher-kva.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1"),
                "{kind:?}: {text}"
            );
            assert!(text.contains("TLS Web Server Authentication"), "{kind:?}: {text}");
            assert_eq!(text.contains("Key Encipherment"), kind.is_rsa(), "{kind:?}: {text}");
        }
    }

    #[test]
    fn the_country_is_a_printable_string_and_the_rest_is_utf_8() {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let csr = sign(&subject(), &key).unwrap();
        let text = String::from_utf8(openssl(&["asn1parse", "-inform", "DER"], &csr)).unwrap();
        assert!(text.contains("PRINTABLESTRING   :CH"), "{text}");
        assert_eq!(text.matches("PRINTABLESTRING").count(), 1, "{text}");
        assert!(text.contains("UTF8STRING        :Web team"), "{text}");
    }

    #[test]
    fn one_request_is_taken_out_of_a_text_and_nothing_else() {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let csr = sign(&subject(), &key).unwrap();
        let pem = to_pem(&csr, Armour::New);
        assert_eq!(in_text(&format!("Dear CA,\r\n{}Bye", pem.replace('\n', "\r\n"))), Ok(csr));
        assert_eq!(in_text("nothing"), Err(TextError::None));
        assert_eq!(in_text(&pem::encode("CERTIFICATE", b"x")), Err(TextError::None));
        assert_eq!(in_text(&pem.repeat(2)), Err(TextError::Several));
        assert_eq!(in_text(&(pem.clone() + &pem::encode("PRIVATE KEY", b"x"))), Err(TextError::PrivateKey));
        assert_eq!(in_text(&pem[..pem.len() - 40]), Err(TextError::Damaged));
        assert_eq!(in_text(&"x".repeat(70_000)), Err(TextError::Damaged));
    }

    #[test]
    fn both_armours_are_read_by_openssl_and_have_64_columns() {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let csr = sign(&subject(), &key).unwrap();
        for (armour, label) in [(Armour::Standard, "CERTIFICATE REQUEST"), (Armour::New, "NEW CERTIFICATE REQUEST")] {
            let pem = to_pem(&csr, armour);
            assert!(pem.starts_with(&format!("-----BEGIN {label}-----\n")), "{pem}");
            assert!(pem.ends_with(&format!("-----END {label}-----\n")), "{pem}");
            assert!(pem.lines().all(|line| line.len() <= 64), "{pem}");
            assert_eq!(openssl(&["req", "-verify", "-outform", "DER"], pem.as_bytes()), csr);
        }
    }
}
