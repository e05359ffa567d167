//! What a request gets where it asks: demands × connection → go, redirect or refuse.

use super::{ClearCredentials, ClientCertificates, Demands, KeyExchange, RequireSsl, Strength, TlsVersion};

/// How a request came. Facts of its connection, or a trusted proxy's word; of a visitor's own word only whether it carried
/// credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over a TLS connection that Siteward itself terminated.
    Tls(TlsFacts),
    /// Over TLS that ended at a trusted proxy, which says no more than that: only the weakest demands are met.
    Proxied,
    /// In plain HTTP.
    Clear {
        /// It carried `Authorization` or a cookie, which others on the way could read.
        credentials: bool,
        /// It only reads: GET or HEAD.
        reads: bool,
    },
}

/// What a TLS handshake agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version.
    pub version: TlsVersion,
    /// The strength of the cipher.
    pub strength: Strength,
    /// How the keys were agreed on.
    pub key_exchange: KeyExchange,
    /// What is known now of the client's certificate.
    pub client: ClientCertificate,
}

impl TlsFacts {
    /// What any TLS connection comes up to.
    const LEAST: Self = Self {
        version: TlsVersion::Tls12,
        strength: Strength::Bits128,
        key_exchange: KeyExchange::Any,
        client: ClientCertificate::None,
    };
}

/// What is known of a client's certificate when a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientCertificate {
    /// None was sent.
    None,
    /// Issued by a CA that is trusted here, valid now, not revoked, and on the list of those allowed where there is one.
    Good,
    /// The same, but not on the list of those allowed.
    NotAllowed,
    /// Its CA has revoked it, or what its CA has revoked can't be known.
    Revoked,
    /// Not issued by a CA that is trusted here, or not made for clients, or not readable.
    Untrusted,
    /// It has expired, or is not valid yet.
    OutOfDate,
}

/// The outcome of the SSL settings for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Go,
    /// Send it to the https address; refuse with 403.4 where there is none to send it to.
    Redirect(Redirect),
    /// Refuse it.
    Refuse(Refusal),
}

impl Verdict {
    /// What comes of it where there is an https address to send a request to, or none; which is asked only where it matters.
    pub fn settled(self, has_address: impl FnOnce() -> bool) -> Self {
        match self {
            Self::Redirect(_) if !has_address() => Self::Refuse(Refusal::SslRequired),
            verdict => verdict,
        }
    }
}

/// With which status a request is sent to the https address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// 301.
    Moved,
    /// 308.
    Permanent,
}

impl Redirect {
    /// The status code.
    pub fn status(self) -> u16 {
        match self {
            Self::Moved => 301,
            Self::Permanent => 308,
        }
    }
}

/// Why a request is refused with 403, and the substatus IIS gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 403.4: the page must be viewed over a secure channel.
    SslRequired,
    /// 403.5: the connection's version of TLS is too old.
    TlsTooOld,
    /// 403.5: the connection's cipher is too weak.
    CipherTooWeak,
    /// 403.5: the connection's keys were not agreed on in a post-quantum way.
    NotPostQuantum,
    /// 403.7: no client certificate was sent.
    CertificateRequired,
    /// 403.12: the client certificate is not on the list of those allowed.
    CertificateNotAllowed,
    /// 403.13: the client certificate is revoked.
    CertificateRevoked,
    /// 403.16: the client certificate is untrusted or invalid.
    CertificateUntrusted,
    /// 403.17: the client certificate has expired or is not valid yet.
    CertificateOutOfDate,
}

