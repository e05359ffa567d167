//! What an address would demand, and what a request for it would get.

use siteward_core::binding::Protocol;
use siteward_core::path::UrlPath;
use siteward_core::site::{Site, SiteState};
use siteward_core::ssl::{
    ClientCertificates, Demand, Demands, KeyExchange, Origin, Redirect, RequireSsl, RulePath, Rules, Strength,
    TlsVersion, Transport, Trusted, Verdict,
};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use super::form::{TRUST_LABEL, list_name};
use super::words::Told;

/// The answer to "what would this path demand?".
pub(crate) struct Explanation {
    /// The path as it is read, for rules and content alike; nothing where it can't be read.
    pub(crate) read: Option<String>,
    /// Each kind of setting.
    pub(crate) demands: Vec<Row>,
    /// Each way to ask, and what it gets.
    pub(crate) answers: Vec<(&'static str, String)>,
}

/// One kind of setting at a place.
pub(crate) struct Row {
    pub(crate) label: &'static str,
    /// The value that holds.
    pub(crate) words: String,
    /// Where it comes from.
    pub(crate) origin: String,
}

impl Explanation {
    /// Explains a path as typed; a whole address will do.
    pub(crate) fn new(table: &SiteTable, site: &Site, typed: &str, now: OffsetDateTime) -> Self {
        let Ok(path) = UrlPath::parse(&path_of(typed.trim())) else {
            let answers = vec![(
                "http:// and https://",
                "400 Bad request. A path that can be read in two ways is never answered.".into(),
            )];
            return Self { read: None, demands: Vec::new(), answers };
        };
        let rules = &site.rules;
        let demands = rules.demands(&path);
        let read = match (path.relative(), path.is_folder()) {
            ("", _) => "/".into(),
            (relative, true) => format!("/{relative}/"),
            (relative, false) => format!("/{relative}"),
        };
        let answers = answers(table, site, &demands, now);
        Self { read: Some(read), demands: in_force(rules, &demands, None, table), answers }
    }
}

fn row<T: Told>(rules: &Rules, demand: Demand<T>, here: Option<&RulePath>) -> Row {
    Row { label: T::LABEL, words: demand.value.words().into(), origin: origin(rules, demand.origin, here) }
}

/// Each kind of setting that every form asks for, in its order, seen from `here`.
pub(crate) fn told(rules: &Rules, demands: &Demands, here: Option<&RulePath>, table: &SiteTable) -> Vec<Row> {
    vec![
        row(rules, demands.require_ssl, here),
        row(rules, demands.min_tls, here),
        row(rules, demands.strength, here),
        row(rules, demands.key_exchange, here),
        row(rules, demands.client_certificates, here),
        Row {
            label: TRUST_LABEL,
            words: trusted(demands.trust.value, table),
            origin: origin(rules, demands.trust.origin, here),
        },
    ]
}

/// The same as far as it counts: the trust list only where certificates are looked at, and what becomes of credentials
/// only where they could be sent on.
pub(crate) fn in_force(rules: &Rules, demands: &Demands, here: Option<&RulePath>, table: &SiteTable) -> Vec<Row> {
    let mut rows = told(rules, demands, here, table);
    if !demands.looks_at_certificates() {
        rows.pop();
    }
    if matches!(demands.require_ssl.value, RequireSsl::Redirect | RequireSsl::RedirectMoved) {
        rows.push(row(rules, demands.clear_credentials, here));
    }
    rows
}

fn trusted(trusted: Trusted, table: &SiteTable) -> String {
    match trusted {
        Trusted::Unset => "None, nobody is trusted".into(),
        Trusted::Conflict => "Several may be meant, nobody is trusted".into(),
        Trusted::List(id) => list_name(id, table),
    }
}

/// Where a value comes from.
pub(crate) fn origin(rules: &Rules, origin: Origin, here: Option<&RulePath>) -> String {
    match (rules.origin(origin), here) {
        (None, _) => "built in".into(),
        (Some(rule), Some(here)) if rule.path == *here => "set here".into(),
        (Some(rule), Some(_)) => format!("inherited from {}", rule.path),
        (Some(rule), None) if rule.path.is_site() => "set for the whole site".into(),
        (Some(rule), None) => format!("set for {}", rule.path),
    }
}

/// The path of an address, or of what is typed without one.
fn path_of(typed: &str) -> String {
    let rest = ["https://", "http://"].iter().find_map(|scheme| typed.strip_prefix(scheme));
    let path = match rest {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => typed,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Why nobody gets as far as what a path demands: what everybody gets, then the cause.
pub(crate) fn closed(site: &Site, protocol: Protocol, now: OffsetDateTime) -> Option<&'static str> {
    let mut bindings = site.bindings.iter().filter(|binding| binding.place.protocol == protocol).peekable();
    let https = protocol == Protocol::Https;
    if bindings.peek().is_none() {
        return Some(if https {
            "Nothing. The site has no https binding."
        } else {
            "Nothing. The site has no http binding."
        });
    }
    match (site.state, site.locked) {
        (SiteState::Stopped, _) if https => Some("No connection. The site is stopped."),
        (SiteState::Stopped, _) => Some("503 Service unavailable. The site is stopped."),
        (_, true) if https => Some("No connection. The private keys can’t be used."),
        (_, true) => Some("503 Service unavailable. The private keys of the site can’t be used."),
        _ if https && !bindings.any(|own| own.certificate.as_ref().is_some_and(|own| own.valid_at(now))) => {
            Some("A warning of the browser. No certificate of the site is valid now.")
        }
        _ => None,
    }
}

fn answers(table: &SiteTable, site: &Site, demands: &Demands, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let in_clear = |credentials| match demands.verdict(Transport::Clear { credentials, reads: true }) {
        Verdict::Go => "The page, in clear. Others on the way can read and change it.".to_owned(),
        Verdict::Redirect(how) => redirected(how, site, table),
        Verdict::Refuse(refusal) => format!("403.{} {}.", refusal.substatus(), refusal.reason()),
    };
    let clear = |credentials| match closed(site, Protocol::Http, now) {
        Some(why) => why.to_owned(),
        None => in_clear(credentials),
    };
    let (bare, with_credentials) = (clear(false), clear(true));
    let mut answers = vec![("http://", bare.clone())];
    if bare != with_credentials {
        answers.push(("http:// with a cookie or a password", with_credentials));
    }
    let over_tls = match closed(site, Protocol::Https, now) {
        Some(why) => why.to_owned(),
        None => over_tls(site, demands, table),
    };
    answers.push(("https://", over_tls));
    if site.proxied {
        answers.push(("https:// that ends at a trusted proxy", by_proxy(site, demands, now)));
    }
    answers
}

/// Of TLS that ended at a proxy nothing is known but that there was some.
fn by_proxy(site: &Site, demands: &Demands, now: OffsetDateTime) -> String {
    if let Some(why) = closed(site, Protocol::Http, now) {
        return why.to_owned();
    }
    match demands.verdict(Transport::Proxied) {
        Verdict::Refuse(refusal) => format!(
            "403.{} {}. What was agreed on with the proxy is not known here.",
            refusal.substatus(),
            refusal.reason()
        ),
        _ => "The page.".into(),
    }
}

fn redirected(how: Redirect, site: &Site, table: &SiteTable) -> String {
    match site.https_address(table, None, None) {
        Some(_) => format!("{} to the same page over https.", how.status()),
        None => "403.4 SSL required. There is no https address to send it to.".into(),
    }
}

fn over_tls(site: &Site, demands: &Demands, table: &SiteTable) -> String {
    let wanted = [
        (demands.min_tls.value == TlsVersion::Tls13).then_some("TLS 1.3"),
        (demands.strength.value == Strength::Bits256).then_some("256-bit encryption"),
        (demands.key_exchange.value == KeyExchange::PostQuantum).then_some("a post-quantum key exchange"),
    ];
    let wanted: Vec<&str> = wanted.into_iter().flatten().collect();
    let tls = site.rules.tls();
    let by_handshake = tls.min_tls >= demands.min_tls.value
        && tls.strength >= demands.strength.value
        && tls.key_exchange >= demands.key_exchange.value;
    let mut text = match (wanted.as_slice(), by_handshake) {
        ([], _) => "The page.".to_owned(),
        (wanted, true) => format!("The page, over {}. Weaker clients get no connection.", wanted.join(", ")),
        (wanted, false) => {
            format!(
                "The page, over {}. A weaker connection gets 403.5 Stronger encryption required.",
                wanted.join(", ")
            )
        }
    };
    text += match demands.client_certificates.value {
        ClientCertificates::Ignore => return text,
        ClientCertificates::Accept => " A client certificate may be left out.",
        ClientCertificates::Require => " Without a client certificate: 403.7.",
    };
    text += &match demands.trust.value {
        Trusted::List(id) => {
            format!(" One that the trust list {} does not let in: 403.12 to 403.17.", list_name(id, table))
        }
        Trusted::Unset | Trusted::Conflict => {
            " No trust list counts here, so whoever sends one gets 403.16.".to_owned()
        }
    };
    text
}
