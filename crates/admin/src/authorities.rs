//! Authorities: CAs that Siteward itself runs, for tests and private networks.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::key::KeyKind;
use siteward_core::store::{Authority, AuthorityId, Request, RequestState, TrustedRoot};

use crate::certificates::attachment;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal};
use crate::requests::{file_name, wizard};
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Template, WebTemplate)]
#[template(path = "authorities/list.html")]
struct ListPage {
    shell: Shell,
    authorities: Vec<Authority>,
    /// What the team trusts beside the system's roots.
    roots: Vec<TrustedRoot>,
}

/// Every authority, oldest first.
pub(crate) async fn list(session: Session) -> Answer {
    let authorities = session.store().list_authorities().await?;
    let roots = session.store().list_roots().await?;
    let shell = session.shell("/authorities").await?;
    Ok(ListPage { shell, authorities, roots }.into_response())
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct NewForm {
    name: String,
    key: String,
}

impl Default for NewForm {
    fn default() -> Self {
        Self { name: String::new(), key: KeyKind::EcdsaP256.as_str().into() }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/new.html")]
struct NewPage {
    shell: Shell,
    form: NewForm,
    errors: Errors,
}

/// The form that makes an authority.
pub(crate) async fn new(session: Session) -> Answer {
    let shell = session.shell("/authorities").await?;
    Ok(NewPage { shell, form: NewForm::default(), errors: Errors::default() }.into_response())
}

/// Makes an authority.
pub(crate) async fn create(session: Session, Fields(form): Fields<NewForm>) -> Answer {
    match make(&session, &form).await {
        Ok(id) => Ok(session.saved(&format!("/authorities/{id}"), Saved::AuthorityMade).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            let shell = session.shell("/authorities").await?;
            Ok((errors.status(), NewPage { shell, form, errors }).into_response())
        }
    }
}

/// The longest name of an authority, in characters: it is also its common name (RFC 5280 §A.1).
const MAX_NAME: usize = 64;

async fn make(session: &Session, form: &NewForm) -> Result<AuthorityId, Refusal> {
    let mut errors = Errors::default();
    if form.name.trim().chars().count() > MAX_NAME {
        errors.add("name", format!("Enter a name of at most {MAX_NAME} characters."));
    }
    let key = errors.check("key", KeyKind::parse(&form.key).ok_or("Choose a key."));
    let key = errors.or(key)?;
    Ok(session.store().create_authority(&form.name, key, &session.author()).await?)
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/show.html")]
struct ShowPage {
    shell: Shell,
    authority: Authority,
    /// The one that issues the console's own certificate.
    first: bool,
    /// Requests it could sign, newest first.
    pending: Vec<Request>,
    more_pending: bool,
}

/// How many pending requests the page of an authority offers to sign.
const MAX_PENDING: i64 = 50;

/// One authority, with what it can sign.
pub(crate) async fn show(session: Session, At(id): At<AuthorityId>) -> Answer {
    let authorities = session.store().list_authorities().await?;
    let first = authorities.first().is_some_and(|authority| authority.id == id);
    let found = authorities.into_iter().find(|authority| authority.id == id);
    let pending = session.store().list_requests(Some(RequestState::Pending), 0, MAX_PENDING).await?;
    let shell = session.shell("/authorities").await?;
    Ok(ShowPage {
        authority: found.ok_or(Failure::NotFound)?,
        first,
        more_pending: shell.pending > MAX_PENDING,
        pending,
        shell,
    }
    .into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DownloadQuery {
    #[serde(rename = "as")]
    form: String,
}

/// The authority's own certificate, for the devices that are to trust it: `.pem`, or DER as `.crt`.
pub(crate) async fn download(session: Session, At(id): At<AuthorityId>, Asked(query): Asked<DownloadQuery>) -> Answer {
    let authority = session.store().find_authority(id).await?;
    Ok(match query.form.as_str() {
        "der" => {
            attachment(&file_name(&authority.name, "crt"), "application/x-x509-ca-cert", authority.certificate.der)
        }
        _ => attachment(&file_name(&authority.name, "pem"), "application/x-pem-file", authority.certificate.to_pem()),
    })
}

#[cfg(test)]
mod tests;
