//! A trust list's name and what it does without revocation lists: made, changed; the list deleted.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::store::{TrustListEdit, TrustListView};
use siteward_core::trust_list::{TrustListId, WhenStale};

use super::preview::{self, PREVIEW, Panel};
use super::words::stale;
use super::{Places, SECTION, version};
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
    /// `preview` where nothing is to be saved yet.
    #[serde(rename = "do")]
    action: String,
    /// Its answers in words when the form was opened.
    was: Vec<String>,
}

impl Default for ListForm {
    fn default() -> Self {
        let stale = WhenStale::default().as_str().to_owned();
        Self { name: String::new(), stale, version: 0, action: String::new(), was: Vec::new() }
    }
}

const LABELS: [&str; 2] = ["Name", "Without a current revocation list"];

impl ListForm {
    fn of(list: &TrustListView) -> Self {
        let stale = list.when_stale.as_str().to_owned();
        Self { name: list.name.clone(), stale, version: list.version, action: String::new(), was: shown(list) }
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
    panel: Option<Panel>,
    errors: Errors,
}

async fn page(
    session: &Session,
    list: Option<&TrustListView>,
    form: ListForm,
    panel: Option<Panel>,
    errors: Errors,
) -> Answer {
    let shell = session.shell(SECTION).await?;
    let list = list.map(|list| (list.id, list.name.clone()));
    Ok((errors.status(), FormPage { shell, list, form, panel, errors }).into_response())
}

/// The form for a new list.
pub(crate) async fn new(session: Session) -> Answer {
    page(&session, None, ListForm::default(), None, Errors::default()).await
}

/// Makes a list.
pub(crate) async fn create(session: Session, Fields(form): Fields<ListForm>) -> Answer {
    let made = async {
        let edit = form.parse()?;
        Ok::<_, Refusal>(session.store().create_trust_list(edit, &session.author()).await?)
    };
    match made.await {
        Ok(id) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::TrustListMade).await),
        Err(refusal) => page(&session, None, form, None, refusal.errors(session.now)?).await,
    }
}

/// The form with a list.
pub(crate) async fn edit(session: Session, At(id): At<TrustListId>) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    page(&session, Some(&list), ListForm::of(&list), None, Errors::default()).await
}

/// Saves a list, or shows whom what was chosen would turn away.
pub(crate) async fn update(session: Session, At(id): At<TrustListId>, Fields(mut form): Fields<ListForm>) -> Answer {
    match save(&session, id, &form).await {
        Ok(Some(panel)) => {
            let list = session.store().find_trust_list(id).await?;
            page(&session, Some(&list), form, Some(panel), Errors::default()).await
        }
        Ok(None) => Ok(session.saved(&format!("{SECTION}/{id}"), Saved::TrustList).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let list = session.store().find_trust_list(id).await?;
            errors.compare(&LABELS, &form.was, &shown(&list), form.in_words());
            if errors.conflict().is_some() {
                (form.version, form.was) = (list.version, shown(&list));
            }
            page(&session, Some(&list), form, None, errors).await
        }
    }
}

async fn save(session: &Session, id: TrustListId, form: &ListForm) -> Result<Option<Panel>, Refusal> {
    let list = session.store().find_trust_list(id).await?;
    let version = version(&list, form.version, &form.was, &shown(&list));
    let (edit, by) = (form.parse()?, session.author());
    let preview = (form.action == PREVIEW).then(|| format!("{}: {}", LABELS[1], stale(&edit.when_stale)));
    preview::save(session, id, preview, async |store| store.update_trust_list(id, version, edit, &by).await).await
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/delete.html")]
struct DeletePage {
    shell: Shell,
    list: TrustListView,
    places: Places,
    errors: Errors,
}

async fn delete_page(session: &Session, id: TrustListId, errors: Errors) -> Result<DeletePage, Failure> {
    let list = session.store().find_trust_list(id).await?;
    let places = Places::of(&session.table(), id);
    Ok(DeletePage { shell: session.shell(SECTION).await?, list, places, errors })
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
