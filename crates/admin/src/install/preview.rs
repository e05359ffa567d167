//! What installing a certificate would change, and every check with its result.

use askama::Template;
use askama_web::WebTemplate;
use axum::http::StatusCode;
use siteward_core::certificate::{CertificateFacts, SubjectName};
use siteward_core::chain::{Chain, Doubt, X509, doubts};
use siteward_core::host::HostPattern;
use siteward_core::inspect;
use siteward_core::intake::Found;
use siteward_core::lint::{self, Finding, Profile, Severity};
use siteward_core::store::Served;
use siteward_core::trust::Trust;
use time::OffsetDateTime;

use super::InstallForm;
use super::fit::{Candidate, Fit};
use crate::certificates::{Use, uses};
use crate::error::Failure;
use crate::form::Errors;
use crate::format;
use crate::session::Session;
use crate::shell::Shell;

/// A binding that could serve the new certificate.
struct Row {
    used: Use,
    /// Chosen to be switched.
    switch: bool,
    /// Whether the new certificate covers its host names.
    covered: bool,
}

/// How many bindings can be switched from here.
const MAX_ROWS: usize = 500;

/// One thing that was looked at.
struct Check {
    good: bool,
    title: &'static str,
    text: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "install/preview.html")]
pub(super) struct PreviewPage {
    shell: Shell,
    errors: Errors,
    fit: Fit,
    chain: Chain,
    trust: Trust,
    /// What else was found, and left out.
    aside: Vec<String>,
    /// Where each certificate came from.
    origins: Vec<(X509, String)>,
    rows: Vec<Row>,
    /// How many more bindings are concerned than `rows` shows.
    more: usize,
    checks: Vec<Check>,
    findings: Vec<Finding>,
    doubts: Vec<Doubt>,
    confirmed: bool,
    /// The friendly name, as typed or proposed.
    friendly_name: String,
    /// How long the leaf lasts, in days.
    days: i64,
}

impl PreviewPage {
    pub(super) async fn new(
        session: &Session,
        found: &Found,
        candidate: Candidate,
        form: &InstallForm,
        errors: Errors,
    ) -> Result<Self, Failure> {
        let Candidate { fit, chain, trust } = candidate;
        let leaf = chain.leaf.facts(0);
        let chosen = |own: &Use| match form.chosen() {
            Some(chosen) => chosen.contains(&Served { binding: own.binding, certificate: own.certificate.id }),
            None => leaf.covers_pattern(&own.host),
        };
        let (concerned, all) = uses(&session.table(), MAX_ROWS, |site, own: &CertificateFacts| {
            let by_key = match &fit {
                Fit::Request(request) => Some(site) == request.site || request.renews == Some(own.id),
                Fit::Kept(kept) => own.id == kept.id,
                Fit::Brought(_) => false,
            };
            by_key || same(&own.names, &leaf.names)
        });
        let row = |used: Use| Row { switch: chosen(&used), covered: leaf.covers_pattern(&used.host), used };
        let rows: Vec<Row> = concerned.into_iter().map(row).collect();
        let hosts: Vec<&HostPattern> = rows.iter().filter(|row| row.switch).map(|row| &row.used.host).collect();
        let doubts = doubts(&leaf, hosts, session.now);
        let findings = findings(&chain.leaf, &trust, session.now);
        let came = found.certificates.iter().cloned().zip(found.files.iter().cloned());
        let friendly_name = match &fit {
            _ if !form.action.is_empty() => form.name.clone(),
            Fit::Kept(kept) => kept.friendly_name.clone(),
            _ => chain.leaf.subject.clone(),
        };
        Ok(Self {
            shell: session.shell("/certificates").await?,
            errors,
            checks: vec![
                key(&fit, &chain),
                names(&fit, &chain, &rows),
                dates(&chain, &doubts),
                complete(&chain, &trust),
                trusted(&chain, &trust),
                rules(&findings, &trust),
            ],
            aside: aside(found, &chain),
            origins: came.collect(),
            days: (leaf.not_after - leaf.not_before).whole_days(),
            confirmed: !form.confirmed.is_empty(),
            friendly_name,
            fit,
            chain,
            trust,
            more: all - rows.len(),
            rows,
            findings,
            doubts,
        })
    }

    pub(super) fn status(&self) -> StatusCode {
        self.errors.status()
    }

    /// Where a certificate of the chain came from.
    fn origin(&self, certificate: &X509) -> String {
        match self.origins.iter().find(|(own, _)| own == certificate) {
            Some((_, file)) if file.is_empty() => "From a file without a name".into(),
            Some((_, file)) => format!("From {file}"),
            None => "Added from an earlier reply".into(),
        }
    }

    /// The name of the root, and what is said of it.
    fn root(&self) -> (String, &'static str) {
        let (name, what) = match &self.trust {
            Trust::System(name) => {
                (Some(name), "One of the system’s roots. Visitors have it already, so it is not sent")
            }
            Trust::Team(name) => (Some(name), "One of your team’s roots, so it is not sent"),
            Trust::Own(name) => (Some(name), "An authority of this server, so it is not sent"),
            Trust::Unknown => (None, "Not known here. Visitors must have it already"),
        };
        let name = name.or(self.chain.root.as_ref().map(|root| &root.subject)).unwrap_or(&self.chain.last().issuer);
        (name.clone(), what)
    }
}

