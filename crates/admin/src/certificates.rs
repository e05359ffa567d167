//! Installed certificates: the list, one certificate with where it is used, and its removal.

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::binding::{Binding, BindingId};
use siteward_core::certificate::{CertificateFacts, CertificateId};
use siteward_core::chain::X509;
use siteward_core::host::HostPattern;
use siteward_core::ledger::{Change, Thing};
use siteward_core::site::{Site, SiteId};
use siteward_core::store::{Certificate, CertificateList, ChangeFilter, Request};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Refusal};
use crate::next::{self, Step};
use crate::pager::Pager;
use crate::requests::file_name;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::words::{self, State};

/// An https binding and what it serves.
pub(crate) struct Use {
    /// Its row id.
    pub(crate) binding: BindingId,
    /// Its site.
    pub(crate) site: SiteId,
    /// The site's name.
    pub(crate) site_name: String,
    /// Its host names.
    pub(crate) host: HostPattern,
    /// `https://shop.example`, or what it is in words.
    pub(crate) address: String,
    /// Its port.
    pub(crate) port: u16,
    /// What it serves now.
    pub(crate) certificate: Arc<CertificateFacts>,
}

/// Every https binding whose site and certificate `wanted` picks, by site.
pub(crate) fn uses(table: &SiteTable, wanted: impl Fn(SiteId, &CertificateFacts) -> bool) -> Vec<Use> {
    let mut uses = Vec::new();
    for site in table.sites() {
        for Binding { id, place, certificate } in &site.bindings {
            let Some(certificate) = certificate.clone().filter(|certificate| wanted(site.id, certificate)) else {
                continue;
            };
            uses.push(Use {
                binding: *id,
                site: site.id,
                site_name: site.name.clone(),
                address: match &place.host {
                    HostPattern::Any => place.to_string(),
                    host => place.url(&host.unicode()),
                },
                host: place.host.clone(),
                port: place.port.get(),
                certificate,
            });
        }
    }
    uses
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    page: String,
    per: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<CertificateList>,
    pager: Pager,
    now: OffsetDateTime,
}

/// Every installed certificate, soonest to expire first.
pub(crate) async fn list(session: Session, Asked(query): Asked<ListQuery>) -> Answer {
    let total = session.store().count_certificates().await?;
    let pager = Pager::new("/certificates", usize::try_from(total).unwrap_or(0), &query.page, &query.per);
    let (offset, limit) = pager.window();
    let rows = session.store().list_certificates(offset, limit).await?;
    let shell = session.shell("/certificates").await?;
    Ok(ListPage { shell, rows, pager, now: session.now }.into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/show.html")]
struct ShowPage {
    shell: Shell,
    certificate: Certificate,
    /// Its leaf as read.
    leaf: X509,
    uses: Vec<Use>,
    /// The request it answers, while that exists.
    request: Option<Request>,
    /// A site to bind it to, by its name: that of the request, or one with a host name that it covers.
    bind: Option<(String, Step)>,
    /// It ends within 30 days, or has ended.
    due: bool,
    /// Newest first.
    history: Vec<Change>,
    expiry: State,
    /// The issuer of the last certificate sent.
    top: String,
    /// How much of its life has passed, in percent.
    passed: String,
    /// What is left, in percent.
    left: String,
    /// In the second half of its life.
    late: bool,
    /// The colour of what is left.
    bar: &'static str,
}

/// One certificate.
pub(crate) async fn show(session: Session, At(id): At<CertificateId>) -> Answer {
    let certificate = session.store().find_certificate(id).await?;
    let leaf = leaf(&certificate)?.clone();
    let request = session.store().find_request_by_key(leaf.key_id).await?;
    let mut history = changes(&session, Thing::Certificate, id).await?;
    if let Some(request) = &request {
        history.extend(changes(&session, Thing::Request, request.id).await?);
    }
    history.sort_by_key(|change| std::cmp::Reverse(change.revision));
    let table = session.table();
    let site = request.as_ref().and_then(|request| table.site(request.site?)).or_else(|| in_need(&table, &certificate));
    let passed = passed(&leaf, session.now);
    let expiry = words::expiry(&certificate.facts, session.now);
    Ok(ShowPage {
        shell: session.shell("/certificates").await?,
        uses: uses(&table, |_, own| own.id == id),
        bind: site.map(|site| (site.name.clone(), next::bind(site, &certificate.facts))),
        due: words::days_left(&certificate.facts, session.now) < words::SOON_DAYS,
        passed: format!("{passed:.1}"),
        left: format!("{:.1}", 100.0 - passed),
        late: passed > 50.0,
        bar: if expiry.tone == "idle" { "ok" } else { expiry.tone },
        top: certificate.chain.last().unwrap_or(&leaf).issuer.clone(),
        expiry,
        certificate,
        leaf,
        request,
        history,
    }
    .into_response())
}

/// A site with a host name that has no https yet and that this certificate covers.
fn in_need<'a>(table: &'a SiteTable, certificate: &Certificate) -> Option<&'a Arc<Site>> {
    table.sites().find(|site| next::without_https(site).iter().any(|host| certificate.facts.covers_pattern(host)))
}

