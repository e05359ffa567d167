//! Replaces the master key while everything goes on.
//!
//! The new key is on the disk before anything is sealed under it, and the old one is given up after everything is. From
//! the moment the database names the new key, every process seals under it; what is older is sealed again bit by bit.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::rows::fingerprint;
use super::vault::{list_checks, newest_key};
use super::write::Entry;
use super::{Result, SITES_FOLDER, Store, StoreError};
use crate::certificate::Fingerprint;
use crate::ledger::{Author, Thing};
use crate::vault::{KeyId, Settled, Vault};

/// Keys that are sealed again in one transaction.
const BATCH: i64 = 200;

/// Between two of them, so that others get to write.
const PAUSE: Duration = Duration::from_millis(5);

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Private keys that are sealed under the new key.
    pub sealed: i64,
    /// Damaged ones that no key opened; they were left as they were.
    pub unreadable: usize,
    /// Where the new key is.
    pub key: Settled,
}

/// What is in the vault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultCount {
    /// Private keys that open.
    pub opened: usize,
    /// Private keys that were destroyed with their request or certificate.
    pub destroyed: usize,
    /// The ids of those that do not open.
    pub unreadable: Vec<Fingerprint>,
    /// How many master keys are in use: more than one while a rotation is unfinished.
    pub master_keys: usize,
}

impl Store {
    /// Seals every private key under a new master key, and puts that in the place of the old one. Completes a rotation
    /// that was cut off.
    ///
    /// # Errors
    /// `Vault`: the master key is missing, another rotation is under way, the key of the last one still waits to be put
    /// in its place, or the new one can't be written.
    pub async fn rotate_master_key(&self, by: &Author) -> Result<Rotated> {
        let only = lock(self.data_dir()).map_err(in_words)?;
        let _only = only.ok_or_else(|| StoreError::Vault("Another rotation of the master key is under way.".into()))?;
        self.0.heed_vault().await?; // what was missing may be back since somebody last looked
        if let Some(trouble) = self.vault_trouble() {
            return Err(StoreError::Vault(trouble.to_string()));
        }
        let checks = list_checks(&mut *self.reader().acquire().await?).await?;
        if let Some(trouble) = self.vault().trouble(&checks) {
            return Err(StoreError::Vault(trouble));
        }
        let newest = newest_key(&checks).ok_or_else(|| StoreError::Internal("no master key is named".into()))?;
        let key = if checks.len() > 1 { newest } else { self.announce_next(newest).await? };
        let unreadable = loop {
            let (sealed, unreadable) = self.seal_again(key).await?;
            if sealed == 0 {
                break unreadable;
            }
        };
        let sealed = self.give_up_others(key, by).await?;
        self.fold_log().await;
        let key = self.vault().settle(key).map_err(in_words)?;
        Ok(Rotated { sealed, unreadable, key })
    }

    /// Tries to open every sealed text.
    ///
    /// # Errors
    /// `Database`.
    pub async fn check_vault(&self) -> Result<VaultCount> {
        let master_keys = list_checks(&mut *self.reader().acquire().await?).await?.len();
        let mut count = VaultCount { master_keys, ..VaultCount::default() };
        let mut last = Vec::new();
        loop {
            let rows = sqlx::query!("SELECT id, sealed FROM keys WHERE id > ? ORDER BY id LIMIT ?", last, BATCH);
            let rows = rows.fetch_all(self.reader()).await?;
            let Some(end) = rows.last() else { return Ok(count) };
            last.clone_from(&end.id);
            for row in rows {
                match self.vault().unseal(&row.sealed, &row.id) {
                    _ if row.sealed.is_empty() => count.destroyed += 1,
                    Ok(_) => count.opened += 1,
                    Err(_) => count.unreadable.extend(fingerprint(&row.id)),
                }
            }
        }
    }

    /// Makes the key that follows `current`, and names it in the database as the one that seals.
    async fn announce_next(&self, current: KeyId) -> Result<KeyId> {
        if self.vault().settle(current).map_err(in_words)? == Settled::Waiting {
            return Err(StoreError::Vault(
                "The key of the last rotation still waits in master.key.next. Put it where Siteward gets its master key \
                 from, restart Siteward, and run this again."
                    .into(),
            ));
        }
        let next = self.vault().next_key(current).map_err(in_words)?;
        let check = self.vault().check(next)?;
        sqlx::query!("INSERT INTO vault_checks (sealed) VALUES (?)", check).execute(&self.0.writer).await?;
        Ok(next)
    }

