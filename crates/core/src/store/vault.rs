//! The vault's part of the database: which master keys are in use, and whether they are at hand.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::rotation::settle_left_over;
use super::write::Write;
use super::{Inner, OpenError, Result, Store, StoreError};
use crate::key::PrivateKey;
use crate::vault::{KeyId, Vault, VaultError};

/// Why private keys can't be used, as a sentence; `None` when all is well.
pub type Trouble = Option<Arc<str>>;

impl Store {
    /// Why private keys can't be used, as a sentence; `None` when all is well.
    pub fn vault_trouble(&self) -> Trouble {
        self.0.trouble.borrow().clone()
    }

    /// The same, with word of every change: the master key may come back while Siteward runs.
    pub fn watch_vault(&self) -> watch::Receiver<Trouble> {
        self.0.trouble.subscribe()
    }

    /// Seals a key into its row, which a key that came before has already; its id.
    pub(super) async fn insert_key(&self, write: &mut Write<'_>, key: &PrivateKey) -> Result<Vec<u8>> {
        let id = key.id().0.to_vec();
        let master = newest_key(&list_checks(write.db()).await?);
        let missing = || StoreError::Vault(self.vault_trouble().as_deref().unwrap_or(MISSING).into());
        let sealed = self.vault().seal(key.pkcs8(), &id, master.ok_or_else(missing)?)?;
        let kind = key.kind().as_str();
        sqlx::query!(
            "INSERT INTO keys (id, kind, sealed) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
            id,
            kind,
            sealed
        )
        .execute(write.db())
        .await?;
        Ok(id)
    }

    /// The private key with this id in PKCS#8.
    ///
    /// # Errors
    /// `Gone`, `Vault`.
    pub(super) async fn unseal_key(&self, id: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let sealed = || sqlx::query_scalar!("SELECT sealed FROM keys WHERE id = ?", id).fetch_optional(self.reader());
        let text = sealed().await?.ok_or(StoreError::Gone)?;
        match self.vault().unseal(&text, id) {
            Ok(pkcs8) => Ok(pkcs8),
            // Its master key may have been replaced since it was read.
            Err(_) => Ok(self.vault().unseal(&sealed().await?.ok_or(StoreError::Gone)?, id)?),
        }
    }
}

const MISSING: &str = "The master key is missing.";

impl From<VaultError> for StoreError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error.0)
    }
}

impl Inner {
    /// Takes up a master key that came, or one that another process put in the place of the last; opens or closes the
    /// sites accordingly.
    pub(super) async fn heed_vault(&self) -> Result<()> {
        let checks = list_checks(&mut *self.reader.acquire().await?).await?;
        let before = self.trouble.borrow().clone();
        if before.is_none() && self.vault.fits(&checks) {
            return Ok(());
        }
        let (_, trouble) = judge(&self.vault, &mut *self.reader.acquire().await?).await?;
        if trouble == before {
            return Ok(());
        }
        match &trouble {
            Some(trouble) => tracing::error!("{trouble}"),
            None => tracing::info!("the master key is back: private keys can be used again"),
        }
        if trouble.is_some() != before.is_some() {
            let publisher = self.publisher.lock().await;
            publisher.publish(publisher.table().with_keys_locked(trouble.is_some()));
        }
        self.trouble.send_replace(trouble);
        Ok(())
    }
}

/// Opens the vault of a database; makes the first master key where nothing was ever sealed.
pub(super) async fn open(data_dir: &Path, writer: &SqlitePool) -> Result<(Vault, Trouble), OpenError> {
    let vault = Vault::new(data_dir);
    let mut db = writer.acquire().await?;
    let (checks, trouble) = match list_checks(&mut db).await? {
        none if none.is_empty() => (none, None),
        _ => judge(&vault, &mut db).await?,
    };
    let Some(newest) = checks.last() else {
        let sealed = vault.check(vault.first_key()?).map_err(io::Error::other)?;
        sqlx::query!("INSERT INTO vault_checks (sealed) VALUES (?)", sealed).execute(&mut *db).await?;
        return Ok((vault, None));
    };
    if trouble.is_some() {
        return Ok((vault, trouble));
    }
    if newest_key(&checks).is_none()
        && let Some(key) = vault.key_of_check(newest)
    {
        let named = vault.check(key).map_err(io::Error::other)?;
        sqlx::query!("UPDATE vault_checks SET sealed = ? WHERE sealed = ?", named, newest).execute(&mut *db).await?;
    }
    settle_left_over(&vault, data_dir, &list_checks(&mut db).await?)?;
    Ok((vault, None))
}

/// The checks, and why the keys at hand do not open all of them. A rotation that ends meanwhile takes a key away between
/// the look at the database and the look at the file: then both are looked at once more.
async fn judge(vault: &Vault, db: &mut SqliteConnection) -> Result<(Vec<Vec<u8>>, Trouble)> {
    let mut checks = list_checks(db).await?;
    loop {
        let trouble: Trouble = vault.trouble(&checks).map(Into::into);
        let now = list_checks(db).await?;
        if trouble.is_none() || now == checks {
            return Ok((checks, trouble));
        }
        checks = now;
    }
}

/// A known text for each master key in use, the newest last.
pub(super) async fn list_checks(db: &mut SqliteConnection) -> Result<Vec<Vec<u8>>> {
    Ok(sqlx::query_scalar!("SELECT sealed FROM vault_checks ORDER BY id").fetch_all(db).await?)
}

/// The key that seals. The database says which, so that no process seals under one that is being given up.
pub(super) fn newest_key(checks: &[Vec<u8>]) -> Option<KeyId> {
    KeyId::of(checks.last()?)
}
