//! What still needs an authority, and its end.

use serde_json::json;
use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use super::{AuthorityId, entry};
use crate::ledger::Author;
use crate::store::documents::withdraw;
use crate::store::requests::destroy_unused_key;
use crate::store::{Result, Store, StoreError, from_millis, to_millis};

impl Store {
    /// Deletes an authority that nothing depends on, and destroys its key.
    ///
    /// # Errors
    /// `Gone`, `AuthorityInUse` for the console's own, for one with authorities below it or on a trust list, and while a
    /// certificate of it has not expired: also of a revoked one the list must stay where it is looked for.
    pub async fn delete_authority(&self, id: AuthorityId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let row = sqlx::query!("SELECT name, key_id FROM authorities WHERE id = ?", id);
        let row = row.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
        if let Some(why) = needed(write.db(), id, by.now).await? {
            return Err(StoreError::AuthorityInUse(why));
        }
        sqlx::query!("DELETE FROM authorities WHERE id = ?", id).execute(write.db()).await?;
        destroy_unused_key(&mut write, &row.key_id).await?;
        withdraw(&mut write, &row.key_id).await?;
        let summary = format!("deleted the authority {}", row.name);
        write.commit(entry(id, summary, Some(json!({ "name": row.name })), None)).await?;
        self.fold_log().await;
        Ok(())
    }

    /// Why an authority can't be deleted, as a sentence; `None` where it can.
    ///
    /// # Errors
    /// `Database`.
    pub async fn authority_needed(&self, id: AuthorityId, now: OffsetDateTime) -> Result<Option<String>> {
        needed(&mut *self.reader().acquire().await?, id, now).await
    }
}

async fn needed(db: &mut SqliteConnection, id: AuthorityId, now: OffsetDateTime) -> Result<Option<String>> {
    let first = sqlx::query_scalar!(r#"SELECT min(id) AS "id: i64" FROM authorities"#).fetch_one(&mut *db).await?;
    if first == Some(id) {
        return Ok(Some("It issues the console’s own certificate.".into()));
    }
    let below = sqlx::query_scalar!("SELECT name FROM authorities WHERE parent_id = ? ORDER BY id LIMIT 1", id);
    if let Some(name) = below.fetch_optional(&mut *db).await? {
        return Ok(Some(format!("It signed the authority {name}. Delete that one first.")));
    }
    let list = sqlx::query_scalar!(
        "SELECT l.name FROM trust_lists l JOIN trusted_cas c ON c.list_id = l.id WHERE c.authority_id = ? ORDER BY l.id LIMIT 1",
        id
    );
    if let Some(name) = list.fetch_optional(&mut *db).await? {
        return Ok(Some(format!("It is on the trust list {name}. Take it off there first.")));
    }
    let now = to_millis(now);
    let last = sqlx::query_scalar!(
        r#"SELECT max(not_after) AS "last: i64" FROM issued WHERE authority_id = ? AND not_after >= ?"#,
        id,
        now
    );
    let Some(last) = last.fetch_one(&mut *db).await? else { return Ok(None) };
    // Nobody may lose the list before the last certificate that could be on it has expired.
    let after = from_millis(last)? + Duration::DAY;
    Ok(Some(format!(
        "A certificate that it signed has not expired, and whoever checks it needs its revocation list. It can be deleted from {} on.",
        after.date()
    )))
}
