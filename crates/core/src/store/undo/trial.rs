//! Settings on trial.

use serde_json::Value;

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, StoreError, rules, trials};
use crate::trial::Trial;

pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.site.ok_or(StoreError::Gone)?)?;
    let read = |side: &Option<Value>| match side {
        Some(facts) => trials::read(facts).ok_or_else(|| unreadable(change)).map(Some),
        None => Ok(None),
    };
    let (then, left) = (read(&change.before)?, read(&change.after)?);
    let place = then.as_ref().or(left.as_ref()).map(|trial| &trial.path);
    let now = site.trials.iter().find(|own| Some(&own.path) == place);
    if now.map(|own| own.id) != left.map(|left| left.id) {
        return Err(write.changed_since(change).await);
    }
    match (now, &then) {
        (Some(own), _) => trials::remove(write, own.id).await?,
        (None, Some(_)) if site.trials.len() >= Trial::MOST => return Err(StoreError::TrialsFull),
        (None, _) => {}
    }
    if let Some(then) = &then {
        rules::check_lists(&site, &site.rules.with(&then.path, then.settings), &then.path)?;
        trials::insert(write, site.id, Some(then.id), then).await?;
    }
    Ok(Done { before: now.map(trials::facts), after: then.as_ref().map(trials::facts), touched: vec![site.id] })
}
