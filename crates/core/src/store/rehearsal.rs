//! Changes that are worked out and not made, so that it can be shown before what they would do.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Result, Store};
use crate::table::SiteTable;

/// Keeps the table that a change would have put in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Rehearsal(Arc<Mutex<Option<SiteTable>>>);

impl Rehearsal {
    pub(super) fn keep(&self, next: SiteTable) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    fn into_table(self) -> Option<SiteTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Store {
    /// The table that `change` would put in force; the one in force where it changes nothing. All of its writes and checks
    /// are made and rolled back. It must be one change of configuration, made on the store that it is given.
    ///
    /// # Errors
    /// Those of the change.
    pub async fn rehearse<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<Arc<SiteTable>>
    where
        F: Future<Output = Result<T>>,
    {
        let rehearsal = Rehearsal::default();
        change(Self(self.0.clone(), Some(rehearsal.clone()))).await?;
        Ok(rehearsal.into_table().map_or_else(|| self.table(), Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use crate::ssl::RequireSsl;
    use crate::store::{Folder, NewSite, StoreError};
    use crate::testing::{TestStore, tester};

    #[tokio::test]
    async fn a_rehearsed_change_shows_what_would_be_in_force_and_leaves_everything_as_it_was() {
        let test = TestStore::open().await;
        let new = NewSite {
            name: "Bookshop".into(),
            folder: Folder::Own,
            bindings: Vec::new(),
            require_ssl: RequireSsl::Off,
        };
        let id = test.store.create_site(new, &tester()).await.unwrap();
        let before = test.store.table();
        let version = before.site(id).unwrap().version;
        let change = |version| {
            test.store.rehearse(async move |store| store.update_ssl(id, version, RequireSsl::Refuse, &tester()).await)
        };
        let then = change(version).await.unwrap();
        assert_eq!(then.site(id).unwrap().rules.site().in_clear(), RequireSsl::Refuse);
        assert_eq!(then.revision(), before.revision() + 1);
        assert_eq!(test.store.table().revision(), before.revision());
        assert_eq!(test.store.table().site(id), before.site(id));
        assert_eq!(test.store.list_changes(&Default::default(), 10).await.unwrap().len(), 1);
        assert!(matches!(change(version - 1).await, Err(StoreError::Stale { .. })), "it is checked like any other");

        test.store.update_ssl(id, version, RequireSsl::Redirect, &tester()).await.unwrap();
        let again = crate::store::Store::open(test.folder.path()).await.unwrap();
        assert_eq!(again.table().site(id).unwrap().rules.site().in_clear(), RequireSsl::Redirect);
    }
}
