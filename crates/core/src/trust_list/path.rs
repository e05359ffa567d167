//! What a client sent, and the path from it to a CA of a trust list: all that stays true while time goes by.

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use webpki::{EndEntityCert, Error, KeyUsage};
use x509_parser::extensions::{DistributionPointName, GeneralName, KeyUsage as KeyUses, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::allow::Holder;
use super::{Ca, TrustList};
use crate::certificate::Fingerprint;
use crate::chain::x509::named;
use crate::inspect::{shortened, shown};
use crate::trust::unix;

/// The most certificates a client may send, its own among them, and the most bytes of all of them: a stranger's chain must
/// not cost much, and it travels in the client's session ticket.
///
/// A real one has the client's own, one or two issuing CAs, at times a cross-signed one, and a root that need not be sent. A
/// stranger may send CAs of one name and other keys: four of them can stand above each other in 65 orders (1 + 4 + 12 + 24 +
/// 24), each of which costs a signature for every CA of that name on the list, up to the 100 of `webpki` at one moment. What is
/// not valid at a moment costs nothing, so that all moments that are tried come to 105 orders. What came of it is kept with the
/// connection.
pub const MAX_SENT: usize = 5;
/// See [`MAX_SENT`].
pub const MAX_SENT_BYTES: usize = 16 * 1024;

/// One certificate of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Whose it is, as a person reads it.
    pub(super) name: String,
    /// Its serial number as encoded.
    pub(super) serial: Box<[u8]>,
    /// The name of its issuer as encoded.
    pub(super) issuer: Box<[u8]>,
    /// The key that signed it, by digest, and whose that is.
    pub(super) issuer_key: Fingerprint,
    /// Valid from, inclusive.
    pub(super) not_before: OffsetDateTime,
    /// Valid until, inclusive.
    pub(super) not_after: OffsetDateTime,
    /// Where it says that its revocation list is.
    pub(super) points: Vec<String>,
    /// Whether it is one of a CA.
    pub(super) is_ca: bool,
}

/// A proven path from a client's certificate to a CA of one trust list. Signatures, usages and name constraints hold for
/// ever, and so do path lengths below that CA; its own, dates, revocation and allow rules are left to [`TrustList::judge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The client's certificate first.
    pub(super) links: Vec<Link>,
    /// The CA's place in the list.
    pub(super) ca: usize,
    pub(super) holder: Holder,
}

/// Why a certificate is not trusted by a list. Each message is a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It can't be read, or there is none.
    #[error("The certificate, or one that was sent with it, can’t be read.")]
    Unreadable,
    /// More was sent than is looked at.
    #[error(
        "With those that were sent along there are more than {} certificates, or more than {} KB of them, which is not looked at.",
        MAX_SENT,
        MAX_SENT_BYTES / 1024
    )]
    TooLong,
    /// More paths may be meant than are tried.
    #[error(
        "So many CAs of the same name were sent with it, or stand on the trust list, that not every path was tried."
    )]
    TooManyPaths,
    /// No path leads to a CA of the list.
    #[error("No CA of the trust list signed it, neither directly nor through the certificates that were sent with it.")]
    UnknownIssuer,
    /// Extended key usage leaves clients out, of the certificate or of an issuer (RFC 5280 §4.2.1.12).
    #[error(
        "It is not meant for clients: the extended key usage of the certificate, or of one above it, leaves client authentication out."
    )]
    NotForClients,
    /// Key usage leaves signatures out (RFC 5280 §4.2.1.3).
    #[error("Its key usage leaves out what it was used for: signing a handshake, or for a CA signing certificates.")]
    KeyUsage,
    /// A CA certificate was sent as a client's, or a client's stands above another certificate.
    #[error("It is the certificate of a CA where one of a client must be, or the other way round.")]
    CaOrNot,
    /// More CAs follow each other than one of them allows (RFC 5280 §4.2.1.9).
    #[error("A CA above it has more CAs below it than its path length allows.")]
    PathLength,
    /// A CA may not sign for its names (RFC 5280 §4.2.1.10).
    #[error("A CA above it may not sign for its names, by its name constraints.")]
    NameConstraints,
    /// The dates of its certificates have no moment in common at which a path can be proven.
    #[error("It and the CAs above it were never valid at the same time.")]
    Dates,
    /// Anything else.
    #[error("It was refused: {0}.")]
    Other(String),
}

impl From<Error> for Untrusted {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Self::UnknownIssuer,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Self::NotForClients,
            Error::CaUsedAsEndEntity | Error::EndEntityUsedAsCa => Self::CaOrNot,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::NameConstraintViolation => Self::NameConstraints,
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::InvalidCertValidity => Self::Dates,
            Error::MaximumSignatureChecksExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded => Self::TooManyPaths,
            Error::BadDer | Error::BadDerTime | Error::MalformedExtensions => Self::Unreadable,
            other => Self::Other(other.to_string()),
        }
    }
}

