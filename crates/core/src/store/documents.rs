//! What Siteward itself publishes over http: the certificate of each authority, and its revocation list.

use time::{Duration, OffsetDateTime};

use super::authorities::{Signing, internal};
use super::issued::revoked;
use super::write::Write;
use super::{AuthorityId, Result, Store, StoreError, from_millis, to_millis};
use crate::authority::{Address, Signer, revocation_list};
use crate::document::{DocumentKind, Generation};
use crate::ledger::Author;

/// How old a revocation list gets before the next one is made.
const RENEW_AFTER: Duration = Duration::DAY;

/// How long what the console was issued is remembered after it has expired.
const REMEMBERED: Duration = Duration::days(7);

impl Store {
    /// Makes the next revocation list of every authority whose last one is a day old, and forgets certificates of the
    /// console that expired a week ago. It is no change, and the ledger does not tell of it.
    ///
    /// # Errors
    /// `Vault`, `Issue`, of the first authority whose list can't be made; the others' are made.
    pub async fn keep_up_authorities(&self, by: &Author) -> Result<()> {
        let (now, due) = (to_millis(by.now), to_millis(by.now - RENEW_AFTER));
        let ids = sqlx::query_scalar!(
            "SELECT a.id FROM authorities a LEFT JOIN documents d ON d.key_id = a.key_id AND d.kind = 'crl'
             WHERE d.made_at IS NULL OR d.made_at <= ?1 OR d.made_at > ?2 ORDER BY a.id",
            due,
            now
        );
        let mut outcome = Ok(());
        for id in ids.fetch_all(self.reader()).await? {
            outcome = outcome.and(self.renew_list(id, by).await);
        }
        let mut write = self.begin(by).await?;
        let forgotten = to_millis(by.now - REMEMBERED);
        sqlx::query!("DELETE FROM issued WHERE kind = 'console' AND not_after < ?", forgotten)
            .execute(write.db())
            .await?;
        write.commit_upkeep().await?;
        outcome
    }

    async fn renew_list(&self, id: AuthorityId, by: &Author) -> Result<()> {
        let signing = self.signing(id).await?;
        let mut write = self.begin(by).await?;
        publish(&mut write, &signing).await?;
        write.commit_upkeep().await
    }
}

/// Publishes the authority's newest certificate and its next revocation list. Which one is the newest is read within the
/// change: it may have been renewed, or deleted, since `signing` was read.
pub(super) async fn publish(write: &mut Write<'_>, signing: &Signing) -> Result<()> {
    let newest = sqlx::query!("SELECT der, address FROM authorities WHERE id = ?", signing.id);
    let newest = newest.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
    let address = Address::parse(&newest.address).map_err(internal)?;
    let signer = Signer { certificate: &newest.der, key: &signing.key, address: address.as_ref() };
    let key = signing.key.id().0.to_vec();
    put(write, &key, DocumentKind::Certificate, &newest.der).await?;

    let last = sqlx::query_scalar!("SELECT made_at FROM documents WHERE key_id = ? AND kind = 'crl'", key);
    let last = last.fetch_optional(write.db()).await?.map(from_millis).transpose()?;
    let now = whole_seconds(write.by.now);
    // A certificate stays on the list until one was made after its end (RFC 5280 §3.3).
    let entries = revoked(write, signing.id, last.unwrap_or(OffsetDateTime::UNIX_EPOCH)).await?;
    let number = next_generation(write).await?;
    let list = revocation_list(&signer, &entries, number, now)?;
    put(write, &key, DocumentKind::Crl, &list).await
}

/// Takes back what is published for a key. The generations go on.
pub(super) async fn withdraw(write: &mut Write<'_>, key: &[u8]) -> Result<()> {
    for kind in DocumentKind::ALL {
        put(write, key, kind, &[]).await?;
    }
    Ok(())
}

async fn put(write: &mut Write<'_>, key: &[u8], kind: DocumentKind, body: &[u8]) -> Result<()> {
    let same = kind == DocumentKind::Certificate && {
        let published =
            sqlx::query_scalar!("SELECT body FROM documents WHERE key_id = ? AND kind = 'certificate'", key);
        published.fetch_optional(write.db()).await?.as_deref() == Some(body)
    };
    if same {
        return Ok(());
    }
    let (kind, made_at) = (kind.as_str(), to_millis(whole_seconds(write.by.now)));
    let generation = next_generation(write).await?;
    sqlx::query!(
        "INSERT OR REPLACE INTO documents (key_id, kind, body, made_at, generation) VALUES (?, ?, ?, ?, ?)",
        key,
        kind,
        body,
        made_at,
        generation
    )
    .execute(write.db())
    .await?;
    Ok(())
}

async fn next_generation(write: &mut Write<'_>) -> Result<Generation> {
    Ok(sqlx::query_scalar!(r#"SELECT coalesce(max(generation), 0) + 1 AS "next!: i64" FROM documents"#)
        .fetch_one(write.db())
        .await?)
}

/// Certificates and HTTP know no fractions of a second.
fn whole_seconds(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}
