//! The fields that the forms of a site and of a rule share.

use siteward_core::ssl::{Demands, KeyExchange, RequireSsl, Setting, Settings, Strength, TlsVersion};

use super::words::Told;
use crate::form::Errors;

/// What the forms ask for, in the order of the page.
pub(crate) const LABELS: [&str; 4] = [RequireSsl::LABEL, TlsVersion::LABEL, Strength::LABEL, KeyExchange::LABEL];

/// The answers: each value as stored, empty where it is to be inherited, nothing where what is saved is to stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answers<'a> {
    pub(crate) ssl: Option<&'a str>,
    pub(crate) tls: Option<&'a str>,
    pub(crate) bits: Option<&'a str>,
    pub(crate) keys: Option<&'a str>,
}

/// One field with its choices.
pub(crate) struct Kind {
    pub(crate) field: &'static str,
    pub(crate) label: &'static str,
    pub(crate) short: bool,
    pub(crate) values: Vec<Value>,
}

/// One choice.
pub(crate) struct Value {
    pub(crate) value: &'static str,
    pub(crate) words: &'static str,
    pub(crate) consequence: &'static str,
    pub(crate) chosen: bool,
    /// What is saved, in words, where this is not it.
    pub(crate) instead_of: &'static str,
}

impl Answers<'_> {
    /// What was chosen; nothing for what is inherited.
    pub(crate) fn parse(self, errors: &mut Errors) -> Settings {
        Settings {
            require_ssl: read(self.ssl, errors),
            min_tls: read(self.tls, errors),
            strength: read(self.bits, errors),
            key_exchange: read(self.keys, errors),
            client_certificates: None,
            trust: None,
            clear_credentials: None,
        }
    }

    /// Each answer in words.
    pub(crate) fn in_words(self) -> Vec<String> {
        fn words<T: Told>(typed: Option<&str>) -> String {
            typed.and_then(T::parse).map_or(INHERITED, Told::words).to_owned()
        }
        vec![
            words::<RequireSsl>(self.ssl),
            words::<TlsVersion>(self.tls),
            words::<Strength>(self.bits),
            words::<KeyExchange>(self.keys),
        ]
    }

    /// The fields with these answers, where `saved` is what holds.
    pub(crate) fn kinds(self, saved: &Demands) -> Vec<Kind> {
        vec![
            kind(self.ssl, saved.require_ssl.value),
            kind(self.tls, saved.min_tls.value),
            kind(self.bits, saved.strength.value),
            kind(self.keys, saved.key_exchange.value),
        ]
    }
}

/// What an empty answer is called.
pub(crate) const INHERITED: &str = "Inherited";

/// What a place sets by itself, in words.
pub(crate) fn shown(settings: &Settings) -> Vec<String> {
    let answers = Answers {
        ssl: settings.require_ssl.map(Setting::as_str),
        tls: settings.min_tls.map(Setting::as_str),
        bits: settings.strength.map(Setting::as_str),
        keys: settings.key_exchange.map(Setting::as_str),
    };
    answers.in_words()
}

/// What holds, as a place would set it by itself.
pub(crate) fn all_of(demands: &Demands) -> Settings {
    Settings {
        require_ssl: Some(demands.require_ssl.value),
        min_tls: Some(demands.min_tls.value),
        strength: Some(demands.strength.value),
        key_exchange: Some(demands.key_exchange.value),
        client_certificates: Some(demands.client_certificates.value),
        trust: demands.trust.value.list(),
        clear_credentials: Some(demands.clear_credentials.value),
    }
}

/// As posted; empty for what is inherited.
pub(crate) fn text<T: Setting>(value: Option<T>) -> String {
    value.map_or("", T::as_str).to_owned()
}

/// `None` for what is inherited or can't be read; the latter is said beside the field.
pub(crate) fn read<T: Told>(typed: Option<&str>, errors: &mut Errors) -> Option<T> {
    let typed = typed.filter(|typed| !typed.is_empty())?;
    errors.check(T::FIELD, T::parse(typed).ok_or(CHOOSE))
}

/// What is said beside a field without an answer.
pub(crate) const CHOOSE: &str = "Choose one of these.";

pub(crate) fn kind<T: Told>(typed: Option<&str>, saved: T) -> Kind {
    let typed = typed.map_or(Some(saved), T::parse);
    let value = |&value: &T| Value {
        value: value.as_str(),
        words: value.words(),
        consequence: value.consequence(),
        chosen: typed == Some(value),
        instead_of: if value == saved { "" } else { saved.words() },
    };
    let values = T::CHOICES.iter().map(value).collect();
    Kind { field: T::FIELD, label: T::LABEL, short: T::SHORT, values }
}
