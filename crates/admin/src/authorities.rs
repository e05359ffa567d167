//! Authorities: CAs that Siteward itself runs, for tests and private networks.

pub(crate) mod client;
pub(crate) mod edit;
pub(crate) mod new;
pub(crate) mod request;
pub(crate) mod server;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::authority::Draft;
use siteward_core::chain::X509;
use siteward_core::document::{Document, DocumentKind};
use siteward_core::store::{Authority, AuthorityId, Issued, IssuedFilter, Request, RequestState, TrustedRoot};
use time::OffsetDateTime;

use crate::certificates::attachment;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors};
use crate::format::count;
use crate::requests::file_name;
use crate::session::Session;
use crate::shell::Shell;

#[derive(Template, WebTemplate)]
#[template(path = "authorities/list.html")]
struct ListPage {
    shell: Shell,
    authorities: Vec<Authority>,
    /// What the team trusts beside the system's roots.
    roots: Vec<TrustedRoot>,
}

impl ListPage {
    /// The name of who signed it.
    fn signer(&self, authority: &Authority) -> Option<&str> {
        name_of(&self.authorities, authority.parent)
    }
}

fn name_of(authorities: &[Authority], id: Option<AuthorityId>) -> Option<&str> {
    let id = id?;
    authorities.iter().find(|own| own.id == id).map(|own| own.name.as_str())
}

/// Every authority, oldest first.
pub(crate) async fn list(session: Session) -> Answer {
    let authorities = session.store().list_authorities().await?;
    let roots = session.store().list_roots().await?;
    let shell = session.shell("/authorities").await?;
    Ok(ListPage { shell, authorities, roots }.into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/show.html")]
struct ShowPage {
    shell: Shell,
    authority: Authority,
    draft: Draft,
    /// Itself, then who signed it, up to the root.
    chain: Vec<X509>,
    /// Who signed it.
    parent: Option<(AuthorityId, String)>,
    /// The one whose place it takes.
    predecessor: Option<(AuthorityId, String)>,
    /// Authorities that take its place.
    successors: Vec<(AuthorityId, String)>,
    /// The one that issues the console's own certificate.
    first: bool,
    /// Requests it could sign, newest first.
    pending: Vec<Request>,
    more_pending: bool,
    /// What it issued last.
    issued: Vec<Issued>,
    total: i64,
    former: Vec<(OffsetDateTime, X509)>,
    /// Its revocation list as published, and where.
    list: Option<(Document, String)>,
    /// Where its own certificate is published.
    certificate_at: String,
    now: OffsetDateTime,
}

impl ShowPage {
    /// For whom it may sign.
    fn may_sign(&self) -> String {
        match self.draft.path_length {
            Some(0) => "Servers and clients".into(),
            Some(levels) => format!("Servers, clients, and {} of authorities", count(levels, "level", "levels")),
            None => "Servers, clients, and any number of levels of authorities".into(),
        }
    }
}

/// How many pending requests the page of an authority offers to sign.
const MAX_PENDING: i64 = 50;

/// How many certificates it shows.
const LATEST: i64 = 5;

/// One authority, with what it can sign and what it signed.
pub(crate) async fn show(session: Session, At(id): At<AuthorityId>) -> Answer {
    let authorities = session.store().list_authorities().await?;
    let first = authorities.first().is_some_and(|authority| authority.id == id);
    let authority = authorities.iter().find(|authority| authority.id == id).cloned().ok_or(Failure::NotFound)?;
    let pair = |id: Option<AuthorityId>| id.zip(name_of(&authorities, id).map(str::to_owned));
    let successors = authorities.iter().filter(|own| own.predecessor == Some(id));
    let pending = session.store().list_requests(Some(RequestState::Pending), 0, MAX_PENDING).await?;
    let filter = IssuedFilter { authority: Some(id), ..IssuedFilter::default() };
    let shell = session.shell("/authorities").await?;
    let at = |kind: DocumentKind| match &authority.address {
        Some(address) => address.url(kind, authority.certificate.key_id),
        None => kind.path(authority.certificate.key_id),
    };
    let list = session.table().document(&DocumentKind::Crl.path(authority.certificate.key_id)).cloned();
    Ok(ShowPage {
        draft: draft(&authority)?,
        chain: session.store().authority_chain(id).await?,
        parent: pair(authority.parent),
        predecessor: pair(authority.predecessor),
        successors: successors.map(|own| (own.id, own.name.clone())).collect(),
        first,
        more_pending: shell.pending > MAX_PENDING,
        pending,
        issued: session.store().list_issued(&filter, session.now, 0, LATEST).await?,
        total: session.store().count_issued(&filter, session.now).await?,
        former: session.store().list_former_certificates(id).await?,
        list: list.map(|list| (list, at(DocumentKind::Crl))),
        certificate_at: at(DocumentKind::Certificate),
        now: session.now,
        authority,
        shell,
    }
    .into_response())
}

/// What an authority's certificate says.
fn draft(authority: &Authority) -> Result<Draft, Failure> {
    Draft::of(&authority.certificate.der).map_err(|error| Failure::Internal(error.to_string()))
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/trust.html")]
struct TrustPage {
    shell: Shell,
    /// The authority asked for.
    authority: Authority,
    /// Its root, which is what devices trust.
    root: X509,
    /// The file of it.
    file: String,
}

/// How devices and programs are told to trust it: a page to show to colleagues.
pub(crate) async fn trust(session: Session, At(id): At<AuthorityId>) -> Answer {
    let authority = session.store().find_authority(id).await?;
    let root = root(&session, id).await?;
    let shell = session.shell("/authorities").await?;
    Ok(TrustPage { shell, authority, file: file_name(&root.subject, "crt"), root }.into_response())
}

/// The root above an authority, or itself.
async fn root(session: &Session, id: AuthorityId) -> Result<X509, Failure> {
    let last = session.store().authority_chain(id).await?.pop();
    last.ok_or_else(|| Failure::Internal("an authority without a certificate".into()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DownloadQuery {
    #[serde(rename = "as")]
    form: String,
    of: String,
}

/// The certificate of an authority, or of the root above it, for the devices that are to trust it: `.pem`, or DER as
/// `.crt` or `.cer`; or its revocation list.
pub(crate) async fn download(session: Session, At(id): At<AuthorityId>, Asked(query): Asked<DownloadQuery>) -> Answer {
    let authority = session.store().find_authority(id).await?;
    let certificate = if query.of == "root" { root(&session, id).await? } else { authority.certificate };
    let name = |extension| file_name(&certificate.subject, extension);
    Ok(match query.form.as_str() {
        "crl" => {
            let list = session.table().document(&DocumentKind::Crl.path(certificate.key_id)).cloned();
            let list = list.ok_or(Failure::NotFound)?;
            attachment(&name("crl"), list.kind.content_type(), list.body.to_vec())
        }
        "der" => attachment(&name("crt"), "application/x-x509-ca-cert", certificate.der),
        "cer" => attachment(&name("cer"), "application/pkix-cert", certificate.der),
        _ => attachment(&name("pem"), "application/x-pem-file", certificate.to_pem()),
    })
}

/// A number of days as typed.
fn days(text: &str, most: i64, errors: &mut Errors) -> Option<i64> {
    let days = text.trim().parse().ok().filter(|days| (1..=most).contains(days));
    errors.check("days", days.ok_or_else(|| format!("Enter a number of days from 1 to {most}.")))
}

#[cfg(test)]
mod tests;
