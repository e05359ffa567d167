//! What the team added to a certificate, and where an authority's documents are fetched.

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, StoreError, authorities, life};

/// Name, owner and note of a certificate.
pub(super) async fn edited(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let now = life::facts(write, change.id).await?;
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    let owner = match then["owner"].as_str() {
        Some(name) => {
            let id =
                sqlx::query_scalar!("SELECT id FROM users WHERE name = ?", name).fetch_optional(write.db()).await?;
            Some(id.ok_or(StoreError::OwnerGone)?)
        }
        None => None,
    };
    let word = |field: &str| then[field].as_str().ok_or_else(|| unreadable(change));
    life::update(write, change.id, word("friendly_name")?, owner, word("text")?).await?;
    Ok(Done { before: Some(now), after: Some(then), touched: Vec::new() })
}

/// The address of an authority.
pub(super) async fn address(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let now = sqlx::query_scalar!("SELECT address FROM authorities WHERE id = ?", change.id);
    let now = authorities::address_facts(&now.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?);
    let Some(then) = change.returned(now.clone()) else { return Err(write.changed_since(change).await) };
    let address = then["address"].as_str().ok_or_else(|| unreadable(change))?;
    sqlx::query!("UPDATE authorities SET address = ? WHERE id = ?", address, change.id).execute(write.db()).await?;
    Ok(Done { before: Some(now), after: Some(then), touched: Vec::new() })
}
