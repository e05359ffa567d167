//! Revocation lists of the CAs on trust lists: uploaded by people, fetched by Siteward.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::cas::crl_facts;
use super::{commit, find, renew};
use crate::chain::X509;
use crate::ledger::Author;
use crate::store::requests::blocking;
use crate::store::rows::{fingerprint, readable};
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError, from_millis, to_millis};
use crate::trust_list::{Crl, CrlAddress, Identity, TrustList, TrustListId, TrustedCaId};

/// A revocation list that is to be fetched now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCrl {
    /// The CA whose list it is.
    pub ca: TrustedCaId,
    /// Where.
    pub address: CrlAddress,
}

impl DueCrl {
    /// How long it is left alone after so many failures and one more.
    pub fn rest(failures: i64) -> Duration {
        let doubled = u32::try_from(failures).unwrap_or(u32::MAX).min(8);
        (AGAIN * 2_u32.pow(doubled)).min(AGAIN_AT_LAST)
    }
}

/// When the next one is looked for after a success, and how soon after a failure: well before the last one runs out, and
/// never so often that a CA would mind.
const SOONEST: Duration = Duration::minutes(15);
const AFTER_END: Duration = Duration::seconds(5);
const AT_ONCE: Duration = Duration::MINUTE;
const LATEST: Duration = Duration::DAY;
const AGAIN: Duration = Duration::minutes(5);
const AGAIN_AT_LAST: Duration = Duration::HOUR;

/// The most characters that are kept of why fetching failed.
const MAX_ERROR: usize = 300;

impl Store {
    /// Takes the revocation list that an uploaded CA published, DER or PEM. From the next request on it counts; it is not
    /// fetched from anywhere any more. A newer one of the same CA overwrites nobody's edit, so no version guards it.
    ///
    /// # Errors
    /// `Gone`, `OwnCrl`, `Crl` with why it can't be taken.
    pub async fn upload_crl(&self, list: TrustListId, ca: TrustedCaId, bytes: Vec<u8>, by: &Author) -> Result<()> {
        let read = self.read_crl(ca, bytes).await?;
        let mut write = self.begin(by).await?;
        let list = find(&mut write, list).await?;
        let before = crl_facts(&mut write, list.id, ca).await?;
        follows(&mut write, (list.id, ca), &read.crl, by.now).await?;
        put(&mut write, (list.id, ca), &read).await?;
        sqlx::query!(
            "UPDATE trusted_cas SET crl = 'uploaded', address = '', fetched_at = NULL, fetch_due_at = NULL,
             fetch_failures = 0, fetch_error = NULL WHERE id = ?",
            ca
        )
        .execute(write.db())
        .await?;
        let after = crl_facts(&mut write, list.id, ca).await?;
        let name = after["ca"]["name"].as_str().unwrap_or_default().to_owned();
        let summary = format!("brought a revocation list of {name} for the trust list {}", list.name);
        commit(write, list.id, summary, Some(before), Some(after)).await
    }

    /// The revocation lists that are due to be fetched, the longest due first, at most `limit`. An address that can't be
    /// read is left out, and keeps none of the others waiting.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_due_crls(&self, now: OffsetDateTime, limit: usize) -> Result<Vec<DueCrl>> {
        let now = to_millis(now);
        let rows = sqlx::query!(
            "SELECT id, address FROM trusted_cas WHERE crl = 'fetched' AND fetch_due_at <= ? ORDER BY fetch_due_at",
            now
        );
        let read = rows.fetch_all(self.reader()).await?.into_iter().filter_map(|row| {
            let broken = |error| StoreError::Internal(format!("the address of trusted CA {}: {error}", row.id));
            let address = readable(CrlAddress::parse(&row.address).map_err(broken))?;
            Some(DueCrl { ca: row.id, address })
        });
        Ok(read.take(limit).collect())
    }

    /// Keeps what became of fetching `due`: the list itself, or why there is none, and when it is tried again. It is no
    /// change of anybody's, and the ledger does not tell of it. Where the address was changed meanwhile, nothing is kept.
    /// Tells why it was not taken, if so.
    ///
    /// # Errors
    /// `Database`.
    pub async fn keep_fetched_crl(
        &self,
        due: &DueCrl,
        fetched: Result<Vec<u8>, String>,
        by: &Author,
    ) -> Result<Option<String>> {
        let read = match fetched {
            Ok(bytes) => told(self.read_crl(due.ca, bytes).await)?,
            Err(why) => Err(why),
        };
        let mut write = self.begin(by).await?;
        let address = due.address.to_string();
        let row = sqlx::query!(
            "SELECT list_id, fetch_failures FROM trusted_cas WHERE id = ? AND crl = 'fetched' AND address = ?",
            due.ca,
            address
        );
        let Some(row) = row.fetch_optional(write.db()).await? else { return Ok(None) };
        let taken = match read {
            Ok(read) => {
                let known = follows(&mut write, (row.list_id, due.ca), &read.crl, by.now).await;
                told(known.map(|known| (read, known)))?
            }
            Err(why) => Err(why),
        };
        let why = match taken {
            Ok((read, known)) => {
                if known.is_none_or(|known| known.digest != read.crl.digest) {
                    put(&mut write, (row.list_id, due.ca), &read).await?;
                    renew(&mut write, row.list_id).await?;
                }
                tried(&mut write, due.ca, after_success(read.crl.next_update - by.now), None).await?;
                None
            }
            Err(why) => {
                let why: String = why.chars().take(MAX_ERROR).collect();
                tried(&mut write, due.ca, DueCrl::rest(row.fetch_failures), Some(&why)).await?;
                Some(why)
            }
        };
        write.commit_upkeep().await?;
        Ok(why)
    }

    /// Reads a list and proves that this CA signed it, before anything is locked.
    async fn read_crl(&self, ca: TrustedCaId, bytes: Vec<u8>) -> Result<Read> {
        let der = sqlx::query_scalar!("SELECT der FROM trusted_cas WHERE id = ?", ca).fetch_optional(self.reader());
        let ca = X509::parse(&der.await?.ok_or(StoreError::Gone)?.ok_or(StoreError::OwnCrl)?)?;
        blocking(move || {
            let der = Crl::der_in(&bytes)?.into_owned();
            let crl = Crl::parse(&der)?;
            crl.prove(&der, &ca)?;
            Ok(Read { der, crl: Arc::new(crl) })
        })
        .await
    }
}

