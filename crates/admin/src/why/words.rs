//! A refused request in words.

use siteward_core::refused::{Again, Came, Cause, Decided, Refused, Twist};
use siteward_core::ssl::{ClientCertificate, KeyExchange, Refusal, Strength, TlsFacts, TlsVersion, Transport, Trusted};
use siteward_core::table::SiteTable;

use crate::activity;

/// `403.4 SSL required`
pub(super) fn code(cause: Cause) -> String {
    let words = match cause {
        Cause::BadHost | Cause::BadPath => "Bad request",
        Cause::NoSite => "Not found",
        Cause::OtherSite | Cause::OlderSettings => "Misdirected request",
        Cause::Unmet(refusal) => refusal.reason(),
        Cause::Unreadable => "Internal server error",
        Cause::Closed => "Service unavailable",
    };
    format!("{} {words}", cause.answer())
}

/// Why that is the answer.
pub(super) fn why(refused: &Refused) -> &'static str {
    if let Some(twist) = refused.decided.as_ref().and_then(|decided| decided.twist) {
        return by_twist(twist);
    }
    match refused.cause {
        Cause::BadHost => "The request names no host, more than one, or one that can’t be read.",
        Cause::BadPath => {
            "The path can be read in two ways: it holds .., an encoded slash, a backslash or a broken code."
        }
        Cause::NoSite => "No binding at this address and port has the name.",
        Cause::OtherSite => "What one site’s handshake agreed on counts for its own names only.",
        Cause::OlderSettings => {
            "The connection was made before the SSL settings changed, and a new one may meet them. Browsers make one by \
             themselves."
        }
        Cause::Unmet(Refusal::SslRequired) => "Nothing may go out in clear here.",
        Cause::Unmet(Refusal::TlsTooOld) => "The version of TLS is older than the setting asks for.",
        Cause::Unmet(Refusal::CipherTooWeak) => "The cipher is weaker than the setting asks for.",
        Cause::Unmet(Refusal::NotPostQuantum) => "The keys were not agreed on with ML-KEM.",
        Cause::Unmet(Refusal::CertificateRequired) => "No client certificate was sent.",
        Cause::Unmet(Refusal::CertificateNotAllowed) => {
            "The client certificate is good, but its holder is not among those who are let in."
        }
        Cause::Unmet(Refusal::CertificateRevoked) => {
            "The CA has revoked the client certificate, or what it has revoked could not be known."
        }
        Cause::Unmet(Refusal::CertificateUntrusted) => {
            "The client certificate comes from no CA that is trusted here, or is not made for clients."
        }
        Cause::Unmet(Refusal::CertificateOutOfDate) => "The client certificate had expired, or was not valid yet.",
        Cause::Unreadable => "The site’s folder or file could not be read. The log says more.",
        Cause::Closed => "The site was stopped, or its private keys could not be used.",
    }
}

fn by_twist(twist: Twist) -> &'static str {
    match twist {
        Twist::NoAddress => "There was no https address to send it on to.",
        Twist::Credentials => {
            "A request with a cookie or an Authorization field is refused rather than sent on: others on the way could read \
             what it carried."
        }
        Twist::Conflict => {
            "More than one trust list, or a list and none, may be meant by this path, so nobody’s certificate is trusted."
        }
    }
}

/// What whoever was refused can do.
pub(super) fn remedy(refused: &Refused, table: &SiteTable) -> &'static str {
    let site = refused.site.and_then(|site| table.site(site));
    match refused.cause {
        Cause::BadHost => "Browsers never send this. A program has to name one host, once.",
        Cause::BadPath => "Use the address as the site’s own pages link to it.",
        Cause::NoSite => "Check the spelling of the name. If it is right, a binding for it is missing.",
        Cause::OtherSite => {
            "Load the page again: browsers then make a connection of its own. A program has to ask for the same name in the \
             handshake and in the request."
        }
        Cause::OlderSettings => "Load the page again.",
        Cause::Unmet(Refusal::SslRequired) if site.is_some_and(|site| refused.https_address(table, site).is_none()) => {
            match site.is_some_and(|site| site.has_https()) {
                true => {
                    "Nothing by themselves: none of the site’s https names leads to this site alone. Somebody of your team has \
                     to add an https binding with the host name."
                }
                false => {
                    "Nothing by themselves: the site has no https address yet. Somebody of your team has to add a binding."
                }
            }
        }
        Cause::Unmet(Refusal::SslRequired) => {
            "Open the address with https:// at its beginning, and change it in bookmarks and links."
        }
        Cause::Unmet(Refusal::TlsTooOld) => "Use a browser or program that knows TLS 1.3; browsers do since 2020.",
        Cause::Unmet(Refusal::CipherTooWeak) => "Use a browser or program that offers AES-256 or ChaCha20.",
        Cause::Unmet(Refusal::NotPostQuantum) => "Use a current browser: it needs ML-KEM over TLS 1.3.",
        Cause::Unmet(Refusal::CertificateRequired) => {
            "Install the client certificate they were given, close the browser, and choose it when the browser asks."
        }
        Cause::Unmet(Refusal::CertificateNotAllowed) => {
            "Nothing by themselves. Somebody of your team has to let them in."
        }
        Cause::Unmet(Refusal::CertificateRevoked) => {
            "If it was revoked, ask whoever issued it for a new one. If the CA’s revocation list is missing or ran out, nothing: \
             the trust list tells, and your team brings a new one."
        }
        Cause::Unmet(Refusal::CertificateUntrusted) if lacks_list(refused, table) => {
            "Nothing by themselves: no certificate helps. Somebody of your team has to say which trust list counts there."
        }
        Cause::Unmet(Refusal::CertificateUntrusted) => {
            "Choose a certificate that was issued for this site, or ask for one."
        }
        Cause::Unmet(Refusal::CertificateOutOfDate) => {
            "Look at the clock of their computer, or ask for a new certificate."
        }
        Cause::Unreadable => "Nothing. Look at the content folder of the site.",
        Cause::Closed => "Nothing, until the site answers again.",
    }
}

