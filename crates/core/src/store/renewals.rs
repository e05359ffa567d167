//! Renewals: a new certificate takes the place of an old one.

use super::requests::{NewRequest, RequestId, blocking};
use super::write::Write;
use super::{Result, Store, StoreError};
use crate::binding::{Binding, BindingId};
use crate::certificate::{CertificateFacts, CertificateId};
use crate::key::PrivateKey;
use crate::ledger::Author;

impl Store {
    /// Makes a request whose reply takes the place of the certificate `id`: with a new key, or signed with its own.
    ///
    /// # Errors
    /// `Gone`, `Name`, `Vault`.
    pub async fn renew_certificate(
        &self,
        id: CertificateId,
        mut new: NewRequest,
        keep_key: bool,
        by: &Author,
    ) -> Result<RequestId> {
        let old = self.find_certificate(id).await?;
        let key = if keep_key {
            self.private_key(id).await?
        } else {
            let kind = new.key;
            let generate = move || PrivateKey::generate(kind).map_err(|error| StoreError::Internal(error.to_string()));
            blocking(generate).await?
        };
        new.key = key.kind();
        self.insert_request(new, key, Some((id, old.facts.in_words())), by).await
    }

    /// The bindings that serve a certificate.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_bindings_of(&self, certificate: CertificateId) -> Result<Vec<BindingId>> {
        let ids = sqlx::query_scalar!("SELECT id FROM bindings WHERE certificate_id = ? ORDER BY id", certificate);
        Ok(ids.fetch_all(self.reader()).await?)
    }
}

/// The bindings that serve the certificate `old`, if there is one, and whose host name `new` covers.
pub(super) async fn covered_bindings(
    write: &mut Write<'_>,
    old: Option<CertificateId>,
    new: &CertificateFacts,
) -> Result<Vec<BindingId>> {
    let sites = sqlx::query_scalar!("SELECT DISTINCT site_id FROM bindings WHERE certificate_id = ?", old);
    let mut covered = Vec::new();
    for site in sites.fetch_all(write.db()).await? {
        let fits = |binding: &&Binding| {
            let own = binding.certificate.as_ref().map(|certificate| certificate.id);
            own == old && new.covers_pattern(&binding.place.host)
        };
        covered.extend(write.any_site(site)?.bindings.iter().filter(fits).map(|binding| binding.id));
    }
    Ok(covered)
}

/// Records that a certificate takes the place of an old one, and hands owner and note on.
pub(super) async fn take_the_place(write: &mut Write<'_>, old: CertificateId, new: CertificateId) -> Result<()> {
    sqlx::query!(
        "UPDATE certificates SET renews = old.id, owner_id = old.owner_id, note = old.note
         FROM certificates AS old WHERE old.id = ? AND certificates.id = ?",
        old,
        new
    )
    .execute(write.db())
    .await?;
    Ok(())
}
