//! The way by which a kept private key leaves: as a file, for people who may have it. The only other key that leaves is
//! one that is made for somebody and never kept ([`Store::issue_as_pfx`]).

use serde_json::json;
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use super::requests::blocking;
use super::write::Entry;
use super::{Result, Store, StoreError};
use crate::certificate::CertificateId;
use crate::export::KeyFile;
use crate::key::PrivateKey;
use crate::ledger::{Author, Thing, UserId};

impl Store {
    /// The key of a certificate with its chain, as a file. The ledger has it before anybody has the file.
    ///
    /// Whoever calls this has made sure of the person again: a session alone is not enough for a key.
    ///
    /// # Errors
    /// `Gone`, `MayNotExport`, `Vault`, `Internal`.
    pub async fn export_key(
        &self,
        id: CertificateId,
        file: KeyFile,
        password: String,
        by: &Author,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let password = Zeroizing::new(password);
        may_export(&mut *self.reader().acquire().await?, by).await?;
        let certificate = self.find_certificate(id).await?;
        let key = self.private_key(id).await?;
        let (name, chain) = (certificate.friendly_name.clone(), certificate.chain);
        let written = blocking(move || {
            file.write(&chain, &key, &name, &password).map_err(|error| StoreError::Internal(error.to_string()))
        });
        let written = written.await?;
        let mut write = self.begin(by).await?;
        may_export(write.db(), by).await?;
        let entry = Entry {
            thing: Thing::Certificate,
            id,
            site: None,
            summary: format!("exported the private key of {}", certificate.friendly_name),
            before: None,
            after: Some(json!({ "certificate": certificate.facts.in_words(), "form": file.label() })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(written)
    }

    /// Allows somebody to export private keys, or no longer.
    ///
    /// # Errors
    /// `Gone`, `MayNotExport` where `by` may not themselves, `NotToOneself`.
    pub async fn update_may_export(&self, user: UserId, allowed: bool, by: &Author) -> Result<()> {
        if by.user == Some(user) {
            return Err(StoreError::NotToOneself);
        }
        let mut write = self.begin(by).await?;
        may_export(write.db(), by).await?;
        let before = sqlx::query!(r#"SELECT name, may_export_keys AS "may: bool" FROM users WHERE id = ?"#, user);
        let before = before.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
        sqlx::query!("UPDATE users SET may_export_keys = ? WHERE id = ?", allowed, user).execute(write.db()).await?;
        let verb = if allowed { "allowed" } else { "no longer allowed" };
        let entry = Entry {
            thing: Thing::User,
            id: user,
            site: None,
            summary: format!("{verb} {} to export private keys", before.name),
            before: Some(json!({ "may_export_keys": before.may })),
            after: Some(json!({ "may_export_keys": allowed })),
            touched: Vec::new(),
        };
        write.commit(entry).await
    }

    /// The unsealed key of a certificate.
    pub(super) async fn private_key(&self, id: CertificateId) -> Result<PrivateKey> {
        let key = sqlx::query_scalar!("SELECT key_id FROM certificates WHERE id = ?", id);
        let key = key.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?;
        let pkcs8 = self.unseal_key(&key).await?;
        PrivateKey::from_pkcs8(pkcs8).map_err(|error| StoreError::Internal(error.to_string()))
    }
}

async fn may_export(db: &mut SqliteConnection, by: &Author) -> Result<()> {
    let may = sqlx::query_scalar!(r#"SELECT may_export_keys AS "may: bool" FROM users WHERE id = ?"#, by.user);
    let may = may.fetch_optional(db).await?.unwrap_or(false);
    if may { Ok(()) } else { Err(StoreError::MayNotExport) }
}