/// Whether a certificate was judged by no trust list: several were meant, none is chosen, or the list is gone.
fn lacks_list(refused: &Refused, table: &SiteTable) -> bool {
    refused.decided.as_ref().is_some_and(|decided| {
        let list = decided.trust_list().filter(|_| decided.twist != Some(Twist::Conflict));
        list.is_none_or(|list| table.trust_list(Trusted::List(list)).is_err())
    })
}

/// What the same request would get now.
pub(super) fn today(cause: Cause, again: Again) -> String {
    match again {
        Again::Refused(_) if depends_on_trust(cause, again) => {
            "The settings would refuse such a certificate again. What it is worth by now, the trust list tells.".into()
        }
        Again::Refused(now) if now == cause => "The same request would get the same now.".into(),
        Again::Refused(now) => format!("The same request would get {} now.", code(now)),
        Again::Redirected(how) => {
            format!("Settings have changed: it would be sent to https with {} now.", how.status())
        }
        Again::LetThrough if cause == Cause::OlderSettings => "On a new connection no setting refuses it.".into(),
        Again::LetThrough if cause == Cause::Unreadable => {
            "No setting refuses it. Whether the folder can be read by now, the site itself tells.".into()
        }
        Again::LetThrough => "Settings have changed: nothing would refuse it now.".into(),
        Again::Unknown => "That can’t be told: the path is too long to be kept whole.".into(),
        Again::Unseen => {
            "That can’t be told: a client certificate counts there now, and nobody looked for one then.".into()
        }
    }
}

/// Whether the answer of now depends on what the client's certificate is worth, of which only the worth of then is known.
pub(super) fn depends_on_trust(cause: Cause, again: Again) -> bool {
    again == Again::Refused(cause) && cause.is_of_certificate()
}

/// Which place decided, and about which path.
pub(super) fn place(decided: &Decided, path: &str) -> (String, String) {
    let words = match decided.place.is_site() {
        true => "No folder or file decides by itself; the whole site’s settings hold".into(),
        false => format!("The rule of {} decides", decided.place),
    };
    (words, format!("for {path}"))
}

/// `Require secure channel (SSL): Refuse plain HTTP`
pub(super) fn setting(decided: &Decided) -> String {
    let value = serde_json::Value::from(decided.value.as_str());
    format!("{}: {}", activity::label(&decided.setting), activity::words(&decided.setting, &value))
}

/// What is known of the connection.
pub(super) fn came(came: Came) -> String {
    match came.transport {
        Transport::Clear { credentials, .. } => {
            let by_proxy = "The trusted proxy that made it told that its visitor came in plain HTTP.";
            let with = "With a cookie or an Authorization field, which others on the way could read.";
            let told = [came.is_tls.then_some(by_proxy), credentials.then_some(with)];
            told.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        Transport::Proxied => "The proxy tells no more of it.".into(),
        Transport::Tls(facts) => of_tls(facts, came.is_seen),
    }
}

fn of_tls(TlsFacts { version, strength, key_exchange, client }: TlsFacts, is_seen: bool) -> String {
    let version = match version {
        TlsVersion::Tls12 => "TLS 1.2",
        TlsVersion::Tls13 => "TLS 1.3",
    };
    let strength = match strength {
        Strength::Bits128 => "128-bit",
        Strength::Bits256 => "256-bit",
    };
    let exchange = match key_exchange {
        KeyExchange::Any => "keys not post-quantum",
        KeyExchange::PostQuantum => "post-quantum keys",
    };
    let client = match client {
        _ if !is_seen => return format!("{version}, {strength}, {exchange}."),
        ClientCertificate::None => "no client certificate",
        ClientCertificate::Good => "a good client certificate",
        ClientCertificate::NotAllowed => "a client certificate that is not let in",
        ClientCertificate::Revoked => "a revoked client certificate",
        ClientCertificate::Untrusted => "an untrusted client certificate",
        ClientCertificate::OutOfDate => "a client certificate out of date",
    };
    format!("{version}, {strength}, {exchange}, {client}.")
}
