//! How a refused request is stored: as fixed words.

use super::Cause;
use crate::ssl::{ClientCertificate, Refusal, Setting, TlsFacts, Transport};

const CAUSES: [(Cause, &str); 16] = [
    (Cause::BadHost, "bad-host"),
    (Cause::BadPath, "bad-path"),
    (Cause::NoSite, "no-site"),
    (Cause::OtherSite, "other-site"),
    (Cause::OlderSettings, "older-settings"),
    (Cause::Unreadable, "unreadable"),
    (Cause::Closed, "closed"),
    (Cause::Unmet(Refusal::SslRequired), "ssl-required"),
    (Cause::Unmet(Refusal::TlsTooOld), "tls-too-old"),
    (Cause::Unmet(Refusal::CipherTooWeak), "cipher-too-weak"),
    (Cause::Unmet(Refusal::NotPostQuantum), "not-post-quantum"),
    (Cause::Unmet(Refusal::CertificateRequired), "certificate-required"),
    (Cause::Unmet(Refusal::CertificateNotAllowed), "certificate-not-allowed"),
    (Cause::Unmet(Refusal::CertificateRevoked), "certificate-revoked"),
    (Cause::Unmet(Refusal::CertificateUntrusted), "certificate-untrusted"),
    (Cause::Unmet(Refusal::CertificateOutOfDate), "certificate-out-of-date"),
];

const CLIENTS: [(ClientCertificate, &str); 6] = [
    (ClientCertificate::None, "none"),
    (ClientCertificate::Good, "good"),
    (ClientCertificate::NotAllowed, "not-allowed"),
    (ClientCertificate::Revoked, "revoked"),
    (ClientCertificate::Untrusted, "untrusted"),
    (ClientCertificate::OutOfDate, "out-of-date"),
];

impl Cause {
    /// Every cause.
    pub fn all() -> impl Iterator<Item = Self> {
        CAUSES.iter().map(|(cause, _)| *cause)
    }

    /// As stored.
    pub fn as_str(self) -> &'static str {
        CAUSES.iter().find(|(own, _)| *own == self).map_or("", |(_, word)| word)
    }

    /// Reads what [`Cause::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        CAUSES.iter().find(|(_, word)| *word == text).map(|(cause, _)| *cause)
    }
}

/// How a request came, as stored: `clear reads credentials`, `tls 1.3 256 post-quantum none`.
pub(crate) fn of_transport(transport: Transport) -> String {
    match transport {
        Transport::Clear { credentials, reads } => {
            let word = |holds, word| if holds { word } else { "-" };
            format!("clear {} {}", word(reads, "reads"), word(credentials, "credentials"))
        }
        Transport::Proxied => "proxied".into(),
        Transport::Tls(TlsFacts { version, strength, key_exchange, client }) => {
            let client = CLIENTS.iter().find(|(own, _)| *own == client).map_or("", |(_, word)| word);
            format!("tls {} {} {} {client}", version.as_str(), strength.as_str(), key_exchange.as_str())
        }
    }
}

/// Reads what [`of_transport`] wrote.
pub(crate) fn to_transport(text: &str) -> Option<Transport> {
    let words: Vec<&str> = text.split(' ').collect();
    match *words.as_slice() {
        ["clear", reads, credentials] => {
            Some(Transport::Clear { credentials: credentials == "credentials", reads: reads == "reads" })
        }
        ["proxied"] => Some(Transport::Proxied),
        ["tls", version, strength, key_exchange, client] => Some(Transport::Tls(TlsFacts {
            version: Setting::parse(version)?,
            strength: Setting::parse(strength)?,
            key_exchange: Setting::parse(key_exchange)?,
            client: CLIENTS.iter().find(|(_, word)| *word == client)?.0,
        })),
        _ => None,
    }
}
