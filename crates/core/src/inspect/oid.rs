//! What object identifiers are called.

use x509_parser::asn1_rs::Oid;

/// Its name with the number behind it, or the number alone.
pub(crate) fn named(oid: &Oid<'_>) -> String {
    let number = oid.to_id_string();
    match known(&number) {
        Some(name) => format!("{name} ({number})"),
        None => number,
    }
}

/// Its name, or the number.
pub(super) fn short(oid: &Oid<'_>) -> String {
    let number = oid.to_id_string();
    known(&number).map_or(number, String::from)
}

fn known(number: &str) -> Option<&'static str> {
    subject(number).or_else(|| extension(number)).or_else(|| attribute(number)).or_else(|| purpose(number))
}

/// Attributes of a subject, in the words of the request wizard.
fn subject(number: &str) -> Option<&'static str> {
    Some(match number {
        "2.5.4.3" => "Common name",
        "2.5.4.4" => "Surname",
        "2.5.4.5" => "Serial number of the subject",
        "2.5.4.6" => "Country/region",
        "2.5.4.7" => "City/locality",
        "2.5.4.8" => "State/province",
        "2.5.4.9" => "Street",
        "2.5.4.10" => "Organization",
        "2.5.4.11" => "Organizational unit",
        "2.5.4.12" => "Title",
        "2.5.4.13" => "Description",
        "2.5.4.15" => "Business category",
        "2.5.4.17" => "Postal code",
        "2.5.4.42" => "Given name",
        "2.5.4.97" => "Organization identifier",
        "0.9.2342.19200300.100.1.1" => "User ID",
        "0.9.2342.19200300.100.1.25" => "Domain component",
        "1.2.840.113549.1.9.1" => "Email address",
        "1.3.6.1.4.1.311.60.2.1.1" => "City/locality of incorporation",
        "1.3.6.1.4.1.311.60.2.1.2" => "State/province of incorporation",
        "1.3.6.1.4.1.311.60.2.1.3" => "Country/region of incorporation",
        _ => return None,
    })
}

/// Extensions (RFC 5280 §4.2 and others).
fn extension(number: &str) -> Option<&'static str> {
    Some(match number {
        "2.5.29.14" => "Subject key identifier",
        "2.5.29.15" => "Key usage",
        "2.5.29.17" => "Subject alternative name",
        "2.5.29.18" => "Issuer alternative name",
        "2.5.29.19" => "Basic constraints",
        "2.5.29.30" => "Name constraints",
        "2.5.29.31" => "CRL distribution points",
        "2.5.29.32" => "Certificate policies",
        "2.5.29.33" => "Policy mappings",
        "2.5.29.35" => "Authority key identifier",
        "2.5.29.36" => "Policy constraints",
        "2.5.29.37" => "Extended key usage",
        "2.5.29.54" => "Inhibit any policy",
        "1.3.6.1.5.5.7.1.1" => "Authority information access",
        "1.3.6.1.5.5.7.1.3" => "Qualified certificate statements",
        "1.3.6.1.5.5.7.1.24" => "TLS feature",
        "1.3.6.1.4.1.11129.2.4.2" => "Signed certificate timestamps",
        "1.3.6.1.4.1.11129.2.4.3" => "Precertificate poison",
        "2.16.840.1.113730.1.1" => "Netscape certificate type",
        "2.16.840.1.113730.1.13" => "Netscape comment",
        "1.2.840.113549.1.9.15" => "S/MIME capabilities",
        "1.3.6.1.4.1.311.20.2" => "Microsoft certificate template",
        "1.3.6.1.4.1.311.21.1" => "Microsoft CA version",
        "1.3.6.1.4.1.311.21.7" => "Microsoft certificate template information",
        "1.3.6.1.4.1.311.21.10" => "Microsoft application policies",
        _ => return None,
    })
}

/// Attributes of a request.
fn attribute(number: &str) -> Option<&'static str> {
    Some(match number {
        "1.2.840.113549.1.9.2" => "Unstructured name",
        "1.2.840.113549.1.9.7" => "Challenge password",
        "1.2.840.113549.1.9.8" => "Unstructured address",
        "1.2.840.113549.1.9.14" => "Extension request",
        "1.3.6.1.4.1.311.2.1.14" => "Microsoft certificate extensions",
        "1.3.6.1.4.1.311.13.1" => "Microsoft renewal certificate",
        "1.3.6.1.4.1.311.13.2.1" => "Microsoft enrolment name and value",
        "1.3.6.1.4.1.311.13.2.2" => "Microsoft enrolment CSP",
        "1.3.6.1.4.1.311.13.2.3" => "Microsoft OS version",
        "1.3.6.1.4.1.311.21.20" => "Microsoft client information",
        _ => return None,
    })
}

/// Purposes of a key, policies and places.
fn purpose(number: &str) -> Option<&'static str> {
    Some(match number {
        "2.5.29.37.0" => "any purpose",
        "1.3.6.1.5.5.7.3.1" => "server authentication",
        "1.3.6.1.5.5.7.3.2" => "client authentication",
        "1.3.6.1.5.5.7.3.3" => "code signing",
        "1.3.6.1.5.5.7.3.4" => "email protection",
        "1.3.6.1.5.5.7.3.8" => "time stamping",
        "1.3.6.1.5.5.7.3.9" => "OCSP signing",
        "1.3.6.1.4.1.311.10.3.3" => "Microsoft server gated cryptography",
        "1.3.6.1.4.1.311.20.2.2" => "Microsoft smart card logon",
        "2.16.840.1.113730.4.1" => "Netscape server gated cryptography",
        "2.5.29.32.0" => "any policy",
        "2.23.140.1.1" => "extended validation",
        "2.23.140.1.2.1" => "domain validated",
        "2.23.140.1.2.2" => "organization validated",
        "2.23.140.1.2.3" => "individual validated",
        "1.3.6.1.5.5.7.48.1" => "OCSP",
        "1.3.6.1.5.5.7.48.2" => "Certificate of the issuer",
        _ => return None,
    })
}
