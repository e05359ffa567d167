//! Authorities as they are shown.

use time::OffsetDateTime;

use super::{AuthorityId, MAX_DEPTH, internal};
use crate::authority::Address;
use crate::chain::X509;
use crate::store::{Result, Store, StoreError, from_millis};

/// An authority without its key.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Row id.
    pub id: AuthorityId,
    /// Unique name, also its common name.
    pub name: String,
    /// Its newest certificate; of a root, what devices are told to trust.
    pub certificate: X509,
    /// Who signed it; a root signed itself.
    pub parent: Option<AuthorityId>,
    /// The authority whose place it takes.
    pub predecessor: Option<AuthorityId>,
    /// Where its documents are fetched.
    pub address: Option<Address>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// By whom.
    pub created_by: String,
}

struct AuthorityRow {
    id: i64,
    name: String,
    der: Vec<u8>,
    parent_id: Option<i64>,
    predecessor_id: Option<i64>,
    address: String,
    created_at: i64,
    created_by: String,
}

impl Store {
    /// Every authority, oldest first. The first is the one that issues the console's own certificate.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_authorities(&self) -> Result<Vec<Authority>> {
        let rows = sqlx::query_as!(
            AuthorityRow,
            "SELECT id, name, der, parent_id, predecessor_id, address, created_at, created_by FROM authorities ORDER BY id"
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(AuthorityRow::read).collect()
    }

    /// The authority with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_authority(&self, id: AuthorityId) -> Result<Authority> {
        let row = sqlx::query_as!(
            AuthorityRow,
            "SELECT id, name, der, parent_id, predecessor_id, address, created_at, created_by FROM authorities WHERE id = ?",
            id
        );
        row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?.read()
    }

    /// The newest certificates from an authority up to its root.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn authority_chain(&self, id: AuthorityId) -> Result<Vec<X509>> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.filter(|_| chain.len() < MAX_DEPTH) {
            let authority = self.find_authority(id).await?;
            next = authority.parent;
            chain.push(authority.certificate);
        }
        Ok(chain)
    }

    /// Earlier certificates of an authority, newest first, each with the time it was replaced.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_former_certificates(&self, id: AuthorityId) -> Result<Vec<(OffsetDateTime, X509)>> {
        let rows = sqlx::query!(
            "SELECT replaced_at, der FROM former_certificates WHERE authority_id = ? ORDER BY replaced_at DESC",
            id
        );
        let rows = rows.fetch_all(self.reader()).await?.into_iter();
        rows.map(|row| Ok((from_millis(row.replaced_at)?, X509::parse(&row.der)?))).collect()
    }
}

impl AuthorityRow {
    fn read(self) -> Result<Authority> {
        Ok(Authority {
            id: self.id,
            name: self.name,
            certificate: X509::parse(&self.der)?,
            parent: self.parent_id,
            predecessor: self.predecessor_id,
            address: Address::parse(&self.address).map_err(internal)?,
            created_at: from_millis(self.created_at)?,
            created_by: self.created_by,
        })
    }
}
