//! What a site, a folder or a file demands.

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::ssl::Rule;
use crate::store::rules::{self, RuleDraft};
use crate::store::write::Write;
use crate::store::{Result, StoreError};

/// The SSL settings of the whole site.
pub(super) async fn of_site(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.id)?;
    let rule = site.rules.list().iter().find(|rule| rule.path.is_site()).ok_or(StoreError::Gone)?;
    let now = rules::facts(rule.settings);
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    let settings = rules::read_settings(&then).ok_or_else(|| unreadable(change))?;
    rules::update(write, &Rule { settings, ..rule.clone() }).await?;
    Ok(Done { before: Some(now), after: Some(rules::facts(settings)), touched: vec![site.id] })
}

/// The rule of a folder or file.
pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.site.ok_or(StoreError::Gone)?)?;
    let now = rules::find(&site, change.id).ok().cloned().map(RuleDraft::from);
    let then = match (&change.before, &change.after, &now) {
        (Some(then), None, None) => Some(then.clone()),
        (None, Some(left), Some(now)) if rules::read(left).as_ref() == Some(now) => None,
        (Some(_), Some(_), Some(now)) => match change.returned(rules::facts_of(now)) {
            Some(then) => Some(then),
            None => return Err(write.changed_since(change).await),
        },
        _ => return Err(write.changed_since(change).await),
    };
    match &then {
        None => rules::remove(write, change.id).await?,
        Some(then) => {
            let draft = rules::read(then).ok_or_else(|| unreadable(change))?;
            draft.check()?;
            rules::place_is_free(&site, &draft.path, Some(change.id))?;
            match (&now, draft) {
                (None, draft) => rules::insert(write, site.id, Some(change.id), &draft).await.map(drop)?,
                (Some(_), RuleDraft { path, settings, reason }) => {
                    rules::update(write, &Rule { id: change.id, path, settings, reason }).await?;
                }
            }
        }
    }
    Ok(Done { before: now.as_ref().map(rules::facts_of), after: then, touched: vec![site.id] })
}
