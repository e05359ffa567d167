//! How a request came and what it got: a closed set, apart from folders.

use std::fmt;

use super::Folder;
use crate::ssl::{ClientCertificate, Refusal};

/// Requests that SSL settings can't tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class {
    /// How they came.
    pub facts: Facts,
    /// What they got.
    pub answer: Answer,
    /// Where to.
    pub folder: Folder,
}

impl Class {
    /// The same wherever it led.
    pub fn elsewhere(self) -> Self {
        Self { folder: Folder::ELSEWHERE, ..self }
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Facts {
    /// In clear or secured.
    pub way: Way,
    /// In which version of HTTP.
    pub http: Http,
}

/// In clear or secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// In plain HTTP, with what others on the way could read.
    Clear(Credentials),
    /// Over TLS that ended at a trusted proxy: nothing more is known.
    Proxied,
    /// Over TLS.
    Tls {
        /// Of the protocol.
        version: TlsVersion,
        /// That the content is sealed with.
        cipher: Cipher,
        /// That the keys come from.
        exchange: Exchange,
        /// That the client showed.
        shown: Shown,
    },
}

impl Way {
    /// The same, with what the client showed.
    pub fn showing(self, shown: Shown) -> Self {
        match self {
            Self::Clear(_) | Self::Proxied => self,
            Self::Tls { version, cipher, exchange, .. } => Self::Tls { version, cipher, exchange, shown },
        }
    }

    /// Whether a certificate may be there that nobody asked for or looked at.
    pub fn hides_certificate(&self) -> bool {
        matches!(self, Self::Tls { shown: Shown::Unknown, .. })
    }
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The digit after the dot in `403.4`, or 0. A redirect to https has that of the refusal that it stands for.
    pub substatus: u8,
}

/// Defines an enum whose values are stored as fixed words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As stored.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Reads what `as_str` wrote.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What proves who somebody is, as far as a request carries it.
    Credentials {
        /// Nothing.
        None = "none",
        /// A cookie.
        Cookie = "cookie",
        /// An `Authorization` field (RFC 9110 §11.6.2).
        Authorization = "authorization",
        /// A cookie and an `Authorization` field.
        Both = "both",
    }
}

words! {
    /// A version of TLS.
    TlsVersion {
        /// TLS 1.2 (RFC 5246).
        Tls12 = "tls1.2",
        /// TLS 1.3 (RFC 8446).
        Tls13 = "tls1.3",
        /// Before TLS 1.2: only in the logs of other servers.
        Older = "older",
        /// Not told.
        Unknown = "tls",
    }
}

words! {
    /// A cipher, by what decides on its strength.
    Cipher {
        /// AES with 128 bits.
        Aes128 = "aes128",
        /// AES with 256 bits.
        Aes256 = "aes256",
        /// ChaCha20, which has 256 bits.
        ChaCha20 = "chacha20",
        /// Weaker than 128 bits, or broken: only in the logs of other servers.
        Weak = "weak",
        /// Not told.
        Unknown = "-",
    }
}

words! {
    /// A key exchange group.
    Exchange {
        /// X25519 (RFC 7748).
        X25519 = "x25519",
        /// NIST P-256.
        P256 = "p256",
        /// NIST P-384.
        P384 = "p384",
        /// One with ML-KEM (FIPS 203): safe from quantum computers.
        PostQuantum = "mlkem",
        /// Another.
        Other = "other",
        /// Not told: TLS 1.2 resumes without one.
        Unknown = "-",
    }
}

words! {
    /// What a client's certificate was worth, by the trust list that counted then.
    Shown {
        /// It was asked for one, and had none.
        None = "none",
        /// Good.
        Good = "good",
        /// Good, but its holder is not let in.
        NotAllowed = "not-allowed",
        /// Revoked, or nobody could know.
        Revoked = "revoked",
        /// Not issued by a CA that is trusted.
        Untrusted = "untrusted",
        /// Expired or not valid yet.
        OutOfDate = "out-of-date",
        /// Nobody asked for one, or looked at the one that came.
        Unknown = "-",
    }
}

