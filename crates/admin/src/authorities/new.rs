//! The form that makes an authority.

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::authority::{AUTHORITY_DAYS, Address, Constraints, Draft, MAX_AUTHORITY_DAYS, Subtree};
use siteward_core::binding::{Binding, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::key::KeyKind;
use siteward_core::site::Site;
use siteward_core::store::{Authority, AuthorityId, NewAuthority};
use siteward_core::subject::{parse_country, parse_text};

use super::{days, draft};
use crate::error::{Answer, Failure};
use crate::form::{Asked, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct NewForm {
    name: String,
    organization: String,
    country: String,
    key: String,
    /// The row id of who signs it; empty for a root.
    parent: String,
    /// How many levels of authorities may follow below; empty for any number.
    levels: String,
    permitted: String,
    excluded: String,
    days: String,
    address: String,
    /// The row id of the authority whose place it takes.
    after: String,
}

impl Default for NewForm {
    fn default() -> Self {
        Self {
            name: String::new(),
            organization: String::new(),
            country: String::new(),
            key: KeyKind::EcdsaP256.as_str().into(),
            parent: String::new(),
            levels: "0".into(),
            permitted: String::new(),
            excluded: String::new(),
            days: AUTHORITY_DAYS.to_string(),
            address: String::new(),
            after: String::new(),
        }
    }
}

impl NewForm {
    /// The answers of another authority, for one that takes its place.
    fn after(authority: &Authority, draft: &Draft) -> Self {
        let lines = |trees: &[Subtree]| trees.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Self {
            name: format!("{} 2", authority.name),
            organization: draft.organization.clone().unwrap_or_default(),
            country: draft.country.clone().unwrap_or_default(),
            parent: authority.parent.map(|id| id.to_string()).unwrap_or_default(),
            levels: draft.path_length.map(|levels| levels.to_string()).unwrap_or_default(),
            permitted: lines(&draft.constraints.permitted),
            excluded: lines(&draft.constraints.excluded),
            days: draft.days.to_string(),
            address: authority.address.as_ref().map(Address::to_string).unwrap_or_default(),
            after: authority.id.to_string(),
            ..Self::default()
        }
    }

    fn read(&self) -> Result<NewAuthority, Errors> {
        let mut errors = Errors::default();
        if self.name.trim().chars().count() > MAX_NAME {
            errors.add("name", format!("Enter a name of at most {MAX_NAME} characters."));
        }
        let organization = errors.check("organization", parse_text("Organization", &self.organization, 64));
        let country = errors.check("country", parse_country(&self.country));
        let key = errors.check("key", KeyKind::parse(&self.key).ok_or("Choose a key."));
        let parent = errors.check("parent", id(&self.parent).ok_or("Choose who signs it."));
        let levels = errors.check("levels", levels(&self.levels));
        let permitted = errors.check("permitted", subtrees(&self.permitted));
        let excluded = errors.check("excluded", subtrees(&self.excluded));
        let days = days(&self.days, MAX_AUTHORITY_DAYS, &mut errors);
        let address = errors.check("address", Address::parse(&self.address));
        let new = || {
            Some(NewAuthority {
                draft: Draft {
                    common_name: self.name.clone(), // the store says what else a name must be
                    organization: organization?,
                    country: country?,
                    path_length: levels?,
                    constraints: Constraints { permitted: permitted?, excluded: excluded? },
                    days: days?,
                },
                key: key?,
                parent: parent?,
                predecessor: id(&self.after).flatten(),
                address: address?,
            })
        };
        let new = new();
        errors.or(new)
    }
}

/// Sites of which one may lend its name to an authority's address.
const LOOKED_AT: usize = 200;

/// The longest name of an authority, in characters: it is also its common name (RFC 5280 §A.1).
const MAX_NAME: usize = 64;

/// A row id as posted; nothing for an empty text.
fn id(text: &str) -> Option<Option<AuthorityId>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn levels(text: &str) -> Result<Option<u8>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        text => {
            text.parse().ok().filter(|levels| *levels <= 7).map(Some).ok_or("Enter a number from 0 to 7, or nothing.")
        }
    }
}

fn subtrees(text: &str) -> Result<Vec<Subtree>, String> {
    Constraints::parse_list(text).map_err(|(line, error)| format!("“{line}”: {error}"))
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/new.html")]
struct NewPage {
    shell: Shell,
    form: NewForm,
    /// The name of the authority whose place it takes.
    after: Option<String>,
    /// Those that may sign another authority.
    parents: Vec<(AuthorityId, String)>,
    errors: Errors,
}

async fn page(session: &Session, form: NewForm, errors: Errors) -> Result<Response, Failure> {
    let authorities = session.store().list_authorities().await?;
    let after = authorities.iter().find(|own| own.id.to_string() == form.after).map(|own| own.name.clone());
    let may_sign = |own: &&Authority| draft(own).is_ok_and(|draft| draft.path_length != Some(0));
    let parents = authorities.iter().filter(may_sign).map(|own| (own.id, own.name.clone())).collect();
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), NewPage { shell, form, after, parents, errors }).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewQuery {
    after: String,
}

/// The empty form, or one with the answers of the authority whose place the new one takes.
pub(crate) async fn new(session: Session, Asked(query): Asked<NewQuery>) -> Answer {
    let form = match id(&query.after).flatten() {
        Some(id) => {
            let authority = session.store().find_authority(id).await?;
            NewForm::after(&authority, &draft(&authority)?)
        }
        None => NewForm { address: proposed_address(&session).await?, ..NewForm::default() },
    };
    page(&session, form, Errors::default()).await
}

/// Where other authorities' documents are fetched, or the first name that answers in plain HTTP: a certificate that does
/// not say where its list is can't be told from a revoked one. Empty where there is neither.
async fn proposed_address(session: &Session) -> Result<String, Failure> {
    if let Some(address) = session.store().list_authorities().await?.into_iter().rev().find_map(|own| own.address) {
        return Ok(address.to_string());
    }
    let named = |site: &Arc<Site>| {
        site.bindings.iter().find_map(|Binding { place, .. }| match &place.host {
            HostPattern::Exact(host) if place.protocol == Protocol::Http => Some(format!("{host}:{}", place.port)),
            _ => None,
        })
    };
    let address = session.table().sites().take(LOOKED_AT).find_map(named);
    Ok(address.and_then(|text| Address::parse(&text).ok().flatten()).map(|own| own.to_string()).unwrap_or_default())
}

/// Makes an authority.
pub(crate) async fn create(session: Session, Fields(form): Fields<NewForm>) -> Answer {
    match make(&session, &form).await {
        Ok(id) => Ok(session.saved(&format!("/authorities/{id}"), Saved::AuthorityMade).await),
        Err(refusal) => page(&session, form, refusal.errors(session.now)?).await,
    }
}

async fn make(session: &Session, form: &NewForm) -> Result<AuthorityId, Refusal> {
    Ok(session.store().create_authority_as(form.read()?, &session.author()).await?)
}
