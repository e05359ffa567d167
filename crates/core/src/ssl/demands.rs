//! What a place demands of a connection, each kind with where it comes from.

use super::setting::{ClearCredentials, ClientCertificates, KeyExchange, RequireSsl, Settings, Strength, TlsVersion};
use crate::certificate::Fingerprint;
use crate::trust_list::TrustListId;

/// Where a demand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    BuiltIn,
    /// The rule at this place of [`Rules::list`](super::Rules::list).
    Rule(u32),
}

/// What is demanded of one kind, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand<T> {
    /// The value that holds.
    pub value: T,
    /// The last place on the way that set it.
    pub origin: Origin,
}

/// Whose certificates of visitors a place trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trusted {
    /// Nobody's: no place on the way names a trust list.
    #[default]
    Unset,
    /// Those that this trust list lets in.
    List(TrustListId),
    /// Nobody's: what the path may lead to names several lists, or a list and none.
    Conflict,
}

/// Everything that a place demands, its own settings and inherited ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    /// What plain HTTP gets.
    pub require_ssl: Demand<RequireSsl>,
    /// The least version of TLS.
    pub min_tls: Demand<TlsVersion>,
    /// The least strength of the cipher.
    pub strength: Demand<Strength>,
    /// The least key exchange.
    pub key_exchange: Demand<KeyExchange>,
    /// What is done about certificates of visitors.
    pub client_certificates: Demand<ClientCertificates>,
    /// Whose certificates of visitors are trusted.
    pub trust: Demand<Trusted>,
    /// What credentials in clear get where others are redirected.
    pub clear_credentials: Demand<ClearCredentials>,
}

/// What handshakes for a site keep to: what all its places demand alike, since none of them is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TlsPolicy {
    /// No place takes an older version.
    pub min_tls: TlsVersion,
    /// No place takes a weaker cipher.
    pub strength: Strength,
    /// No place takes less.
    pub key_exchange: KeyExchange,
    /// Some place wants to know the client's certificate.
    pub ask_certificate: bool,
    /// Which CAs are trusted there, as one digest: a connection that was asked for another's certificate is another one.
    pub trust: Fingerprint,
}

impl<T> Demand<T> {
    fn set(&mut self, value: Option<T>, rule: u32) {
        if let Some(value) = value {
            *self = Self { value, origin: Origin::Rule(rule) };
        }
    }
}

impl<T: Copy + Ord> Demand<T> {
    fn tighten(&mut self, value: Option<T>, rule: u32) {
        self.set(value.filter(|value| *value > self.value), rule);
    }
}

impl Demand<Trusted> {
    /// What is left where both may be meant.
    pub(super) fn or_conflict(self, other: Self) -> Self {
        if self.value == other.value { self } else { Self { value: Trusted::Conflict, ..other } }
    }
}

impl Trusted {
    /// The list, where there is one.
    pub fn list(self) -> Option<TrustListId> {
        match self {
            Self::List(id) => Some(id),
            Self::Unset | Self::Conflict => None,
        }
    }
}

impl Demands {
    /// Whether a visitor's certificate changes anything.
    pub fn looks_at_certificates(&self) -> bool {
        self.client_certificates.value != ClientCertificates::Ignore
    }

    /// Takes over what a rule sets.
    pub(super) fn set(&mut self, settings: &Settings, rule: u32) {
        self.require_ssl.set(settings.require_ssl, rule);
        self.min_tls.set(settings.min_tls, rule);
        self.strength.set(settings.strength, rule);
        self.key_exchange.set(settings.key_exchange, rule);
        self.client_certificates.set(settings.client_certificates, rule);
        self.trust.set(settings.trust.map(Trusted::List), rule);
        self.clear_credentials.set(settings.clear_credentials, rule);
    }

    /// Takes over what a rule sets where that is stricter. No trust list is stricter than another: where they differ,
    /// nobody is trusted.
    pub(super) fn tighten(&mut self, settings: &Settings, rule: u32) {
        if let Some(list) = settings.trust {
            self.trust = self.trust.or_conflict(Demand { value: Trusted::List(list), origin: Origin::Rule(rule) });
        }
        self.require_ssl.tighten(settings.require_ssl, rule);
        self.min_tls.tighten(settings.min_tls, rule);
        self.strength.tighten(settings.strength, rule);
        self.key_exchange.tighten(settings.key_exchange, rule);
        self.client_certificates.tighten(settings.client_certificates, rule);
        self.clear_credentials.tighten(settings.clear_credentials, rule);
    }

    /// The same for a default document of a folder, which may be all that is asked for: where only the document looks at
    /// certificates, its trust list alone counts.
    pub(super) fn tighten_for_document(&mut self, settings: &Settings, rule: u32) {
        if !self.looks_at_certificates() && settings.client_certificates > Some(ClientCertificates::Ignore) {
            self.trust.set(settings.trust.map(Trusted::List), rule);
        }
        self.tighten(settings, rule);
    }

    /// The stricter of both, kind by kind.
    pub(super) fn tighten_to(&mut self, other: &Self) {
        fn stricter<T: Copy + Ord>(own: &mut Demand<T>, other: Demand<T>) {
            if other.value > own.value {
                *own = other;
            }
        }
        if other.looks_at_certificates() {
            self.trust = if self.looks_at_certificates() { self.trust.or_conflict(other.trust) } else { other.trust };
        }
        stricter(&mut self.require_ssl, other.require_ssl);
        stricter(&mut self.min_tls, other.min_tls);
        stricter(&mut self.strength, other.strength);
        stricter(&mut self.key_exchange, other.key_exchange);
        stricter(&mut self.client_certificates, other.client_certificates);
        stricter(&mut self.clear_credentials, other.clear_credentials);
    }
}

impl Demands {
    /// Whether the same is demanded, whoever demands it.
    pub fn is_same(&self, other: &Self) -> bool {
        let values = |own: &Self| {
            let Self { require_ssl, min_tls, strength, key_exchange, client_certificates, trust, clear_credentials } =
                *own;
            let in_clear = (require_ssl.value, clear_credentials.value);
            (in_clear, (min_tls.value, strength.value, key_exchange.value), client_certificates.value, trust.value)
        };
        values(self) == values(other)
    }
}

impl TlsPolicy {
    pub(super) fn of(places: impl IntoIterator<Item = Demands>) -> Self {
        let mut weakest: Option<(TlsVersion, Strength, KeyExchange)> = None;
        let mut ask_certificate = false;
        for place in places {
            let own = (place.min_tls.value, place.strength.value, place.key_exchange.value);
            weakest =
                Some(weakest.map_or(own, |weakest| (weakest.0.min(own.0), weakest.1.min(own.1), weakest.2.min(own.2))));
            ask_certificate |= place.looks_at_certificates();
        }
        let (min_tls, strength, key_exchange) = weakest.unwrap_or_default();
        Self { min_tls, strength, key_exchange, ask_certificate, trust: Fingerprint::default() }
    }
}
