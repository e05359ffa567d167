//! The fields that the forms of a site and of a rule share.

use std::borrow::Cow;

use siteward_core::ssl::{
    ClientCertificates, Demands, KeyExchange, RequireSsl, Setting, Settings, Strength, TlsVersion, Trusted,
};
use siteward_core::table::SiteTable;
use siteward_core::trust_list::{TrustList, TrustListId};

use super::words::Told;
use crate::form::Errors;
use crate::format::count;

/// What the forms ask for, in the order of the page.
pub(crate) const LABELS: [&str; 6] =
    [RequireSsl::LABEL, TlsVersion::LABEL, Strength::LABEL, KeyExchange::LABEL, ClientCertificates::LABEL, TRUST_LABEL];

/// The name of the field that chooses a trust list.
pub(crate) const TRUST: &str = "trust";

/// What it is called.
pub(crate) const TRUST_LABEL: &str = "Trust list";

/// As posted where the whole site has no trust list.
pub(crate) const NONE: &str = "none";

/// The same in words.
pub(crate) const NO_LIST: &str = "None";

/// What is to be known before client certificates are asked for.
const HANDSHAKE: &str = "Browsers are asked at the handshake, before any folder is named, and TLS 1.3 can’t ask again \
    later: as soon as one place of the site looks at certificates, every visitor with a fitting one may be asked to choose \
    it. What it opens is decided place by place. Where one is required, nothing goes out over http://.";

/// What a trust list is.
const LISTS: &str = "The CAs whose certificates count, and whom they let in.";

/// The answers: each value as stored, empty where it is to be inherited, nothing where what is saved is to stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answers<'a> {
    pub(crate) ssl: Option<&'a str>,
    pub(crate) tls: Option<&'a str>,
    pub(crate) bits: Option<&'a str>,
    pub(crate) keys: Option<&'a str>,
    pub(crate) clients: Option<&'a str>,
    /// The id of a trust list.
    pub(crate) trust: Option<&'a str>,
}

/// One field with its choices.
pub(crate) struct Kind {
    pub(crate) field: &'static str,
    pub(crate) label: &'static str,
    pub(crate) short: bool,
    /// The choices are many, and the page shows them as a list.
    pub(crate) is_list: bool,
    /// What is to be known before choosing; may be empty.
    pub(crate) hint: &'static str,
    pub(crate) values: Vec<Value>,
}

/// One choice.
pub(crate) struct Value {
    pub(crate) value: Cow<'static, str>,
    pub(crate) words: Cow<'static, str>,
    pub(crate) consequence: Cow<'static, str>,
    pub(crate) chosen: bool,
    /// What is saved, in words, where this is not it.
    pub(crate) instead_of: Cow<'static, str>,
}

impl Answers<'_> {
    /// What was chosen; nothing for what is inherited.
    pub(crate) fn parse(self, errors: &mut Errors) -> Settings {
        Settings {
            require_ssl: read(self.ssl, errors),
            min_tls: read(self.tls, errors),
            strength: read(self.bits, errors),
            key_exchange: read(self.keys, errors),
            client_certificates: read(self.clients, errors),
            trust: self
                .trust
                .filter(|typed| !["", NONE].contains(typed))
                .and_then(|typed| errors.check(TRUST, typed.parse::<TrustListId>().map_err(|_| CHOOSE))),
            clear_credentials: None,
        }
    }

    /// Each answer in words.
    pub(crate) fn in_words(self, table: &SiteTable) -> Vec<String> {
        fn words<T: Told>(typed: Option<&str>) -> String {
            typed.and_then(T::parse).map_or(INHERITED, Told::words).to_owned()
        }
        vec![
            words::<RequireSsl>(self.ssl),
            words::<TlsVersion>(self.tls),
            words::<Strength>(self.bits),
            words::<KeyExchange>(self.keys),
            words::<ClientCertificates>(self.clients),
            match self.trust {
                Some(NONE) => NO_LIST.into(),
                typed => typed.and_then(|typed| typed.parse().ok()).map_or(INHERITED.into(), |id| list_name(id, table)),
            },
        ]
    }

    /// The fields with these answers, where `saved` is what holds.
    pub(crate) fn kinds(self, saved: &Demands, table: &SiteTable) -> Vec<Kind> {
        vec![
            kind(self.ssl, saved.require_ssl.value),
            kind(self.tls, saved.min_tls.value),
            kind(self.bits, saved.strength.value),
            kind(self.keys, saved.key_exchange.value),
            Kind { hint: HANDSHAKE, ..kind(self.clients, saved.client_certificates.value) },
            lists(self.trust, saved.trust.value, table),
        ]
    }
}

/// What an empty answer is called.
pub(crate) const INHERITED: &str = "Inherited";

/// What a place sets by itself, in words.
pub(crate) fn shown(settings: &Settings, table: &SiteTable) -> Vec<String> {
    let trust = settings.trust.map(|id| id.to_string());
    let answers = Answers {
        ssl: settings.require_ssl.map(Setting::as_str),
        tls: settings.min_tls.map(Setting::as_str),
        bits: settings.strength.map(Setting::as_str),
        keys: settings.key_exchange.map(Setting::as_str),
        clients: settings.client_certificates.map(Setting::as_str),
        trust: trust.as_deref(),
    };
    answers.in_words(table)
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
        value: value.as_str().into(),
        words: value.words().into(),
        consequence: value.consequence().into(),
        chosen: typed == Some(value),
        instead_of: if value == saved { "" } else { saved.words() }.into(),
    };
    let values = T::CHOICES.iter().map(value).collect();
    Kind { field: T::FIELD, label: T::LABEL, short: T::SHORT, is_list: false, hint: "", values }
}

/// The trust lists to choose from, by name.
fn lists(typed: Option<&str>, saved: Trusted, table: &SiteTable) -> Kind {
    let typed = typed.map_or(saved.list(), |typed| typed.parse().ok());
    let mut lists: Vec<&TrustList> = table.trust_lists().map(|list| &**list).collect();
    lists.sort_by_key(|list| list.name.to_lowercase());
    let value = |id: TrustListId, words: String, consequence: String| Value {
        value: id.to_string().into(),
        words: words.into(),
        consequence: consequence.into(),
        chosen: typed == Some(id),
        instead_of: match saved.list() {
            Some(saved) if saved == id => "".into(),
            saved => saved.map_or(NO_LIST.into(), |saved| list_name(saved, table).into()),
        },
    };
    let mut values: Vec<Value> = lists.iter().map(|list| value(list.id, list.name.clone(), about(list))).collect();
    if let Some(id) = typed.filter(|id| lists.iter().all(|list| list.id != *id)) {
        values.push(value(id, UNREADABLE.into(), "nobody is trusted".into()));
    }
    Kind { field: TRUST, label: TRUST_LABEL, short: true, is_list: true, hint: LISTS, values }
}

/// What a list comes to, in a few words.
fn about(list: &TrustList) -> String {
    match list.subjects().count() {
        0 => "no CA yet, lets nobody in".into(),
        cas => count(cas, "CA", "CAs"),
    }
}

/// A trust list that is named but not there.
const UNREADABLE: &str = "A list that can’t be read";

/// The name of a trust list.
pub(crate) fn list_name(id: TrustListId, table: &SiteTable) -> String {
    table.trust_list(Trusted::List(id)).map_or(UNREADABLE.into(), |list| list.name.clone())
}
