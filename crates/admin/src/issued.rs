//! What authorities signed: the list, one certificate with its files, and its revocation.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::authority::Reason;
use siteward_core::certificate::CertificateId;
use siteward_core::chain::X509;
use siteward_core::export::p7b;
use siteward_core::store::{AuthorityId, Issued, IssuedFilter, IssuedId, IssuedKind, IssuedState};
use time::OffsetDateTime;

use crate::certificates::attachment;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal, address};
use crate::pager::Pager;
use crate::requests::file_name;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::words::{self, State};

/// What a kind is called in the console.
pub(crate) fn kind(kind: IssuedKind) -> &'static str {
    match kind {
        IssuedKind::Server => "Server",
        IssuedKind::Client => "Client",
        IssuedKind::Authority => "Authority",
        IssuedKind::Console => "This console",
    }
}

/// What became of it, in words.
pub(crate) fn state(issued: &Issued, now: OffsetDateTime) -> State {
    match issued.state(now) {
        IssuedState::Revoked => State { tone: "bad", icon: "closed", text: "Revoked".into() },
        IssuedState::Valid | IssuedState::Expired => words::expiry(&issued.certificate.facts(0), now),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    authority: String,
    f: String,
    view: String,
    page: String,
    per: String,
}

/// A saved view with how many there are in it.
struct View {
    label: &'static str,
    href: String,
    count: i64,
    current: bool,
}

#[derive(Template, WebTemplate)]
#[template(path = "issued/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    /// The one whose certificates these are.
    authority: Option<(AuthorityId, String)>,
    views: Vec<View>,
    rows: Vec<Issued>,
    pager: Pager,
    now: OffsetDateTime,
}

/// What authorities signed, newest first.
pub(crate) async fn list(session: Session, Asked(query): Asked<ListQuery>) -> Answer {
    let authority = match query.authority.parse::<AuthorityId>() {
        Ok(id) => Some((id, session.store().find_authority(id).await?.name)),
        Err(_) => None,
    };
    let chosen = IssuedState::parse(&query.view);
    let filter = |state| IssuedFilter {
        authority: authority.as_ref().map(|(id, _)| *id),
        state,
        text: query.f.chars().take(200).collect(),
    };
    let mut views = Vec::new();
    let states = IssuedState::ALL.into_iter().map(Some);
    for (state, label) in [None].into_iter().chain(states).zip(["All", "Valid", "Revoked", "Expired"]) {
        let view = state.map_or("", IssuedState::as_str);
        let fields = [("authority", query.authority.as_str()), ("f", query.f.as_str()), ("view", view)];
        let count = session.store().count_issued(&filter(state), session.now).await?;
        views.push(View { label, href: address("/issued", &fields), count, current: state == chosen });
    }
    let total = views.iter().find(|view| view.current).map_or(0, |view| view.count);
    let pager = Pager::new("/issued", usize::try_from(total).unwrap_or(0), &query.page, &query.per);
    let pager = pager.keeping("authority", &query.authority).keeping("f", &query.f).keeping("view", &query.view);
    let (offset, limit) = pager.window();
    let rows = session.store().list_issued(&filter(chosen), session.now, offset, limit).await?;
    let shell = session.shell("/authorities").await?;
    Ok(ListPage { shell, query, authority, views, rows, pager, now: session.now }.into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "issued/show.html")]
struct ShowPage {
    shell: Shell,
    issued: Issued,
    /// Who signed it, up to the root.
    chain: Vec<X509>,
    state: State,
    /// The same certificate as it is installed here, with its key.
    installed: Option<CertificateId>,
}

/// One certificate.
pub(crate) async fn show(session: Session, At(id): At<IssuedId>) -> Answer {
    let issued = session.store().find_issued(id).await?;
    let chain = session.store().authority_chain(issued.authority).await?;
    let state = state(&issued, session.now);
    let here = session.store().list_certificates_of_key(issued.certificate.key_id).await?;
    let installed = here.into_iter().find(|own| own.fingerprint == issued.certificate.fingerprint).map(|own| own.id);
    let shell = session.shell("/authorities").await?;
    Ok(ShowPage { shell, issued, chain, state, installed }.into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DownloadQuery {
    #[serde(rename = "as")]
    form: String,
}

/// The certificate with its chain: what a server sends as `.pem`, everything up to the root as `.p7b`; alone as `.cer`.
pub(crate) async fn download(session: Session, At(id): At<IssuedId>, Asked(query): Asked<DownloadQuery>) -> Answer {
    let issued = session.store().find_issued(id).await?;
    let name = |extension| file_name(&issued.certificate.subject, extension);
    let mut chain = vec![issued.certificate.clone()];
    chain.extend(session.store().authority_chain(issued.authority).await?);
    Ok(match query.form.as_str() {
        "cer" => attachment(&name("cer"), "application/pkix-cert", issued.certificate.der),
        "p7b" => attachment(&name("p7b"), "application/x-pkcs7-certificates", p7b(&chain)),
        _ => {
            let sent = chain.iter().filter(|certificate| !certificate.is_self_signed);
            attachment(&name("pem"), "application/x-pem-file", sent.map(X509::to_pem).collect::<String>())
        }
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RevokeForm {
    reason: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "issued/revoke.html")]
struct RevokePage {
    shell: Shell,
    issued: Issued,
    form: RevokeForm,
    errors: Errors,
}

async fn revoke_page(session: &Session, id: IssuedId, form: RevokeForm, errors: Errors) -> Result<Response, Failure> {
    let issued = session.store().find_issued(id).await?;
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), RevokePage { shell, issued, form, errors }).into_response())
}

/// Asks why a certificate is revoked.
pub(crate) async fn confirm_revoke(session: Session, At(id): At<IssuedId>) -> Answer {
    revoke_page(&session, id, RevokeForm::default(), Errors::default()).await
}

/// Revokes a certificate.
pub(crate) async fn revoke(session: Session, At(id): At<IssuedId>, Fields(form): Fields<RevokeForm>) -> Answer {
    let reason = form.reason.parse().ok().and_then(Reason::from_number);
    let outcome = match reason {
        Some(reason) => session.store().revoke_issued(id, reason, &session.author()).await.map_err(Refusal::from),
        None => Err(Errors::one("reason", "Choose why it is revoked.").into()),
    };
    match outcome {
        Ok(()) => Ok(session.saved(&format!("/issued/{id}"), Saved::CertificateRevoked).await),
        Err(refusal) => revoke_page(&session, id, form, refusal.errors(session.now)?).await,
    }
}
