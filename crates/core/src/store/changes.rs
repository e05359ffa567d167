//! Reading the ledger.

use super::{Result, Store};
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

impl Store {
    /// Changes, newest first, at most `limit`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_changes(&self, filter: &ChangeFilter, limit: i64) -> Result<Vec<Change>> {
        let _ = (filter, limit);
        todo!()
    }

    /// How many changes a filter finds.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_changes(&self, filter: &ChangeFilter) -> Result<i64> {
        let _ = filter;
        todo!()
    }

    /// Every name the ledger has as an author.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_authors(&self) -> Result<Vec<String>> {
        todo!()
    }
}
