//! What a visitor gets: the receipts of fresh clients, on the pages of sites and certificates.

use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::binding::{Binding, BindingId, Protocol};
use siteward_core::certificate::CertificateId;
use siteward_core::host::HostPattern;
use siteward_core::receipt::{Attempt, BindingReceipt, Cause, Client, Receipt, Verdict};
use siteward_core::site::{Site, SiteId, SiteState};
use siteward_core::status::Sight;
use siteward_core::store::TakenBack;
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::{At, Fields};
use crate::format;
use crate::session::Session;
use crate::site;
use crate::words::{self, State};

/// The evidence strip in the head of a site's pages, for `sites/seen.html`.
pub(crate) struct Seen {
    /// When fresh clients were last there, and that in words.
    pub(crate) measured: Option<(OffsetDateTime, String)>,
    /// `a real handshake` where there is TLS, otherwise `a real connection`.
    pub(crate) how: &'static str,
    /// In place of what they got, where that is not known.
    pub(crate) unknown: Option<State>,
    /// What http:// and https:// answered, one of each.
    pub(crate) sides: Vec<Side>,
    /// Every client.
    pub(crate) lines: Vec<Line>,
    /// New certificates that Siteward has taken back.
    pub(crate) taken_back: Vec<TakenBack>,
}

/// What one protocol answered.
pub(crate) struct Side {
    /// `https://shop.example`.
    pub(crate) address: String,
    pub(crate) state: State,
    pub(crate) text: String,
    /// The certificate that was shown.
    pub(crate) certificate: Option<Shown>,
    /// How many other bindings of this protocol there are, and whether all of them are as intended.
    pub(crate) others: String,
}

pub(crate) struct Shown {
    pub(crate) id: CertificateId,
    pub(crate) fingerprint: String,
    pub(crate) issuer: String,
    pub(crate) left: String,
}

/// What one client got.
pub(crate) struct Line {
    pub(crate) client: &'static str,
    /// The binding's address as visitors type it, and where the client connected to.
    pub(crate) address: String,
    pub(crate) at: String,
    pub(crate) got: String,
    pub(crate) state: State,
}

impl Seen {
    pub(crate) async fn new(session: &Session, site: &Site) -> Result<Self, Failure> {
        let sight = session.console.status.sight(site.id);
        let taken_back = session.store().list_taken_back_from(Some(site.id)).await?;
        let mut seen = Self {
            measured: None,
            how: if site.has_https() { "a real handshake" } else { "a real connection" },
            unknown: unknown(site, &sight),
            sides: Vec::new(),
            lines: Vec::new(),
            taken_back,
        };
        if let (None, Some(receipt)) = (&seen.unknown, &sight.receipt) {
            seen.measured = Some((receipt.at, format::ago(&receipt.at, &session.now)));
            let both = [Protocol::Http, Protocol::Https];
            seen.sides = both.iter().filter_map(|&protocol| side(site, receipt, protocol, session.now)).collect();
            seen.lines = lines(site, receipt);
        }
        Ok(seen)
    }
}

/// Why nothing can be told of a site as it is now.
fn unknown(site: &Site, sight: &Sight) -> Option<State> {
    let is_current = sight.receipt.as_ref().is_some_and(|receipt| receipt.version == site.version);
    let text = match (site.state, site.bindings.is_empty(), sight.underway) {
        _ if site.locked => "The master key is missing, so the site is closed and nobody is sent there.",
        (SiteState::Stopped, ..) => "The site is stopped, so nobody is sent there.",
        (_, true, _) => "The site has no binding, so nobody can be sent there.",
        _ if is_current => return None,
        (_, _, true) => "Fresh clients are on their way. Load the page again to see what they got.",
        _ => "Nobody was sent there yet since the site was changed or Siteward started.",
    };
    Some(State { tone: "idle", icon: "wait", text: text.into() })
}

/// The binding of `protocol` to show: one with a fault before the first.
fn side(site: &Site, receipt: &Receipt, protocol: Protocol, now: OffsetDateTime) -> Option<Side> {
    let mut bindings: Vec<(&Binding, &BindingReceipt)> = site
        .bindings
        .iter()
        .filter(|binding| binding.place.protocol == protocol)
        .filter_map(|binding| Some((binding, receipt.of(binding.id)?)))
        .collect();
    bindings.sort_by_key(|(_, got)| got.is_good());
    let (&(binding, got), others) = bindings.split_first()?;
    let others = match others {
        [] => String::new(),
        all if all.iter().all(|(_, got)| got.is_good()) => {
            format!("{} as intended too.", format::count(all.len(), "other binding", "other bindings"))
        }
        all => format!("{} told of below.", format::count(all.len(), "other binding", "other bindings")),
    };
    let (state, text) = told(got);
    let certificate = binding.certificate.as_ref().filter(|_| got.is_good()).map(|facts| Shown {
        id: facts.id,
        fingerprint: facts.fingerprint.short(),
        issuer: facts.issuer.clone(),
        left: words::expiry(facts, now).text,
    });
    Some(Side { address: address(binding), state, text, certificate, others })
}

