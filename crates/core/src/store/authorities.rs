//! Authorities that Siteward itself runs.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use super::requests::RequestId;
use super::{Result, Store};
use crate::certificate::{CertificateId, SubjectName};
use crate::chain::X509;
use crate::key::KeyKind;
use crate::ledger::Author;

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

impl Store {
    /// Makes an authority with a new key.
    ///
    /// # Errors
    /// `Name` (at most 64 characters), `NameTaken`, `Vault`.
    pub async fn create_authority(&self, name: &str, key: KeyKind, by: &Author) -> Result<AuthorityId> {
        let _ = (name, key, by);
        todo!()
    }

    /// Every authority, oldest first. The first is the one that issues the console's own certificate.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_authorities(&self) -> Result<Vec<Authority>> {
        todo!()
    }

    /// The authority with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_authority(&self, id: AuthorityId) -> Result<Authority> {
        let _ = id;
        todo!()
    }

    /// Signs a pending request with an authority and installs the certificate, in one change.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`, `Vault`.
    pub async fn sign_request(&self, request: RequestId, authority: AuthorityId, by: &Author) -> Result<CertificateId> {
        let _ = (request, authority, by);
        todo!()
    }

    /// A fresh certificate for the console from the first authority, which is made where there is none.
    ///
    /// # Errors
    /// `Vault`.
    pub async fn console_certificate(&self, names: &[SubjectName], by: &Author) -> Result<Arc<CertifiedKey>> {
        let _ = (names, by);
        todo!()
    }
}
