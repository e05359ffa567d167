//! Reading the ledger.

use sqlx::{QueryBuilder, Sqlite};

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

#[derive(sqlx::FromRow)]
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
        let columns = "SELECT revision, at, author, summary, thing, thing_id, site_id, before, after FROM changes";
        let mut query = filter.query(columns);
        query.push(" ORDER BY revision DESC LIMIT ").push_bind(limit);
        let rows: Vec<ChangeRow> = query.build_query_as().fetch_all(self.reader()).await?;
        rows.into_iter().map(ChangeRow::read).collect()
    }

    /// How many changes a filter finds.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_changes(&self, filter: &ChangeFilter) -> Result<i64> {
        let mut query = filter.query("SELECT count(*) FROM changes");
        Ok(query.build_query_scalar().fetch_one(self.reader()).await?)
    }

    /// Every name the ledger has as an author.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_authors(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!("SELECT DISTINCT author FROM changes ORDER BY author").fetch_all(self.reader()).await?)
    }
}

impl ChangeFilter {
    /// Only the conditions that are asked for: a query with all of them left open could not use an index.
    fn query(&self, start: &str) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new(start);
        query.push(" WHERE true");
        if let Some(before) = self.before {
            query.push(" AND revision < ").push_bind(before);
        }
        if let Some(author) = &self.author {
            query.push(" AND author = ").push_bind(author.clone());
        }
        if let Some(thing) = self.thing {
            query.push(" AND thing = ").push_bind(thing.as_str());
        }
        if let Some(id) = self.thing_id {
            query.push(" AND thing_id = ").push_bind(id);
        }
        if let Some(site) = self.site {
            query.push(" AND site_id = ").push_bind(site);
        }
        query
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
