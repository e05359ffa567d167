//! What the team added to a certificate, and where an authority's documents are fetched.

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, StoreError, authorities, life};

const OWNER_GONE: &str = "Whoever looked after it has left the team since. Choose an owner on its page.";

/// Name, owner and note of a certificate.
pub(super) async fn edited(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let now = life::facts(write, change.id).await.map_err(|error| gone(error, "The certificate was removed since."))?;
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    // By number: somebody who joined later under the same name is not the one who was chosen.
    let owner = then["owner_id"].as_i64();
    life::owner_name(write, owner).await.map_err(|error| gone(error, OWNER_GONE))?;
    let word = |field: &str| then[field].as_str().ok_or_else(|| unreadable(change));
    life::update(write, change.id, word("friendly_name")?, owner, word("text")?).await?;
    Ok(Done { before: Some(now), after: Some(then), touched: Vec::new() })
}

/// The address of an authority.
pub(super) async fn address(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let now = sqlx::query_scalar!("SELECT address FROM authorities WHERE id = ?", change.id);
    let now = now.fetch_optional(write.db()).await?;
    let now = authorities::address_facts(&now.ok_or(StoreError::Final("The authority was deleted since."))?);
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    let address = then["address"].as_str().ok_or_else(|| unreadable(change))?;
    sqlx::query!("UPDATE authorities SET address = ? WHERE id = ?", address, change.id).execute(write.db()).await?;
    Ok(Done { before: Some(now), after: Some(then), touched: Vec::new() })
}

/// What it was about is there no more.
fn gone(error: StoreError, sentence: &'static str) -> StoreError {
    match error {
        StoreError::Gone | StoreError::OwnerGone => StoreError::Final(sentence),
        error => error,
    }
}
