//! How a refused request is stored: as fixed words.

use super::{Came, Cause, Decided, Twist};
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

/// As stored after the value, where there is one.
const TWISTS: [(Twist, &str); 3] =
    [(Twist::NoAddress, "no-address"), (Twist::Credentials, "credentials"), (Twist::Conflict, "conflict")];

/// A client's certificate that nobody looked at.
const UNSEEN: &str = "unseen";

/// How a request came, as stored: `clear reads credentials`, `clear reads - over-tls`, `tls 1.3 256 post-quantum none`.
pub(crate) fn of_came(came: Came) -> String {
    match came.transport {
        Transport::Clear { credentials, reads } => {
            let word = |holds, word| if holds { word } else { "-" };
            let over_tls = if came.is_tls { " over-tls" } else { "" };
            format!("clear {} {}{over_tls}", word(reads, "reads"), word(credentials, "credentials"))
        }
        Transport::Proxied => "proxied".into(),
        Transport::Tls(TlsFacts { version, strength, key_exchange, client }) => {
            let client =
                CLIENTS.iter().find(|(own, _)| *own == client && came.is_seen).map_or(UNSEEN, |(_, word)| word);
            format!("tls {} {} {} {client}", version.as_str(), strength.as_str(), key_exchange.as_str())
        }
    }
}

/// Reads what [`of_came`] wrote.
pub(crate) fn to_came(text: &str) -> Option<Came> {
    let words: Vec<&str> = text.split(' ').collect();
    let clear =
        |reads, credentials| Transport::Clear { credentials: credentials == "credentials", reads: reads == "reads" };
    Some(match *words.as_slice() {
        ["clear", reads, credentials] => clear(reads, credentials).into(),
        ["clear", reads, credentials, "over-tls"] => Came { is_tls: true, ..clear(reads, credentials).into() },
        ["proxied"] => Transport::Proxied.into(),
        ["tls", version, strength, key_exchange, client] => {
            let known = CLIENTS.iter().find(|(_, word)| *word == client).map(|(own, _)| *own);
            let is_seen = client != UNSEEN;
            let client = if is_seen { known? } else { ClientCertificate::None };
            let (version, strength) = (Setting::parse(version)?, Setting::parse(strength)?);
            let facts = TlsFacts { version, strength, key_exchange: Setting::parse(key_exchange)?, client };
            Came { is_seen, ..Transport::Tls(facts).into() }
        }
        _ => return None,
    })
}

/// A value and what made it refuse, as stored: `redirect credentials`.
pub(crate) fn of_value(decided: &Decided) -> String {
    let twist = TWISTS.iter().find(|(own, _)| Some(*own) == decided.twist);
    twist.map_or_else(|| decided.value.clone(), |(_, word)| format!("{} {word}", decided.value))
}

/// Reads what [`of_value`] wrote.
pub(crate) fn to_value(text: &str) -> Option<(String, Option<Twist>)> {
    let Some((value, word)) = text.split_once(' ') else { return Some((text.into(), None)) };
    let (twist, _) = TWISTS.iter().find(|(_, own)| *own == word)?;
    Some((value.into(), Some(*twist)))
}