/// Whether two certificates are for the same names, in any order.
fn same(one: &[SubjectName], other: &[SubjectName]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

/// The findings by the rules that fit: a CA that the system trusts is bound by those for public ones.
fn findings(leaf: &X509, trust: &Trust, now: OffsetDateTime) -> Vec<Finding> {
    let inspected = inspect::read(&leaf.der).unwrap_or_default();
    inspected.first().map(|own| lint::judge(&own.facts, profile(trust), now)).unwrap_or_default()
}

fn profile(trust: &Trust) -> Profile {
    if matches!(trust, Trust::System(_)) { Profile::PublicCa } else { Profile::PrivateCa }
}

/// What is set aside, in words.
fn aside(found: &Found, chain: &Chain) -> Vec<String> {
    let strangers = chain.strangers.iter().map(|own| format!("{} is not part of this chain.", own.subject));
    let mut seen = std::collections::HashSet::new();
    let repeated = found.certificates.iter().filter(|own| !seen.insert(own.fingerprint)).count();
    let repeated = (repeated > 0)
        .then(|| format!("{} came more than once.", format::count(repeated, "certificate", "certificates")));
    let notes = found.notes.iter().map(|note| match note.file.as_str() {
        "" => note.reason.to_string(),
        file => format!("{file}: {}", note.reason),
    });
    strangers.chain(repeated).chain(notes).collect()
}

fn key(fit: &Fit, chain: &Chain) -> Check {
    let short = chain.leaf.key_id.short();
    let text = match fit {
        Fit::Request(request) => format!("Request {}, public key {short}", request.id),
        Fit::Kept(kept) => format!("The key of {}, public key {short}", kept.friendly_name),
        Fit::Brought(_) => format!("The key that came along, public key {short}"),
    };
    Check { good: true, title: "Key matches", text }
}

fn names(fit: &Fit, chain: &Chain, rows: &[Row]) -> Check {
    let asked: &[SubjectName] = match fit {
        Fit::Request(request) => &request.subject.names,
        _ => &[],
    };
    let left_out = asked.iter().filter(|name| !chain.leaf.names.contains(name)).map(|name| name.unicode());
    let left_out: Vec<String> = left_out.collect();
    let bare = rows.iter().filter(|row| row.switch && !row.covered);
    let bare: Vec<String> = bare.map(|row| row.used.host.unicode()).collect();
    let text = match (left_out.as_slice(), bare.as_slice()) {
        (some @ [_, ..], _) => format!("The CA left out {}.", format::list(some)),
        (_, some @ [_, ..]) => format!("It does not cover {}.", format::list(some)),
        _ if !asked.is_empty() => format!("All {} asked for", format::count(asked.len(), "name", "names")),
        _ => format!("{}, and every ticked binding", format::count(chain.leaf.names.len(), "name", "names")),
    };
    Check { good: left_out.is_empty() && bare.is_empty(), title: "Names covered", text }
}

fn dates(chain: &Chain, doubts: &[Doubt]) -> Check {
    let dated = doubts.iter().find(|doubt| matches!(doubt, Doubt::Expired(_) | Doubt::NotYetValid(_)));
    let text = match dated {
        Some(doubt) => doubt.to_string(),
        None => format!("Valid now, until {}", format::date(&chain.leaf.not_after)),
    };
    Check { good: dated.is_none(), title: "Dates", text }
}

fn complete(chain: &Chain, trust: &Trust) -> Check {
    let sent = match (chain.intermediates.len(), chain.added) {
        (0, _) => "No issuer is sent along".into(),
        (n, 0) => format!("{} sent along", format::count(n, "issuer is", "issuers are")),
        (n, added) => format!(
            "{} sent along, {added} of them added from an earlier reply",
            format::count(n, "issuer is", "issuers are")
        ),
    };
    let good = *trust != Trust::Unknown || chain.missing().is_none();
    let text = match (good, chain.leaf.is_self_signed) {
        (_, true) => "It signed itself, so there is no chain".into(),
        (true, _) => format!("{sent}, up to {}", chain.last().issuer),
        (false, _) => format!(
            "Incomplete: browsers that have not met {} will fail. Ask the CA for its bundle, and bring it along.",
            chain.last().issuer
        ),
    };
    Check { good, title: "Chain complete", text }
}

fn trusted(chain: &Chain, trust: &Trust) -> Check {
    let text = match trust {
        Trust::System(name) => format!("By the system’s root {name}"),
        Trust::Team(name) => format!("By your team’s root {name}"),
        Trust::Own(name) => format!("By your own authority {name}"),
        Trust::Unknown => format!(
            "Nobody here knows the root of {}. Only clients that were told to trust it accept it.",
            chain.leaf.issuer
        ),
    };
    Check { good: *trust != Trust::Unknown, title: "Trusted", text }
}

fn rules(findings: &[Finding], trust: &Trust) -> Check {
    let whose = if profile(trust) == Profile::PublicCa { "public CAs" } else { "private CAs" };
    let text = match findings.len() {
        0 => format!("Nothing against the rules for {whose}"),
        n => format!("{} by the rules for {whose}, below", format::count(n, "finding", "findings")),
    };
    Check { good: findings.iter().all(|finding| finding.severity == Severity::Note), title: "Rules", text }
}
