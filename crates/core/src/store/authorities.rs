//! Authorities that Siteward itself runs.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use serde_json::json;
use time::OffsetDateTime;

use super::certificates::certified_key;
use super::renewals::covered_bindings;
use super::requests::{RequestId, blocking, complete, find_pending};
use super::write::Entry;
use super::{Result, Store, StoreError, from_millis, parse_name, to_millis};
use crate::authority::{self, IssueError};
use crate::certificate::{CertificateId, SubjectName};
use crate::chain::{Chain, X509};
use crate::intake::IntakeError;
use crate::key::{KeyKind, PrivateKey};
use crate::ledger::{Author, Thing};

/// The row id of an authority.
pub type AuthorityId = i64;

/// An authority without its key.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Row id.
    pub id: AuthorityId,
    /// Unique name, also its common name.
    pub name: String,
    /// Its own certificate, the root to trust.
    pub certificate: X509,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// By whom.
    pub created_by: String,
}

/// The longest common name (RFC 5280 appendix A, ub-common-name).
const MAX_NAME: usize = 64;

/// The authority that a first start makes for the console's own certificate.
const FIRST_AUTHORITY: &str = "Siteward";

struct AuthorityRow {
    id: i64,
    name: String,
    der: Vec<u8>,
    created_at: i64,
    created_by: String,
}

impl Store {
    /// Makes an authority with a new key.
    ///
    /// # Errors
    /// `Name` (at most 64 characters), `NameTaken`, `Vault`.
    pub async fn create_authority(&self, name: &str, key: KeyKind, by: &Author) -> Result<AuthorityId> {
        let name = parse_name(name)?;
        if name.chars().count() > MAX_NAME {
            return Err(StoreError::Name);
        }
        let (key, der) = {
            let (name, now) = (name.clone(), by.now);
            blocking(move || make_authority(&name, key, now)).await?
        };
        let mut write = self.begin(by).await?;
        let taken = sqlx::query_scalar!("SELECT name FROM authorities WHERE name = ?", name);
        if let Some(name) = taken.fetch_optional(write.db()).await? {
            return Err(StoreError::NameTaken(name));
        }
        let key_id = self.insert_key(&mut write, &key).await?;
        let now = to_millis(by.now);
        let inserted = sqlx::query!(
            "INSERT INTO authorities (name, key_id, der, created_at, created_by) VALUES (?, ?, ?, ?, ?)",
            name,
            key_id,
            der,
            now,
            by.name
        );
        let id = inserted.execute(write.db()).await?.last_insert_rowid();
        let entry = Entry {
            thing: Thing::Authority,
            id,
            site: None,
            summary: format!("made the authority {name}"),
            before: None,
            after: Some(json!({ "name": name, "key": key.kind().label() })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Every authority, oldest first. The first is the one that issues the console's own certificate.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_authorities(&self) -> Result<Vec<Authority>> {
        let rows =
            sqlx::query_as!(AuthorityRow, "SELECT id, name, der, created_at, created_by FROM authorities ORDER BY id");
        rows.fetch_all(self.reader()).await?.into_iter().map(AuthorityRow::read).collect()
    }

    /// The authority with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_authority(&self, id: AuthorityId) -> Result<Authority> {
        let row = sqlx::query_as!(
            AuthorityRow,
            "SELECT id, name, der, created_at, created_by FROM authorities WHERE id = ?",
            id
        );
        row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?.read()
    }

    /// Signs a pending request with an authority and installs the certificate, in one change. Where it renews one, the
    /// bindings that serve that one and are covered switch to it.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`, `Vault`.
    pub async fn sign_request(&self, request: RequestId, authority: AuthorityId, by: &Author) -> Result<CertificateId> {
        let (root, key) = self.authority_key(authority).await?;
        let mut write = self.begin(by).await?;
        let request = find_pending(&mut write, request).await?;
        let der = authority::sign_csr(&request.csr, &root, &key, by.now)?;
        let chain = Chain::build(vec![X509::parse(&der)?, X509::parse(&root)?], request.key_id)?;
        let switch = covered_bindings(&mut write, request.renews, &chain.leaf.facts(0)).await?;
        complete(write, request, &chain, &switch, false, "signed the request for").await
    }

    /// A fresh certificate for the console from the first authority, which is made where there is none.
    ///
    /// With a closed vault it comes from an authority that lives no longer than this process: the console must be
    /// reachable to say what is wrong.
    ///
    /// # Errors
    /// `Database`, `Internal`.
    pub async fn console_certificate(&self, names: &[SubjectName], by: &Author) -> Result<Arc<CertifiedKey>> {
        let (root, key) = match self.vault_trouble() {
            Some(_) => {
                let (key, der) = make_authority(FIRST_AUTHORITY, KeyKind::EcdsaP256, by.now)?;
                (der, key)
            }
            None => {
                let first = self.list_authorities().await?.first().map(|authority| authority.id);
                let first = match first {
                    Some(id) => id,
                    None => self.create_authority(FIRST_AUTHORITY, KeyKind::EcdsaP256, by).await?,
                };
                self.authority_key(first).await?
            }
        };
        let leaf_key = PrivateKey::generate(KeyKind::EcdsaP256).map_err(internal)?;
        let leaf = authority::issue(names, &leaf_key, &root, &key, by.now)?;
        certified_key(vec![leaf], leaf_key.pkcs8())
    }

    /// An authority's certificate and unsealed key.
    async fn authority_key(&self, id: AuthorityId) -> Result<(Vec<u8>, PrivateKey)> {
        let row = sqlx::query!("SELECT der, key_id FROM authorities WHERE id = ?", id);
        let row = row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?;
        let pkcs8 = self.unseal_key(&row.key_id).await?;
        Ok((row.der, PrivateKey::from_pkcs8(pkcs8).map_err(internal)?))
    }
}

fn make_authority(name: &str, kind: KeyKind, now: OffsetDateTime) -> Result<(PrivateKey, Vec<u8>)> {
    let key = PrivateKey::generate(kind).map_err(internal)?;
    let der = authority::create(name, &key, now)?;
    Ok((key, der))
}

fn internal(error: impl ToString) -> StoreError {
    StoreError::Internal(error.to_string())
}

impl From<IssueError> for StoreError {
    fn from(error: IssueError) -> Self {
        internal(error)
    }
}

/// Siteward's own certificates are read back with the reader for strangers' ones.
impl From<IntakeError> for StoreError {
    fn from(error: IntakeError) -> Self {
        internal(error)
    }
}

impl AuthorityRow {
    fn read(self) -> Result<Authority> {
        Ok(Authority {
            id: self.id,
            name: self.name,
            certificate: X509::parse(&self.der)?,
            created_at: from_millis(self.created_at)?,
            created_by: self.created_by,
        })
    }
}
