//! Compares what a client got with what it was meant to get.

use bytes::Bytes;
use http::StatusCode;
use http::header::LOCATION;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{AlertDescription, ClientConnection};
use siteward_core::acceptance::check_path;
use siteward_core::certificate::Fingerprint;
use siteward_core::chain::X509;
use siteward_core::receipt::{Cause, Client, Secured, Verdict};
use siteward_core::store::Certificate;
use siteward_core::trust::{Anchors, Trust};
use time::OffsetDateTime;

use super::clients::Ended;
use super::plan::Wanted;

fn good(sentence: impl Into<String>) -> Verdict {
    Verdict::Good(sentence.into())
}

fn bad(cause: Cause, sentence: impl Into<String>) -> Verdict {
    Verdict::Bad(cause, sentence.into())
}

/// What the handshake agreed on, for the page.
pub(super) fn secured(tls: &ClientConnection) -> Option<Secured> {
    let leaf = tls.peer_certificates()?.first()?;
    let group = tls.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    Some(Secured {
        version: match tls.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        },
        group: group.unwrap_or_default(),
        fingerprint: Fingerprint::of(leaf),
    })
}

/// A completed handshake that was meant to show `certificate` to a client that asked for `name`.
pub(super) fn handshake(
    shown: &[CertificateDer<'_>],
    name: Option<&ServerName<'_>>,
    certificate: &Certificate,
    anchors: &Anchors,
    now: OffsetDateTime,
) -> Verdict {
    let own = &certificate.facts.fingerprint;
    let Some(leaf) = shown.first() else { return bad(Cause::Certificate, "It was shown no certificate.") };
    let seen = Fingerprint::of(leaf);
    if seen != *own {
        let (seen, own) = (seen.short(), own.short());
        return bad(Cause::Certificate, format!("It was shown the certificate {seen} instead of {own}."));
    }
    let stored = certificate.chain.iter().map(|own| own.der.as_slice());
    if !stored.eq(shown.iter().map(|der| der.as_ref())) {
        return bad(Cause::Certificate, "The issuers that came along are not the stored ones.");
    }
    if let Some(name) = name
        && !ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
    {
        return bad(Cause::Certificate, format!("The certificate is not for {}.", name.to_str()));
    }
    let Some((leaf, issuers)) = certificate.chain.split_first() else {
        return bad(Cause::Certificate, "It was shown no certificate.");
    };
    accepted(leaf, issuers, anchors, now)
}

/// Whether a client accepts the chain, and by whose root.
fn accepted(leaf: &X509, issuers: &[X509], anchors: &Anchors, now: OffsetDateTime) -> Verdict {
    let trust = anchors.judge(leaf, issuers, now);
    if trust == Trust::Unknown
        && let Err(refused) = check_path(leaf, issuers, now)
    {
        return bad(Cause::Certificate, format!("A fresh client refuses the chain: {refused}."));
    }
    good(match trust {
        Trust::System(root) => format!("Accepted, up to {root}, which this server's system trusts."),
        Trust::Team(root) => format!("Accepted, up to {root}, which your team trusts."),
        Trust::Own(root) => format!("Accepted where your authority {root} is installed."),
        Trust::Unknown if leaf.is_self_signed => "Self-signed: visitors are warned.".into(),
        Trust::Unknown => "Proper, and signed by a CA that this server does not know.".into(),
    })
}

/// A handshake that another binding completed.
pub(super) fn elsewhere(shown: &[CertificateDer<'_>]) -> Verdict {
    let shown = shown.first().map_or_else(|| "none".into(), |leaf| Fingerprint::of(leaf).short());
    good(format!("Led to another binding of the address, with the certificate {shown}: here a name is needed."))
}

/// A handshake that was not completed.
pub(super) fn ended(client: Client, wanted: &Wanted, certificate: Option<&Certificate>, ended: &Ended) -> Verdict {
    match ended {
        Ended::Alert(AlertDescription::UnrecognisedName) if *wanted == Wanted::UnrecognizedName => {
            good("Turned away, as intended: here a site is found by its name only.")
        }
        Ended::Alert(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
            if *wanted == Wanted::NewerVersion =>
        {
            good("Turned away, as intended: the site wants TLS 1.3.")
        }
        Ended::Alert(AlertDescription::HandshakeFailure) if lacks_key(client, certificate) => {
            good("Finds nothing in common with the key of the certificate, as is to be expected.")
        }
        Ended::Alert(alert) if *wanted == Wanted::Elsewhere => {
            good(format!("Led to another binding of the address, which ended the handshake: {}.", words(*alert)))
        }
        Ended::Alert(alert) => bad(Cause::Certificate, format!("The server ended the handshake: {}.", words(*alert))),
        Ended::Client(rustls::Error::InvalidMessage(_)) => bad(Cause::Port, "What answers there does not speak TLS."),
        Ended::Client(error) => bad(Cause::Certificate, format!("A fresh client ended the handshake: {error}.")),
        Ended::Connection(error) => bad(Cause::Port, format!("There is no connection: {error}.")),
        Ended::NoSuchAddress => bad(Cause::Port, "This machine has no such address."),
    }
}

/// Whether a client with one kind of signatures faces a certificate with another kind of key.
fn lacks_key(client: Client, certificate: Option<&Certificate>) -> bool {
    let key = certificate.and_then(|own| own.chain.first()).map_or("", |leaf| leaf.key_label.as_str());
    match client {
        Client::EcdsaOnly => !key.starts_with("ECDSA"),
        Client::RsaOnly => !key.starts_with("RSA"),
        _ => false,
    }
}

/// An alert by its name in RFC 8446 §6, with what it means here.
fn words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::InternalError => {
            "internal_error. The site is closed over https, because its certificate or key can't be used now".into()
        }
        AlertDescription::UnrecognisedName => "unrecognized_name".into(),
        AlertDescription::HandshakeFailure => "handshake_failure".into(),
        AlertDescription::ProtocolVersion => "protocol_version".into(),
        other => format!("{other:?}"),
    }
}

/// `200 OK`, or with the substatus that the page tells: `403.4 SSL required`.
pub(super) fn status(wanted: &Wanted, answer: &http::Response<Bytes>) -> String {
    let told = match wanted {
        Wanted::Refusal(refusal) => format!("403.{} {}", refusal.substatus(), refusal.reason()),
        _ => String::new(),
    };
    let is_told = !told.is_empty() && answer.body().windows(told.len()).any(|part| part == told.as_bytes());
    if answer.status() == StatusCode::FORBIDDEN && is_told { told } else { answer.status().to_string() }
}

/// An answer in plain HTTP.
pub(super) fn answer<B>(wanted: &Wanted, answer: &http::Response<B>) -> Verdict {
    let status = answer.status();
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match wanted {
        Wanted::Refusal(_) if status == StatusCode::FORBIDDEN => good("Nothing was served."),
        Wanted::Refusal(refusal) => {
            bad(Cause::Answer, format!("It got {status} instead of 403.{}.", refusal.substatus()))
        }
        Wanted::Redirect(how, address) if status.as_u16() == how.status() && leads_to(location, address) => {
            good(format!("Sent on to {location}"))
        }
        Wanted::Redirect(how, address) => {
            bad(Cause::Answer, format!("It got {status} instead of {} to {address}.", how.status()))
        }
        _ if matches!(status, StatusCode::MISDIRECTED_REQUEST | StatusCode::SERVICE_UNAVAILABLE) => {
            bad(Cause::Answer, format!("It got {status}."))
        }
        _ => good("Answered in clear: SSL is not required."),
    }
}

fn leads_to(location: &str, address: &str) -> bool {
    location.strip_prefix(address).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use siteward_core::ssl::{Redirect, Refusal};

    fn got(status: u16, location: &str) -> Response<()> {
        Response::builder().status(status).header(LOCATION, location).body(()).unwrap()
    }

    #[test]
    fn an_answer_in_clear_is_compared_with_what_the_settings_say() {
        let redirect = Wanted::Redirect(Redirect::Permanent, "https://shop.example".into());
        let refusal = Wanted::Refusal(Refusal::SslRequired);
        for (wanted, status, location, is_good) in [
            (&refusal, 403, "", true),
            (&refusal, 200, "", false),
            (&refusal, 308, "https://shop.example/", false),
            (&redirect, 308, "https://shop.example/", true),
            (&redirect, 308, "https://shop.example.evil.example/", false),
            (&redirect, 302, "https://shop.example/", false),
            (&redirect, 200, "", false),
            (&Wanted::Content, 200, "", true),
            (&Wanted::Content, 404, "", true),
            (&Wanted::Content, 503, "", false),
        ] {
            assert_eq!(answer(wanted, &got(status, location)).is_good(), is_good, "{wanted:?} {status} {location}");
        }
    }
}
