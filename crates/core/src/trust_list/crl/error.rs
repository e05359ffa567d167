//! Why a revocation list can't be taken.

use time::{OffsetDateTime, UtcOffset};

use crate::trust_list::judge::day;

/// Why a revocation list can't be taken. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Longer than [`Crl::MAX_LEN`](super::Crl::MAX_LEN).
    #[error("This file is larger than 16 MB, which no revocation list that is read here may be.")]
    TooLarge,
    /// It is none, or damaged.
    #[error("This is not a revocation list, or it is damaged. Bring the CRL as the CA publishes it, in DER or PEM.")]
    Unreadable,
    /// Version 1, or without extensions.
    #[error("This revocation list is of the old version 1. Ask the CA for one of version 2, with a number.")]
    OldVersion,
    /// It does not say when the next one comes.
    #[error(
        "This revocation list does not say until when it holds, so nobody could tell when it is out of date. Ask the CA for one that does."
    )]
    NoNextUpdate,
    /// RFC 5280 §5.2.4.
    #[error("This is a delta list: it tells only what changed since another one. Bring the complete list.")]
    Delta,
    /// RFC 5280 §5.2.5, §5.3.3.
    #[error(
        "This is an indirect list, about certificates of other CAs than the one that signed it. Bring the list that the CA signs for its own."
    )]
    Indirect,
    /// RFC 5280 §5.2.5, `onlySomeReasons`.
    #[error(
        "This list tells only of certificates that were revoked for some of the reasons there are. Bring the one that tells of all of them."
    )]
    SomeReasons,
    /// RFC 5280 §5.2.5, `onlyContainsAttributeCerts`.
    #[error(
        "This list is about attribute certificates, which no visitor shows. Bring the one about the CA’s other certificates."
    )]
    Attributes,
    /// An issuing distribution point without a URI.
    #[error(
        "This list says that it is about a part of the CA’s certificates, but not by an address by which that part could be told. Bring the one that is about all of them."
    )]
    NoAddress,
    /// It is about other certificates than the list that is known.
    #[error(
        "This list is not about all the certificates that the list known now is about, and only one list of a CA counts. Bring one about the same certificates or about all; or stop checking this CA first, which forgets the list known now."
    )]
    OtherScope,
    /// An extension that must be understood, and is not.
    #[error(
        "This list has an extension that must be understood and is not known here, so what it says would be guessed."
    )]
    UnknownExtension,
    /// Another CA's.
    #[error("This list is not one of {0}: its issuer is another name.")]
    OtherIssuer(String),
    /// The CA's key did not sign it.
    #[error("The signature of this list is not one of {0}: it is damaged, or of another key of the same name.")]
    BadSignature(String),
    /// SHA-1 and the like.
    #[error(
        "{0} signed this list in a way that is not safe any more, such as with SHA-1, or not known here. Ask the CA for one that is signed with SHA-256."
    )]
    WeakSignature(String),
    /// RSA below 2048 bits.
    #[error(
        "The RSA key of {0} is shorter than 2048 bits, so anybody might have signed this list. It can’t be relied on until the CA has a longer key."
    )]
    ShortKey(String),
    /// Key usage leaves cRLSign out (RFC 5280 §4.2.1.3).
    #[error("{0} may not sign revocation lists, by its own key usage.")]
    MayNotSign(String),
    /// It is dated in the future.
    #[error("This list is dated {}, which is in the future. Look at the clock of this server.", minute(.0))]
    Future(OffsetDateTime),
    /// A newer one is there.
    #[error("A newer list, made on {}, is already in force. An older one never takes its place.", minute(.0))]
    Older(OffsetDateTime),
}

impl From<webpki::Error> for CrlError {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::UnsupportedCrlVersion => Self::OldVersion,
            E::UnsupportedDeltaCrl => Self::Delta,
            E::UnsupportedIndirectCrl => Self::Indirect,
            E::UnsupportedRevocationReasonsPartitioning => Self::SomeReasons,
            E::UnsupportedCrlIssuingDistributionPoint => Self::NoAddress,
            E::UnsupportedCriticalExtension => Self::UnknownExtension,
            _ => Self::Unreadable,
        }
    }
}

/// `24 November 2026, 09:31 UTC`.
fn minute(time: &OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    format!("{}, {:02}:{:02} UTC", day(time), time.hour(), time.minute())
}
