//! The one-way channel from the store to whoever serves: the table in force.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::ledger::Revision;
use crate::table::SiteTable;

/// The table in force, and word of the next one. Cheap to clone; readers never wait.
#[derive(Debug, Clone)]
pub struct Sites {
    table: Arc<ArcSwap<SiteTable>>,
    revision: watch::Receiver<Revision>,
}

/// The store's end: only it can publish.
#[derive(Debug)]
pub struct Publisher {
    table: Arc<ArcSwap<SiteTable>>,
    revision: watch::Sender<Revision>,
}

impl Publisher {
    /// A channel with its first table.
    pub fn new(table: SiteTable) -> (Self, Sites) {
        let (sender, receiver) = watch::channel(table.revision());
        let table = Arc::new(ArcSwap::from_pointee(table));
        (Self { table: table.clone(), revision: sender }, Sites { table, revision: receiver })
    }

    /// The table last published.
    pub fn table(&self) -> Arc<SiteTable> {
        self.table.load_full()
    }

    /// Puts `table` in force: whoever asks from now on gets it.
    pub fn publish(&self, table: SiteTable) {
        let revision = table.revision();
        self.table.store(Arc::new(table));
        self.revision.send_replace(revision);
    }
}

impl Sites {
    /// The table in force now.
    pub fn table(&self) -> Arc<SiteTable> {
        self.table.load_full()
    }

    /// Waits until a table is in force that this `Sites` value has not reported yet; `None` once the store is gone.
    pub async fn changed(&mut self) -> Option<Arc<SiteTable>> {
        self.revision.changed().await.ok()?;
        self.revision.mark_unchanged();
        Some(self.table())
    }
}
