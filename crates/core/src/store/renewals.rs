//! Renewals: a new certificate takes the place of an old one.

use serde_json::json;

use super::certificates::Served;
use super::requests::{NewRequest, RequestId, blocking};
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, switches};
use crate::binding::{Binding, BindingId};
use crate::certificate::{CertificateFacts, CertificateId};
use crate::chain::doubts;
use crate::key::PrivateKey;
use crate::ledger::{Author, Thing};

impl Store {
    /// Makes a request whose reply takes the place of the certificate `id`: with a new key, or signed with its own.
    ///
    /// # Errors
    /// `Gone`, `Name`, `Vault`, `RequestClosed` while another request waits with the same key.
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

    /// Points the bindings that serve the successor of the certificate `id`, and that it covers, at `id` again, in one
    /// change.
    ///
    /// # Errors
    /// `Gone`, `NoSuccessor` where no such binding is left, `Doubtful` where `id` is not valid now.
    pub async fn serve_again(&self, id: CertificateId, by: &Author) -> Result<()> {
        let old = self.find_certificate(id).await?;
        let mut write = self.begin(by).await?;
        let rows = sqlx::query!(
            "SELECT b.id, b.site_id FROM certificates n JOIN bindings b ON b.certificate_id = n.id WHERE n.renews = ?",
            id
        );
        let (mut bindings, mut touched) = (Vec::new(), Vec::new());
        for row in rows.fetch_all(write.db()).await? {
            let site = write.any_site(row.site_id)?;
            let binding = site.bindings.into_iter().find(|binding| binding.id == row.id);
            if let Some(binding) = binding.filter(|binding| old.facts.covers_pattern(&binding.place.host)) {
                bindings.push(binding);
                touched.push(site.id);
            }
        }
        let successor = bindings.iter().find_map(|binding| binding.certificate.clone());
        let successor = successor.ok_or(StoreError::NoSuccessor)?;
        let doubts = doubts(&old.facts, [], by.now);
        if !doubts.is_empty() {
            return Err(StoreError::Doubtful(doubts));
        }
        for binding in &bindings {
            sqlx::query!("UPDATE bindings SET certificate_id = ? WHERE id = ?", id, binding.id)
                .execute(write.db())
                .await?;
            switches::record(&mut write, binding, &binding.place.host, &old.facts).await?;
        }
        let places: Vec<String> = bindings.iter().map(|binding| binding.place.to_string()).collect();
        let entry = Entry {
            thing: Thing::Certificate,
            id,
            site: None,
            summary: format!("returned to the certificate {}", old.friendly_name),
            before: Some(json!({ "certificate": successor.in_words() })),
            after: Some(json!({ "certificate": old.facts.in_words(), "switched": places.join("; ") })),
            touched,
        };
        write.commit(entry).await
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
) -> Result<Vec<Served>> {
    let sites = sqlx::query_scalar!("SELECT DISTINCT site_id FROM bindings WHERE certificate_id = ?", old);
    let mut covered = Vec::new();
    for site in sites.fetch_all(write.db()).await? {
        let fits = |binding: &&Binding| {
            let own = binding.certificate.as_ref().map(|certificate| certificate.id);
            own == old && new.covers_pattern(&binding.place.host)
        };
        covered.extend(write.any_site(site)?.bindings.iter().filter(fits).filter_map(Served::by));
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
