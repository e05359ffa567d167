//! Client certificates that came, by trust list. They are no configuration: no ledger entry, and the oldest make room.

use rustls::pki_types::CertificateDer;
use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use super::rows::readable;
use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::certificate::Fingerprint;
use crate::intake::ber::Element;
use crate::traffic::KEPT_DAYS;
use crate::trust_list::{Seen, TrustListId};

/// As many as are written, or removed because of their age, in one transaction.
const AT_ONCE: usize = 100;

impl Store {
    /// Keeps these, and of each of their trust lists no more than those that came last. What came for a list that is gone
    /// is not kept.
    ///
    /// # Errors
    /// `Database`.
    pub async fn record_seen(&self, seen: &[Seen]) -> Result<()> {
        for some in seen.chunks(AT_ONCE) {
            let mut tx = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            for one in some {
                put(&mut tx, one).await?;
            }
            let mut lists: Vec<TrustListId> = some.iter().map(|one| one.list).collect();
            lists.sort_unstable();
            lists.dedup();
            let most = Seen::MOST as i64;
            for list in lists {
                sqlx::query!(
                    "DELETE FROM seen_certificates WHERE list_id = ?1 AND id NOT IN
                     (SELECT id FROM seen_certificates WHERE list_id = ?1 ORDER BY last_at DESC, id DESC LIMIT ?2)",
                    list,
                    most
                )
                .execute(&mut *tx)
                .await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// The client certificates that came to places that ask a trust list or try to, those that came last first.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_seen(&self, list: TrustListId) -> Result<Vec<Seen>> {
        let rows = sqlx::query!(
            "SELECT id, sent, subject, last_at FROM seen_certificates WHERE list_id = ? ORDER BY last_at DESC, id DESC",
            list
        );
        let read = rows.fetch_all(self.reader()).await?.into_iter().filter_map(|row| {
            let broken = || StoreError::Internal(format!("the client certificate {} can't be read", row.id));
            let sent = readable(split(&row.sent).ok_or_else(broken))?.into();
            Some(Seen { list, sent, subject: row.subject.into(), at: readable(from_millis(row.last_at))? })
        });
        Ok(read.collect())
    }

    /// Removes a few of those that came too long ago to be kept; tells whether there may be more.
    ///
    /// # Errors
    /// `Database`.
    pub async fn prune_seen(&self, now: OffsetDateTime) -> Result<bool> {
        let (oldest, limit) = (to_millis(now - Duration::days(KEPT_DAYS)), AT_ONCE as i64);
        let removed = sqlx::query!(
            "DELETE FROM seen_certificates WHERE id IN (SELECT id FROM seen_certificates WHERE last_at < ? LIMIT ?)",
            oldest,
            limit
        );
        Ok(removed.execute(&self.0.writer).await?.rows_affected() > 0)
    }
}

async fn put(db: &mut SqliteConnection, seen: &Seen) -> Result<()> {
    let Some(own) = seen.sent.first() else { return Ok(()) };
    let fingerprint = Fingerprint::of(own);
    let sent: Vec<u8> = seen.sent.iter().flat_map(|own| own.as_ref()).copied().collect();
    let (fingerprint, subject, at) = (fingerprint.0.as_slice(), &*seen.subject, to_millis(seen.at));
    sqlx::query!(
        "INSERT INTO seen_certificates (list_id, fingerprint, sent, subject, last_at)
         SELECT id, ?2, ?3, ?4, ?5 FROM trust_lists WHERE id = ?1 ON CONFLICT (list_id, fingerprint)
         DO UPDATE SET sent = excluded.sent, last_at = max(last_at, excluded.last_at)",
        seen.list,
        fingerprint,
        sent,
        subject,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The certificates that stand one after the other.
fn split(mut rest: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let mut sent = Vec::new();
    while !rest.is_empty() {
        let (own, after) = Element::split(rest)?;
        sent.push(CertificateDer::from(own.whole.to_vec()));
        rest = after;
    }
    Some(sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TrustListEdit;
    use crate::testing::{TestStore, tester};
    use crate::trust_list::WhenStale;

    fn seen(list: TrustListId, serial: u16, at: OffsetDateTime) -> Seen {
        let sent = [vec![0x30, 2, (serial >> 8) as u8, serial as u8], vec![0x30, 1, 9]];
        let sent: Vec<_> = sent.into_iter().map(CertificateDer::from).collect();
        Seen { list, sent: sent.into(), subject: format!("CN={serial}").into(), at }
    }

    async fn list(store: &Store, name: &str) -> TrustListId {
        let edit = TrustListEdit { name: name.into(), when_stale: WhenStale::Closed };
        store.create_trust_list(edit, &tester()).await.unwrap()
    }

    #[tokio::test]
    async fn each_certificate_is_kept_once_as_it_came_last_and_of_each_list_only_the_newest() {
        let test = TestStore::open().await;
        let store = &test.store;
        let now = from_millis(to_millis(OffsetDateTime::now_utc())).unwrap();
        let (partners, devices) = (list(store, "Partners").await, list(store, "Devices").await);
        store.record_seen(&[seen(devices, 1, now), seen(partners, 1, now), seen(99, 1, now)]).await.unwrap();
        assert_eq!(store.list_seen(devices).await.unwrap(), [seen(devices, 1, now)]);
        assert!(store.list_seen(99).await.unwrap().is_empty(), "there is no such list");

        let many: Vec<Seen> = (2..=600).map(|n| seen(partners, n, now + Duration::seconds(n.into()))).collect();
        store.record_seen(&many).await.unwrap();
        let later = seen(partners, 300, now + Duration::HOUR);
        store.record_seen(&[later.clone(), seen(partners, 300, now)]).await.unwrap();
        let kept = store.list_seen(partners).await.unwrap();
        assert_eq!((kept.len(), &kept[0], &kept[1]), (500, &later, &many[598]));
        assert_eq!(kept[499], many[99], "the oldest made room");
        assert_eq!(store.list_seen(devices).await.unwrap().len(), 1, "another list's stay");

        let damaged = sqlx::query("UPDATE seen_certificates SET sent = x'3009' WHERE list_id = ?").bind(devices);
        damaged.execute(&store.0.writer).await.unwrap();
        assert!(store.list_seen(devices).await.unwrap().is_empty(), "what can't be read is left out");

        store.prune_seen(now + Duration::days(KEPT_DAYS) + Duration::SECOND).await.unwrap();
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM seen_certificates").fetch_one(store.reader());
        assert_eq!(left.await.unwrap(), 500, "those of the other list are too old");
        let version = store.find_trust_list(partners).await.unwrap().version;
        store.delete_trust_list(partners, version, &tester()).await.unwrap();
        assert!(store.list_seen(partners).await.unwrap().is_empty(), "gone with the list");
    }
}
