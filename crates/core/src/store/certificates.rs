//! Installed certificates.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde_json::json;
use time::OffsetDateTime;

use super::issuers::keep_issuers;
use super::kept::{Kept, kept};
use super::requests::destroy_unused_key;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis, switches, to_millis};
use crate::binding::{Binding, BindingId};
use crate::certificate::{CertificateFacts, CertificateId};
use crate::chain::{Chain, X509, doubts};
use crate::key::KeyKind;
use crate::ledger::{Author, Revision, Thing, UserId};
use crate::site::SiteId;

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
    /// The kind of its key.
    pub key: KeyKind,
    /// Who looks after it: their id and name.
    pub owner: Option<(UserId, String)>,
    /// What the team notes about it; may be empty, and have several lines.
    pub note: String,
    /// The revision of the last edit of its name, owner or note.
    pub version: Revision,
}

/// An https binding and the certificate that it was seen to serve, so that what is switched is what somebody looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// The binding.
    pub binding: BindingId,
    /// What it served.
    pub certificate: CertificateId,
}

impl Served {
    /// What a binding serves now; nothing where it speaks http.
    pub fn by(binding: &Binding) -> Option<Self> {
        let certificate = binding.certificate.as_ref()?.id;
        Some(Self { binding: binding.id, certificate })
    }
}

/// A chain to install, and the https bindings to point at it.
pub(super) struct Install<'a> {
    pub(super) friendly_name: &'a str,
    pub(super) chain: &'a Chain,
    pub(super) switch: &'a [Served],
    /// Although doubtful.
    pub(super) confirmed: bool,
}

pub(super) struct Installed {
    pub(super) id: CertificateId,
    pub(super) touched: Vec<SiteId>,
    /// The switched bindings in words.
    pub(super) switched: Vec<String>,
}

impl Store {
    /// The certificate with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_certificate(&self, id: CertificateId) -> Result<Certificate> {
        let row = sqlx::query!(
            r#"SELECT c.friendly_name, c.installed_at, c.installed_by, c.note, c.version, k.kind,
                      u.id AS "owner_id?: i64", u.name AS "owner?: String"
               FROM certificates c JOIN keys k ON k.id = c.key_id LEFT JOIN users u ON u.id = c.owner_id WHERE c.id = ?"#,
            id
        );
        let row = row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?;
        let ders = sqlx::query_scalar!("SELECT der FROM chains WHERE certificate_id = ? ORDER BY position", id);
        let mut chain = Vec::new();
        for der in ders.fetch_all(self.reader()).await? {
            chain.push(X509::parse(&der).map_err(|error| StoreError::Internal(error.to_string()))?);
        }
        let leaf = chain.first().ok_or_else(|| StoreError::Internal(format!("certificate {id} has no leaf")))?;
        Ok(Certificate {
            facts: leaf.facts(id),
            friendly_name: row.friendly_name,
            chain,
            installed_at: from_millis(row.installed_at)?,
            installed_by: row.installed_by,
            key: KeyKind::parse(&row.kind)
                .ok_or_else(|| StoreError::Internal(format!("certificate {id} has no key")))?,
            owner: row.owner_id.zip(row.owner),
            note: row.note,
            version: row.version,
        })
    }

    /// Removes a certificate that no binding serves, and its key unless another certificate has it.
    ///
    /// # Errors
    /// `Gone`, `CertificateInUse`, `SuccessorUnproven`.
    pub async fn delete_certificate(&self, id: CertificateId, by: &Author) -> Result<()> {
        self.remove_certificate(id, by).await?;
        self.fold_log().await;
        Ok(())
    }

    /// The same, where what was overwritten stays in the write-ahead log until that is folded.
    pub(super) async fn remove_certificate(&self, id: CertificateId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let row = sqlx::query!("SELECT friendly_name, subject, key_id FROM certificates WHERE id = ?", id)
            .fetch_optional(write.db())
            .await?
            .ok_or(StoreError::Gone)?;
        let users = sqlx::query_scalar!(
            "SELECT DISTINCT s.name FROM bindings b JOIN sites s ON s.id = b.site_id WHERE b.certificate_id = ? LIMIT 5",
            id
        );
        let users = users.fetch_all(write.db()).await?;
        if !users.is_empty() {
            return Err(StoreError::CertificateInUse(users.join(", ")));
        }
        if kept(write.db(), id).await? == Some(Kept::UntilProven) {
            return Err(StoreError::SuccessorUnproven);
        }
        sqlx::query!("DELETE FROM certificates WHERE id = ?", id).execute(write.db()).await?;
        destroy_unused_key(&mut write, &row.key_id).await?;
        let entry = Entry {
            thing: Thing::Certificate,
            id,
            site: None,
            summary: format!("removed the certificate {}", row.friendly_name),
            before: Some(json!({ "friendly_name": row.friendly_name, "certificate": row.subject })),
            after: None,
            touched: Vec::new(),
        };
        write.commit(entry).await
    }

    /// The chain and unsealed key of a certificate, for a handshake. Reads the database: keep what it returns.
    ///
    /// # Errors
    /// `Gone`, `Vault`, `Internal`.
    pub async fn certified_key(&self, id: CertificateId) -> Result<Arc<CertifiedKey>> {
        let key = sqlx::query_scalar!("SELECT key_id FROM certificates WHERE id = ?", id);
        let key = key.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?;
        let chain = sqlx::query_scalar!("SELECT der FROM chains WHERE certificate_id = ? ORDER BY position", id);
        let chain = chain.fetch_all(self.reader()).await?;
        certified_key(chain, &self.unseal_key(&key).await?)
    }
}

