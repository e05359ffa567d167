//! The wizard that makes a certificate request. Every step carries all answers, and nothing exists before the last button.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::certificate::CertificateId;
use siteward_core::key::KeyKind;
use siteward_core::site::{Site, SiteId};
use siteward_core::store::{NewRequest, RequestId};
use siteward_core::subject::{countries, country_name};
use siteward_core::table::SiteTable;

use super::answers::{Answers, Step, Stuck};
use super::findings::Findings;
use super::sign_by;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

/// What each kind of key means, in a line.
pub(crate) fn consequence(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::EcdsaP256 => "Small and fast. Every browser of the last ten years takes it.",
        KeyKind::EcdsaP384 => "For rules that ask for more than 128-bit strength. Handshakes cost a little more.",
        KeyKind::Rsa2048 => "For very old clients, and for CAs that take no ECDSA.",
        KeyKind::Rsa3072 => {
            "For rules that ask for RSA of 128-bit strength. Handshakes cost three times those of RSA 2048."
        }
        KeyKind::Rsa4096 => "Handshakes cost six times those of RSA 2048. Making the key takes some seconds.",
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/step.html")]
struct StepPage {
    shell: Shell,
    step: Step,
    answers: Answers,
    errors: Errors,
    hidden: Vec<(&'static str, String)>,
    /// The chosen site's name.
    site: Option<String>,
    /// Sites to choose from, by name.
    sites: Vec<(SiteId, String)>,
    more_sites: bool,
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/check.html")]
struct CheckPage {
    shell: Shell,
    errors: Errors,
    hidden: Vec<(&'static str, String)>,
    site: Option<String>,
    request: NewRequest,
    /// `GB, United Kingdom`.
    country: Option<String>,
    findings: Findings,
    today: String,
}

/// Where the wizard is entered: for a site, or with the answers of an earlier request or certificate.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Entry {
    site: Option<SiteId>,
    again: Option<RequestId>,
    renew: Option<CertificateId>,
}

/// The first step.
pub(crate) async fn new(session: Session, Asked(entry): Asked<Entry>) -> Answer {
    let table = session.table();
    let mut answers = match (entry.again, entry.renew) {
        (_, Some(id)) => renewing(&session, id).await?,
        (Some(id), None) => Answers::of(session.store().find_request(id).await?),
        (None, None) => Answers::fresh(),
    };
    if let Some(site) = entry.site {
        answers.site = table.site(site).ok_or(Failure::NotFound)?.id.to_string();
    }
    answers.propose(&table);
    show(session, answers, Step::Site, Errors::default()).await
}

/// Goes on from a step, back, or to another one; or makes the request.
pub(crate) async fn create(session: Session, Fields(mut answers): Fields<Answers>) -> Answer {
    let step = Step::parse(&answers.step).unwrap_or(Step::Site);
    let table = session.table();
    match answers.go.as_str() {
        "back" => show(session, answers, step.before(), Errors::default()).await,
        "create" => make(session, answers).await,
        "drop-unit" => {
            answers.organizational_unit.clear();
            show(session, answers, Step::Check, Errors::default()).await
        }
        "add-hosts" => {
            answers.add_hosts(&table);
            show(session, answers, Step::Check, Errors::default()).await
        }
        go => match Step::parse(go) {
            Some(other) => {
                answers.then = Step::Check.as_str().into();
                show(session, answers, other, Errors::default()).await
            }
            None => go_on(session, answers, step, &table).await,
        },
    }
}

async fn go_on(session: Session, mut answers: Answers, step: Step, table: &SiteTable) -> Answer {
    answers.propose(table);
    let errors = answers.check(step, table);
    if !errors.fields().is_empty() {
        return show(session, answers, step, errors).await;
    }
    let next = Step::parse(&answers.then).unwrap_or(step.after());
    answers.then.clear();
    show(session, answers, next, errors).await
}

async fn make(session: Session, answers: Answers) -> Answer {
    let request = match answers.read(&session.table()) {
        Ok(request) => request,
        Err(Stuck(step, errors)) => return show(session, answers, step, errors).await,
    };
    let by = session.author();
    let made = match answers.renews.parse() {
        Ok(certificate) => session.store().renew_certificate(certificate, request, false, &by).await,
        Err(_) => session.store().create_request(request, &by).await,
    };
    match made {
        Ok(id) => Ok(session.saved(&format!("/requests/{id}"), Saved::RequestMade).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            show(session, answers, Step::Check, errors).await
        }
    }
}

/// The answers to renew a certificate with.
async fn renewing(session: &Session, id: CertificateId) -> Result<Answers, Failure> {
    let certificate = session.store().find_certificate(id).await?;
    let request = session.store().find_request_of(id).await?;
    Ok(Answers::renewing(&certificate, request, &session.table()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RenewForm {
    /// Signs with the old certificate's key.
    keep: String,
    /// Has one of Siteward's own authorities sign it at once.
    authority: String,
}

/// Requests a certificate with the same answers as an old one; or shows the step that needs another look, or the renewal
/// that is under way already.
pub(crate) async fn renew(session: Session, At(id): At<CertificateId>, Fields(form): Fields<RenewForm>) -> Answer {
    if let Some(pending) = session.store().find_relatives(id).await?.renewal {
        return Ok(Redirect::to(&format!("/requests/{pending}")).into_response());
    }
    let mut answers = renewing(&session, id).await?;
    let new = match answers.read(&session.table()) {
        Ok(new) => new,
        Err(Stuck(step, errors)) => {
            answers.then = Step::Check.as_str().into();
            return show(session, answers, step, errors).await;
        }
    };
    let by = session.author();
    let request = session.store().renew_certificate(id, new, !form.keep.is_empty(), &by).await?;
    if form.authority.is_empty() {
        return Ok(session.saved(&format!("/requests/{request}"), Saved::RequestMade).await);
    }
    sign_by(&session, request, &form.authority).await
}

/// The page of a step, or of the first one before it that needs another look.
async fn show(session: Session, answers: Answers, step: Step, errors: Errors) -> Answer {
    let table = session.table();
    let shell = session.shell("/requests").await?;
    if step != Step::Check {
        let page = StepPage::new(shell, step, answers, errors, &table);
        return Ok((page.errors.status(), page).into_response());
    }
    let request = match answers.read(&table) {
        Ok(request) => request,
        Err(Stuck(step, errors)) => {
            let page = StepPage::new(shell, step, answers, errors, &table);
            return Ok((page.errors.status(), page).into_response());
        }
    };
    let site = answers.site(&table);
    let hosts = site.map(Site::hosts).unwrap_or_default();
    let country = request.subject.country.as_deref();
    let page = CheckPage {
        shell,
        errors,
        hidden: answers.hidden(Step::Check),
        site: site.map(|site| site.name.clone()),
        country: country.map(|code| format!("{code}, {}", country_name(code).unwrap_or_default())),
        findings: Findings::of(&request.subject, &hosts, session.now),
        today: crate::format::date(&session.now),
        request,
    };
    Ok((page.errors.status(), page).into_response())
}

impl StepPage {
    /// How many sites are offered; others are reached from their own pages.
    const MAX_SITES: usize = 200;

    fn new(shell: Shell, step: Step, answers: Answers, errors: Errors, table: &SiteTable) -> Self {
        let chosen = answers.site(table);
        let mut sites: Vec<(SiteId, String)> =
            table.sites().take(Self::MAX_SITES).map(|site| (site.id, site.name.clone())).collect();
        if let Some(site) = chosen
            && !sites.iter().any(|(id, _)| *id == site.id)
        {
            sites.push((site.id, site.name.clone()));
        }
        sites.sort_by_key(|(_, name)| name.to_lowercase());
        Self {
            shell,
            step,
            hidden: answers.hidden(step),
            site: chosen.map(|site| site.name.clone()),
            more_sites: table.sites().len() > Self::MAX_SITES,
            sites,
            answers,
            errors,
        }
    }
}
