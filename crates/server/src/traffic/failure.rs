//! Why a handshake failed, as far as its error tells.

use std::io;

use rustls::AlertDescription as Told;
use rustls::Error;
use siteward_core::traffic::Failure;

use crate::handshake::Alert;

/// The reason that is recorded.
pub(crate) fn failure_of(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::TimedOut {
        return Failure::Timeout;
    }
    let inner = error.get_ref();
    if let Some(alert) = inner.and_then(|inner| inner.downcast_ref::<Alert>()) {
        return match alert {
            Alert::UnrecognizedName => Failure::UnknownName,
            Alert::InternalError(_) => Failure::Closed,
        };
    }
    match inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => Failure::NothingInCommon,
        Some(Error::AlertReceived(alert)) => told(*alert),
        Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. }) => Failure::NotTls,
        _ => Failure::BrokenOff,
    }
}

/// What the client's own alert means (RFC 8446 §6.2).
fn told(alert: Told) -> Failure {
    match alert {
        Told::UnknownCA
        | Told::BadCertificate
        | Told::UnsupportedCertificate
        | Told::CertificateRevoked
        | Told::CertificateExpired
        | Told::CertificateUnknown
        | Told::BadCertificateStatusResponse
        | Told::AccessDenied => Failure::Rejected,
        Told::HandshakeFailure | Told::ProtocolVersion | Told::InsufficientSecurity | Told::IllegalParameter => {
            Failure::NothingInCommon
        }
        _ => Failure::BrokenOff,
    }
}