impl TrustList {
    /// The path from the first certificate of `sent` to a CA of this list, over the others, which may stand in any order.
    /// What it costs is bounded by [`MAX_SENT`] and by the budget of `webpki`.
    ///
    /// It is proven at `now` where the certificate is valid then, otherwise at the nearest moment at which it was, so that
    /// one that has expired is told from one of a stranger. The same goes for the CAs above it: a path that was ever valid
    /// as a whole was so at the end of one of its certificates.
    ///
    /// # Errors
    /// [`Untrusted`] by name.
    pub fn path(&self, sent: &[CertificateDer<'_>], now: OffsetDateTime) -> Result<Path, Untrusted> {
        let Some((own, others)) = sent.split_first() else { return Err(Untrusted::Unreadable) };
        if !is_bounded(sent) {
            return Err(Untrusted::TooLong);
        }
        let read: Vec<X509Certificate<'_>> = sent.iter().map(|der| parse(der)).collect::<Result<_, _>>()?;
        let leaf = EndEntityCert::try_from(own)?;
        let at = |moment: OffsetDateTime| {
            let usage = KeyUsage::client_auth();
            let (known, moment) = (webpki::ALL_VERIFICATION_ALGS, unix(moment));
            leaf.verify_for_usage(known, &self.anchors, others, moment, usage, None, None).map_err(Untrusted::from)
        };
        let (first, last) = (begin(&read[0]), end(&read[0]));
        let verified = match at(now.clamp(first, last.max(first))) {
            Err(Untrusted::Dates) => found(ends_within(first, last, &read).into_iter().map(at))?,
            other => other?,
        };
        let ca = self.anchors.iter().position(|anchor| anchor == verified.anchor()).ok_or(Untrusted::UnknownIssuer)?;
        let path: Vec<CertificateDer<'_>> = verified.intermediate_certificates().map(|issuer| issuer.der()).collect();
        self.finish(&read[0], &path, ca)
    }

    /// What `webpki` leaves out: key usages.
    fn finish(&self, own: &X509Certificate<'_>, above: &[CertificateDer<'_>], ca: usize) -> Result<Path, Untrusted> {
        let above: Vec<X509Certificate<'_>> = above.iter().map(|der| parse(der)).collect::<Result<_, _>>()?;
        let may = |certificate: &X509Certificate<'_>, what: fn(&KeyUses) -> bool| {
            certificate.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| what(usage.value)))
        };
        if !may(own, KeyUses::digital_signature) || !above.iter().all(|issuer| may(issuer, KeyUses::key_cert_sign)) {
            return Err(Untrusted::KeyUsage);
        }
        let keys = above.iter().map(|issuer| Fingerprint::of(issuer.public_key().raw)).chain([self.cas[ca].key_id]);
        let certificates = [own].into_iter().chain(&above);
        let links = certificates.zip(keys).map(|(certificate, key)| Link::of(certificate, key)).collect();
        Ok(Path { links, ca, holder: Holder::of(own) })
    }
}

impl Path {
    /// The name of whoever holds the certificate.
    pub fn subject(&self) -> &str {
        self.links.first().map_or("", |own| &own.name)
    }
}

impl Link {
    pub(super) fn of(certificate: &X509Certificate<'_>, issuer_key: Fingerprint) -> Self {
        let points = certificate.iter_extensions().filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLDistributionPoints(points) => Some(points),
            _ => None,
        });
        let points = points.flat_map(|points| &points.points).filter_map(|point| point.distribution_point.as_ref());
        Self {
            name: named(certificate.subject()),
            serial: certificate.raw_serial().into(),
            issuer: certificate.issuer().as_raw().into(),
            issuer_key,
            not_before: begin(certificate),
            not_after: end(certificate),
            points: points.flat_map(addresses).collect(),
            is_ca: certificate.is_ca(),
        }
    }

    pub(super) fn is_valid(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

impl Ca {
    pub(super) fn is_valid(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Whether so many CAs may stand between it and a client's certificate.
    pub(super) fn allows_below(&self, cas: usize) -> bool {
        self.path_length.is_none_or(|most| cas <= most)
    }
}

/// Each moment from `first` to `last` at which one of the certificates ends.
fn ends_within(first: OffsetDateTime, last: OffsetDateTime, read: &[X509Certificate<'_>]) -> Vec<OffsetDateTime> {
    let mut ends: Vec<OffsetDateTime> = read.iter().map(end).filter(|end| (first..=last).contains(end)).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// What the first of `tries` found that found anything; or why there is nothing, which is dates only where it was nothing
/// else at any moment.
fn found<T>(tries: impl Iterator<Item = Result<T, Untrusted>>) -> Result<T, Untrusted> {
    let mut why = Untrusted::Dates;
    for outcome in tries {
        match outcome {
            Err(Untrusted::Dates) => {}
            Ok(_) | Err(Untrusted::TooManyPaths) => return outcome,
            Err(other) => why = other,
        }
    }
    Err(why)
}

/// The addresses of a distribution point.
fn addresses(point: &DistributionPointName<'_>) -> Vec<String> {
    let DistributionPointName::FullName(names) = point else { return Vec::new() };
    let address = |name: &GeneralName<'_>| match name {
        GeneralName::URI(address) => Some((*address).to_owned()),
        _ => None,
    };
    names.iter().filter_map(address).collect()
}

/// What a certificate says of its holder, on one line of at most 200 characters, as a log keeps it.
pub fn subject(certificate: &CertificateDer<'_>) -> String {
    let name = parse(certificate).map_or_else(|why| why.to_string(), |own| own.subject().to_string());
    shown(&shortened(&name, 200))
}

/// Whether so much may be sent.
pub fn is_bounded(sent: &[CertificateDer<'_>]) -> bool {
    sent.len() <= MAX_SENT && sent.iter().map(|der| der.len()).sum::<usize>() <= MAX_SENT_BYTES
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Untrusted> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Untrusted::Unreadable),
    }
}

fn begin(certificate: &X509Certificate<'_>) -> OffsetDateTime {
    certificate.validity().not_before.to_datetime()
}

fn end(certificate: &X509Certificate<'_>) -> OffsetDateTime {
    certificate.validity().not_after.to_datetime()
}
