//! Receipts: what fresh clients really got from a site, by connections and handshakes of their own.

use std::net::SocketAddr;

use time::OffsetDateTime;

use crate::binding::BindingId;
use crate::certificate::Fingerprint;
use crate::ledger::Revision;

/// A kind of fresh client. None remembers an earlier session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// TLS 1.3 only, and a request for `/`.
    Tls13,
    /// TLS 1.2 only.
    Tls12,
    /// Sends no server name.
    NoServerName,
    /// Knows ECDSA signatures only.
    EcdsaOnly,
    /// Knows RSA signatures only.
    RsaOnly,
    /// Plain HTTP.
    Plain,
}

impl Client {
    /// As people name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tls13 => "TLS 1.3",
            Self::Tls12 => "TLS 1.2 only",
            Self::NoServerName => "Without server name",
            Self::EcdsaOnly => "ECDSA only",
            Self::RsaOnly => "RSA only",
            Self::Plain => "Plain HTTP",
        }
    }
}

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secured {
    /// `TLS 1.3`.
    pub version: &'static str,
    /// The key exchange, as `X25519MLKEM768`.
    pub group: String,
    /// Of the certificate that was shown.
    pub fingerprint: Fingerprint,
}

/// What a fault lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The port: nothing can be said of what is behind it.
    Port,
    /// The certificate or the handshake.
    Certificate,
    /// The answer to a request.
    Answer,
}

/// How what came compares with what was intended, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As intended.
    Good(String),
    /// Not as intended.
    Bad(Cause, String),
}

impl Verdict {
    /// The sentence.
    pub fn sentence(&self) -> &str {
        match self {
            Self::Good(sentence) | Self::Bad(_, sentence) => sentence,
        }
    }

    /// Whether it is as intended.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good(_))
    }
}

/// What one client got at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which client.
    pub client: Client,
    /// Where it connected to.
    pub address: SocketAddr,
    /// What was agreed on, where a handshake was completed.
    pub secured: Option<Secured>,
    /// The status of the answer, where one came: `200 OK`.
    pub status: Option<String>,
    /// Compared with what was intended.
    pub verdict: Verdict,
}

/// What all clients got from one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingReceipt {
    /// The binding.
    pub binding: BindingId,
    /// One of each kind that was tried; none where nothing leads to the binding.
    pub attempts: Vec<Attempt>,
}

impl BindingReceipt {
    /// Whether something was tried and all of it was as intended.
    pub fn is_good(&self) -> bool {
        !self.attempts.is_empty() && self.attempts.iter().all(|attempt| attempt.verdict.is_good())
    }

    /// The first fault that `is_meant` picks, as a sentence.
    pub fn fault(&self, is_meant: impl Fn(Cause) -> bool) -> Option<&str> {
        self.attempts.iter().find_map(|attempt| match &attempt.verdict {
            Verdict::Bad(cause, sentence) if is_meant(*cause) => Some(sentence.as_str()),
            _ => None,
        })
    }
}

/// What fresh clients got from a site, binding by binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The site's version that was tried; of any later one it says nothing.
    pub version: Revision,
    /// When the last client was done.
    pub at: OffsetDateTime,
    /// In the order of the site's bindings; none for a stopped site.
    pub bindings: Vec<BindingReceipt>,
}

impl Receipt {
    /// Whether every binding of the site is as intended.
    pub fn is_good(&self) -> bool {
        !self.bindings.is_empty() && self.bindings.iter().all(BindingReceipt::is_good)
    }

    /// The first fault that `is_meant` picks, as a sentence.
    pub fn fault(&self, is_meant: impl Fn(Cause) -> bool + Copy) -> Option<&str> {
        self.bindings.iter().find_map(|binding| binding.fault(is_meant))
    }

    /// What was got from one binding.
    pub fn of(&self, binding: BindingId) -> Option<&BindingReceipt> {
        self.bindings.iter().find(|own| own.binding == binding)
    }
}
