//! Whom a change of a trust list would turn away, judged by the client certificates that came: told before it is saved.

use std::collections::BTreeSet;
use std::sync::Arc;

use siteward_core::ssl::{RulePath, Rules, Trusted};
use siteward_core::store::{Store, StoreError};
use siteward_core::table::SiteTable;
use siteward_core::trust_list::{Effect, Judge, Seen, TrustListId, TurnedAway};
use tokio::task::spawn_blocking;

use super::{Asking, asking};
use crate::brought::Brought;
use crate::form::Refusal;
use crate::format;
use crate::session::Session;

/// What the button Preview sends as `do`.
pub(crate) const PREVIEW: &str = "preview";

/// How many of those who would be turned away are shown.
const MAX_ROWS: usize = 20;

/// How many pairs of lists are compared.
const MAX_LISTS: usize = 3;

/// The longest text, in bytes, that stands in a form instead of a file that was chosen.
const MAX_KEPT: usize = 64 * 1024;

/// The panel "Before you save", for `trust_lists/figures.html` and `trust_lists/turned_away.html`.
pub(crate) struct Panel {
    /// What would change, in words.
    pub(crate) changes: String,
    /// How many certificates came.
    pub(crate) came: usize,
    pub(crate) turned_away: usize,
    pub(crate) rows: Vec<Row>,
    /// How many further certificates would be turned away.
    pub(crate) more: usize,
    pub(crate) let_in: usize,
    /// How many are refused either way.
    pub(crate) refused: usize,
    /// No more are remembered.
    pub(crate) is_full: bool,
    /// What else is to be known before saving; may be empty.
    pub(crate) hint: &'static str,
    pub(crate) asking: Vec<Asking>,
    /// How many further sites ask the list.
    pub(crate) further: usize,
}

/// Somebody who would be turned away.
pub(crate) struct Row {
    pub(crate) subject: Arc<str>,
    /// The day on which they came last, in words.
    pub(crate) came: String,
    /// `403.16 Client certificate untrusted or invalid`
    pub(crate) gets: String,
    pub(crate) why: String,
}

impl Panel {
    /// What a list would decide in the table `then`.
    pub(crate) async fn new(
        session: &Session,
        list: TrustListId,
        then: Arc<SiteTable>,
        changes: String,
    ) -> Result<Self, StoreError> {
        let seen = session.store().list_seen(list).await?;
        let is_full = seen.len() >= Seen::MOST;
        let (asking, further) = asking(&then, list);
        let effect = effect(session, seen, (list, &session.table()), (list, &then)).await?;
        let row = |one: &TurnedAway| Row {
            subject: one.subject.clone(),
            came: format::short_date(&one.at),
            gets: format!("403.{} {}", one.refusal.substatus(), one.refusal.reason()),
            why: one.why.clone(),
        };
        let turned_away = effect.turned_away.len();
        Ok(Self {
            changes,
            came: effect.len(),
            turned_away,
            rows: effect.turned_away.iter().take(MAX_ROWS).map(row).collect(),
            more: turned_away.saturating_sub(MAX_ROWS),
            let_in: effect.let_in,
            refused: effect.refused,
            is_full,
            hint: "",
            asking,
            further,
        })
    }

    /// What a change of a list would come to. It is worked out with all its checks, and not made.
    ///
    /// # Errors
    /// Those of the change.
    pub(crate) async fn of<T, F>(
        session: &Session,
        list: TrustListId,
        changes: String,
        change: impl FnOnce(Store) -> F,
    ) -> Result<Self, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let then = session.store().rehearse(change).await?;
        Self::new(session, list, then, changes).await
    }
}

/// Makes a change of a list; or makes none and tells what it would come to, with its `changes` in words, where the form
/// was sent by Preview.
///
/// # Errors
/// Those of the change.
pub(super) async fn save<T, F>(
    session: &Session,
    list: TrustListId,
    preview: Option<String>,
    change: impl FnOnce(Store) -> F,
) -> Result<Option<Panel>, Refusal>
where
    F: Future<Output = Result<T, StoreError>>,
{
    match preview {
        Some(changes) => Ok(Some(Panel::of(session, list, changes, change).await?)),
        None => {
            change(session.store().clone()).await?;
            Ok(None)
        }
    }
}

/// What each other trust list that a site would ask makes of the certificates that came where it asks its own now, in words.
pub(crate) async fn other_lists(session: &Session, now: &Rules, then: &Rules) -> Result<Vec<String>, StoreError> {
    let table = session.table();
    let (mut told, replaced) = (Vec::new(), replaced(now, then));
    let further = replaced.len().saturating_sub(MAX_LISTS);
    for (own, other) in replaced.into_iter().take(MAX_LISTS) {
        let (Ok(from), Ok(to)) = (table.trust_list(Trusted::List(own)), table.trust_list(Trusted::List(other))) else {
            continue;
        };
        let effect = effect(session, session.store().list_seen(own).await?, (own, &table), (other, &table)).await?;
        let whom = match (effect.turned_away.len(), effect.len()) {
            (_, 0) => {
                "No client certificate is remembered there, so it can’t be told whom that would turn away.".into()
            }
            (away, came) => {
                let away = if away == 0 { "none".into() } else { format::number(away) };
                let came = format::count(came, "remembered client certificate", "remembered client certificates");
                format!("Of {came}, {away} would be turned away.")
            }
        };
        told.push(format!("{} is asked instead of {}. {whom}", to.name, from.name));
    }
    if further > 0 {
        let pairs = format::count(further, "further pair of trust lists is", "further pairs of trust lists are");
        told.push(format!("{pairs} not compared."));
    }
    Ok(told)
}

/// The trust lists that would be asked instead of others at any place, each pair once.
fn replaced(now: &Rules, then: &Rules) -> BTreeSet<(TrustListId, TrustListId)> {
    let asked = |rules: &Rules, path: &RulePath| {
        let demands = rules.at(path);
        demands.trust.value.list().filter(|_| demands.looks_at_certificates())
    };
    let whole = RulePath::site();
    let places = [&whole].into_iter().chain(now.list().iter().chain(then.list()).map(|rule| &rule.path));
    let pairs = places.filter_map(|path| Some((asked(now, path)?, asked(then, path)?)));
    pairs.filter(|(now, then)| now != then).collect()
}

/// Signatures are proven where that may take its time.
async fn effect(
    session: &Session,
    seen: Vec<Seen>,
    (list, table): (TrustListId, &Arc<SiteTable>),
    (other, then): (TrustListId, &Arc<SiteTable>),
) -> Result<Effect, StoreError> {
    let (table, then, now) = (table.clone(), then.clone(), session.now);
    let judged = move || Effect::new(&seen, Judge::new(&table, list), Judge::new(&then, other), now);
    spawn_blocking(judged).await.map_err(|error| StoreError::Internal(error.to_string()))
}

/// What stands in the form after a preview of what was brought, and what is said of it. A file can't be chosen again for
/// anybody, so it comes back as `text` where it is small; what was pasted stays as it is.
pub(super) fn kept(brought: &Brought, text: impl FnOnce() -> Option<String>) -> (String, &'static str) {
    if !brought.has_files() {
        let text = brought.text();
        let hint =
            if text.is_empty() { "Paste it again before you save: it is too large to stay in the form." } else { "" };
        return (text, hint);
    }
    match text().filter(|text| text.len() <= MAX_KEPT) {
        Some(text) => (
            text,
            "What the file holds stands in the text field now, so it needn’t be chosen again. For another file, empty the field first.",
        ),
        None => (brought.text(), "Choose the file again before you save: it is too large to stay in the form."),
    }
}
