//! Install a certificate: whatever was brought is read, shown with what it would change, and only then installed.
//!
//! A delivery is staged on the server, so that a private key travels once: `POST /install` reads it and leads to a page
//! with a random address, which asks for the password where there is one, then shows the preview, then installs.

pub(crate) mod fit;
mod preview;
pub(crate) mod staged;

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use siteward_core::certificate::CertificateId;
use siteward_core::intake::{Found, IntakeError};
use siteward_core::store::{ImportKey, Request, RequestId, Served, StoreError};
use zeroize::Zeroizing;

use self::fit::{Candidate, Fit, MAX_OFFERED, Misfit, candidates};
use self::preview::PreviewPage;
use self::staged::{Content, Staged};
use crate::App;
use crate::brought::Brought;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal};
use crate::requests;
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Template, WebTemplate)]
#[template(path = "install/new.html")]
struct NewPage {
    shell: Shell,
    errors: Errors,
    text: String,
}

/// The page to bring a certificate to.
pub(crate) async fn new(session: Session) -> Answer {
    new_page(&session, String::new(), Errors::default()).await
}

async fn new_page(session: &Session, text: String, errors: Errors) -> Answer {
    let shell = session.shell("/certificates").await?;
    Ok((errors.status(), NewPage { shell, errors, text }).into_response())
}

/// Takes a delivery.
pub(crate) async fn create(session: Session, State(app): State<App>, body: axum::extract::Request) -> Answer {
    take(&session, &app, None, body).await
}

/// Takes a delivery that was dropped on the page of a request.
pub(crate) async fn create_for(
    session: Session,
    State(app): State<App>,
    At(id): At<RequestId>,
    body: axum::extract::Request,
) -> Answer {
    let request = session.store().find_request(id).await?;
    take(&session, &app, Some(request), body).await
}

async fn take(session: &Session, app: &App, request: Option<Request>, body: axum::extract::Request) -> Answer {
    let Some(brought) = Brought::receive(body).await? else {
        return too_large(session, request, "reply", String::new()).await;
    };
    let brought = Arc::new(brought);
    let (field, text) = (brought.field(), brought.text());
    if let Some(why) = request.as_ref().and_then(|request| request.state.closed()) {
        return refuse(session, request, field, text, Misfit { why: why.into(), other: None }).await;
    }
    let content = match app.staging.open(brought.clone(), Zeroizing::default()).await? {
        Err(IntakeError::PasswordNeeded) => Content::Locked(brought),
        Err(IntakeError::TooLarge) => return too_large(session, request, field, text).await,
        Err(error) => return refuse(session, request, field, text, error.into()).await,
        Ok(found) => match candidates(session, &found, request.as_ref()).await? {
            Err(mut misfit) => {
                // It need not be brought again: it waits for the request that it answers.
                if let Some(other) = &mut misfit.other {
                    let staged = Staged { request: Some(other.id), content: Content::Open(found) };
                    let token = app.staging.put(session.user.id, &session.token, staged)?;
                    other.preview = Some(format!("/install/{token}"));
                }
                return refuse(session, request, field, text, misfit).await;
            }
            Ok(_) => Content::Open(found),
        },
    };
    let staged = Staged { request: request.map(|request| request.id), content };
    let token = app.staging.put(session.user.id, &session.token, staged)?;
    Ok(Redirect::to(&format!("/install/{token}")).into_response())
}

/// The page it was brought to, which says what is wrong with it.
async fn refuse(
    session: &Session,
    request: Option<Request>,
    field: &'static str,
    text: String,
    misfit: Misfit,
) -> Answer {
    let errors = Errors::one(field, misfit.why);
    match request {
        Some(request) => requests::refuse(session, request, text, errors, misfit.other).await,
        None => new_page(session, text, errors).await,
    }
}

async fn too_large(session: &Session, request: Option<Request>, field: &'static str, text: String) -> Answer {
    let mut response = refuse(session, request, field, text, IntakeError::TooLarge.into()).await?;
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    Ok(response)
}

