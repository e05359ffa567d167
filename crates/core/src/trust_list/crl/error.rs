//! Why a revocation list can't be taken.

use time::OffsetDateTime;

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
    /// It leaves out reasons or kinds of certificates.
    #[error("This list is about a part of the CA’s certificates only. Bring the list that is about all of them.")]
    Partial,
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
    /// Key usage leaves cRLSign out (RFC 5280 §4.2.1.3).
    #[error("{0} may not sign revocation lists, by its own key usage.")]
    MayNotSign(String),
    /// It is dated in the future.
    #[error("This list is dated {0}, which is in the future. Look at the clock of this server.")]
    Future(OffsetDateTime),
    /// A newer one is there.
    #[error("A newer list, made on {0}, is already in force. An older one never takes its place.")]
    Older(OffsetDateTime),
}

impl From<webpki::Error> for CrlError {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::UnsupportedCrlVersion => Self::OldVersion,
            E::UnsupportedDeltaCrl => Self::Delta,
            E::UnsupportedIndirectCrl => Self::Indirect,
            E::UnsupportedRevocationReasonsPartitioning => Self::Partial,
            E::UnsupportedCriticalExtension => Self::UnknownExtension,
            _ => Self::Unreadable,
        }
    }
}