fn leaf(certificate: &Certificate) -> Result<&X509, Failure> {
    certificate.chain.first().ok_or_else(|| Failure::Internal("a certificate without a leaf".into()))
}

async fn changes(session: &Session, thing: Thing, id: i64) -> Result<Vec<Change>, Failure> {
    let filter = ChangeFilter { thing: Some(thing), thing_id: Some(id), ..ChangeFilter::default() };
    Ok(session.store().list_changes(&filter, 20).await?)
}

fn passed(leaf: &X509, now: OffsetDateTime) -> f64 {
    let whole = (leaf.not_after - leaf.not_before).as_seconds_f64().max(1.0);
    ((now - leaf.not_before).as_seconds_f64() / whole * 100.0).clamp(0.0, 100.0)
}

/// The leaf and the issuers sent along, as one PEM file.
pub(crate) async fn download(session: Session, At(id): At<CertificateId>) -> Answer {
    let certificate = session.store().find_certificate(id).await?;
    let pem: String = certificate.chain.iter().map(X509::to_pem).collect();
    Ok(attachment(&file_name(&certificate.facts.subject, "pem"), "application/x-pem-file", pem))
}

/// An answer that a browser saves as a file.
pub(crate) fn attachment(name: &str, content_type: &'static str, content: impl Into<Body>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, content.into()).into_response()
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/remove.html")]
struct RemovePage {
    shell: Shell,
    errors: Errors,
    certificate: Certificate,
    uses: Vec<Use>,
}

async fn remove_page(session: &Session, id: CertificateId, errors: Errors) -> Result<RemovePage, Failure> {
    Ok(RemovePage {
        shell: session.shell("/certificates").await?,
        errors,
        certificate: session.store().find_certificate(id).await?,
        uses: uses(&session.table(), |_, own| own.id == id),
    })
}

/// Asks before a certificate is removed; one in use can't be.
pub(crate) async fn confirm_delete(session: Session, At(id): At<CertificateId>) -> Answer {
    Ok(remove_page(&session, id, Errors::default()).await?.into_response())
}

/// Removes a certificate and its key.
pub(crate) async fn delete(session: Session, At(id): At<CertificateId>) -> Answer {
    match session.store().delete_certificate(id, &session.author()).await {
        Ok(()) => Ok(session.saved("/certificates", Saved::CertificateRemoved).await),
        Err(refusal) => {
            let page = remove_page(&session, id, Refusal::from(refusal).errors(session.now)?).await?;
            Ok((page.errors.status(), page).into_response())
        }
    }
}

#[cfg(test)]
mod tests;