impl From<ClientCertificate> for Shown {
    fn from(client: ClientCertificate) -> Self {
        match client {
            ClientCertificate::None => Self::None,
            ClientCertificate::Good => Self::Good,
            ClientCertificate::NotAllowed => Self::NotAllowed,
            ClientCertificate::Revoked => Self::Revoked,
            ClientCertificate::Untrusted => Self::Untrusted,
            ClientCertificate::OutOfDate => Self::OutOfDate,
        }
    }
}

words! {
    /// A version of HTTP.
    Http {
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
        /// HTTP/3: only in the logs of other servers.
        Http3 = "3",
        /// Not told.
        Unknown = "-",
    }
}

words! {
    /// Why a handshake failed.
    Failure {
        /// No site has the name that was asked for.
        UnknownName = "unknown-name",
        /// No version, cipher or key exchange in common.
        NothingInCommon = "nothing-in-common",
        /// The client does not trust the certificate.
        Rejected = "rejected",
        /// It took too long.
        Timeout = "timeout",
        /// What came was not TLS.
        NotTls = "not-tls",
        /// The site is stopped, or has no certificate that is valid now.
        Closed = "closed",
        /// The client left, or broke the rules of the protocol.
        BrokenOff = "broken-off",
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            Way::Clear(credentials) => write!(f, "clear {}", credentials.as_str())?,
            Way::Proxied => f.write_str("proxied")?,
            Way::Tls { version, cipher, exchange, shown } => {
                write!(f, "{} {} {}", version.as_str(), cipher.as_str(), exchange.as_str())?;
                if shown != Shown::Unknown {
                    write!(f, " {}", shown.as_str())?;
                }
            }
        }
        write!(f, " {}", self.http.as_str())
    }
}

impl Facts {
    /// Reads what is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let (way, http) = match next()? {
            "proxied" => (Way::Proxied, next()?),
            "clear" => (Way::Clear(Credentials::parse(next()?)?), next()?),
            version => match (next()?, next()?, next()?, next()) {
                (cipher, exchange, shown, Some(http)) => (tls(version, cipher, exchange, shown)?, http),
                // What was written before certificates were asked for has no word for them.
                (cipher, exchange, http, None) => (tls(version, cipher, exchange, "-")?, http),
            },
        };
        let http = Http::parse(http)?;
        next().is_none().then_some(Self { way, http })
    }

    /// Whether it came over TLS, to us or to a trusted proxy.
    pub fn is_secure(&self) -> bool {
        matches!(self.way, Way::Tls { .. } | Way::Proxied)
    }
}

fn tls(version: &str, cipher: &str, exchange: &str, shown: &str) -> Option<Way> {
    Some(Way::Tls {
        version: TlsVersion::parse(version)?,
        cipher: Cipher::parse(cipher)?,
        exchange: Exchange::parse(exchange)?,
        shown: Shown::parse(shown)?,
    })
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.substatus {
            0 => write!(f, "{}", self.status),
            substatus => write!(f, "{}.{substatus}", self.status),
        }
    }
}

impl Answer {
    /// Whether it was refused or redirected because it came in clear.
    pub fn wants_ssl(&self) -> bool {
        matches!(self.status, 301 | 308 | 403) && self.substatus == Refusal::SslRequired.substatus()
    }

    /// Whether the SSL settings refused it, or the site none of whose policy it met.
    pub fn is_refusal(&self) -> bool {
        self.status == 421 || self.status == 403 && self.substatus != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_come_is_read_as_it_was_written() {
        let clear = Credentials::ALL.iter().map(|credentials| Way::Clear(*credentials));
        let secured = TlsVersion::ALL.iter().flat_map(|&version| {
            Cipher::ALL.iter().flat_map(move |&cipher| {
                Exchange::ALL.iter().flat_map(move |&exchange| {
                    Shown::ALL.iter().map(move |&shown| Way::Tls { version, cipher, exchange, shown })
                })
            })
        });
        for way in clear.chain(secured).chain([Way::Proxied]) {
            for &http in Http::ALL {
                let facts = Facts { way, http };
                assert_eq!(Facts::parse(&facts.to_string()), Some(facts));
            }
        }
        let before = Facts::parse("tls1.3 aes128 x25519 2").unwrap();
        assert!(matches!(before.way, Way::Tls { shown: Shown::Unknown, .. }), "as it was stored before");
        assert_eq!(Facts::parse("clear"), None);
        assert_eq!(Facts::parse("tls1.4 aes128 x25519 2"), None);
    }
}
