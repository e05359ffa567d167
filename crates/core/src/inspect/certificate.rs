//! An X.509 certificate (RFC 5280), of any version and with extensions of any kind.

use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::signature::Algorithm;
use super::text::hex;
use super::{Facts, Fields, Inspected, Kind, extensions, key, subject, summary};
use crate::certificate::Fingerprint;

/// The most certificates of an issuer's name whose key is tried on one signature.
const MAX_ISSUERS: usize = 3;

/// Reads one certificate, or nothing where it is none. Its issuer is looked for among `all`.
pub(super) fn read(der: &[u8], all: &[X509Certificate<'_>]) -> Option<Inspected> {
    let certificate = parse(der)?;
    let mut facts = Facts::of(Kind::Certificate);
    let mut fields = Fields::new("Subject");
    facts.version = Some(certificate.version().0.saturating_add(1));
    facts.is_self_issued = certificate.subject().as_raw() == certificate.issuer().as_raw();
    facts.serial = Some(certificate.raw_serial().to_vec());

    subject::describe(certificate.subject(), &mut fields);
    subject::note(certificate.subject(), &mut facts);
    fields.section = "Issuer";
    subject::describe(certificate.issuer(), &mut fields);

    fields.section = "Certificate";
    fields.add("Version", &facts.version.unwrap_or_default().to_string());
    fields.add_code("Serial number", &hex(certificate.raw_serial()));
    let (from, until) = (moment(&certificate.validity().not_before), moment(&certificate.validity().not_after));
    fields.add("Valid from", &in_words(from));
    fields.add("Valid until", &in_words(until));
    facts.validity = Some((from, until));
    fields.add_code("SHA-256 fingerprint", &Fingerprint::of(der).to_string());

    facts.key = Some(key::describe(certificate.public_key(), &mut fields));
    fields.section = "Extensions";
    for extension in certificate.extensions() {
        extensions::describe(extension, &mut facts, &mut fields);
    }
    describe_signature(&certificate, all, &mut facts, &mut fields);
    Some(Inspected { kind: Kind::Certificate, summary: summary(&facts), fields: fields.by_section(), facts })
}

/// One certificate and nothing after it.
pub(super) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

fn describe_signature(
    certificate: &X509Certificate<'_>,
    all: &[X509Certificate<'_>],
    facts: &mut Facts,
    fields: &mut Fields,
) {
    let identifier = &certificate.signature_algorithm;
    let made_with = Algorithm::read(identifier);
    facts.hash = made_with.hash();
    let issuers: Vec<_> = all
        .iter()
        .filter(|issuer| issuer.subject().as_raw() == certificate.issuer().as_raw())
        .take(MAX_ISSUERS)
        .collect();
    let checks: Vec<_> = issuers.iter().map(|issuer| signed_by(certificate, issuer, made_with)).collect();
    facts.holds = match checks.contains(&Some(true)) {
        true => Some(true),
        false => checks.into_iter().flatten().next(),
    };
    fields.section = "Signature";
    fields.add("Algorithm", &made_with.label(identifier));
    fields.add_code("Value", &hex(&certificate.signature_value.data));
    fields.add(
        "Holds",
        match facts.holds {
            Some(true) if facts.is_self_issued => "Yes: its own key made it",
            Some(true) => "Yes: the key of its issuer, which is here too, made it",
            Some(false) => "No: it was changed after it was signed, or another key signed it",
            None if issuers.is_empty() => "Not checked: the certificate of its issuer is not here",
            None => "Can’t be checked here: this algorithm or key is too weak or not known",
        },
    );
}

fn signed_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>, made_with: Algorithm) -> Option<bool> {
    let key = key::read(issuer.public_key());
    let public = &issuer.public_key().subject_public_key.data;
    made_with.holds(&key, public, &certificate.signature_value.data, certificate.tbs_certificate.as_ref())
}

fn moment(time: &ASN1Time) -> OffsetDateTime {
    time.to_datetime()
}

/// `22 November 2026, 16:01:36 UTC`.
fn in_words(moment: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC");
    moment.format(format).unwrap_or_else(|_| moment.to_string())
}
