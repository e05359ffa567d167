//! The CAs of a trust list: certificates that somebody brings, authorities of Siteward's own; and their removal.

use std::collections::HashSet;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::chain::X509;
use siteward_core::store::{Authority, AuthorityId, CaOrigin, Store, TrustListView, TrustedCa};
use siteward_core::trust_list::{TrustListId, TrustedCaId};

use super::preview::{self, PREVIEW, Panel};
use super::{SECTION, find_ca};
use crate::brought::Brought;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::format;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::VersionForm;

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/add.html")]
struct AddPage {
    shell: Shell,
    list: TrustListView,
    /// Authorities of Siteward's own that are not on the list.
    authorities: Vec<Authority>,
    /// There are authorities, and all of them are on it.
    has_all: bool,
    text: String,
    chosen: String,
    panel: Option<Panel>,
    errors: Errors,
}

/// What stands in the forms: the pasted text, and the authority that was chosen.
#[derive(Default)]
struct Typed {
    text: String,
    chosen: String,
}

async fn page(session: &Session, id: TrustListId, typed: Typed, panel: Option<Panel>, errors: Errors) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let mut authorities = session.store().list_authorities().await?;
    let is_any = !authorities.is_empty();
    authorities.retain(|own| list.cas.iter().all(|ca| ca.origin != CaOrigin::Own(own.id)));
    let (has_all, Typed { text, chosen }) = (is_any && authorities.is_empty(), typed);
    let shell = session.shell(SECTION).await?;
    let page = AddPage { shell, list, authorities, has_all, text, chosen, panel, errors };
    Ok((page.errors.status(), page).into_response())
}

/// The forms that put CAs on a list.
pub(crate) async fn new(session: Session, At(id): At<TrustListId>) -> Answer {
    page(&session, id, Typed::default(), None, Errors::default()).await
}

/// Puts the CAs of the certificates on a list that somebody brought, or shows whom that would turn away.
pub(crate) async fn create(session: Session, At(id): At<TrustListId>, body: axum::extract::Request) -> Answer {
    let brought = Brought::receive(body).await?.ok_or(Failure::TooLarge)?;
    match add(&session, id, &brought).await {
        Ok(Some(panel)) => {
            let pem = || Some(brought.certificates().ok()?.iter().map(X509::to_pem).collect());
            let (text, hint) = preview::kept(&brought, pem);
            let typed = Typed { text, ..Typed::default() };
            page(&session, id, typed, Some(Panel { hint, ..panel }), Errors::default()).await
        }
        Ok(None) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::CasAdded).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?.at("reply", brought.field());
            page(&session, id, Typed { text: brought.text(), ..Typed::default() }, None, errors).await
        }
    }
}

async fn add(session: &Session, id: TrustListId, brought: &Brought) -> Result<Option<Panel>, Refusal> {
    let mut certificates = brought.certificates().map_err(|error| Errors::one("reply", error))?;
    let mut seen = HashSet::new();
    certificates.retain(|own| seen.insert(own.fingerprint));
    let by = session.author();
    let names: Vec<String> = certificates.iter().map(|own| own.subject.clone()).collect();
    let preview = (brought.answer("do") == PREVIEW).then(|| added(&names));
    preview::save(session, id, preview, async |store| store.add_trusted_cas(id, &certificates, &by).await).await
}

/// What would be new with these CAs on a list. Who is let in by them only was never remembered.
fn added(names: &[String]) -> String {
    format!(
        "With {} on the list. Only certificates of CAs that were on it are remembered, so how many the new ones would \
         let in can’t be told.",
        format::list(names)
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OwnForm {
    authority: String,
    /// `preview` where nothing is to be saved yet.
    #[serde(rename = "do")]
    action: String,
}

/// Puts an authority of Siteward's own on a list, or shows whom that would turn away.
pub(crate) async fn create_own(session: Session, At(id): At<TrustListId>, Fields(form): Fields<OwnForm>) -> Answer {
    match add_own(&session, id, &form).await {
        Ok(Some(panel)) => {
            let typed = Typed { chosen: form.authority, ..Typed::default() };
            page(&session, id, typed, Some(panel), Errors::default()).await
        }
        Ok(None) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::AuthorityListed).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?.at("reply", "authority");
            page(&session, id, Typed { chosen: form.authority, ..Typed::default() }, None, errors).await
        }
    }
}

async fn add_own(session: &Session, id: TrustListId, form: &OwnForm) -> Result<Option<Panel>, Refusal> {
    let authorities = session.store().list_authorities().await?;
    let chosen = form.authority.parse::<AuthorityId>().ok();
    let chosen = chosen.and_then(|id| authorities.iter().find(|own| own.id == id));
    let chosen = chosen.ok_or_else(|| Errors::one("authority", "Choose one of these."))?;
    let (authority, by) = (chosen.id, session.author());
    let preview = (form.action == PREVIEW).then(|| added(std::slice::from_ref(&chosen.name)));
    preview::save(session, id, preview, async |store| store.add_trusted_authority(id, authority, &by).await).await
}

/// An address that something was sent to, typed or loaded again.
pub(crate) async fn back(_: Session, At(id): At<TrustListId>) -> Answer {
    Ok(Redirect::to(&format!("{SECTION}/{id}/cas/new")).into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/remove.html")]
struct RemovePage {
    shell: Shell,
    list: TrustListView,
    ca: TrustedCa,
    panel: Panel,
    errors: Errors,
}

async fn remove_page(session: &Session, id: TrustListId, ca: TrustedCaId, errors: Errors) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let ca = find_ca(&list, ca)?.clone();
    let (version, own, by) = (list.version, ca.id, session.author());
    let changes = format!("Without {}", ca.certificate.subject);
    let change = async |store: Store| store.remove_trusted_ca(id, version, own, &by).await;
    let panel = Panel::of(session, id, changes, change).await?;
    let shell = session.shell(SECTION).await?;
    Ok((errors.status(), RemovePage { shell, list, ca, panel, errors }).into_response())
}

/// Asks before a CA is taken off a list.
pub(crate) async fn confirm_delete(session: Session, At((id, ca)): At<(TrustListId, TrustedCaId)>) -> Answer {
    remove_page(&session, id, ca, Errors::default()).await
}

/// Takes a CA off a list.
pub(crate) async fn delete(
    session: Session,
    At((id, ca)): At<(TrustListId, TrustedCaId)>,
    Fields(form): Fields<VersionForm>,
) -> Answer {
    match session.store().remove_trusted_ca(id, form.version, ca, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::CaRemoved).await),
        Err(refusal) => remove_page(&session, id, ca, Refusal::from(refusal).errors(session.now)?).await,
    }
}
