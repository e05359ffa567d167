//! Switches: bindings that went from one certificate to another, until fresh clients have seen the new one.

use std::collections::BTreeMap;

use serde_json::json;
use time::OffsetDateTime;

use super::write::{Entry, Write};
use super::{Result, Store, from_millis, to_millis};
use crate::binding::{Binding, BindingId};
use crate::certificate::{CertificateFacts, CertificateId};
use crate::chain;
use crate::host::HostPattern;
use crate::ledger::{Author, Revision, Thing};
use crate::site::SiteId;

/// The bindings that one change pointed at another certificate and that still serve it, unproven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The change.
    pub revision: Revision,
    /// Each binding with its site.
    pub bindings: Vec<(BindingId, SiteId)>,
}

/// A binding that Siteward returned to its previous certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// The certificate that failed.
    pub certificate: CertificateId,
    /// What the team calls it.
    pub friendly_name: String,
    /// The certificate that is served again.
    pub previous: CertificateId,
    /// When.
    pub at: OffsetDateTime,
    /// What a fresh client said, as a sentence.
    pub fault: String,
}

struct TakenBackRow {
    certificate_id: i64,
    friendly_name: String,
    previous_id: i64,
    taken_back_at: i64,
    fault: String,
}

impl Store {
    /// The open switches that touch a site, newest first, each with all of its bindings.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_open_switches(&self, site: SiteId) -> Result<Vec<Switch>> {
        let rows = sqlx::query!(
            "SELECT s.revision, s.binding_id, b.site_id
             FROM switches s JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.certificate_id
             WHERE s.proven_at IS NULL AND s.taken_back_at IS NULL AND s.revision IN (
                 SELECT o.revision FROM bindings own JOIN switches o ON o.binding_id = own.id
                 WHERE own.site_id = ? AND o.proven_at IS NULL AND o.taken_back_at IS NULL)",
            site
        );
        let mut switches: BTreeMap<Revision, Vec<(BindingId, SiteId)>> = BTreeMap::new();
        for row in rows.fetch_all(self.reader()).await? {
            switches.entry(row.revision).or_default().push((row.binding_id, row.site_id));
        }
        let newest_first = switches.into_iter().rev();
        Ok(newest_first.map(|(revision, bindings)| Switch { revision, bindings }).collect())
    }

    /// The sites with open switches: those to try first after a start.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_unproven_sites(&self) -> Result<Vec<SiteId>> {
        let sites = sqlx::query_scalar!(
            "SELECT DISTINCT b.site_id FROM switches s JOIN bindings b ON b.id = s.binding_id
             WHERE s.proven_at IS NULL AND s.taken_back_at IS NULL AND b.certificate_id = s.certificate_id"
        );
        Ok(sites.fetch_all(self.reader()).await?)
    }

    /// Notes that fresh clients have seen what a switch was made for on these of its bindings. Older switches of these
    /// bindings are settled with it. An observation, like a session, and no change of configuration: it has no entry in
    /// the ledger.
    ///
    /// # Errors
    /// `Database`.
    pub async fn prove_switch(&self, revision: Revision, on: &[BindingId], now: OffsetDateTime) -> Result<()> {
        let (now, bindings) = (to_millis(now), json!(on).to_string());
        sqlx::query!(
            "UPDATE switches SET proven_at = ?1 WHERE proven_at IS NULL AND taken_back_at IS NULL AND revision <= ?2
             AND binding_id IN (SELECT s.binding_id FROM switches s
                 JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.certificate_id WHERE s.revision = ?2)
             AND binding_id IN (SELECT value FROM json_each(?3))",
            now,
            revision,
            bindings
        )
        .execute(&self.0.writer)
        .await?;
        Ok(())
    }

    /// Returns the bindings of an open switch to their previous certificates in one change, because of `fault`, the
    /// sentence of a fresh client. Only those that still serve the new one, whose previous one is free of doubts now,
    /// and where nobody had confirmed doubts about the new one. Tells whether there was any.
    ///
    /// # Errors
    /// `Database`.
    pub async fn take_back(&self, revision: Revision, fault: &str, by: &Author) -> Result<bool> {
        let mut write = self.begin(by).await?;
        let rows = sqlx::query!(
            "SELECT s.binding_id, s.certificate_id, s.previous_id, b.site_id
             FROM switches s JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.certificate_id
             WHERE s.revision = ? AND s.proven_at IS NULL AND s.taken_back_at IS NULL AND s.confirmed = 0",
            revision
        );
        let (mut touched, mut places, mut failed) = (Vec::new(), Vec::new(), None);
        for row in rows.fetch_all(write.db()).await? {
            let site = write.any_site(row.site_id)?;
            let Some(binding) = site.bindings.into_iter().find(|binding| binding.id == row.binding_id) else {
                continue;
            };
            let previous = super::bindings::certificate_facts(&mut write, row.previous_id).await?;
            if !chain::doubts(&previous, [&binding.place.host], by.now).is_empty() {
                continue;
            }
            give_back(&mut write, revision, &binding, &previous, fault).await?;
            touched.push(site.id);
            places.push(format!("{}: {}", binding.place, previous.in_words()));
            failed = binding.certificate.or(failed);
        }
        let Some(failed) = failed else { return Ok(false) };
        let entry = Entry {
            thing: Thing::Certificate,
            id: failed.id,
            site: Some(touched[0]).filter(|first| touched.iter().all(|site| site == first)),
            summary: format!("took back the new certificate of {}: {fault}", failed.subject),
            before: Some(json!({ "certificate": failed.in_words() })),
            after: Some(json!({ "switched": places.join("; ") })),
            touched,
        };
        write.commit(entry).await?;
        Ok(true)
    }

    /// Where and why a certificate was taken back, newest first.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_taken_back(&self, certificate: CertificateId) -> Result<Vec<TakenBack>> {
        let rows = sqlx::query_as!(
            TakenBackRow,
            r#"SELECT s.certificate_id, c.friendly_name, s.previous_id, s.taken_back_at AS "taken_back_at!: i64",
                      s.fault AS "fault!: String"
               FROM switches s JOIN certificates c ON c.id = s.certificate_id
               WHERE s.certificate_id = ? AND s.taken_back_at IS NOT NULL
               GROUP BY s.revision ORDER BY s.revision DESC LIMIT 5"#,
            certificate
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(TakenBackRow::read).collect()
    }

    /// The certificates that were taken back from a site's bindings, or from any site's, newest first: those that nothing
    /// took the place of since.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_taken_back_from(&self, site: Option<SiteId>) -> Result<Vec<TakenBack>> {
        let rows = sqlx::query_as!(
            TakenBackRow,
            r#"SELECT s.certificate_id, c.friendly_name, s.previous_id, s.taken_back_at AS "taken_back_at!: i64",
                      s.fault AS "fault!: String"
               FROM switches s
               JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.previous_id
               JOIN certificates c ON c.id = s.certificate_id
               WHERE s.taken_back_at IS NOT NULL AND (?1 IS NULL OR b.site_id = ?1)
                 AND s.revision = (SELECT max(l.revision) FROM switches l WHERE l.binding_id = b.id)
               GROUP BY s.revision ORDER BY s.revision DESC LIMIT 5"#,
            site
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(TakenBackRow::read).collect()
    }
}