    /// Seals under `key` what is sealed under others; how many texts that were, and how many did not open.
    async fn seal_again(&self, key: KeyId) -> Result<(usize, usize)> {
        let (head, mut last, mut sealed, mut unreadable) = (key.head(), Vec::new(), 0, 0);
        loop {
            let rows = sqlx::query!(
                "SELECT id, sealed FROM keys WHERE id > ?1 AND sealed <> x'' AND substr(sealed, 1, length(?2)) <> ?2
                 ORDER BY id LIMIT ?3",
                last,
                head,
                BATCH
            );
            let rows = rows.fetch_all(self.reader()).await?;
            let Some(end) = rows.last() else { return Ok((sealed, unreadable)) };
            last.clone_from(&end.id);
            let mut fresh = Vec::with_capacity(rows.len());
            for row in rows {
                match self.vault().unseal(&row.sealed, &row.id) {
                    Ok(pkcs8) => fresh.push((self.vault().seal(&pkcs8, &row.id, key)?, row)),
                    Err(error) => {
                        let checks = list_checks(&mut *self.reader().acquire().await?).await?;
                        // What only lacks its key is not damaged, and that key must not be given up.
                        if !self.vault().opens(&checks) {
                            return Err(error.into());
                        }
                        unreadable += 1;
                    }
                }
            }
            let mut tx = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            for (text, row) in fresh {
                // A key that was destroyed meanwhile stays destroyed.
                let update =
                    sqlx::query!("UPDATE keys SET sealed = ? WHERE id = ? AND sealed = ?", text, row.id, row.sealed);
                sealed += usize::from(update.execute(&mut *tx).await?.rows_affected() > 0);
            }
            tx.commit().await?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Records that every key but `key` is given up; how many texts are sealed under it.
    async fn give_up_others(&self, key: KeyId, by: &Author) -> Result<i64> {
        let head = key.head();
        let mut write = self.begin(by).await?;
        sqlx::query!("DELETE FROM vault_checks WHERE id < (SELECT max(id) FROM vault_checks)")
            .execute(write.db())
            .await?;
        let sealed = sqlx::query_scalar!("SELECT count(*) FROM keys WHERE substr(sealed, 1, length(?1)) = ?1", head)
            .fetch_one(write.db())
            .await?;
        let entry = Entry {
            thing: Thing::Vault,
            id: 1,
            site: None,
            summary: "replaced the master key".into(),
            before: None,
            after: Some(json!({ "private_keys": sealed })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(sealed)
    }
}

/// Completes the last step of a rotation that was cut off, unless one is under way.
pub(super) fn settle_left_over(vault: &Vault, data_dir: &Path, checks: &[Vec<u8>]) -> io::Result<()> {
    let ([_], Some(key)) = (checks, newest_key(checks)) else { return Ok(()) };
    let Some(_only) = lock(data_dir)? else { return Ok(()) };
    if vault.settle(key)? == Settled::Waiting {
        tracing::warn!("the new master key still waits in master.key.next to be put in its place");
    }
    Ok(())
}

/// One rotation at a time; `None` while another process has one under way. The folder of sites stands for it: the data
/// directory's own lock is for starts, which a rotation must not hold up.
fn lock(data_dir: &Path) -> io::Result<Option<File>> {
    let folder = File::open(data_dir.join(SITES_FOLDER))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn in_words(error: io::Error) -> StoreError {
    StoreError::Vault(format!("The master key can't be replaced: {error}. Nothing is lost; run this again."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestStore, tester};
    use crate::vault::MASTER_KEY_FILE;

    #[tokio::test]
    async fn one_rotation_at_a_time_seals_again_what_opens_and_leaves_what_is_damaged_or_destroyed() {
        let test = TestStore::open().await;
        let store = &test.store;
        let hosts: Vec<String> = (0..5).map(|number| format!("site{number}.example")).collect();
        store.seed(&hosts, 443.try_into().unwrap(), &tester()).await.unwrap();
        let ids = sqlx::query_scalar!("SELECT id FROM keys ORDER BY id").fetch_all(store.reader()).await.unwrap();
        for (id, sealed) in [(&ids[0], vec![]), (&ids[1], vec![2; 60])] {
            sqlx::query("UPDATE keys SET sealed = ? WHERE id = ?")
                .bind(sealed)
                .bind(id)
                .execute(&store.0.writer)
                .await
                .unwrap();
        }
        let other = lock(store.data_dir()).unwrap().unwrap();
        let refused = store.rotate_master_key(&tester()).await.unwrap_err();
        assert!(refused.to_string().contains("under way"), "{refused}");
        drop(other);
        for _ in 0..2 {
            let rotated = store.rotate_master_key(&tester()).await.unwrap();
            assert_eq!(rotated, Rotated { sealed: 3, unreadable: 1, key: Settled::InPlace });
            let count = store.check_vault().await.unwrap();
            assert_eq!((count.opened, count.destroyed, count.unreadable.len(), count.master_keys), (3, 1, 1, 1));
        }
        assert_eq!(store.vault_trouble(), None);
    }

    #[tokio::test]
    async fn a_master_key_that_vanishes_in_the_middle_is_not_given_up_before_all_is_sealed_under_the_next() {
        let test = TestStore::open().await;
        let store = &test.store;
        let hosts = ["shop.example".to_owned(), "maps.example".to_owned()];
        store.seed(&hosts, 443.try_into().unwrap(), &tester()).await.unwrap();
        let checks = list_checks(&mut store.reader().acquire().await.unwrap()).await.unwrap();
        let next = store.announce_next(newest_key(&checks).unwrap()).await.unwrap();
        let (key, aside) = (store.data_dir().join(MASTER_KEY_FILE), store.data_dir().join("aside"));
        std::fs::rename(&key, &aside).unwrap();
        let refused = store.rotate_master_key(&tester()).await.unwrap_err();
        assert!(refused.to_string().contains("Put it back"), "{refused}");
        let lacking = Store::open(store.data_dir()).await.unwrap();
        let refused = lacking.seal_again(next).await.unwrap_err();
        assert!(refused.to_string().contains("its master key is missing"), "{refused}");

        std::fs::rename(&aside, &key).unwrap();
        let rotated = store.rotate_master_key(&tester()).await.unwrap();
        assert_eq!(rotated, Rotated { sealed: 2, unreadable: 0, key: Settled::InPlace });
        assert_eq!(store.check_vault().await.unwrap().opened, 2);
    }
}
