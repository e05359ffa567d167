//! Certificate requests: the list, one request with its text to send, and what becomes of it.

mod answers;
mod findings;
pub(crate) mod wizard;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::certificate::{CertificateId, Fingerprint};
use siteward_core::csr::{Armour, to_pem};
use siteward_core::store::{Authority, AuthorityId, Certificate, Request, RequestId, RequestState, StoreError};
use siteward_core::table::SiteTable;

use crate::certificates::attachment;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal};
use crate::install::fit::Other;
use crate::pager::Pager;
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    state: String,
    page: String,
    per: String,
}

/// A request and its site's name.
struct Row {
    request: Request,
    site: Option<String>,
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/list.html")]
struct ListPage {
    shell: Shell,
    state: RequestState,
    /// Each state with its count.
    views: Vec<(RequestState, i64)>,
    rows: Vec<Row>,
    pager: Pager,
}

/// The requests of one state, newest first.
pub(crate) async fn list(session: Session, Asked(query): Asked<ListQuery>) -> Answer {
    let state = RequestState::parse(&query.state).unwrap_or(RequestState::Pending);
    let mut views = Vec::new();
    for state in [RequestState::Pending, RequestState::Completed, RequestState::Withdrawn] {
        views.push((state, session.store().count_requests(Some(state)).await?));
    }
    let total = views.iter().find(|(own, _)| *own == state).and_then(|(_, count)| usize::try_from(*count).ok());
    let pager = Pager::new("/requests", total.unwrap_or(0), &query.page, &query.per).keeping("state", state.as_str());
    let (offset, limit) = pager.window();
    let requests = session.store().list_requests(Some(state), offset, limit).await?;
    let table = session.table();
    let rows = requests.into_iter().map(|request| Row { site: site_name(&table, &request), request }).collect();
    let shell = session.shell("/requests").await?;
    Ok(ListPage { shell, state, views, rows, pager }.into_response())
}

fn site_name(table: &SiteTable, request: &Request) -> Option<String> {
    table.site(request.site?).map(|site| site.name.clone())
}

/// What each state is called in the console.
fn label(state: &RequestState) -> &'static str {
    match state {
        RequestState::Pending => "Pending",
        RequestState::Completed => "Completed",
        RequestState::Withdrawn => "Withdrawn",
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/show.html")]
struct ShowPage {
    shell: Shell,
    errors: Errors,
    request: Request,
    site: Option<String>,
    pem: String,
    authorities: Vec<Authority>,
    /// Whether its key outlives it, because something else has it.
    shared: bool,
    /// The certificate whose place the reply takes, and the number of bindings that serve it.
    renews: Option<(Certificate, usize)>,
    /// What was pasted as the CA's reply.
    text: String,
    /// Another pending request that the reply answers instead.
    other: Option<Other>,
}

/// The page of a request, with what is wrong with the reply brought to it.
async fn page(session: &Session, request: Request, text: String, errors: Errors) -> Result<ShowPage, Failure> {
    let authorities = match request.state {
        RequestState::Pending => session.store().list_authorities().await?,
        _ => Vec::new(),
    };
    let renews = match request.renews {
        Some(id) => {
            let bindings = session.store().list_bindings_of(id).await?.len();
            Some((session.store().find_certificate(id).await?, bindings))
        }
        None => None,
    };
    Ok(ShowPage {
        shell: session.shell("/requests").await?,
        shared: is_key_shared(session, request.key_id, None, Some(request.id)).await?,
        renews,
        errors,
        site: site_name(&session.table(), &request),
        pem: to_pem(&request.csr, Armour::Standard),
        authorities,
        text,
        other: None,
        request,
    })
}

/// Whether an installed certificate besides `certificate`, or a pending request besides `request`, has this key.
pub(crate) async fn is_key_shared(
    session: &Session,
    key: Fingerprint,
    certificate: Option<CertificateId>,
    request: Option<RequestId>,
) -> Result<bool, Failure> {
    let installed = session.store().list_certificates_of_key(key).await?;
    if installed.iter().any(|own| Some(own.id) != certificate) {
        return Ok(true);
    }
    let newest = session.store().find_request_by_key(key).await?;
    Ok(newest.is_some_and(|own| own.state == RequestState::Pending && Some(own.id) != request))
}

/// One request.
pub(crate) async fn show(session: Session, At(id): At<RequestId>) -> Answer {
    let request = session.store().find_request(id).await?;
    Ok(page(&session, request, String::new(), Errors::default()).await?.into_response())
}

/// The page of a request with what is wrong with the reply brought to it, and the request that it answers instead.
pub(crate) async fn refuse(
    session: &Session,
    request: Request,
    text: String,
    errors: Errors,
    other: Option<Other>,
) -> Answer {
    let page = ShowPage { other, ..page(session, request, text, errors).await? };
    Ok((page.errors.status(), page).into_response())
}

/// An address that something was sent to, typed or loaded again: it is no longer there.
pub(crate) async fn back(_: Session, At(id): At<RequestId>) -> Answer {
    Ok(Redirect::to(&format!("/requests/{id}")).into_response())
}

/// The subject from the country down, without the names.
fn subject_line(request: &Request) -> String {
    let subject = &request.subject;
    let parts =
        [&subject.country, &subject.state, &subject.locality, &subject.organization, &subject.organizational_unit];
    let parts = parts.into_iter().flatten().chain([&subject.common_name]);
    parts.map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DownloadQuery {
    #[serde(rename = "as")]
    form: String,
    header: String,
}

/// A request as a file: its text as `.csr` or `.txt` with either armour, or DER.
pub(crate) async fn download(session: Session, At(id): At<RequestId>, Asked(query): Asked<DownloadQuery>) -> Answer {
    let request = session.store().find_request(id).await?;
    let armour = if query.header == "new" { Armour::New } else { Armour::Standard };
    let (extension, content_type) = match query.form.as_str() {
        "der" => {
            let name = file_name(&request.subject.common_name, "der");
            return Ok(attachment(&name, "application/pkcs10", request.csr));
        }
        "txt" => ("txt", "text/plain; charset=us-ascii"),
        _ => ("csr", "application/pkcs10"),
    };
    let name = file_name(&request.subject.common_name, extension);
    Ok(attachment(&name, content_type, to_pem(&request.csr, armour)))
}

/// A file name from any text: letters, digits, dots and hyphens, never starting with a dot.
pub(crate) fn file_name(text: &str, extension: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = text.chars().take(80).map(safe).collect();
    let name = name.trim_matches(['.', '-']);
    let name = if name.is_empty() { "siteward" } else { name };
    format!("{name}.{extension}")
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/withdraw.html")]
struct WithdrawPage {
    shell: Shell,
    errors: Errors,
    request: Request,
    shared: bool,
}

async fn withdraw_page(session: &Session, request: Request, errors: Errors) -> Answer {
    let shared = is_key_shared(session, request.key_id, None, Some(request.id)).await?;
    let page = WithdrawPage { shell: session.shell("/requests").await?, errors, request, shared };
    Ok((page.errors.status(), page).into_response())
}

/// Asks before a request is withdrawn.
pub(crate) async fn confirm_delete(session: Session, At(id): At<RequestId>) -> Answer {
    let request = session.store().find_request(id).await?;
    let errors = match request.state.closed() {
        Some(why) => Errors::one("", why),
        None => Errors::default(),
    };
    withdraw_page(&session, request, errors).await
}

/// Withdraws a request, and destroys its key unless something else has it.
pub(crate) async fn delete(session: Session, At(id): At<RequestId>) -> Answer {
    match session.store().withdraw_request(id, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("/requests/{id}"), Saved::RequestWithdrawn).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            let request = session.store().find_request(id).await?;
            withdraw_page(&session, request, errors).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SignForm {
    authority: String,
}

/// Signs a request with one of Siteward's own authorities, and installs the certificate.
pub(crate) async fn sign(session: Session, At(id): At<RequestId>, Fields(form): Fields<SignForm>) -> Answer {
    sign_by(&session, id, &form.authority).await
}

/// Has an authority, as chosen in a form, sign a request; or shows the page of the request, with the sentence why not.
async fn sign_by(session: &Session, id: RequestId, authority: &str) -> Answer {
    let signing = match authority.parse::<AuthorityId>() {
        Ok(authority) => session.store().sign_request(id, authority, &session.author()).await.map_err(Refusal::from),
        Err(_) => Err(Errors::one("authority", "Choose the authority that signs.").into()),
    };
    let refusal = match signing {
        Ok(certificate) => return signed(session, certificate).await,
        Err(refusal) => refusal,
    };
    let request = session.store().find_request(id).await?;
    let errors = match refusal {
        Refusal::Store(StoreError::Gone) => {
            Errors::one("authority", "This authority no longer exists. Choose another one.")
        }
        refusal => refusal.errors(session.now)?,
    };
    let errors = if request.state == RequestState::Pending { errors.at("", "authority") } else { errors };
    let page = page(session, request, String::new(), errors).await?;
    Ok((page.errors.status(), page).into_response())
}

/// The page of a certificate that was signed here just now.
async fn signed(session: &Session, certificate: CertificateId) -> Answer {
    let bindings = session.store().list_bindings_of(certificate).await?;
    let what = if bindings.is_empty() { Saved::CertificateInstalled } else { Saved::CertificateSwitched };
    Ok(session.saved(&format!("/certificates/{certificate}"), what).await)
}

#[cfg(test)]
mod tests;