#[derive(Template, WebTemplate)]
#[template(path = "install/password.html")]
struct PasswordPage {
    shell: Shell,
    errors: Errors,
    files: String,
}

async fn password_page(session: &Session, brought: &Brought, errors: Errors) -> Answer {
    let shell = session.shell("/certificates").await?;
    Ok((errors.status(), PasswordPage { shell, errors, files: brought.names() }).into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "install/choose.html")]
struct ChoosePage {
    shell: Shell,
    errors: Errors,
    candidates: Vec<Candidate>,
}

/// The candidate whose certificate has this fingerprint, or the page that asks which is meant.
async fn pick(
    session: &Session,
    mut candidates: Vec<Candidate>,
    which: &str,
) -> Result<Result<Candidate, Response>, Failure> {
    let place = match which {
        "" if candidates.len() == 1 => Some(0),
        which => candidates.iter().position(|own| own.chain.leaf.fingerprint.to_string() == which),
    };
    if let Some(place) = place {
        return Ok(Ok(candidates.swap_remove(place)));
    }
    let errors = match which {
        "" => Errors::default(),
        _ => Errors::one("which", "The one you chose can’t be installed any more. Choose again."),
    };
    let shell = session.shell("/certificates").await?;
    Ok(Err((errors.status(), ChoosePage { shell, errors, candidates }).into_response()))
}

/// Nothing waits under this address: it was used or wiped, or is another person's.
async fn gone(session: &Session) -> Answer {
    let why = "What was brought here is no longer kept: it was installed, or wiped after 15 minutes. Bring it again.";
    new_page(session, String::new(), Errors::one("reply", why)).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShowQuery {
    which: String,
}

/// Asks for the password, or which of several is meant, or shows what installing it would change.
pub(crate) async fn show(
    session: Session,
    State(app): State<App>,
    At(token): At<String>,
    Asked(query): Asked<ShowQuery>,
) -> Answer {
    let Some(staged) = app.staging.get(&token, session.user.id) else { return gone(&session).await };
    let found = match &staged.content {
        Content::Locked(brought) => return password_page(&session, brought, Errors::default()).await,
        Content::Open(found) => found,
    };
    let candidates = match look(&session, &staged, found).await? {
        Ok(candidates) => candidates,
        Err(response) => return Ok(response),
    };
    let candidate = match pick(&session, candidates, &query.which).await? {
        Ok(candidate) => candidate,
        Err(response) => return Ok(response),
    };
    let page = PreviewPage::new(&session, found, candidate, &InstallForm::default(), Errors::default()).await?;
    Ok(page.into_response())
}

/// What of a delivery can be installed, or the page that says why nothing can.
async fn look(session: &Session, staged: &Staged, found: &Found) -> Result<Result<Vec<Candidate>, Response>, Failure> {
    let request = dropped_on(session, staged).await?;
    match candidates(session, found, request.as_ref()).await? {
        Ok(candidates) => Ok(Ok(candidates)),
        Err(misfit) => Ok(Err(refuse(session, request, "reply", String::new(), misfit).await?)),
    }
}

/// The request on whose page a delivery was dropped.
async fn dropped_on(session: &Session, staged: &Staged) -> Result<Option<Request>, Failure> {
    Ok(match staged.request {
        Some(id) => Some(session.store().find_request(id).await?),
        None => None,
    })
}

/// The form of the pages behind a token: the password, or what to install and where to switch to it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct InstallForm {
    password: String,
    /// Which of several, by the fingerprint of its certificate.
    which: String,
    /// The friendly name of what answers no request.
    name: String,
    /// The bindings to switch, each with the certificate that was shown beside it: `binding:certificate`.
    b: Vec<String>,
    confirmed: String,
    /// `switch` or `keep`; empty where nothing was asked yet.
    #[serde(rename = "do")]
    action: String,
}

impl InstallForm {
    /// The bindings chosen, each once; `None` where nothing was asked yet.
    fn chosen(&self) -> Option<BTreeSet<Served>> {
        let read = |text: &String| {
            let (binding, certificate) = text.split_once(':')?;
            Some(Served { binding: binding.parse().ok()?, certificate: certificate.parse().ok()? })
        };
        (!self.action.is_empty()).then(|| self.b.iter().filter_map(read).collect())
    }

