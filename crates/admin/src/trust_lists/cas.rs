//! The CAs of a trust list: certificates that somebody brings, authorities of Siteward's own; and their removal.

use std::collections::HashSet;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::store::{Authority, AuthorityId, CaOrigin, TrustListView, TrustedCa};
use siteward_core::trust_list::{TrustListId, TrustedCaId};

use super::{SECTION, find_ca};
use crate::brought::Brought;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
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
    text: String,
    chosen: String,
    errors: Errors,
}

async fn page(session: &Session, id: TrustListId, text: String, chosen: String, errors: Errors) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let mut authorities = session.store().list_authorities().await?;
    authorities.retain(|own| list.cas.iter().all(|ca| ca.origin != CaOrigin::Own(own.id)));
    let shell = session.shell(SECTION).await?;
    Ok((errors.status(), AddPage { shell, list, authorities, text, chosen, errors }).into_response())
}

/// The forms that put CAs on a list.
pub(crate) async fn new(session: Session, At(id): At<TrustListId>) -> Answer {
    page(&session, id, String::new(), String::new(), Errors::default()).await
}

/// Puts the CAs of the certificates on a list that somebody brought.
pub(crate) async fn create(session: Session, At(id): At<TrustListId>, body: axum::extract::Request) -> Answer {
    let brought = Brought::receive(body).await?.ok_or(Failure::TooLarge)?;
    match add(&session, id, &brought).await {
        Ok(()) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::CasAdded).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?.at("reply", brought.field());
            page(&session, id, brought.text(), String::new(), errors).await
        }
    }
}

async fn add(session: &Session, id: TrustListId, brought: &Brought) -> Result<(), Refusal> {
    let mut certificates = brought.certificates().map_err(|error| Errors::one("reply", error))?;
    let mut seen = HashSet::new();
    certificates.retain(|own| seen.insert(own.fingerprint));
    session.store().add_trusted_cas(id, &certificates, &session.author()).await?;
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OwnForm {
    authority: String,
}

/// Puts an authority of Siteward's own on a list.
pub(crate) async fn create_own(session: Session, At(id): At<TrustListId>, Fields(form): Fields<OwnForm>) -> Answer {
    let added = async {
        let authorities = session.store().list_authorities().await?;
        let chosen = form.authority.parse::<AuthorityId>().ok();
        let chosen = chosen.filter(|id| authorities.iter().any(|own| own.id == *id));
        let chosen = chosen.ok_or_else(|| Errors::one("authority", "Choose one of these."))?;
        Ok::<_, Refusal>(session.store().add_trusted_authority(id, chosen, &session.author()).await?)
    };
    match added.await {
        Ok(_) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::CasAdded).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?.at("reply", "authority");
            page(&session, id, String::new(), form.authority, errors).await
        }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/remove.html")]
struct RemovePage {
    shell: Shell,
    list: TrustListView,
    ca: TrustedCa,
    errors: Errors,
}

async fn remove_page(session: &Session, id: TrustListId, ca: TrustedCaId, errors: Errors) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let ca = find_ca(&list, ca)?.clone();
    let shell = session.shell(SECTION).await?;
    Ok((errors.status(), RemovePage { shell, list, ca, errors }).into_response())
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
