//! Reading the ledger.

use super::{Result, Store, StoreError, from_millis};
use crate::ledger::{Change, Revision, Thing};
use crate::site::SiteId;

/// Which changes to list.
#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    /// Only older ones than this.
    pub before: Option<Revision>,
    /// Only those of this author, by the name in the ledger.
    pub author: Option<String>,
    /// Only those of this kind of thing.
    pub thing: Option<Thing>,
    /// Only those of this thing, with `thing`.
    pub thing_id: Option<i64>,
    /// Only those of this site and its bindings.
    pub site: Option<SiteId>,
}

struct ChangeRow {
    revision: i64,
    at: i64,
    author: String,
    summary: String,
    thing: String,
    thing_id: i64,
    site_id: Option<i64>,
    before: Option<String>,
    after: Option<String>,
}

impl Store {
    /// Changes, newest first, at most `limit`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_changes(&self, filter: &ChangeFilter, limit: i64) -> Result<Vec<Change>> {
        let thing = filter.thing.map(Thing::as_str);
        let rows = sqlx::query_as!(
            ChangeRow,
            "SELECT revision, at, author, summary, thing, thing_id, site_id, before, after FROM changes
             WHERE (?1 IS NULL OR revision < ?1) AND (?2 IS NULL OR author = ?2) AND (?3 IS NULL OR thing = ?3)
               AND (?4 IS NULL OR thing_id = ?4) AND (?5 IS NULL OR site_id = ?5)
             ORDER BY revision DESC LIMIT ?6",
            filter.before,
            filter.author,
            thing,
            filter.thing_id,
            filter.site,
            limit
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(ChangeRow::read).collect()
    }

    /// How many changes a filter finds.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_changes(&self, filter: &ChangeFilter) -> Result<i64> {
        let thing = filter.thing.map(Thing::as_str);
        let count = sqlx::query_scalar!(
            "SELECT count(*) FROM changes
             WHERE (?1 IS NULL OR revision < ?1) AND (?2 IS NULL OR author = ?2) AND (?3 IS NULL OR thing = ?3)
               AND (?4 IS NULL OR thing_id = ?4) AND (?5 IS NULL OR site_id = ?5)",
            filter.before,
            filter.author,
            thing,
            filter.thing_id,
            filter.site
        );
        Ok(count.fetch_one(self.reader()).await?)
    }

    /// Every name the ledger has as an author.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_authors(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!("SELECT DISTINCT author FROM changes ORDER BY author").fetch_all(self.reader()).await?)
    }
}

impl ChangeRow {
    fn read(self) -> Result<Change> {
        let broken = || StoreError::Internal(format!("change {} can't be read", self.revision));
        let json =
            |text: Option<String>| text.map(|text| serde_json::from_str(&text).map_err(|_| broken())).transpose();
        Ok(Change {
            thing: Thing::parse(&self.thing).ok_or_else(broken)?,
            before: json(self.before.clone())?,
            after: json(self.after.clone())?,
            at: from_millis(self.at)?,
            revision: self.revision,
            author: self.author,
            summary: self.summary,
            id: self.thing_id,
            site: self.site_id,
        })
    }
}
