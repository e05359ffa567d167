//! A throw-away store and certification authority, for tests only.

use time::OffsetDateTime;

use crate::ledger::Author;
use crate::store::Store;

/// A store in a folder of its own that is removed on drop.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// Its data directory.
    pub folder: tempfile::TempDir,
}

impl TestStore {
    /// Opens an empty store: no site, no person, no authority.
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let store = Store::open(folder.path()).await.expect("an empty store opens");
        Self { store, folder }
    }
}

/// The author of changes in tests, at the real time.
pub fn tester() -> Author {
    Author { user: None, name: "Test".into(), now: OffsetDateTime::now_utc() }
}
