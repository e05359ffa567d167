//! The only door to SQLite. Every write is one transaction, one ledger entry, and in force when it returns.

mod authorities;
mod bindings;
mod certificates;
mod changes;
mod error;
mod people;
mod requests;
mod sites;

use std::path::Path;
use std::sync::Arc;

pub use authorities::Authority;
pub use bindings::BindingDraft;
pub use certificates::{Certificate, CertificateList};
pub use changes::ChangeFilter;
pub use error::StoreError;
pub use people::{Invitation, NewUser, Theme, User};
pub use requests::{NewRequest, Request, RequestState};
pub use sites::{Folder, NewSite, SiteEdit};

use crate::sites::Sites;
use crate::table::SiteTable;

/// The result of everything the store does.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The store. Cheap to clone; every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// The channel on which the table in force is published.
    pub fn sites(&self) -> Sites {
        todo!()
    }

    /// The table in force: every site, from memory.
    pub fn table(&self) -> Arc<SiteTable> {
        todo!()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        todo!()
    }

    /// Why private keys can't be used, as a sentence; `None` when all is well.
    pub fn vault_trouble(&self) -> Option<&str> {
        todo!()
    }
}
