//! What can be demanded of a connection. Each kind is ordered from the weakest to the strictest.

use crate::trust_list::TrustListId;

/// One kind of setting.
pub trait Setting: Copy + Ord + Default + 'static {
    /// Every value, from the weakest to the strictest.
    const ALL: &'static [Self];

    /// As stored and posted.
    fn as_str(self) -> &'static str;

    /// Reads what [`Setting::as_str`] wrote.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == text)
    }
}

/// What a request in plain HTTP gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum RequireSsl {
    /// Content, as over https.
    #[default]
    Off,
    /// 301 to the https address for GET and HEAD, which old clients know (RFC 9110 §15.4.2); 308 for other methods.
    RedirectMoved,
    /// 308 to the https address (RFC 9110 §15.4.9).
    Redirect,
    /// 403.4 SSL required.
    Refuse,
}

/// A version of TLS: the one of a connection, or the least that is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// The strength of a cipher: the one of a connection, or the least that is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Strength {
    /// AES-128, and everything else Siteward offers.
    #[default]
    Bits128,
    /// AES-256 or ChaCha20.
    Bits256,
}

/// How the keys of a connection are agreed on: what was done, or the least that is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum KeyExchange {
    /// On elliptic curves alone.
    #[default]
    Any,
    /// With ML-KEM too, so that recording it for a later quantum computer is of no use. Needs TLS 1.3.
    PostQuantum,
}

/// What is done about certificates of visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum ClientCertificates {
    /// Nothing: one that is sent is not looked at.
    #[default]
    Ignore,
    /// Asked for, may be left out; one that is sent must be good.
    Accept,
    /// There must be a good one.
    Require,
}

/// What a request in clear gets that carries `Authorization` or a cookie, where others are redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum ClearCredentials {
    /// The same redirect.
    Redirect,
    /// 403.4, so that whoever sent it learns of it: others on the way could read the credential.
    #[default]
    Refuse,
}

impl Setting for RequireSsl {
    const ALL: &'static [Self] = &[Self::Off, Self::RedirectMoved, Self::Redirect, Self::Refuse];

    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::RedirectMoved => "redirect-301",
            Self::Redirect => "redirect",
            Self::Refuse => "refuse",
        }
    }
}

impl Setting for TlsVersion {
    const ALL: &'static [Self] = &[Self::Tls12, Self::Tls13];

    fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl Setting for Strength {
    const ALL: &'static [Self] = &[Self::Bits128, Self::Bits256];

    fn as_str(self) -> &'static str {
        match self {
            Self::Bits128 => "128",
            Self::Bits256 => "256",
        }
    }
}

impl Setting for KeyExchange {
    const ALL: &'static [Self] = &[Self::Any, Self::PostQuantum];

    fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::PostQuantum => "post-quantum",
        }
    }
}

impl Setting for ClientCertificates {
    const ALL: &'static [Self] = &[Self::Ignore, Self::Accept, Self::Require];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Accept => "accept",
            Self::Require => "require",
        }
    }
}

impl Setting for ClearCredentials {
    const ALL: &'static [Self] = &[Self::Redirect, Self::Refuse];

    fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Refuse => "refuse",
        }
    }
}

/// What one place sets by itself. What is `None` it inherits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// What plain HTTP gets.
    pub require_ssl: Option<RequireSsl>,
    /// The least version of TLS.
    pub min_tls: Option<TlsVersion>,
    /// The least strength of the cipher.
    pub strength: Option<Strength>,
    /// The least key exchange.
    pub key_exchange: Option<KeyExchange>,
    /// What is done about certificates of visitors.
    pub client_certificates: Option<ClientCertificates>,
    /// Whose certificates of visitors are trusted.
    pub trust: Option<TrustListId>,
    /// What credentials in clear get where others are redirected.
    pub clear_credentials: Option<ClearCredentials>,
}

impl Settings {
    /// Whether everything is inherited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Only what plain HTTP gets; everything else is inherited.
impl From<RequireSsl> for Settings {
    fn from(require_ssl: RequireSsl) -> Self {
        Self { require_ssl: Some(require_ssl), ..Self::default() }
    }
}
