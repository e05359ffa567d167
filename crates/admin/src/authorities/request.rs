//! Signs any request that is pasted: first it is shown, with what will not be signed, then it is signed.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::authority::{ISSUED_DAYS, Purpose, Requested};
use siteward_core::csr;
use siteward_core::inspect;
use siteward_core::lint::Profile;
use siteward_core::store::{Authority, AuthorityId, IssuedId};

use super::days;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::inspect::Shown;
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct RequestForm {
    csr: String,
    purpose: String,
    days: String,
    /// `sign` once the preview was seen.
    go: String,
}

impl Default for RequestForm {
    fn default() -> Self {
        let purpose = Purpose::Server.as_str().into();
        Self { csr: String::new(), purpose, days: ISSUED_DAYS.to_string(), go: String::new() }
    }
}

/// A request as it will be signed.
struct Preview {
    shown: Shown,
    requested: Requested,
}

impl RequestForm {
    fn preview(&self, session: &Session) -> Result<Preview, Errors> {
        let wrong = |sentence: String| Errors::one("csr", sentence);
        let der = csr::in_text(&self.csr).map_err(|error| wrong(error.to_string()))?;
        let inspected = inspect::read(&der).map_err(|error| wrong(error.to_string()))?.into_iter().next();
        let inspected = inspected.ok_or_else(|| wrong(csr::TextError::None.to_string()))?;
        let requested = Requested::read(&der).map_err(|error| wrong(error.to_string()))?;
        Ok(Preview { shown: Shown::new(inspected, "", Profile::PrivateCa, session.now), requested })
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/request.html")]
struct RequestPage {
    shell: Shell,
    authority: Authority,
    form: RequestForm,
    preview: Option<Preview>,
    errors: Errors,
}

async fn page(
    session: &Session,
    id: AuthorityId,
    form: RequestForm,
    preview: Option<Preview>,
    errors: Errors,
) -> Result<Response, Failure> {
    let authority = session.store().find_authority(id).await?;
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), RequestPage { shell, authority, form, preview, errors }).into_response())
}

/// The empty form.
pub(crate) async fn new(session: Session, At(id): At<AuthorityId>) -> Answer {
    page(&session, id, RequestForm::default(), None, Errors::default()).await
}

/// Shows the request, or signs it once it was seen.
pub(crate) async fn create(session: Session, At(id): At<AuthorityId>, Fields(form): Fields<RequestForm>) -> Answer {
    let preview = match form.preview(&session) {
        Ok(preview) => preview,
        Err(errors) => return page(&session, id, form, None, errors).await,
    };
    if form.go != "sign" {
        return page(&session, id, form, Some(preview), Errors::default()).await;
    }
    match sign(&session, id, &form, &preview.requested).await {
        Ok(issued) => Ok(session.saved(&format!("/issued/{issued}"), Saved::CertificateIssued).await),
        Err(refusal) => page(&session, id, form, Some(preview), refusal.errors(session.now)?).await,
    }
}

async fn sign(
    session: &Session,
    id: AuthorityId,
    form: &RequestForm,
    requested: &Requested,
) -> Result<IssuedId, Refusal> {
    let mut errors = Errors::default();
    let purpose = errors.check("purpose", Purpose::parse(&form.purpose).ok_or("Choose what it is for."));
    let most = purpose.unwrap_or(Purpose::Server).max_days();
    let days = days(&form.days, most, &mut errors);
    let (purpose, days) = errors.or(purpose.zip(days))?;
    Ok(session.store().issue_for_request(id, requested, purpose, days, &session.author()).await?)
}