/// The first fault, otherwise what the first client got.
fn told(got: &BindingReceipt) -> (State, String) {
    let fault = got.attempts.iter().find(|attempt| !attempt.verdict.is_good());
    let Some(attempt) = fault.or(got.attempts.first()) else {
        let text = "Nothing leads here from this server: other bindings have its addresses, or its port is not ours.";
        return (state("idle", "wait", "Not tried"), text.into());
    };
    let sentence = attempt.verdict.sentence().to_owned();
    let status = attempt.status.clone();
    match (&attempt.verdict, attempt.client, &attempt.secured) {
        (Verdict::Bad(Cause::Port, _), ..) => (state("bad", "bad", "Not reached"), sentence),
        (Verdict::Bad(Cause::Certificate, _), client, _) => {
            (state("bad", "bad", "Refused"), format!("{}: {sentence}", client.label()))
        }
        (Verdict::Bad(Cause::Answer, _), ..) => (state("bad", "bad", status.unwrap_or_default()), sentence),
        (Verdict::Good(_), Client::Plain, _) => {
            let status = status.unwrap_or_default();
            match status.as_str() {
                text if text.starts_with("403") => (state("ok", "ok", status), sentence),
                text if text.starts_with('3') => (state("ok", "redirect", status), sentence),
                _ => (state("warn", "warn", status), sentence),
            }
        }
        (Verdict::Good(_), _, secured) => {
            let text = secured.as_ref().map_or(String::new(), |tls| format!("{} with {}.", tls.version, tls.group));
            (state("ok", "ok", status.unwrap_or_else(|| "Handshake completed".into())), format!("{text} {sentence}"))
        }
    }
}

fn lines(site: &Site, receipt: &Receipt) -> Vec<Line> {
    let of = |got: &BindingReceipt| {
        let binding = site.bindings.iter().find(|own| own.id == got.binding);
        let address = binding.map(address).unwrap_or_default();
        got.attempts.iter().map(move |attempt| line(attempt, address.clone())).collect::<Vec<_>>()
    };
    receipt.bindings.iter().flat_map(of).collect()
}

fn line(attempt: &Attempt, address: String) -> Line {
    let secured = attempt.secured.as_ref().map(|tls| format!("{}, {}", tls.version, tls.group));
    let got: Vec<String> = attempt.status.iter().cloned().chain(secured).collect();
    let (tone, icon) = if attempt.verdict.is_good() { ("ok", "ok") } else { ("bad", "bad") };
    Line {
        client: attempt.client.label(),
        address,
        at: attempt.address.to_string(),
        got: if got.is_empty() { "Nothing".into() } else { got.join(", ") },
        state: state(tone, icon, attempt.verdict.sentence()),
    }
}

/// As visitors type it, or in words.
fn address(binding: &Binding) -> String {
    match &binding.place.host {
        HostPattern::Any => binding.place.to_string(),
        host => binding.place.url(&host.unicode()),
    }
}

fn state(tone: &'static str, icon: &'static str, text: impl Into<String>) -> State {
    State { tone, icon, text: text.into() }
}

/// What fresh clients got from one binding, in one line.
pub(crate) fn of_binding(session: &Session, site: SiteId, binding: BindingId) -> State {
    let current = || {
        let (receipt, table) = (session.console.status.sight(site).receipt?, session.table());
        Some(receipt).filter(|receipt| table.site(site).is_some_and(|site| site.version == receipt.version))
    };
    let Some(receipt) = current() else { return state("idle", "wait", "Not tried yet") };
    match receipt.of(binding) {
        Some(got) if got.is_good() => {
            state("ok", "ok", format!("As intended, {}", format::ago(&receipt.at, &session.now)))
        }
        Some(got) if !got.attempts.is_empty() => state("bad", "bad", got.fault(|_| true).unwrap_or_default()),
        Some(_) => state("idle", "wait", "Not tried: nothing leads here from this server."),
        None => state("idle", "wait", "Not tried yet"),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct CheckForm {
    /// The last part of the address of the page that asks.
    #[serde(default)]
    tab: String,
}

/// Sends fresh clients to a site now, and goes back to the page that asked.
pub(crate) async fn check(session: Session, At(id): At<SiteId>, Fields(form): Fields<CheckForm>) -> Answer {
    site::find(&session, id)?;
    session.console.status.ask(id, session.now).await;
    let is_tab = form.tab.strip_prefix('/').is_some_and(|tab| tab.bytes().all(|byte| byte.is_ascii_lowercase()));
    let tab = if is_tab { form.tab.as_str() } else { "" };
    Ok(Redirect::to(&format!("/sites/{id}{tab}")).into_response())
}

#[cfg(test)]
mod tests;
