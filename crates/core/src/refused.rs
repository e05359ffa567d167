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
use crate::site::{Site, SiteId};
use crate::ssl::{
    Demand, Demands, Origin, Refusal, RequireSsl, RuleId, RulePath, Rules, Setting, Transport, Trusted, Verdict,
};
use crate::table::SiteTable;
use crate::traffic::{Answer, Client};
use crate::trust_list::TrustListId;

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
    pub came: Came,
    /// Why it was refused.
    pub cause: Cause,
    /// The change after which it was judged.
    pub revision: Revision,
    /// The setting that was not met, where it was one.
    pub decided: Option<Decided>,
    /// From which network, by which family of user agents.
    pub client: Client,
}

/// How a refused request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// As it was judged.
    pub transport: Transport,
    /// Siteward itself made a TLS connection with whoever sent it, which may be a proxy that tells of a visitor in clear.
    pub is_tls: bool,
    /// Somebody looked whether the client sent a certificate.
    pub is_seen: bool,
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
    /// Which kind of setting, as the ledger names it.
    pub setting: String,
    /// Its value as text, as the ledger has it.
    pub value: String,
    /// What made it refuse, where the value alone does not.
    pub twist: Option<Twist>,
}

/// What makes a setting refuse that does not always do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Twist {
    /// It redirects, but there was no https address to send anybody to.
    NoAddress,
    /// It redirects, but the request carried a credential in clear.
    Credentials,
    /// Several trust lists were meant, or a list and none, so nobody was trusted. The setting is the last of them.
    Conflict,
}

impl Refused {
    /// Bytes of a path that are kept.
    const PATH: usize = 300;

    /// Where it would be sent by `site`, to which it came.
    pub fn https_address(&self, table: &SiteTable, site: &Site) -> Option<String> {
        site.https_address(table, Some(self.listener.ip()), self.host.as_ref())
    }

    /// The path to keep.
    pub fn short_path(path: &str) -> String {
        match path.len() {
            ..=Self::PATH => path.to_owned(),
            _ => format!("{}…", &path[..path.floor_char_boundary(Self::PATH)]),
        }
    }
}

impl From<Transport> for Came {
    /// Straight from the client, whose certificate was looked at.
    fn from(transport: Transport) -> Self {
        let is_tls = matches!(transport, Transport::Tls(_));
        Self { transport, is_tls, is_seen: is_tls }
    }
}

impl Cause {
    /// Whether the certificate that a client sent was not good enough.
    pub fn is_of_certificate(self) -> bool {
        matches!(
            self,
            Self::Unmet(
                Refusal::CertificateNotAllowed
                    | Refusal::CertificateRevoked
                    | Refusal::CertificateUntrusted
                    | Refusal::CertificateOutOfDate
            )
        )
    }

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
    /// The setting by which `demands`, which `rules` make, don't let a request through that came by `transport`.
    pub fn of(rules: &Rules, demands: &Demands, transport: Transport) -> Option<Self> {
        let mut deciding = demands.deciding(rules, transport).into_iter();
        deciding.find_map(|Deciding { setting, value, origin, twist }| {
            let rule = rules.origin(origin)?;
            Some(Self { rule: rule.id, place: rule.path.clone(), setting: setting.into(), value, twist })
        })
    }

    /// The trust list that decided, where one did.
    pub fn trust_list(&self) -> Option<TrustListId> {
        self.value.parse().ok().filter(|_| self.setting == TRUST_LIST)
    }
}

/// As the ledger names it.
const TRUST_LIST: &str = "trust_list";

/// A setting that may have decided, if somebody set it.
struct Deciding {
    setting: &'static str,
    value: String,
    origin: Origin,
    twist: Option<Twist>,
}

impl Deciding {
    fn by<T: Setting>(setting: &'static str, demand: Demand<T>) -> Self {
        Self { setting, value: demand.value.as_str().into(), origin: demand.origin, twist: None }
    }
}

impl Demands {
    /// What decides, the nearest cause first. What nobody set stands behind what makes it count.
    fn deciding(&self, rules: &Rules, transport: Transport) -> Vec<Deciding> {
        let require_ssl = |twist| Deciding { twist, ..Deciding::by("require_ssl", self.require_ssl) };
        let by_certificate = || Deciding::by("client_certificates", self.client_certificates);
        let refusal = match self.verdict(transport) {
            Verdict::Go => return Vec::new(),
            Verdict::Redirect(_) => return vec![require_ssl(Some(Twist::NoAddress))],
            Verdict::Refuse(refusal) => refusal,
        };
        match refusal {
            // No certificate can come in clear.
            Refusal::SslRequired if self.require_ssl.value == RequireSsl::Off => vec![by_certificate()],
            Refusal::SslRequired if self.require_ssl.value == RequireSsl::Refuse => vec![require_ssl(None)],
            Refusal::SslRequired => {
                let twist = Some(Twist::Credentials);
                let by_credentials = Deciding { twist, ..Deciding::by("clear_credentials", self.clear_credentials) };
                vec![by_credentials, require_ssl(twist)]
            }
            Refusal::TlsTooOld => vec![Deciding::by("min_tls", self.min_tls)],
            Refusal::CipherTooWeak => vec![Deciding::by("strength", self.strength)],
            Refusal::NotPostQuantum => vec![Deciding::by("key_exchange", self.key_exchange)],
            Refusal::CertificateRequired => vec![by_certificate()],
            Refusal::CertificateNotAllowed
            | Refusal::CertificateRevoked
            | Refusal::CertificateUntrusted
            | Refusal::CertificateOutOfDate => {
                let twist = (self.trust.value == Trusted::Conflict).then_some(Twist::Conflict);
                let by_trust = self.trust_list(rules).map(|list| {
                    let value = list.to_string();
                    Deciding { setting: TRUST_LIST, value, origin: self.trust.origin, twist }
                });
                by_trust.into_iter().chain([Deciding { twist, ..by_certificate() }]).collect()
            }
        }
    }

    /// The trust list that judged; where several are meant, the one of the last rule that names one.
    fn trust_list(&self, rules: &Rules) -> Option<TrustListId> {
        self.trust.value.list().or_else(|| rules.origin(self.trust.origin)?.settings.trust)
    }
}

#[cfg(test)]
mod tests;
