//! How an authority signs: what every certificate of it says, and for how long.

use rcgen::{
    CertificateParams, CrlDistributionPoint, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime, UtcOffset};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::request::Requested;
use super::{Address, named};
use crate::certificate::SubjectName;
use crate::chain::X509;
use crate::csr::alternative_name;
use crate::document::DocumentKind;
use crate::intake::ber;
use crate::key::PrivateKey;

/// A certificate could not be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The certificate could not be issued: {0}")]
pub struct IssueError(pub String);

impl IssueError {
    pub(super) fn unreadable() -> Self {
        Self("the authority’s own certificate can’t be read.".into())
    }
}

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self(format!("{error}."))
    }
}

/// What a certificate is for (RFC 5280 §4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A server shows it to its visitors.
    Server,
    /// A person or device shows it to servers.
    Client,
}

impl Purpose {
    /// Both, the usual one first.
    pub const ALL: [Self; 2] = [Self::Server, Self::Client];

    /// As stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// Reads what [`Purpose::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// The longest it may last, in days. Apple's systems refuse server certificates of private CAs over 825 days.
    pub fn max_days(self) -> i64 {
        match self {
            Self::Server => 825,
            Self::Client => 3650,
        }
    }
}

/// What is wanted in a certificate for a key that is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What it is for.
    pub purpose: Purpose,
    /// Common name, at most 64 characters.
    pub common_name: String,
    /// Organization, at most 64 characters.
    pub organization: Option<String>,
    /// Names and addresses of hosts.
    pub names: Vec<SubjectName>,
    /// An e-mail address in ASCII; of a client only.
    pub mail: Option<String>,
    /// How long it lasts, in days, within the life of who signs it.
    pub days: i64,
}

/// An authority that signs.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Its newest certificate, DER.
    pub certificate: &'a [u8],
    /// Its key.
    pub key: &'a PrivateKey,
    /// Where its documents are fetched; without one, certificates do not say.
    pub address: Option<&'a Address>,
}

/// The issuer as rcgen signs for it.
pub(crate) type IssuerOf<'a> = Issuer<'a, &'a KeyPair>;

impl<'a> Signer<'a> {
    /// Signs what is ordered, for the key `subject_key`; DER.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue(&self, order: &Order, subject_key: &PrivateKey, now: OffsetDateTime) -> Result<Vec<u8>, IssueError> {
        let mails: Vec<String> = order.mail.iter().cloned().collect();
        let mut params = leaf(order.purpose, &order.names, &mails, subject_key.kind().is_rsa())?;
        params.distinguished_name = named(&order.common_name, order.organization.as_deref(), None)?;
        self.finish(params, order.days, subject_key.pair(), now)
    }

    /// Signs a request: its public key, subject and alternative names only; DER. Its own signature was verified when it
    /// was read, and whatever else it asked for is dropped.
    ///
    /// # Errors
    /// [`IssueError`], also for a server without a name.
    pub fn sign_request(
        &self,
        request: &Requested,
        purpose: Purpose,
        days: i64,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, IssueError> {
        if purpose == Purpose::Server && request.names.is_empty() {
            return Err(IssueError("a server needs a host name, and the request asks for none.".into()));
        }
        let mut params = leaf(purpose, &request.names, &request.mails, request.is_rsa)?;
        params.distinguished_name = request.subject.clone();
        self.finish(params, days, &request.key, now)
    }

    fn finish(
        &self,
        mut params: CertificateParams,
        days: i64,
        key: &impl PublicKeyData,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, IssueError> {
        params.is_ca = IsCa::ExplicitNoCa;
        self.limit(&mut params, days, now)?;
        self.point(&mut params);
        sign(params, key, &self.issuer()?)
    }

    /// Itself, for rcgen.
    pub(crate) fn issuer(&self) -> Result<IssuerOf<'a>, IssueError> {
        Ok(Issuer::from_ca_cert_der(&CertificateDer::from(self.certificate), self.key.pair())?)
    }

    /// Sets the dates: from an hour ago for `days`, but within those of the authority.
    pub(super) fn limit(
        &self,
        params: &mut CertificateParams,
        days: i64,
        now: OffsetDateTime,
    ) -> Result<(), IssueError> {
        let authority = X509::parse(self.certificate).map_err(|_| IssueError::unreadable())?;
        params.not_before = start(now).max(authority.not_before);
        params.not_after = (params.not_before + Duration::days(days)).min(authority.not_after);
        if params.not_before < params.not_after && now <= authority.not_after {
            Ok(())
        } else {
            Err(IssueError(format!("the authority {} has expired. Renew it first.", authority.subject)))
        }
    }

    /// Says where the authority's revocation list and certificate are (RFC 5280 §4.2.1.13, §4.2.2.1).
    pub(super) fn point(&self, params: &mut CertificateParams) {
        let Some(address) = self.address else { return };
        let key = self.key.id();
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![address.url(DocumentKind::Crl, key)] }];
        params.custom_extensions.push(authority_information(&address.url(DocumentKind::Certificate, key)));
    }
}

/// id-pe-authorityInfoAccess with one caIssuers.
fn authority_information(url: &str) -> CustomExtension {
    const AUTHORITY_INFORMATION: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];
    const CA_ISSUERS: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 0x30, 2];
    const URI: u8 = 0x86;
    let method = ber::encode(ber::OID, &[&CA_ISSUERS]);
    let place = ber::encode(URI, &[url.as_bytes()]);
    let description = ber::encode(ber::SEQUENCE, &[&method, &place]);
    let content = ber::encode(ber::SEQUENCE, &[&description]).to_vec();
    CustomExtension::from_oid_content(&AUTHORITY_INFORMATION, content)
}

/// What every certificate says that is no authority's: names, key usage, purpose; no subject yet.
fn leaf(
    purpose: Purpose,
    names: &[SubjectName],
    mails: &[String],
    is_rsa: bool,
) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(alternative_name).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    match purpose {
        Purpose::Server => {
            if is_rsa {
                params.key_usages.push(KeyUsagePurpose::KeyEncipherment); // for TLS 1.2 clients with RSA key exchange
            }
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }
        Purpose::Client => {
            for mail in mails {
                params.subject_alt_names.push(SanType::Rfc822Name(mail.as_str().try_into()?));
            }
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
    }
    Ok(params)
}

/// Signs, with a random serial number and the key identifiers.
pub(crate) fn sign(
    mut params: CertificateParams,
    public_key: &impl PublicKeyData,
    issuer: &IssuerOf<'_>,
) -> Result<Vec<u8>, IssueError> {
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(random_serial()?);
    Ok(params.signed_by(public_key, issuer)?.der().to_vec())
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

/// The serial number of a certificate (DER), without leading zeros.
pub fn serial_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.serial.to_bytes_be())
}
