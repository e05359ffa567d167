//! Issuers that came with something installed, kept for replies that leave them out.

use time::OffsetDateTime;

use super::write::Write;
use super::{Result, Store, to_millis};
use crate::certificate::Fingerprint;
use crate::chain::{Chain, X509};
use crate::trust::Trust;

/// The most issuers of one name that are tried. CAs renew theirs every few years.
const MAX_OF_ONE_NAME: i64 = 20;

impl Store {
    /// Adds to a chain what is missing of it from issuers seen before, unless it is trusted as it is. By whose root it is
    /// trusted then, at `now` or the nearest time within its dates: these are judged by themselves.
    ///
    /// # Errors
    /// `Database`.
    pub async fn fill_chain(&self, chain: &mut Chain, now: OffsetDateTime) -> Result<Trust> {
        let anchors = self.anchors().await?;
        let now = now.min(chain.leaf.not_after).max(chain.leaf.not_before);
        loop {
            let trust = anchors.judge(&chain.leaf, &chain.intermediates, now);
            let Some(missing) = chain.missing().filter(|_| trust == Trust::Unknown) else { return Ok(trust) };
            if !chain.extend(self.list_issuers(missing).await?) {
                return Ok(trust);
            }
        }
    }

    /// The newest issuers with this subject.
    async fn list_issuers(&self, subject: Fingerprint) -> Result<Vec<X509>> {
        let subject = subject.0.as_slice();
        let ders = sqlx::query_scalar!(
            "SELECT der FROM issuers WHERE subject = ? ORDER BY seen_at DESC LIMIT ?",
            subject,
            MAX_OF_ONE_NAME
        );
        let ders = ders.fetch_all(self.reader()).await?;
        Ok(ders.iter().filter_map(|der| X509::parse(der).ok()).collect())
    }
}

/// Keeps every CA certificate that came with `chain`.
pub(super) async fn keep_issuers(write: &mut Write<'_>, chain: &Chain) -> Result<()> {
    let now = to_millis(write.by.now);
    let came = chain.intermediates.iter().chain(&chain.root).chain(&chain.strangers);
    for issuer in came.filter(|own| own.is_ca) {
        let (fingerprint, subject) = (issuer.fingerprint.0.as_slice(), issuer.subject_id.0.as_slice());
        sqlx::query!(
            "INSERT INTO issuers (fingerprint, subject, der, seen_at) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
            fingerprint,
            subject,
            issuer.der,
            now
        )
        .execute(write.db())
        .await?;
    }
    Ok(())
}
