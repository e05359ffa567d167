//! Whose client certificates open places of sites.

use serde_json::{Value, json};

use super::{Done, Order, unreadable};
use crate::ledger::Change;
use crate::store::trust_lists::{self, cas};
use crate::store::write::Write;
use crate::store::{Result, StoreError};
use crate::trust_list::WhenStale;

type Sides = (Option<Value>, Option<Value>);

/// A trust list: itself, its name, its CAs, whom it lets in, or where it learns what they revoked.
pub(super) async fn undo(write: &mut Write<'_>, order: &Order<'_>) -> Result<Done> {
    let change = order.change;
    let has = |field: &str| change.before.iter().chain(&change.after).any(|side| side.get(field).is_some());
    let sides = match (&change.before, &change.after) {
        (Some(_), Some(_)) if has("crl") => address(write, change).await,
        (Some(_), Some(_)) if has("allow") => allowed(write, change).await,
        (Some(_), Some(_)) => edited(write, change).await,
        (None, Some(_)) if has("name") => gone(write, change).await,
        (Some(then), None) if has("name") => back(write, order, then).await,
        (None, Some(left)) => taken_off(write, change, left).await,
        (Some(then), None) => put_on(write, order, then).await,
        (None, None) => Err(unreadable(change)),
    };
    let (before, after) = sides?;
    trust_lists::mark(write, change.id).await?;
    Ok(Done { before, after, touched: Vec::new() })
}

async fn edited(write: &mut Write<'_>, change: &Change) -> Result<Sides> {
    let now = trust_lists::facts(&trust_lists::find(write, change.id).await?);
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    let (name, when_stale) = read(&then).ok_or_else(|| unreadable(change))?;
    trust_lists::name_is_free(write, name, Some(change.id)).await?;
    trust_lists::update(write, change.id, name, when_stale).await?;
    Ok((Some(now), Some(then)))
}

async fn gone(write: &mut Write<'_>, change: &Change) -> Result<Sides> {
    let list = trust_lists::find(write, change.id).await?;
    if list.version != change.revision {
        return Err(write.changed_since(change).await);
    }
    let now = trust_lists::whole(write, &list).await?;
    trust_lists::remove(write, list.id).await?;
    Ok((Some(now), None))
}

async fn back(write: &mut Write<'_>, order: &Order<'_>, then: &Value) -> Result<Sides> {
    let change = order.change;
    let (name, when_stale) = read(then).ok_or_else(|| unreadable(change))?;
    trust_lists::name_is_free(write, name, None).await?;
    trust_lists::insert(write, Some(change.id), name, when_stale).await?;
    put_on(write, order, then).await?;
    trust_lists::put_allow(write, change.id, then).await?.ok_or_else(|| unreadable(change))?;
    let list = trust_lists::find(write, change.id).await?;
    Ok((None, Some(trust_lists::whole(write, &list).await?)))
}

async fn allowed(write: &mut Write<'_>, change: &Change) -> Result<Sides> {
    let now = json!({ "allow": trust_lists::allow_of(write, change.id).await? });
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    trust_lists::put_allow(write, change.id, &then).await?.ok_or_else(|| unreadable(change))?;
    Ok((Some(now), Some(then)))
}

async fn taken_off(write: &mut Write<'_>, change: &Change, left: &Value) -> Result<Sides> {
    let ids: Vec<i64> = left["cas"].as_array().into_iter().flatten().filter_map(|ca| ca["id"].as_i64()).collect();
    let now = json!({ "cas": cas::facts(write.db(), change.id, Some(&ids)).await? });
    if now != *left {
        return Err(write.changed_since(change).await);
    }
    for id in ids {
        cas::remove(write, id).await?;
    }
    Ok((Some(now), None))
}

/// The same as by hand would let in whom a CA revoked, where the list is open and what it revoked was not kept.
async fn put_on(write: &mut Write<'_>, order: &Order<'_>, then: &Value) -> Result<Sides> {
    let change = order.change;
    let list = trust_lists::find(write, change.id).await.map_err(|_| StoreError::Final(DELETED))?;
    let cas = then["cas"].as_array().ok_or_else(|| unreadable(change))?;
    let asks_first = list.when_stale() == Some(WhenStale::Open) && !order.confirmed;
    let is_checked = |ca: &&Value| ["uploaded", "fetched"].map(Some).contains(&ca["crl"].as_str());
    if let Some(name) = cas.iter().find(is_checked).filter(|_| asks_first).and_then(|ca| ca["name"].as_str()) {
        return Err(StoreError::Unchecked(name.to_owned()));
    }
    for ca in cas {
        cas::put_back(write, change.id, ca).await?.ok_or_else(|| unreadable(change))?;
    }
    Ok((None, Some(then.clone())))
}

/// Where the revocation list of a CA is fetched; what was known of revocations goes as it does by hand.
async fn address(write: &mut Write<'_>, change: &Change) -> Result<Sides> {
    let side = |side: &Option<Value>, field: &str| side.as_ref().map(|side| side[field].clone()).unwrap_or_default();
    let ca = side(&change.before, "ca")["id"].as_i64().ok_or_else(|| unreadable(change))?;
    let Ok(now) = cas::crl_facts(write, change.id, ca).await else {
        return Err(StoreError::Final("The CA was taken off the list since."));
    };
    if ["crl", "crl_address"].iter().any(|field| now[field] != side(&change.after, field)) {
        return Err(write.changed_since(change).await);
    }
    let then = side(&change.before, "crl_address");
    cas::fetch_from(write, ca, then.as_str().ok_or_else(|| unreadable(change))?).await?;
    let after = cas::crl_facts(write, change.id, ca).await?;
    Ok((Some(now), Some(after)))
}

const DELETED: &str = "The trust list was deleted since. Undo that first.";

fn read(facts: &Value) -> Option<(&str, WhenStale)> {
    Some((facts["name"].as_str()?, WhenStale::parse(facts["when_stale"].as_str()?)?))
}
