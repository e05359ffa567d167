//! SSL settings as the console tells them.

use siteward_core::ssl::{
    ClearCredentials, ClientCertificates, KeyExchange, RequireSsl, Setting, Strength, TlsVersion,
};

/// A kind of setting in the console's words.
pub(crate) trait Told: Setting {
    /// The name of its field in forms.
    const FIELD: &'static str;

    /// What the field is called.
    const LABEL: &'static str;

    /// Its values as a form lists them.
    const CHOICES: &'static [Self] = Self::ALL;

    /// Whether its choices are short enough to stand side by side.
    const SHORT: bool = true;

    /// The value as a choice.
    fn words(self) -> &'static str;

    /// What a visitor gets under it.
    fn consequence(self) -> &'static str;
}

impl Told for RequireSsl {
    const FIELD: &'static str = "ssl";
    const LABEL: &'static str = "Require secure channel (SSL)";
    const CHOICES: &'static [Self] = &[Self::Off, Self::Refuse, Self::Redirect, Self::RedirectMoved];
    const SHORT: bool = false;

    fn words(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::Refuse => "Refuse plain HTTP",
            Self::Redirect => "Redirect to HTTPS",
            Self::RedirectMoved => "Redirect to HTTPS with 301",
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Off => {
                "http:// and https:// both answer. Anyone on the way can read or change what goes over http://."
            }
            Self::Refuse => "http:// gets 403.4 SSL required. Nothing is served.",
            Self::Redirect => {
                "http:// gets 308. What the first request carried has already crossed the network in clear; one that \
                 carries a credential is refused, unless you choose otherwise below."
            }
            Self::RedirectMoved => {
                "The same for clients that do not know 308: GET and HEAD get 301, everything else 308."
            }
        }
    }
}

impl Told for TlsVersion {
    const FIELD: &'static str = "tls";
    const LABEL: &'static str = "Minimum TLS version";

    fn words(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Tls12 => "Every browser since 2014.",
            Self::Tls13 => "Every browser since 2020. Older clients are refused.",
        }
    }
}

impl Told for Strength {
    const FIELD: &'static str = "bits";
    const LABEL: &'static str = "Encryption strength";

    fn words(self) -> &'static str {
        match self {
            Self::Bits128 => "128-bit",
            Self::Bits256 => "256-bit",
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Bits128 => "Every cipher this server offers.",
            Self::Bits256 => "AES-256 and ChaCha20 only. Weaker clients are refused.",
        }
    }
}

impl Told for KeyExchange {
    const FIELD: &'static str = "keys";
    const LABEL: &'static str = "Key exchange";

    fn words(self) -> &'static str {
        match self {
            Self::Any => "Any",
            Self::PostQuantum => "Post-quantum only",
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Any => "Post-quantum where the client can.",
            Self::PostQuantum => "ML-KEM over TLS 1.3: current browsers. Clients without it are refused.",
        }
    }
}

impl Told for ClientCertificates {
    const FIELD: &'static str = "clients";
    const LABEL: &'static str = "Client certificates";

    fn words(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::Accept => "Accept",
            Self::Require => "Require",
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Ignore => "Certificates are not looked at.",
            Self::Accept => "Asked for, may be left out. One that is sent must be good.",
            Self::Require => "Without one: 403.7. With one that is not good: 403.12 to 403.17.",
        }
    }
}

impl Told for ClearCredentials {
    const FIELD: &'static str = "credentials";
    const LABEL: &'static str = "Credentials over plain HTTP";
    const CHOICES: &'static [Self] = &[Self::Refuse, Self::Redirect];
    const SHORT: bool = false;

    fn words(self) -> &'static str {
        match self {
            Self::Refuse => "Refuse, also where others are redirected",
            Self::Redirect => "Redirect like the others",
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Refuse => "A request over http:// with a cookie or a password gets 403.4: others could read it.",
            Self::Redirect => "Its sender never learns that others could read it. Siteward tells you all the same.",
        }
    }
}

/// A setting as stored, in words, for the ledger: `kind` is its column.
pub(crate) fn stored(kind: &str, value: &str) -> Option<&'static str> {
    fn words<T: Told>(value: &str) -> Option<&'static str> {
        T::parse(value).map(Told::words)
    }
    match kind {
        "require_ssl" => words::<RequireSsl>(value),
        "min_tls" => words::<TlsVersion>(value),
        "strength" => words::<Strength>(value),
        "key_exchange" => words::<KeyExchange>(value),
        "client_certificates" => words::<ClientCertificates>(value),
        "clear_credentials" => words::<ClearCredentials>(value),
        _ => None,
    }
}