    fn switch(&self) -> Vec<Served> {
        if self.action == "keep" { Vec::new() } else { self.chosen().into_iter().flatten().collect() }
    }
}

/// Opens what is locked, or installs what was shown.
pub(crate) async fn update(
    session: Session,
    State(app): State<App>,
    At(token): At<String>,
    Fields(form): Fields<InstallForm>,
) -> Answer {
    let Some(staged) = app.staging.get(&token, session.user.id) else { return gone(&session).await };
    match &staged.content {
        Content::Locked(brought) => {
            unlock(&session, &app, &token, &staged, brought, Zeroizing::new(form.password)).await
        }
        Content::Open(found) => install(&session, &app, &token, &staged, found, form).await,
    }
}

async fn unlock(
    session: &Session,
    app: &App,
    token: &str,
    staged: &Staged,
    brought: &Arc<Brought>,
    password: Zeroizing<String>,
) -> Answer {
    match app.staging.open(brought.clone(), password).await? {
        Ok(found) => {
            if let Err(response) = look(session, staged, &found).await? {
                app.staging.wipe(token);
                return Ok(response);
            }
            app.staging.replace(token, Staged { request: staged.request, content: Content::Open(found) });
            Ok(Redirect::to(&format!("/install/{token}")).into_response())
        }
        Err(error @ (IntakeError::PasswordNeeded | IntakeError::WrongPassword)) => {
            password_page(session, brought, Errors::one("password", error)).await
        }
        Err(error) => {
            app.staging.wipe(token);
            let request = dropped_on(session, staged).await?;
            refuse(session, request, "reply", String::new(), error.into()).await
        }
    }
}

async fn install(
    session: &Session,
    app: &App,
    token: &str,
    staged: &Staged,
    found: &Found,
    form: InstallForm,
) -> Answer {
    let candidates = match look(session, staged, found).await? {
        Ok(candidates) => candidates,
        Err(response) => {
            app.staging.wipe(token);
            return Ok(response);
        }
    };
    let candidate = match pick(session, candidates, &form.which).await? {
        Ok(candidate) => candidate,
        Err(response) => return Ok(response),
    };
    match save(session, found, &candidate, &form).await {
        Ok(certificate) => {
            app.staging.wipe(token);
            let switched = !form.switch().is_empty();
            let what = if switched { Saved::CertificateSwitched } else { Saved::CertificateInstalled };
            Ok(session.saved(&format!("/certificates/{certificate}"), what).await)
        }
        Err(refusal) => {
            let changed = matches!(refusal, StoreError::BindingsChanged);
            let errors = match refusal {
                StoreError::Doubtful(_) => {
                    Errors::one("confirmed", format!("{refusal} Tick below to install it all the same."))
                }
                StoreError::Name => Refusal::from(refusal).errors(session.now)?,
                refusal => Refusal::from(refusal).errors(session.now)?.at("reply", ""),
            };
            let page = PreviewPage::new(session, found, candidate, &form, errors).await?;
            let status = if changed { StatusCode::CONFLICT } else { page.status() };
            Ok((status, page).into_response())
        }
    }
}

async fn save(
    session: &Session,
    found: &Found,
    candidate: &Candidate,
    form: &InstallForm,
) -> Result<CertificateId, StoreError> {
    let (certificates, switch, confirmed) = (found.certificates.clone(), form.switch(), !form.confirmed.is_empty());
    let key = match &candidate.fit {
        Fit::Request(request) => {
            let by = session.author();
            return session.store().complete_request(request.id, certificates, &switch, confirmed, &by).await;
        }
        Fit::Kept(_) => ImportKey::Kept(candidate.chain.leaf.key_id),
        Fit::Brought(place) => ImportKey::Brought(&found.keys[*place]),
    };
    let by = session.author();
    session.store().import_certificate(&form.name, certificates, key, &switch, confirmed, &by).await
}

#[cfg(test)]
mod tests;