/// What rustls serves: proven that the key fits the leaf.
pub(super) fn certified_key(chain: Vec<Vec<u8>>, pkcs8: &[u8]) -> Result<Arc<CertifiedKey>> {
    let internal = |error: rustls::Error| StoreError::Internal(format!("the certificate can't be served: {error}"));
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    let key = any_supported_type(&key).map_err(internal)?;
    let certified = CertifiedKey::new(chain.into_iter().map(CertificateDer::from).collect(), key);
    certified.keys_match().map_err(internal)?;
    Ok(Arc::new(certified))
}

impl Install<'_> {
    /// Inserts the certificate and switches the bindings, all within `write`.
    pub(super) async fn into(self, write: &mut Write<'_>) -> Result<Installed> {
        let fingerprint = self.chain.leaf.fingerprint.0.as_slice();
        let installed =
            sqlx::query_scalar!("SELECT friendly_name FROM certificates WHERE fingerprint = ?", fingerprint);
        if let Some(name) = installed.fetch_optional(write.db()).await? {
            return Err(StoreError::AlreadyInstalled(name));
        }
        let bindings = self.bindings(write).await?;
        self.prove(&bindings, write)?;
        let id = self.insert(write).await?;
        let facts = self.chain.leaf.facts(id);
        for (_, binding) in &bindings {
            sqlx::query!("UPDATE bindings SET certificate_id = ? WHERE id = ?", id, binding.id)
                .execute(write.db())
                .await?;
            switches::record(write, binding, &binding.place.host, &facts).await?;
        }
        let switched = bindings.iter().map(|(_, binding)| binding.place.to_string()).collect();
        Ok(Installed { id, switched, touched: bindings.into_iter().map(|(site, _)| site).collect() })
    }

    /// The https bindings to switch, each with its site.
    async fn bindings(&self, write: &mut Write<'_>) -> Result<Vec<(SiteId, Binding)>> {
        let mut bindings = Vec::with_capacity(self.switch.len());
        for served in self.switch {
            let row =
                sqlx::query_scalar!("SELECT site_id FROM bindings WHERE id = ? AND protocol = 'https'", served.binding);
            let site = row.fetch_optional(write.db()).await?.ok_or(StoreError::BindingsChanged)?;
            let site = write.any_site(site)?;
            let binding = site.bindings.into_iter().find(|own| Served::by(own) == Some(*served));
            let binding = binding.ok_or(StoreError::BindingsChanged)?;
            bindings.push((site.id, binding));
        }
        Ok(bindings)
    }

    /// Asks for a confirmation of what is questionable.
    fn prove(&self, bindings: &[(SiteId, Binding)], write: &Write<'_>) -> Result<()> {
        let hosts = bindings.iter().map(|(_, binding)| &binding.place.host);
        let doubts = doubts(&self.chain.leaf.facts(0), hosts, write.by.now);
        if doubts.is_empty() || self.confirmed { Ok(()) } else { Err(StoreError::Doubtful(doubts)) }
    }

    async fn insert(&self, write: &mut Write<'_>) -> Result<CertificateId> {
        let leaf = &self.chain.leaf;
        let (key_id, fingerprint) = (leaf.key_id.0.as_slice(), leaf.fingerprint.0.as_slice());
        let names = serde_json::to_string(&leaf.names).map_err(|error| StoreError::Internal(error.to_string()))?;
        let (not_before, not_after) = (to_millis(leaf.not_before), to_millis(leaf.not_after));
        let (at, by) = (to_millis(write.by.now), write.by);
        let id = sqlx::query!(
            "INSERT INTO certificates (friendly_name, key_id, fingerprint, subject, issuer, names, not_before, not_after,
                                       installed_at, installed_by)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self.friendly_name,
            key_id,
            fingerprint,
            leaf.subject,
            leaf.issuer,
            names,
            not_before,
            not_after,
            at,
            by.name
        )
        .execute(write.db())
        .await?
        .last_insert_rowid();
        let sent = std::iter::once(leaf).chain(&self.chain.intermediates);
        for (position, certificate) in (0i64..).zip(sent) {
            sqlx::query!(
                "INSERT INTO chains (certificate_id, position, der) VALUES (?, ?, ?)",
                id,
                position,
                certificate.der
            )
            .execute(write.db())
            .await?;
        }
        keep_issuers(write, self.chain).await?;
        Ok(id)
    }
}