/// Records, within the change that does it, that a binding goes from one certificate to another. To be called for every
/// binding that is switched, as it was `before`; a first certificate, or the same again, is no switch. `host` is what the
/// binding answers to from now on.
pub(super) async fn record(
    write: &mut Write<'_>,
    before: &Binding,
    host: &HostPattern,
    certificate: &CertificateFacts,
) -> Result<()> {
    let Some(previous) = before.certificate.as_ref().filter(|previous| previous.id != certificate.id) else {
        return Ok(());
    };
    let (revision, at) = (write.revision(), to_millis(write.by.now));
    let confirmed = !chain::doubts(certificate, [host], write.by.now).is_empty();
    sqlx::query!(
        "INSERT INTO switches (revision, binding_id, certificate_id, previous_id, at, confirmed) VALUES (?, ?, ?, ?, ?, ?)",
        revision,
        before.id,
        certificate.id,
        previous.id,
        at,
        confirmed
    )
    .execute(write.db())
    .await?;
    Ok(())
}

async fn give_back(
    write: &mut Write<'_>,
    revision: Revision,
    binding: &Binding,
    previous: &CertificateFacts,
    fault: &str,
) -> Result<()> {
    let at = to_millis(write.by.now);
    sqlx::query!("UPDATE bindings SET certificate_id = ? WHERE id = ?", previous.id, binding.id)
        .execute(write.db())
        .await?;
    sqlx::query!(
        "UPDATE switches SET taken_back_at = ?, fault = ? WHERE revision = ? AND binding_id = ?",
        at,
        fault,
        revision,
        binding.id
    )
    .execute(write.db())
    .await?;
    Ok(())
}

impl TakenBackRow {
    fn read(self) -> Result<TakenBack> {
        Ok(TakenBack {
            certificate: self.certificate_id,
            friendly_name: self.friendly_name,
            previous: self.previous_id,
            at: from_millis(self.taken_back_at)?,
            fault: self.fault,
        })
    }
}
