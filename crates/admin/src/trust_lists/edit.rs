//! A trust list's name and what it does without revocation lists: made, changed; the list deleted.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::store::{TrustListEdit, TrustListView};
use siteward_core::trust_list::{TrustListId, WhenStale};

use super::words::stale;
use super::{Asking, SECTION, asking, version};
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::VersionForm;

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct ListForm {
    name: String,
    stale: String,
    version: Revision,
    /// Its answers in words when the form was opened.
    was: Vec<String>,
}

impl Default for ListForm {
    fn default() -> Self {
        let stale = WhenStale::default().as_str().to_owned();
        Self { name: String::new(), stale, version: 0, was: Vec::new() }
    }
}

const LABELS: [&str; 2] = ["Name", "Without a current revocation list"];

impl ListForm {
    fn of(list: &TrustListView) -> Self {
        let stale = list.when_stale.as_str().to_owned();
        Self { name: list.name.clone(), stale, version: list.version, was: shown(list) }
    }

    fn parse(&self) -> Result<TrustListEdit, Errors> {
        let mut errors = Errors::default();
        let when_stale = errors.check("stale", WhenStale::parse(&self.stale).ok_or("Choose one of these."));
        errors.or(when_stale.map(|when_stale| TrustListEdit { name: self.name.clone(), when_stale }))
    }

    fn in_words(&self) -> Vec<String> {
        let stale = WhenStale::parse(&self.stale).map_or("", |choice| stale(&choice));
        vec![self.name.trim().to_owned(), stale.to_owned()]
    }
}

fn shown(list: &TrustListView) -> Vec<String> {
    vec![list.name.clone(), stale(&list.when_stale).to_owned()]
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/edit.html")]
struct FormPage {
    shell: Shell,
    /// The list to change; none for a new one.
    list: Option<(TrustListId, String)>,
    form: ListForm,
    errors: Errors,
}

async fn page(session: &Session, list: Option<&TrustListView>, form: ListForm, errors: Errors) -> Answer {
    let shell = session.shell(SECTION).await?;
    let list = list.map(|list| (list.id, list.name.clone()));
    Ok((errors.status(), FormPage { shell, list, form, errors }).into_response())
}

/// The form for a new list.
pub(crate) async fn new(session: Session) -> Answer {
    page(&session, None, ListForm::default(), Errors::default()).await
}

/// Makes a list.
pub(crate) async fn create(session: Session, Fields(form): Fields<ListForm>) -> Answer {
    let made = async {
        let edit = form.parse()?;
        Ok::<_, Refusal>(session.store().create_trust_list(edit, &session.author()).await?)
    };
    match made.await {
        Ok(id) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::TrustListMade).await),
        Err(refusal) => page(&session, None, form, refusal.errors(session.now)?).await,
    }
}

/// The form with a list.
pub(crate) async fn edit(session: Session, At(id): At<TrustListId>) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    page(&session, Some(&list), ListForm::of(&list), Errors::default()).await
}

/// Saves a list.
pub(crate) async fn update(session: Session, At(id): At<TrustListId>, Fields(mut form): Fields<ListForm>) -> Answer {
    match save(&session, id, &form).await {
        Ok(()) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::TrustList).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let list = session.store().find_trust_list(id).await?;
            errors.compare(&LABELS, &form.was, &shown(&list), form.in_words());
            if errors.conflict().is_some() {
                (form.version, form.was) = (list.version, shown(&list));
            }
            page(&session, Some(&list), form, errors).await
        }
    }
}

async fn save(session: &Session, id: TrustListId, form: &ListForm) -> Result<(), Refusal> {
    let list = session.store().find_trust_list(id).await?;
    let version = version(&list, form.version, &form.was, &shown(&list));
    Ok(session.store().update_trust_list(id, version, form.parse()?, &session.author()).await?)
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/delete.html")]
struct DeletePage {
    shell: Shell,
    list: TrustListView,
    asking: Vec<Asking>,
    more: usize,
    errors: Errors,
}

async fn delete_page(session: &Session, id: TrustListId, errors: Errors) -> Result<DeletePage, Failure> {
    let list = session.store().find_trust_list(id).await?;
    let (asking, more) = asking(&session.table(), id);
    Ok(DeletePage { shell: session.shell(SECTION).await?, list, asking, more, errors })
}

/// Asks before a list is deleted.
pub(crate) async fn confirm_delete(session: Session, At(id): At<TrustListId>) -> Answer {
    Ok(delete_page(&session, id, Errors::default()).await?.into_response())
}

/// Deletes a list.
pub(crate) async fn delete(session: Session, At(id): At<TrustListId>, Fields(form): Fields<VersionForm>) -> Answer {
    match session.store().delete_trust_list(id, form.version, &session.author()).await {
        Ok(()) => Ok(session.saved(SECTION, Saved::TrustListDeleted).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            Ok((errors.status(), delete_page(&session, id, errors).await?).into_response())
        }
    }
}
