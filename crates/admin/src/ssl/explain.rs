//! What an address would demand, and what a request for it would get.

use siteward_core::binding::Protocol;
use siteward_core::path::UrlPath;
use siteward_core::site::{Site, SiteState};
use siteward_core::ssl::{
    ClientCertificates, Demand, Demands, KeyExchange, Origin, Redirect, RequireSsl, RulePath, Rules, Strength,
    TlsVersion, Transport, Verdict,
};
use time::OffsetDateTime;

use super::words::Told;

/// The answer to "what would this path demand?".
pub(crate) struct Explanation {
    /// The path as it is read, for rules and content alike; nothing where it can't be read.
    pub(crate) read: Option<String>,
    /// Each kind of setting: its label, the value that holds, and where it comes from.
    pub(crate) demands: Vec<(&'static str, &'static str, String)>,
    /// Each way to ask, and what it gets.
    pub(crate) answers: Vec<(&'static str, String)>,
}

impl Explanation {
    /// Explains a path as typed; a whole address will do.
    pub(crate) fn new(site: &Site, typed: &str, now: OffsetDateTime) -> Self {
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
        Self { read: Some(read), demands: told(rules, &demands, None), answers: answers(site, &demands, now) }
    }
}

/// Each kind of setting: its label, the value that holds, and where it comes from, seen from `here`.
pub(crate) fn told(
    rules: &Rules,
    demands: &Demands,
    here: Option<&RulePath>,
) -> Vec<(&'static str, &'static str, String)> {
    fn row<T: Told>(rules: &Rules, demand: Demand<T>, here: Option<&RulePath>) -> (&'static str, &'static str, String) {
        (T::LABEL, demand.value.words(), origin(rules, demand.origin, here))
    }
    let mut rows = vec![
        row(rules, demands.require_ssl, here),
        row(rules, demands.min_tls, here),
        row(rules, demands.strength, here),
        row(rules, demands.key_exchange, here),
    ];
    if demands.client_certificates.value != ClientCertificates::Ignore {
        rows.push(row(rules, demands.client_certificates, here));
    }
    if matches!(demands.require_ssl.value, RequireSsl::Redirect | RequireSsl::RedirectMoved) {
        rows.push(row(rules, demands.clear_credentials, here));
    }
    rows
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

/// Why nobody gets as far as what a path demands.
fn closed(site: &Site, protocol: Protocol, now: OffsetDateTime) -> Option<&'static str> {
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

fn answers(site: &Site, demands: &Demands, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let in_clear = |credentials| match demands.verdict(Transport::Clear { credentials, reads: true }) {
        Verdict::Go => "The page, in clear. Others on the way can read and change it.".to_owned(),
        Verdict::Redirect(how) => redirected(how, site),
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
        None => over_tls(site, demands),
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

fn redirected(how: Redirect, site: &Site) -> String {
    match site.https_address(None) {
        Some(_) => format!("{} to the same page over https.", how.status()),
        None => "403.4 SSL required. There is no https address to send it to.".into(),
    }
}

fn over_tls(site: &Site, demands: &Demands) -> String {
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
    match demands.client_certificates.value {
        ClientCertificates::Ignore => {}
        ClientCertificates::Accept => text += " A client certificate may be left out; one that is sent must be good.",
        ClientCertificates::Require => text += " Without a client certificate: 403.7.",
    }
    text
}
