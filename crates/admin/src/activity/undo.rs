//! One change by itself, and undoing it: what would become of what it set, and whom that would refuse.

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::{Change, Revision, Thing};
use siteward_core::ssl::Trusted;
use siteward_core::store::{Store, StoreError, Undoing};
use siteward_core::table::SiteTable;

use super::{Day, DiffRow, Entry, rows};
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::format;
use crate::listeners;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::traffic::Panel;
use crate::trust_lists;

#[derive(Template, WebTemplate)]
#[template(path = "activity/show.html")]
struct ShowPage {
    shell: Shell,
    revision: Revision,
    days: Vec<Day>,
}

/// One change.
pub(crate) async fn show(session: Session, At(revision): At<Revision>) -> Answer {
    let change = session.store().find_change(revision).await?;
    let title = format::day(change.at.date(), session.now.date());
    let entries = super::entries(&session, vec![change]).await?;
    let shell = session.shell("/activity").await?;
    Ok(ShowPage { shell, revision, days: vec![Day { title, entries }] }.into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct UndoForm {
    /// Certificates are taken although they have become questionable, and CAs although it is not known what they revoked.
    #[serde(default)]
    confirmed: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "activity/undo.html")]
struct UndoPage {
    shell: Shell,
    /// The change to undo.
    entry: Entry,
    /// What would become of what is now; nothing where it can't be undone.
    outcome: Option<Outcome>,
    errors: Errors,
}

/// What undoing would do.
struct Outcome {
    rows: Vec<DiffRow>,
    /// It was there and will be.
    edited: bool,
    /// It comes back, rather than going.
    returns: bool,
    /// Whom it would refuse, where it sets what a site demands.
    panel: Option<Panel>,
    /// Whom it would turn away, where it sets whose word is believed.
    proxies: Option<listeners::Panel>,
    /// Whose certificates it would turn away, where it changes a trust list.
    list: Option<trust_lists::Panel>,
    /// The CAs that come back without the revocation list that somebody brought.
    unlisted: Vec<String>,
}

impl Outcome {
    async fn new(session: &Session, undoing: Undoing) -> Result<Self, Failure> {
        Ok(Self {
            rows: rows(undoing.before.as_ref(), undoing.after.as_ref(), &session.table()),
            edited: undoing.before.is_some() && undoing.after.is_some(),
            returns: undoing.after.is_some(),
            panel: panel(session, &undoing).await?,
            proxies: proxies(session, &undoing.change).await?,
            list: list(session, &undoing.change).await?,
            unlisted: unlisted(&undoing.change),
        })
    }
}

async fn panel(session: &Session, undoing: &Undoing) -> Result<Option<Panel>, Failure> {
    let table = session.table();
    for then in &undoing.sites {
        let now = table.site(then.id);
        if now.is_none_or(|now| now.rules != then.rules) {
            let changes = "With what held before this change".into();
            return Panel::new(session, now.map_or(then, |now| now), &then.rules, changes).await.map(Some);
        }
    }
    Ok(None)
}

async fn proxies(session: &Session, change: &Change) -> Result<Option<listeners::Panel>, Failure> {
    if change.thing != Thing::Proxies {
        return Ok(None);
    }
    let then = then(session, change).await?;
    listeners::Panel::new(session, &then).await
}

/// The table that undoing a change would put in force.
async fn then(session: &Session, change: &Change) -> Result<Arc<SiteTable>, Failure> {
    let (revision, by) = (change.revision, session.author());
    Ok(session.store().rehearse(async move |store: Store| store.undo(revision, true, &by).await).await?)
}

/// What undoing a change of a trust list would make of the certificates that came; nothing where no list would be left.
async fn list(session: &Session, change: &Change) -> Result<Option<trust_lists::Panel>, Failure> {
    if change.thing != Thing::TrustList {
        return Ok(None);
    }
    let then = then(session, change).await?;
    if then.trust_list(Trusted::List(change.id)).is_err() {
        return Ok(None);
    }
    let changes = "With what held before this change".into();
    Ok(Some(trust_lists::Panel::new(session, change.id, then, changes).await?))
}

/// The names of the CAs that undoing a change puts on a trust list again, where their revocation lists were brought: the
/// ledger does not keep these.
fn unlisted(change: &Change) -> Vec<String> {
    let comes_back = change.thing == Thing::TrustList && change.after.is_none();
    let before = change.before.as_ref().filter(|_| comes_back);
    let cas = before.and_then(|before| before["cas"].as_array()).into_iter().flatten();
    let brought = cas.filter(|ca| ca["crl"] == "uploaded");
    brought.filter_map(|ca| Some(ca["name"].as_str()?.to_owned())).collect()
}

/// Asks before a change is undone.
pub(crate) async fn confirm(session: Session, At(revision): At<Revision>) -> Answer {
    page(&session, revision, Ok(())).await
}

/// Undoes a change.
pub(crate) async fn update(session: Session, At(revision): At<Revision>, Fields(form): Fields<UndoForm>) -> Answer {
    let change = session.store().find_change(revision).await?;
    match session.store().undo(revision, !form.confirmed.is_empty(), &session.author()).await {
        Ok(()) if unlisted(&change).is_empty() => Ok(session.saved(&history(&session, &change), Saved::Undone).await),
        Ok(()) => Ok(session.saved(&format!("/trust-lists/{}", change.id), Saved::UndoneUnlisted).await),
        Err(refusal) => page(&session, revision, Err(refusal)).await,
    }
}

/// Where what came of it is seen.
fn history(session: &Session, change: &Change) -> String {
    match change.site.filter(|site| session.table().site(*site).is_some()) {
        Some(site) => format!("/sites/{site}/history"),
        None => "/activity".into(),
    }
}

/// The page after what was `tried` already.
async fn page(session: &Session, revision: Revision, tried: Result<(), StoreError>) -> Answer {
    let (store, author) = (session.store(), session.author());
    let undoing = match store.try_undo(revision, false, &author).await {
        Err(doubtful @ (StoreError::Doubtful(_) | StoreError::Unchecked(_))) => {
            store.try_undo(revision, true, &author).await.map(|undoing| (undoing, Err(doubtful)))
        }
        undoing => undoing.map(|undoing| (undoing, tried)),
    };
    let (outcome, refusal) = match undoing {
        Ok((undoing, refusal)) => (Some(Outcome::new(session, undoing).await?), refusal.err()),
        Err(refusal) => (None, Some(refusal)),
    };
    let (status, errors) = match refusal {
        Some(refusal) => told(refusal, session)?,
        None => (StatusCode::OK, Errors::default()),
    };
    let mut entries = super::entries(session, vec![store.find_change(revision).await?]).await?;
    let entry = entries.pop().ok_or(Failure::NotFound)?;
    Ok((status, UndoPage { shell: session.shell("/activity").await?, entry, outcome, errors }).into_response())
}

/// Why it is not undone, in this console's words for times.
fn told(refusal: StoreError, session: &Session) -> Result<(StatusCode, Errors), Failure> {
    let sentence = match &refusal {
        StoreError::ChangedSince { by, at } => {
            format!(
                "{by} changed it again {}. Undo that change first, or change it by hand.",
                format::ago(at, &session.now)
            )
        }
        StoreError::Undone { by, at } => format!("{by} undid it {} already.", format::ago(at, &session.now)),
        _ => {
            let errors = Refusal::from(refusal).errors(session.now)?.without_fields();
            return Ok((errors.status(), errors));
        }
    };
    Ok((StatusCode::CONFLICT, Errors::one("", sentence)))
}

#[cfg(test)]
mod tests;