impl Refusal {
    /// Every refusal, by substatus.
    pub const ALL: &'static [Self] = &[
        Self::SslRequired,
        Self::TlsTooOld,
        Self::CipherTooWeak,
        Self::NotPostQuantum,
        Self::CertificateRequired,
        Self::CertificateNotAllowed,
        Self::CertificateRevoked,
        Self::CertificateUntrusted,
        Self::CertificateOutOfDate,
    ];

    /// The digits after the dot in `403.4`.
    pub fn substatus(self) -> u8 {
        match self {
            Self::SslRequired => 4,
            Self::TlsTooOld | Self::CipherTooWeak | Self::NotPostQuantum => 5,
            Self::CertificateRequired => 7,
            Self::CertificateNotAllowed => 12,
            Self::CertificateRevoked => 13,
            Self::CertificateUntrusted => 16,
            Self::CertificateOutOfDate => 17,
        }
    }

    /// The words after the code, as in `403.4 SSL required`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SslRequired => "SSL required",
            Self::TlsTooOld | Self::CipherTooWeak | Self::NotPostQuantum => "Stronger encryption required",
            Self::CertificateRequired => "Client certificate required",
            Self::CertificateNotAllowed => "Client certificate not allowed here",
            Self::CertificateRevoked => "Client certificate revoked",
            Self::CertificateUntrusted => "Client certificate untrusted or invalid",
            Self::CertificateOutOfDate => "Client certificate expired or not yet valid",
        }
    }
}

impl Demands {
    /// What plain HTTP gets. A certificate can't come in clear, so where one is required, nothing goes out in clear.
    pub fn in_clear(&self) -> RequireSsl {
        match (self.require_ssl.value, self.client_certificates.value) {
            (RequireSsl::Off, ClientCertificates::Require) => RequireSsl::Refuse,
            (require_ssl, _) => require_ssl,
        }
    }

    /// What a request gets. The one place where it is let through or not, in this order: SSL at all, the version of
    /// TLS, the cipher, the key exchange, the client's certificate.
    pub fn verdict(&self, transport: Transport) -> Verdict {
        let facts = match transport {
            Transport::Clear { credentials, reads } => return self.verdict_in_clear(credentials, reads),
            Transport::Proxied => TlsFacts::LEAST,
            Transport::Tls(facts) => facts,
        };
        let refusal = match facts {
            _ if facts.version < self.min_tls.value => Some(Refusal::TlsTooOld),
            _ if facts.strength < self.strength.value => Some(Refusal::CipherTooWeak),
            _ if facts.key_exchange < self.key_exchange.value => Some(Refusal::NotPostQuantum),
            _ => self.client_certificates.value.refusal(facts.client),
        };
        refusal.map_or(Verdict::Go, Verdict::Refuse)
    }

    fn verdict_in_clear(&self, credentials: bool, reads: bool) -> Verdict {
        // The credential has crossed the network in clear; sending it on would hide that.
        let leaked = credentials && self.clear_credentials.value == ClearCredentials::Refuse;
        match self.in_clear() {
            RequireSsl::Off => Verdict::Go,
            RequireSsl::Redirect | RequireSsl::RedirectMoved if leaked => Verdict::Refuse(Refusal::SslRequired),
            RequireSsl::RedirectMoved if reads => Verdict::Redirect(Redirect::Moved),
            RequireSsl::Redirect | RequireSsl::RedirectMoved => Verdict::Redirect(Redirect::Permanent),
            RequireSsl::Refuse => Verdict::Refuse(Refusal::SslRequired),
        }
    }
}

impl ClientCertificates {
    /// Why a client with this certificate is refused.
    pub fn refusal(self, client: ClientCertificate) -> Option<Refusal> {
        match (self, client) {
            (Self::Ignore, _) | (Self::Accept, ClientCertificate::None) | (_, ClientCertificate::Good) => None,
            (Self::Require, ClientCertificate::None) => Some(Refusal::CertificateRequired),
            (_, ClientCertificate::NotAllowed) => Some(Refusal::CertificateNotAllowed),
            (_, ClientCertificate::Revoked) => Some(Refusal::CertificateRevoked),
            (_, ClientCertificate::Untrusted) => Some(Refusal::CertificateUntrusted),
            (_, ClientCertificate::OutOfDate) => Some(Refusal::CertificateOutOfDate),
        }
    }
}