/// A list that was read and proven.
struct Read {
    der: Vec<u8>,
    crl: Arc<Crl>,
}

/// Proves that a list may take the place of the one that is known, if any; and which that is.
async fn follows(
    write: &mut Write<'_>,
    (list, ca): (TrustListId, TrustedCaId),
    crl: &Crl,
    now: OffsetDateTime,
) -> Result<Option<Identity>> {
    let row = sqlx::query!("SELECT digest, number, this_update FROM revocation_lists WHERE ca_id = ?", ca);
    let known = match row.fetch_optional(write.db()).await? {
        Some(row) => Some(Identity {
            this_update: from_millis(row.this_update)?,
            number: row.number.map(Vec::into_boxed_slice),
            digest: fingerprint(&row.digest).unwrap_or_default(),
        }),
        None => None,
    };
    crl.follows(known.as_ref(), now)?;
    let in_force = write.table.trust_lists().find(|own| own.id == list);
    in_force.and_then(|list| list.crl(ca)).map_or(Ok(()), |known| crl.includes(known))?;
    Ok(known)
}

/// Puts a list in the place of the one that is known, if any. The table gets it as it was read, so that nothing waits while
/// it would be read once more.
async fn put(write: &mut Write<'_>, (list, ca): (TrustListId, TrustedCaId), read: &Read) -> Result<()> {
    let Read { der, crl } = read;
    let (digest, number) = (crl.digest.0.as_slice(), crl.number.as_deref());
    let (this_update, next_update) = (to_millis(crl.this_update), to_millis(crl.next_update));
    let (revoked, now) = (i64::try_from(crl.len()).unwrap_or(i64::MAX), to_millis(write.by.now));
    sqlx::query!(
        "INSERT OR REPLACE INTO revocation_lists (ca_id, digest, number, this_update, next_update, revoked, taken_at, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ca,
        digest,
        number,
        this_update,
        next_update,
        revoked,
        now,
        der
    )
    .execute(write.db())
    .await?;
    let known = write.table.trust_lists().find(|own| own.id == list).cloned();
    if let Some(known) = known {
        let taken = TrustList::clone(&known).taking(ca, crl.clone());
        let generation = write.table.trust_generation();
        write.table = write.table.clone().with_trust_lists(generation, [(list, Some(Arc::new(taken)))]);
    }
    Ok(())
}

/// Notes that it was tried to fetch a list, with why it failed, and when to try again.
async fn tried(write: &mut Write<'_>, ca: TrustedCaId, again: Duration, why: Option<&str>) -> Result<()> {
    let (now, due_at) = (to_millis(write.by.now), to_millis(write.by.now + again));
    sqlx::query!(
        "UPDATE trusted_cas SET fetched_at = ?1, fetch_due_at = ?2, fetch_error = ?3,
         fetch_failures = iif(?3 IS NULL, 0, fetch_failures + 1) WHERE id = ?4",
        now,
        due_at,
        why,
        ca
    )
    .execute(write.db())
    .await?;
    Ok(())
}

/// Tells apart why a list can't be taken, as whoever looks for the outcome is told, and what the database failed at. A row
/// that can't be read keeps being so: its CA is asked as seldom as after any failure.
fn told<T>(read: Result<T>) -> Result<Result<T, String>> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(StoreError::Crl(why)) => Ok(Err(why.to_string())),
        Err(StoreError::Gone) => Ok(Err("The CA is no longer on the list.".into())),
        Err(error @ StoreError::Database(_)) => Err(error),
        Err(error) => {
            tracing::error!(%error, "a revocation list can't be taken for what is kept of its CA");
            Ok(Err("What is kept of this CA can’t be read. The log of the server tells more.".into()))
        }
    }
}

/// When a list is looked for again that holds for as long as `left`. One that runs out sooner than a CA should be asked is
/// followed up as it does, for nobody is let in from then on.
fn after_success(left: Duration) -> Duration {
    let soonest = match left.is_positive() {
        true => (left + AFTER_END).clamp(AT_ONCE, SOONEST),
        false => SOONEST,
    };
    (left / 2_i32).clamp(soonest, LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_looked_for_well_before_the_last_one_runs_out_and_less_often_the_longer_it_fails() {
        let minutes = Duration::minutes;
        assert_eq!(after_success(Duration::days(7)), Duration::DAY);
        assert_eq!(after_success(minutes(60)), minutes(30));
        assert_eq!(after_success(minutes(-60)), minutes(15), "also where it came too late");
        assert_eq!(after_success(minutes(20)), minutes(15));
        assert_eq!(after_success(minutes(10)), minutes(10) + Duration::seconds(5), "as soon as it ran out");
        assert_eq!(after_success(Duration::SECOND), minutes(1), "a CA is not asked all the time");
        let waits: Vec<Duration> = (0..6).map(DueCrl::rest).collect();
        assert_eq!(waits, [5, 10, 20, 40, 60, 60].map(minutes));
        assert_eq!(DueCrl::rest(i64::MAX), minutes(60));
    }
}
