//! Reading the ledger.

use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use time::OffsetDateTime;

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
    undoes: Option<i64>,
}

/// By whom and when a change was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The change that undid it.
    pub revision: Revision,
    /// Whose that is.
    pub by: String,
    /// When.
    pub at: OffsetDateTime,
}

const COLUMNS: &str =
    "SELECT revision, at, author, summary, thing, thing_id, site_id, before, after, undoes FROM changes";

impl Store {
    /// Changes, newest first, at most `limit`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_changes(&self, filter: &ChangeFilter, limit: i64) -> Result<Vec<Change>> {
        let mut query = filter.query(COLUMNS);
        query.push(" ORDER BY revision DESC LIMIT ").push_bind(limit);
        let rows: Vec<ChangeRow> = query.build_query_as().fetch_all(self.reader()).await?;
        rows.into_iter().map(ChangeRow::read).collect()
    }

    /// The change with this number.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_change(&self, revision: Revision) -> Result<Change> {
        let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
        query.push(" WHERE revision = ").push_bind(revision);
        let row: Option<ChangeRow> = query.build_query_as().fetch_optional(self.reader()).await?;
        row.ok_or(StoreError::Gone)?.read()
    }

    /// Which of these changes are undone. One whose undoing was undone itself is in force again.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_undone(&self, revisions: &[Revision]) -> Result<HashMap<Revision, Undone>> {
        undone(&mut *self.reader().acquire().await?, revisions).await
    }

    /// The change, up to the one numbered `until`, that gave a field of a thing the value it then had, as text; nothing
    /// where it had another value then, or the ledger does not tell.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_setter(
        &self,
        thing: Thing,
        id: i64,
        field: &str,
        value: &str,
        until: Revision,
    ) -> Result<Option<Change>> {
        let place = format!("$.{field}");
        let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
        query.push(" WHERE thing = ").push_bind(thing.as_str());
        query.push(" AND thing_id = ").push_bind(id).push(" AND revision <= ").push_bind(until);
        query.push(" AND json_extract(after, ").push_bind(place.clone());
        query.push(") IS NOT json_extract(before, ").push_bind(place).push(") ORDER BY revision DESC LIMIT 1");
        let row: Option<ChangeRow> = query.build_query_as().fetch_optional(self.reader()).await?;
        let change = row.map(ChangeRow::read).transpose()?;
        let text = |own: &Value| own.as_str().map_or_else(|| own.to_string(), str::to_owned);
        Ok(change.filter(|change| change.after.as_ref().is_some_and(|after| text(&after[field]) == value)))
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

/// The same within a change.
pub(super) async fn undone(db: &mut SqliteConnection, revisions: &[Revision]) -> Result<HashMap<Revision, Undone>> {
    // The newest change that undid each, and the newest that undid that, and so on. An undoing that did nothing but
    // switch certificates, and was taken back everywhere since, undid nothing.
    let (mut newest, mut asked) = (HashMap::new(), revisions.to_vec());
    while !asked.is_empty() {
        let list = json!(asked).to_string();
        let rows = sqlx::query!(
            r#"SELECT undoes AS "undoes!: i64", max(revision) AS "revision!: i64", author AS "author!: String", at AS "at!: i64" FROM changes
               WHERE undoes IN (SELECT value FROM json_each(?)) AND NOT (
                   (SELECT min(s.taken_back_at IS NOT NULL) FROM switches s WHERE s.revision = changes.revision) IS 1
                   AND json_remove(before, '$.certificate', '$.certificate_id')
                       IS json_remove(after, '$.certificate', '$.certificate_id', '$.switched'))
               GROUP BY undoes"#,
            list
        );
        asked.clear();
        for row in rows.fetch_all(&mut *db).await? {
            asked.push(row.revision);
            newest.insert(row.undoes, Undone { revision: row.revision, by: row.author, at: from_millis(row.at)? });
        }
    }
    let in_force = |revision: Revision| {
        let undoings = std::iter::successors(newest.get(&revision), |undone| newest.get(&undone.revision));
        undoings.count() % 2 == 0
    };
    let undone = revisions.iter().filter(|revision| !in_force(**revision));
    Ok(undone.filter_map(|revision| Some((*revision, newest.get(revision)?.clone()))).collect())
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
            undoes: self.undoes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Author;
    use crate::site::SiteState;
    use crate::ssl::RequireSsl;
    use crate::store::{Folder, NewSite};
    use crate::testing::{TestStore, tester};

    #[tokio::test]
    async fn who_set_a_value_is_whoever_set_it_last_and_nobody_once_it_was_set_otherwise() {
        let test = TestStore::open().await;
        let store = &test.store;
        let by = |name: &str| Author { name: name.into(), ..tester() };
        let new =
            NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Refuse };
        let id = store.create_site(new, &by("Ada")).await.unwrap();
        let version = || store.table().site(id).unwrap().version;
        for (state, name) in [(SiteState::Stopped, "Ben"), (SiteState::Running, "Cleo"), (SiteState::Stopped, "Dora")] {
            store.update_site_state(id, version(), state, &by(name)).await.unwrap();
        }
        store.update_ssl(id, version(), RequireSsl::Off, &by("Emil")).await.unwrap();
        let first = version() - 4;
        for (until, field, value, name) in [
            (first, "state", "stopped", None),
            (first, "state", "running", Some("Ada")),
            (first + 1, "state", "stopped", Some("Ben")),
            (first + 2, "state", "stopped", None),
            (first + 4, "state", "stopped", Some("Dora")),
            (first + 3, "require_ssl", "refuse", Some("Ada")),
            (first + 4, "require_ssl", "refuse", None),
            (first + 4, "require_ssl", "off", Some("Emil")),
            (first + 4, "nonsense", "off", None),
        ] {
            let setter = store.find_setter(Thing::Site, id, field, value, until).await.unwrap();
            let author = setter.map(|change| change.author);
            assert_eq!(author.as_deref(), name, "{field} {value} until {until}");
        }
    }
}
