//! What a site, a folder or a file demands.

use serde_json::Value;

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
    rules::check_lists(&site, &site.rules.with_site(settings), &rule.path)?;
    rules::update(write, &Rule { settings, ..rule.clone() }).await?;
    Ok(Done { before: Some(now), after: Some(rules::facts(settings)), touched: vec![site.id] })
}

/// Whether a rule is still where a change left it, and as a whole where it came from elsewhere: what one folder was eased,
/// another must not be.
fn is_there_still(change: &Change, left: &Value, now: &RuleDraft) -> bool {
    match change.sets("path") {
        true => rules::read(left).as_ref() == Some(now),
        false => rules::read(left).is_some_and(|left| left.path == now.path),
    }
}

/// The rule of a folder or file.
pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.site.ok_or(StoreError::Gone)?)?;
    let now = rules::find(&site, change.id).ok().cloned().map(RuleDraft::from);
    let then = match (&change.before, &change.after, &now) {
        (Some(then), None, None) => Some(then.clone()),
        (None, Some(left), Some(now)) if rules::read(left).as_ref() == Some(now) => None,
        (Some(_), Some(left), Some(now)) if is_there_still(change, left, now) => {
            match change.returned(rules::facts_of(now)) {
                Some(then) => Some(then),
                None => return Err(write.changed_since(change).await),
            }
        }
        _ => return Err(write.changed_since(change).await),
    };
    let others = site.rules.without(change.id);
    match &then {
        None => {
            now.iter().try_for_each(|now| rules::check_lists(&site, &others, &now.path))?;
            rules::remove(write, change.id).await?;
        }
        Some(then) => {
            let draft = rules::read(then).ok_or_else(|| unreadable(change))?;
            draft.check()?;
            rules::place_is_free(&site, &draft.path, Some(change.id))?;
            rules::check_lists(&site, &others.with(&draft.path, draft.settings), &draft.path)?;
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
