//! Installed certificates: one certificate with where it is used, and its removal.

pub(crate) mod edit;
pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod self_signed;

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use siteward_core::binding::{Binding, BindingId};
use siteward_core::certificate::{CertificateFacts, CertificateId};
use siteward_core::chain::{Chain, X509};
use siteward_core::host::HostPattern;
use siteward_core::ledger::{Change, Thing};
use siteward_core::site::{Site, SiteId};
use siteward_core::store::{Authority, Certificate, ChangeFilter, Kept, Relatives, Request, TakenBack};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Refusal};
use crate::next::{self, Step};
use crate::receipts;
use crate::requests::is_key_shared;
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

/// How many bindings of a certificate its pages show.
const MAX_USES: usize = 50;

/// The https bindings whose site and certificate `wanted` picks, by site: the first `most`, and how many there are.
pub(crate) fn uses(
    table: &SiteTable,
    most: usize,
    wanted: impl Fn(SiteId, &CertificateFacts) -> bool,
) -> (Vec<Use>, usize) {
    let (mut uses, mut all) = (Vec::new(), 0);
    for site in table.sites() {
        for Binding { id, place, certificate } in &site.bindings {
            let Some(certificate) = certificate.clone().filter(|certificate| wanted(site.id, certificate)) else {
                continue;
            };
            all += 1;
            if all > most {
                continue;
            }
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
    (uses, all)
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/show.html")]
struct ShowPage {
    shell: Shell,
    certificate: Certificate,
    /// Its leaf as read.
    leaf: X509,
    /// The first bindings that serve it.
    uses: Vec<Use>,
    /// How many serve it.
    all_uses: usize,
    /// What fresh clients got of each of these.
    seen: Vec<State>,
    /// Where Siteward took it back.
    taken_back: Vec<TakenBack>,
    /// The request it answers, while that exists.
    request: Option<Request>,
    relatives: Relatives,
    /// How long it stays ready after its renewal took over.
    kept: Option<Kept>,
    /// The authority of this server that signed it, which can do so again at once.
    authority: Option<Authority>,
    /// Where nothing serves it, a site to bind it to, by its name: that of the request, or one with a host name that it covers.
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
    let request = session.store().find_request_of(id).await?;
    let relatives = session.store().find_relatives(id).await?;
    let authorities = session.store().list_authorities().await?;
    let mut history = changes(&session, Thing::Certificate, id).await?;
    if let Some(request) = &request {
        history.extend(changes(&session, Thing::Request, request.id).await?);
    }
    history.sort_by_key(|change| std::cmp::Reverse(change.revision));
    let table = session.table();
    let (uses, all_uses) = uses(&table, MAX_USES, |_, own| own.id == id);
    let asked = request.as_ref().and_then(|request| table.site(request.site?));
    let site = uses.is_empty().then(|| asked.or_else(|| in_need(&table, &certificate))).flatten();
    let passed = passed(&leaf, session.now);
    let expiry = words::expiry(&certificate.facts, session.now);
    Ok(ShowPage {
        shell: session.shell("/certificates").await?,
        seen: uses.iter().map(|own| receipts::of_binding(&session, own.site, own.binding)).collect(),
        taken_back: session.store().list_taken_back(id).await?,
        uses,
        all_uses,
        bind: site.map(|site| (site.name.clone(), next::bind(site, &certificate.facts))),
        due: words::days_left(&certificate.facts, session.now) < words::SOON_DAYS,
        passed: format!("{passed:.1}"),
        left: format!("{:.1}", 100.0 - passed),
        late: passed > 50.0,
        bar: if expiry.tone == "idle" { "ok" } else { expiry.tone },
        top: certificate.chain.last().unwrap_or(&leaf).issuer.clone(),
        expiry,
        authority: authorities
            .into_iter()
            .find(|authority| authority.certificate.not_after > session.now && has_signed(authority, &leaf)),
        certificate,
        leaf,
        request,
        relatives,
        kept: session.store().find_kept(id).await?,
        history,
    }
    .into_response())
}

/// A site with a host name that has no https yet and that this certificate covers.
fn in_need<'a>(table: &'a SiteTable, certificate: &Certificate) -> Option<&'a Arc<Site>> {
    table.sites().find(|site| next::without_https(site).iter().any(|host| certificate.facts.covers_pattern(host)))
}

/// Whether this authority signed the leaf itself.
fn has_signed(authority: &Authority, leaf: &X509) -> bool {
    let both = vec![leaf.clone(), authority.certificate.clone()];
    let chain = Chain::build(both, leaf.key_id);
    chain.is_ok_and(|chain| chain.root.is_some() || !chain.intermediates.is_empty())
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

/// An answer that a browser saves as a file.
pub(crate) fn attachment(name: &str, content_type: &'static str, content: impl Into<Body>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, content.into()).into_response()
}

/// Returns the bindings of the certificate that took its place.
pub(crate) async fn serve_again(session: Session, At(id): At<CertificateId>) -> Answer {
    session.store().serve_again(id, &session.author()).await?;
    Ok(session.saved(&format!("/certificates/{id}"), Saved::ServedAgain).await)
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/remove.html")]
struct RemovePage {
    shell: Shell,
    errors: Errors,
    certificate: Certificate,
    /// Whether its key outlives it, because something else has it.
    shared: bool,
    uses: Vec<Use>,
    all_uses: usize,
}

async fn remove_page(session: &Session, id: CertificateId, errors: Errors) -> Result<RemovePage, Failure> {
    let certificate = session.store().find_certificate(id).await?;
    let (uses, all_uses) = uses(&session.table(), MAX_USES, |_, own| own.id == id);
    Ok(RemovePage {
        shell: session.shell("/certificates").await?,
        errors,
        shared: is_key_shared(session, leaf(&certificate)?.key_id, Some(id), None).await?,
        certificate,
        uses,
        all_uses,
    })
}

/// Asks before a certificate is removed; one in use can't be.
pub(crate) async fn confirm_delete(session: Session, At(id): At<CertificateId>) -> Answer {
    Ok(remove_page(&session, id, Errors::default()).await?.into_response())
}

/// Removes a certificate, and its key unless something else has it.
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
