//! Revocation lists (RFC 5280 §5).

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use time::{Duration, OffsetDateTime};

use super::{IssueError, Signer};

/// How long clients may rely on a list, in days. A new one is made every day.
pub const CRL_DAYS: i64 = 7;

/// Why a certificate was revoked (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nobody says.
    Unspecified,
    /// Somebody else has, or may have, its private key.
    KeyCompromise,
    /// The same for the key of an authority.
    CaCompromise,
    /// What its subject says is no longer true.
    AffiliationChanged,
    /// Another one took its place.
    Superseded,
    /// What it was for is no more.
    CessationOfOperation,
    /// Its holder may no longer use it.
    PrivilegeWithdrawn,
}

impl Reason {
    /// Every reason that is offered. A hold could be lifted, and no client does what it promises.
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// Its number.
    pub fn number(self) -> i64 {
        self.code() as i64
    }

    /// The reason with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }

    /// In words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "No reason given",
            Self::KeyCompromise => "Its private key got into other hands, or may have",
            Self::CaCompromise => "The private key of this authority got into other hands, or may have",
            Self::AffiliationChanged => "What it says of its subject is no longer true",
            Self::Superseded => "Another certificate took its place",
            Self::CessationOfOperation => "What it was for is no more",
            Self::PrivilegeWithdrawn => "Its holder may no longer use it",
        }
    }

    fn code(self) -> RevocationReason {
        match self {
            Self::Unspecified => RevocationReason::Unspecified,
            Self::KeyCompromise => RevocationReason::KeyCompromise,
            Self::CaCompromise => RevocationReason::CaCompromise,
            Self::AffiliationChanged => RevocationReason::AffiliationChanged,
            Self::Superseded => RevocationReason::Superseded,
            Self::CessationOfOperation => RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        }
    }
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The certificate's serial number, big end first.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

/// The complete list of `signer` as of `now`, with the number `number`, which must grow; DER.
///
/// # Errors
/// [`IssueError`].
pub fn revocation_list(
    signer: &Signer<'_>,
    revoked: &[Revoked],
    number: i64,
    now: OffsetDateTime,
) -> Result<Vec<u8>, IssueError> {
    let entry = |revoked: &Revoked| RevokedCertParams {
        serial_number: SerialNumber::from_slice(&revoked.serial),
        revocation_time: revoked.at,
        reason_code: Some(revoked.reason.code()),
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + Duration::days(CRL_DAYS),
        crl_number: SerialNumber::from(u64::try_from(number).unwrap_or_default()),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256, // as in the authority's own subject key identifier
    };
    Ok(list.signed_by(&signer.issuer()?)?.der().to_vec())
}
