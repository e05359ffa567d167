//! What happens to an authority later: its address, its renewal, its end.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::authority::{Address, MAX_AUTHORITY_DAYS};
use siteward_core::store::{Authority, AuthorityId};

use super::{days, draft};
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AddressForm {
    address: String,
    /// What it was when the form was opened.
    was: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/address.html")]
struct AddressPage {
    shell: Shell,
    authority: Authority,
    form: AddressForm,
    errors: Errors,
}

async fn address_page(session: &Session, id: AuthorityId, form: Option<AddressForm>, mut errors: Errors) -> Answer {
    let authority = session.store().find_authority(id).await?;
    let saved = authority.address.as_ref().map(Address::to_string).unwrap_or_default();
    let mut form = form.unwrap_or(AddressForm { address: saved.clone(), was: saved.clone() });
    if errors.conflict().is_some() {
        errors.compare(&["Address"], &[form.was], std::slice::from_ref(&saved), vec![form.address.clone()]);
        form.was = saved;
    }
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), AddressPage { shell, authority, form, errors }).into_response())
}

/// Where the authority's documents are fetched.
pub(crate) async fn address(session: Session, At(id): At<AuthorityId>) -> Answer {
    address_page(&session, id, None, Errors::default()).await
}

/// Sets where they are fetched.
pub(crate) async fn update_address(
    session: Session,
    At(id): At<AuthorityId>,
    Fields(form): Fields<AddressForm>,
) -> Answer {
    match save_address(&session, id, &form).await {
        Ok(()) => Ok(session.saved(&format!("/authorities/{id}"), Saved::AuthorityAddress).await),
        Err(refusal) => address_page(&session, id, Some(form), refusal.errors(session.now)?).await,
    }
}

async fn save_address(session: &Session, id: AuthorityId, form: &AddressForm) -> Result<(), Refusal> {
    let address = Address::parse(&form.address).map_err(|error| Errors::one("address", error))?;
    Ok(session.store().update_authority_address(id, &form.was, address.as_ref(), &session.author()).await?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RenewForm {
    days: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/renew.html")]
struct RenewPage {
    shell: Shell,
    authority: Authority,
    form: RenewForm,
    errors: Errors,
}

async fn renew_page(
    session: &Session,
    id: AuthorityId,
    form: Option<RenewForm>,
    errors: Errors,
) -> Result<Response, Failure> {
    let authority = session.store().find_authority(id).await?;
    let form = match form {
        Some(form) => form,
        None => RenewForm { days: draft(&authority)?.days.to_string() },
    };
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), RenewPage { shell, authority, form, errors }).into_response())
}

/// Tells the two ways to renew an authority, and what devices need after each.
pub(crate) async fn confirm_renew(session: Session, At(id): At<AuthorityId>) -> Answer {
    renew_page(&session, id, None, Errors::default()).await
}

/// Makes a new certificate for the same key.
pub(crate) async fn renew(session: Session, At(id): At<AuthorityId>, Fields(form): Fields<RenewForm>) -> Answer {
    match save_renewal(&session, id, &form).await {
        Ok(()) => Ok(session.saved(&format!("/authorities/{id}"), Saved::AuthorityRenewed).await),
        Err(refusal) => renew_page(&session, id, Some(form), refusal.errors(session.now)?).await,
    }
}

async fn save_renewal(session: &Session, id: AuthorityId, form: &RenewForm) -> Result<(), Refusal> {
    let mut errors = Errors::default();
    let days = days(&form.days, MAX_AUTHORITY_DAYS, &mut errors);
    let days = errors.or(days)?;
    Ok(session.store().renew_authority(id, days, &session.author()).await?)
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/delete.html")]
struct DeletePage {
    shell: Shell,
    authority: Authority,
    /// Why it can't be deleted.
    needed: Option<String>,
    errors: Errors,
}

async fn delete_page(session: &Session, id: AuthorityId, errors: Errors) -> Result<Response, Failure> {
    let authority = session.store().find_authority(id).await?;
    let needed = session.store().authority_needed(id, session.now).await?;
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), DeletePage { shell, authority, needed, errors }).into_response())
}

/// Asks before an authority is deleted; one that something depends on can't be.
pub(crate) async fn confirm_delete(session: Session, At(id): At<AuthorityId>) -> Answer {
    delete_page(&session, id, Errors::default()).await
}

/// Deletes an authority and destroys its key.
pub(crate) async fn delete(session: Session, At(id): At<AuthorityId>) -> Answer {
    match session.store().delete_authority(id, &session.author()).await {
        Ok(()) => Ok(session.saved("/authorities", Saved::AuthorityDeleted).await),
        Err(refusal) => delete_page(&session, id, Refusal::from(refusal).errors(session.now)?).await,
    }
}
