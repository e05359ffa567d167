//! The one way to change anything: begin, work, commit with a ledger entry, publish.

use std::path::Path;

use serde_json::Value;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::OwnedMutexGuard;

use super::rehearsal::Rehearsal;
use super::{Result, Store, StoreError, from_millis, load, to_millis};
use crate::ledger::{Author, Revision, Thing};
use crate::site::{Site, SiteId};
use crate::sites::Publisher;
use crate::table::SiteTable;

/// A transaction that holds the write lock. Dropped without [`Write::commit`], it leaves everything as it was.
pub(super) struct Write<'a> {
    tx: Transaction<'static, Sqlite>,
    publisher: OwnedMutexGuard<Publisher>,
    /// Every site as of the last committed revision, other processes' included.
    pub(super) table: SiteTable,
    pub(super) by: &'a Author,
    /// The change that this one undoes.
    pub(super) undoes: Option<Revision>,
    pub(super) data_dir: &'a Path,
    /// The change is not to be made.
    rehearsal: Option<Rehearsal>,
}

/// What a change is recorded as.
pub(super) struct Entry {
    pub(super) thing: Thing,
    pub(super) id: i64,
    /// The site whose history shows it.
    pub(super) site: Option<SiteId>,
    /// To follow the author's name.
    pub(super) summary: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    /// The sites that are served differently from now on.
    pub(super) touched: Vec<SiteId>,
}

impl Entry {
    /// A change of something that belongs to `site`, told as `verb` and the site's name.
    pub(super) fn of_site(site: &Site, thing: Thing, id: i64, verb: &str) -> Self {
        let summary = format!("{verb} {}", site.name);
        Self { thing, id, site: Some(site.id), summary, before: None, after: None, touched: vec![site.id] }
    }
}

impl Store {
    /// Takes the write lock of this process and of the file, and catches up with other processes.
    pub(super) async fn begin<'a>(&'a self, by: &'a Author) -> Result<Write<'a>> {
        let publisher = self.0.publisher.clone().lock_owned().await;
        let mut tx = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
        let table = publisher.table();
        let table = match load::catch_up(&mut tx, &table, self.data_dir()).await? {
            Some(newer) => newer,
            None => SiteTable::clone(&table),
        };
        let rehearsal = self.1.clone();
        Ok(Write { tx, publisher, table, by, undoes: None, data_dir: self.data_dir(), rehearsal })
    }
}

impl Write<'_> {
    /// The connection to work on.
    pub(super) fn db(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// The number this change will have.
    pub(super) fn revision(&self) -> Revision {
        self.table.revision() + 1
    }

    /// Appends the ledger entry, commits, and puts the next table in force.
    ///
    /// If the caller goes away between commit and publish, the watcher publishes within its interval.
    pub(super) async fn commit(mut self, entry: Entry) -> Result<()> {
        let revision = self.revision();
        let (at, by) = (to_millis(self.by.now), self.by);
        let thing = entry.thing.as_str();
        let before = entry.before.map(|value| value.to_string());
        let after = entry.after.map(|value| value.to_string());
        sqlx::query!(
            "INSERT INTO changes (revision, at, user_id, author, summary, thing, thing_id, site_id, before, after, undoes)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            revision,
            at,
            by.user,
            by.name,
            entry.summary,
            thing,
            entry.id,
            entry.site,
            before,
            after,
            self.undoes
        )
        .execute(&mut *self.tx)
        .await?;
        let mut touched = entry.touched;
        touched.sort_unstable();
        touched.dedup();
        for id in &touched {
            sqlx::query!("INSERT INTO touched_sites (revision, site_id) VALUES (?, ?)", revision, id)
                .execute(&mut *self.tx)
                .await?;
            sqlx::query!("UPDATE sites SET version = ? WHERE id = ?", revision, id).execute(&mut *self.tx).await?;
        }
        let next = load::next_table(&mut self.tx, &self.table, revision, &touched, self.data_dir).await?;
        self.publish(next).await
    }

    /// Commits what is no change of anybody's: what Siteward keeps up by itself, such as the next revocation list.
    pub(super) async fn commit_upkeep(mut self) -> Result<()> {
        let next = load::upkept(&mut self.tx, self.table.clone()).await?;
        self.publish(next).await
    }

    async fn publish(self, next: SiteTable) -> Result<()> {
        if let Some(rehearsal) = self.rehearsal {
            rehearsal.keep(next);
            return Ok(self.tx.rollback().await?);
        }
        self.tx.commit().await?;
        self.publisher.publish(next);
        Ok(())
    }

    /// The site, if it still exists and nobody changed it since `version`.
    pub(super) async fn site(&mut self, id: SiteId, version: Revision) -> Result<Site> {
        let site = self.any_site(id)?;
        self.unchanged(site.version, version).await?;
        Ok(site)
    }

    /// Proves that the thing that was changed last at `newest` is still the one that a form was `opened` with.
    pub(super) async fn unchanged(&mut self, newest: Revision, opened: Revision) -> Result<()> {
        if newest == opened {
            return Ok(());
        }
        let last = sqlx::query!("SELECT author, at FROM changes WHERE revision = ?", newest)
            .fetch_optional(self.db())
            .await?
            .ok_or(StoreError::Gone)?;
        Err(StoreError::Stale { by: last.author, at: from_millis(last.at)? })
    }

    /// A site as it is within this change.
    pub(super) async fn site_now(&mut self, id: SiteId) -> Result<Option<Site>> {
        load::site(&mut self.tx, id, self.data_dir).await
    }

    /// The site, whoever changed it last.
    pub(super) fn any_site(&self, id: SiteId) -> Result<Site> {
        self.table.site(id).map(|site| Site::clone(site)).ok_or(StoreError::Gone)
    }
}
