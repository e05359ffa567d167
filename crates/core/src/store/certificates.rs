//! Installed certificates.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use super::{Result, Store};
use crate::certificate::{CertificateFacts, CertificateId};
use crate::chain::X509;
use crate::ledger::Author;

/// An installed certificate with its chain.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The leaf's facts.
    pub facts: CertificateFacts,
    /// What the team calls it.
    pub friendly_name: String,
    /// Leaf first, then the issuers sent along.
    pub chain: Vec<X509>,
    /// When it was installed.
    pub installed_at: OffsetDateTime,
    /// By whom.
    pub installed_by: String,
}

/// One line of the list of certificates.
#[derive(Debug, Clone)]
pub struct CertificateList {
    /// The leaf's facts.
    pub facts: CertificateFacts,
    /// What the team calls it.
    pub friendly_name: String,
    /// How many bindings serve it.
    pub bindings: i64,
}

impl Store {
    /// Certificates, soonest to expire first, `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_certificates(&self, offset: i64, limit: i64) -> Result<Vec<CertificateList>> {
        let _ = (offset, limit);
        todo!()
    }

    /// How many certificates are installed.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_certificates(&self) -> Result<i64> {
        todo!()
    }

    /// The certificate with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_certificate(&self, id: CertificateId) -> Result<Certificate> {
        let _ = id;
        todo!()
    }

    /// Removes a certificate that no binding serves, and its key unless a request or another certificate has it.
    ///
    /// # Errors
    /// `Gone`, `CertificateInUse`.
    pub async fn delete_certificate(&self, id: CertificateId, by: &Author) -> Result<()> {
        let _ = (id, by);
        todo!()
    }

    /// The chain and unsealed key of a certificate, for a handshake. Reads the database: keep what it returns.
    ///
    /// # Errors
    /// `Gone`, `Vault`, `Internal`.
    pub async fn certified_key(&self, id: CertificateId) -> Result<Arc<CertifiedKey>> {
        let _ = id;
        todo!()
    }
}
