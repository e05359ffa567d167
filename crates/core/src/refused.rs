//! What is kept of a request that was refused, so that somebody who is asked can tell why.
//!
//! `reference` is what the visitor reads out, `words` how the rest is stored, `again` what the same request would get now.

mod again;
mod reference;
pub(crate) mod words;

use std::net::SocketAddr;

use time::OffsetDateTime;

use crate::host::HostName;
use crate::ledger::Revision;
use crate::site::SiteId;
use crate::ssl::{Demands, Origin, Refusal, RuleId, RulePath, Rules, Setting, Transport};
use crate::traffic::{Answer, Client};

pub use again::Again;
pub use reference::Reference;

/// A request that was refused. Never its query, its header fields, or who in person sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What stands on the visitor's page.
    pub reference: Reference,
    /// When.
    pub at: OffsetDateTime,
    /// This machine's address and port.
    pub listener: SocketAddr,
    /// What the TLS handshake asked for, where it did.
    pub server_name: Option<HostName>,
    /// The host that the request named, if that is a name.
    pub host: Option<HostName>,
    /// The site it was for; with [`Cause::OtherSite`] the one that the connection was made for.
    pub site: Option<SiteId>,
    /// The path as it was sent; a long one is cut and ends in `…`.
    pub path: String,
    /// How it came.
    pub transport: Transport,
    /// Why it was refused.
    pub cause: Cause,
    /// The change after which it was judged.
    pub revision: Revision,
    /// The setting that was not met, where it was one.
    pub decided: Option<Decided>,
    /// From which network, by which family of user agents.
    pub client: Client,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// 400: its host can't be told.
    BadHost,
    /// 400: its path can't be read in one way only.
    BadPath,
    /// 404: no site answers to this host name there.
    NoSite,
    /// 421: the connection was made for another site.
    OtherSite,
    /// 421: the connection was made before the SSL settings changed, and a new one may meet them.
    OlderSettings,
    /// 403: a setting was not met.
    Unmet(Refusal),
    /// 500: the site's folder can't be read.
    Unreadable,
    /// 503: the site is stopped, or its private keys can't be used.
    Closed,
}

/// The setting that was not met, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The rule that set it.
    pub rule: RuleId,
    /// Where that stands.
    pub place: RulePath,
    /// Which kind of setting, as stored.
    pub setting: String,
    /// Its value, as stored.
    pub value: String,
}

impl Refused {
    /// Bytes of a path that are kept.
    const PATH: usize = 300;

    /// The path to keep.
    pub fn short_path(path: &str) -> String {
        match path.len() {
            ..=Self::PATH => path.to_owned(),
            _ => format!("{}…", &path[..path.floor_char_boundary(Self::PATH)]),
        }
    }
}

impl Cause {
    /// The status and substatus that the visitor got.
    pub fn answer(self) -> Answer {
        let (status, substatus) = match self {
            Self::BadHost | Self::BadPath => (400, 0),
            Self::NoSite => (404, 0),
            Self::OtherSite | Self::OlderSettings => (421, 0),
            Self::Unmet(refusal) => (403, refusal.substatus()),
            Self::Unreadable => (500, 0),
            Self::Closed => (503, 0),
        };
        Answer { status, substatus }
    }
}

impl Decided {
    /// The setting by which `demands`, which `rules` make, refuse so.
    pub fn of(rules: &Rules, demands: &Demands, refusal: Refusal) -> Option<Self> {
        let (setting, value, origin) = demands.decided_by(refusal);
        let rule = rules.origin(origin)?;
        Some(Self { rule: rule.id, place: rule.path.clone(), setting: setting.into(), value: value.into() })
    }
}

impl Demands {
    /// Which kind of setting refuses so, its value, both as stored, and where that comes from.
    fn decided_by(&self, refusal: Refusal) -> (&'static str, &'static str, Origin) {
        let by_certificate =
            ("client_certificates", self.client_certificates.value.as_str(), self.client_certificates.origin);
        match refusal {
            Refusal::SslRequired if self.require_ssl.value > Default::default() => {
                ("require_ssl", self.require_ssl.value.as_str(), self.require_ssl.origin)
            }
            // No certificate can come in clear.
            Refusal::SslRequired => by_certificate,
            Refusal::TlsTooOld => ("min_tls", self.min_tls.value.as_str(), self.min_tls.origin),
            Refusal::CipherTooWeak => ("strength", self.strength.value.as_str(), self.strength.origin),
            Refusal::NotPostQuantum => ("key_exchange", self.key_exchange.value.as_str(), self.key_exchange.origin),
            Refusal::CertificateRequired
            | Refusal::CertificateNotAllowed
            | Refusal::CertificateRevoked
            | Refusal::CertificateUntrusted
            | Refusal::CertificateOutOfDate => by_certificate,
        }
    }
}

#[cfg(test)]
mod tests;
