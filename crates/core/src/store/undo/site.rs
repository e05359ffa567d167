//! A site: its name, folder and state, what it tells browsers, or all of it.

use serde_json::Value;

use super::{Done, Order, bindings, unreadable};
use crate::ledger::Change;
use crate::site::{Site, SiteId, SiteState};
use crate::store::write::Write;
use crate::store::{Result, StoreError, exemptions, hsts as told, pages, rules, sites, trials};

/// The folder that a change would go back to, where it comes to that.
pub(super) fn folder_of(change: &Change) -> Option<&str> {
    change.before.as_ref().filter(|_| change.sets("folder"))?["folder"].as_str()
}

/// Its name, folder or state.
pub(super) async fn edited(write: &mut Write<'_>, order: &Order<'_>) -> Result<Done> {
    let change = order.change;
    let site = write.any_site(change.id)?;
    let now = sites::facts(&site);
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    let name = then["name"].as_str().ok_or_else(|| unreadable(change))?.to_owned();
    let state = then["state"].as_str().and_then(SiteState::parse).ok_or_else(|| unreadable(change))?;
    let folder = order.folder.clone().unwrap_or_else(|| site.folder.clone());
    sites::name_is_free(write, &name, Some(site.id)).await?;
    let after = Site { name, state, folder, ..site };
    sites::put(write, &after).await?;
    Ok(Done { before: Some(now), after: Some(sites::facts(&after)), touched: vec![after.id] })
}

/// What it tells browsers. What was promised to them since can't be undone: they are told to forget it where need be.
pub(super) async fn hsts(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.id)?;
    let now = told::facts(site.hsts);
    // How and how long it is told are one: a part of it makes no sense with a part of another.
    let (Some(then), true) = (&change.before, change.after.as_ref() == Some(&now)) else {
        return Err(write.changed_since(change).await);
    };
    let next = told::again(site.hsts, then, write.by).ok_or_else(|| unreadable(change))??;
    told::prove(&site, next)?;
    told::put(write, site.id, next).await?;
    Ok(Done { before: Some(now), after: Some(told::facts(next)), touched: vec![site.id] })
}

/// All of it, gone or back.
pub(super) async fn whole(write: &mut Write<'_>, order: &Order<'_>) -> Result<Done> {
    let change = order.change;
    let (before, after) = match (write.any_site(change.id).ok(), &change.before) {
        (Some(site), None) if site.version == change.revision => {
            let before = sites::whole(write, &site).await?;
            sites::remove(write, site.id).await?;
            (Some(before), None)
        }
        (None, Some(then)) => (None, Some(restore(write, change.id, then, order).await?)),
        _ => return Err(write.changed_since(change).await),
    };
    Ok(Done { before, after, touched: vec![change.id] })
}

async fn restore(write: &mut Write<'_>, id: SiteId, then: &Value, order: &Order<'_>) -> Result<Value> {
    let broken = || unreadable(order.change);
    let name = then["name"].as_str().ok_or_else(broken)?;
    let state = then["state"].as_str().and_then(SiteState::parse).ok_or_else(broken)?;
    let folder = order.folder.as_deref().ok_or_else(broken)?;
    let each = |list: &str| then[list].as_array().ok_or_else(broken).cloned();
    sites::name_is_free(write, name, None).await?;
    sites::insert_row(write, Some(id), name, folder, state).await?;
    for rule in each("rules")? {
        rules::insert(write, id, rule["id"].as_i64(), &rules::read(&rule).ok_or_else(broken)?).await?;
    }
    for own in each("exemptions")? {
        let draft = exemptions::read(&own).ok_or_else(broken)?;
        if draft.ends_at.is_none_or(|end| write.by.now < end) {
            exemptions::insert(write, id, own["id"].as_i64(), draft).await?;
        }
    }
    for own in then["trials"].as_array().into_iter().flatten() {
        let trial = trials::read(own).ok_or_else(broken)?;
        trials::insert(write, id, Some(trial.id), &trial).await?;
    }
    // The ledger did not always keep them.
    for own in then["pages"].as_array().into_iter().flatten() {
        pages::insert(write, id, own["id"].as_i64(), &pages::read(own).ok_or_else(broken)?).await?;
    }
    let mut doubts = Vec::new();
    for own in each("bindings")? {
        match bindings::put(write, id, own["id"].as_i64().ok_or_else(broken)?, &own, order).await {
            Err(StoreError::Doubtful(more)) => doubts.extend(more),
            done => done?,
        }
    }
    if !doubts.is_empty() {
        doubts.dedup();
        return Err(StoreError::Doubtful(doubts));
    }
    told::put(write, id, told::read(&then["told"]).ok_or_else(broken)?).await?;
    let requests = then["requests"].to_string();
    sqlx::query!(
        "UPDATE requests SET site_id = ? WHERE site_id IS NULL AND id IN (SELECT value FROM json_each(?))",
        id,
        requests
    )
    .execute(write.db())
    .await?;
    let site = write.site_now(id).await?.ok_or_else(broken)?;
    sites::whole(write, &site).await
}
