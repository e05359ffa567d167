//! What came to sites, by the hour. Counts are no configuration: no ledger entry, and what can't be written is lost.

use serde_json::json;
use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use super::requests::blocking;
use super::write::Entry;
use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::ledger::{Author, Thing};
use crate::site::SiteId;
use crate::traffic::{Agent, Client, Credentials, Hour, Imported, KEPT_DAYS, Source, Tally, hour_of};

/// Sites that are written in one transaction, so that whoever else wants to write waits for a few only.
const AT_ONCE: usize = 32;

/// Hours, and leaks, that are removed in one transaction.
const REMOVED_AT_ONCE: i64 = 200;

/// Hours of sites that are looked at to find those to which something comes: as many as an index gives in a moment.
const LOOKED_AT: i64 = 100_000;

/// Clients that are told apart for each kind of credentials of a site.
const LEAKS: i64 = 32;

/// Of these, those of one network: its user agents may be invented.
const OF_ONE_NETWORK: i64 = 4;

/// Credentials that came in clear to a place that requires SSL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The site.
    pub site: SiteId,
    /// What came.
    pub credentials: Credentials,
    /// The family of user agents that sent it; empty for all others together.
    pub agent: String,
    /// Their network; empty for all others together.
    pub network: String,
    /// When it was seen first.
    pub first_at: OffsetDateTime,
    /// When it was seen last.
    pub last_at: OffsetDateTime,
    /// In how many requests.
    pub requests: u64,
}

/// All leaks of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaking {
    /// The site.
    pub site: SiteId,
    /// When the last one was seen.
    pub last_at: OffsetDateTime,
    /// In how many requests.
    pub requests: u64,
}

impl Store {
    /// Adds what came to sites within `hour`, and what of it was leaked by sites that still exist.
    ///
    /// # Errors
    /// `Database`. What could be written is gone from `tallies`; what is left in it can be tried again.
    pub async fn record_traffic(
        &self,
        hour: Hour,
        tallies: &mut Vec<(SiteId, Tally)>,
        now: OffsetDateTime,
    ) -> Result<()> {
        while !tallies.is_empty() {
            let first = tallies.len().saturating_sub(AT_ONCE);
            let mut tx = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            for (site, tally) in &tallies[first..] {
                add(&mut tx, hour, *site, tally).await?;
                leak(&mut tx, *site, tally, now).await?;
            }
            tx.commit().await?;
            tallies.truncate(first);
        }
        Ok(())
    }

    /// Takes over what another server's log told of a site. An hour that was imported before is replaced, so that the
    /// same log counts once.
    ///
    /// # Errors
    /// `Gone`, `Database`.
    pub async fn import_traffic(&self, site: SiteId, imported: &Imported, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let name = write.any_site(site)?.name;
        for (hour, tally) in &imported.tallies {
            put(write.db(), Source::Imported, *hour, site, tally).await?;
        }
        let entry = Entry {
            thing: Thing::Site,
            id: site,
            site: Some(site),
            summary: format!("imported a log for {name}"),
            before: None,
            after: Some(json!({ "imported_requests": imported.counted.to_string() })),
            touched: Vec::new(),
        };
        write.commit(entry).await
    }

    /// What came to a site from the hour `since` on, oldest first.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_traffic(&self, site: SiteId, since: Hour) -> Result<Vec<(Hour, Source, Tally)>> {
        let rows = sqlx::query!(
            "SELECT hour, source, tally FROM traffic WHERE site_id = ? AND hour >= ? ORDER BY hour, source",
            site,
            since
        )
        .fetch_all(self.reader())
        .await?;
        blocking(move || {
            let hours = rows.into_iter().filter_map(|row| {
                let source = Source::parse(&row.source)?;
                Some((row.hour, source, read(&row.tally)?))
            });
            Ok(hours.collect())
        })
        .await
    }

    /// The sites to which something came in most of the newest hours, back to `since`; those first. No more than this is
    /// looked at, however many sites there are.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_busy_sites(&self, since: Hour) -> Result<Vec<SiteId>> {
        let sites = sqlx::query_scalar!(
            r#"SELECT site_id AS "site_id!" FROM (SELECT site_id FROM traffic WHERE hour >= ? ORDER BY hour DESC LIMIT ?)
               GROUP BY site_id ORDER BY count(*) DESC, site_id"#,
            since,
            LOOKED_AT
        );
        Ok(sites.fetch_all(self.reader()).await?)
    }

    /// Removes a few of the hours and of the leaks that are too old to be kept; tells whether there may be more.
    ///
    /// # Errors
    /// `Database`.
    pub async fn prune_traffic(&self, now: OffsetDateTime) -> Result<bool> {
        let oldest = now - Duration::days(KEPT_DAYS);
        let (hour, millis) = (hour_of(oldest), to_millis(oldest));
        let hours = sqlx::query!(
            "DELETE FROM traffic WHERE (site_id, hour, source) IN
             (SELECT site_id, hour, source FROM traffic WHERE hour < ? LIMIT ?)",
            hour,
            REMOVED_AT_ONCE
        )
        .execute(&self.0.writer)
        .await?;
        let leaks = sqlx::query!(
            "DELETE FROM leaks WHERE (site_id, credentials, agent, network) IN
             (SELECT site_id, credentials, agent, network FROM leaks WHERE last_at < ? LIMIT ?)",
            millis,
            REMOVED_AT_ONCE
        )
        .execute(&self.0.writer)
        .await?;
        Ok(hours.rows_affected() + leaks.rows_affected() > 0)
    }

    /// The leaks of a site that nobody has dealt with, the newest first.
    ///
    /// # Errors
    /// `Database`, `Internal`.
    pub async fn list_leaks(&self, site: SiteId) -> Result<Vec<Leak>> {
        let rows = sqlx::query!(
            "SELECT site_id, credentials, agent, network, first_at, last_at, requests FROM leaks
             WHERE site_id = ? AND site_id IN (SELECT id FROM sites) ORDER BY last_at DESC, requests DESC",
            site
        )
        .fetch_all(self.reader())
        .await?;
        let leaks = rows.into_iter().map(|row| {
            let broken = || StoreError::Internal(format!("a leak of site {} can't be read", row.site_id));
            Ok(Leak {
                site: row.site_id,
                credentials: Credentials::parse(&row.credentials).ok_or_else(broken)?,
                first_at: from_millis(row.first_at)?,
                last_at: from_millis(row.last_at)?,
                requests: row.requests.unsigned_abs(),
                agent: row.agent,
                network: row.network,
            })
        });
        leaks.collect()
    }

    /// `limit` of the sites with leaks that nobody has dealt with, those with the newest first.
    ///
    /// # Errors
    /// `Database`, `Internal`.
    pub async fn list_leaking_sites(&self, limit: i64) -> Result<Vec<Leaking>> {
        let rows = sqlx::query!(
            r#"SELECT site_id AS "site_id!", max(last_at) AS "last_at!: i64", sum(requests) AS "requests!: i64" FROM leaks
               WHERE site_id IN (SELECT id FROM sites) GROUP BY site_id ORDER BY 2 DESC LIMIT ?"#,
            limit
        );
        let sites = rows.fetch_all(self.reader()).await?.into_iter().map(|row| {
            let last_at = from_millis(row.last_at)?;
            Ok(Leaking { site: row.site_id, last_at, requests: row.requests.unsigned_abs() })
        });
        sites.collect()
    }

    /// How many sites have leaks that nobody has dealt with.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_leaking_sites(&self) -> Result<i64> {
        let count =
            sqlx::query_scalar!("SELECT count(DISTINCT site_id) FROM leaks WHERE site_id IN (SELECT id FROM sites)");
        Ok(count.fetch_one(self.reader()).await?)
    }

    /// Takes note that somebody has dealt with the leaks of a site that were seen last by `until`. The next one is told
    /// anew. Tells whether there was any.
    ///
    /// # Errors
    /// `Gone` where the site is, or where it has no leak at all.
    pub async fn delete_leaks(&self, site: SiteId, until: OffsetDateTime, by: &Author) -> Result<bool> {
        let mut write = self.begin(by).await?;
        let (name, until) = (write.any_site(site)?.name, to_millis(until));
        let leaked = sqlx::query!(
            r#"SELECT coalesce(sum(requests) FILTER (WHERE last_at <= ?), 0) AS "dealt_with!: i64",
                      count(*) AS "all!: i64" FROM leaks WHERE site_id = ?"#,
            until,
            site
        );
        let leaked = leaked.fetch_one(write.db()).await?;
        if leaked.all == 0 {
            return Err(StoreError::Gone);
        }
        if leaked.dealt_with == 0 {
            return Ok(false);
        }
        sqlx::query!("DELETE FROM leaks WHERE site_id = ? AND last_at <= ?", site, until).execute(write.db()).await?;
        let entry = Entry {
            thing: Thing::Site,
            id: site,
            site: Some(site),
            summary: format!("dealt with credentials that were sent in clear to {name}"),
            before: Some(json!({ "leaked_requests": leaked.dealt_with.to_string() })),
            after: None,
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(true)
    }
}

async fn add(db: &mut SqliteConnection, hour: Hour, site: SiteId, tally: &Tally) -> Result<()> {
    let source = Source::Recorded.as_str();
    let before = sqlx::query_scalar!(
        "SELECT tally FROM traffic WHERE site_id = ? AND hour = ? AND source = ?",
        site,
        hour,
        source
    )
    .fetch_optional(&mut *db)
    .await?;
    let mut sum = before.as_deref().and_then(read).unwrap_or_default();
    sum.add(tally);
    sum.bound();
    put(db, Source::Recorded, hour, site, &sum).await
}

async fn put(db: &mut SqliteConnection, source: Source, hour: Hour, site: SiteId, tally: &Tally) -> Result<()> {
    let source = source.as_str();
    let tally = serde_json::to_string(tally).map_err(|error| StoreError::Internal(error.to_string()))?;
    sqlx::query!(
        "INSERT INTO traffic (site_id, hour, source, tally) VALUES (?, ?, ?, ?)
         ON CONFLICT (site_id, hour, source) DO UPDATE SET tally = excluded.tally",
        site,
        hour,
        source,
        tally
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn leak(db: &mut SqliteConnection, site: SiteId, tally: &Tally, now: OffsetDateTime) -> Result<()> {
    let at = to_millis(now);
    for ((credentials, client), requests) in tally.leaks() {
        let (credentials, requests) = (credentials.as_str(), i64::try_from(requests).unwrap_or(i64::MAX));
        let (mut agent, mut network) = (client.agent.as_str().to_owned(), client.network());
        if client == Client::OTHERS || !is_told_apart(db, site, credentials, &agent, &network).await? {
            (agent, network) = (Agent::OTHERS.as_str().to_owned(), String::new());
        }
        sqlx::query!(
            "INSERT INTO leaks (site_id, credentials, agent, network, first_at, last_at, requests)
             SELECT id, ?2, ?3, ?4, ?5, ?5, ?6 FROM sites WHERE id = ?1 ON CONFLICT (site_id, credentials, agent, network)
             DO UPDATE SET last_at = excluded.last_at, requests = requests + excluded.requests",
            site,
            credentials,
            agent,
            network,
            at,
            requests
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Whether a client is listed, or can be.
async fn is_told_apart(
    db: &mut SqliteConnection,
    site: SiteId,
    credentials: &str,
    agent: &str,
    network: &str,
) -> Result<bool> {
    let listed = sqlx::query!(
        r#"SELECT count(*) AS "all!: i64", count(*) FILTER (WHERE network = ?2) AS "of_network!: i64",
                  coalesce(max(agent = ?1 AND network = ?2), 0) AS "this!: bool"
           FROM leaks WHERE site_id = ?3 AND credentials = ?4"#,
        agent,
        network,
        site,
        credentials
    )
    .fetch_one(db)
    .await?;
    Ok(listed.this || listed.all < LEAKS && listed.of_network < OF_ONE_NETWORK)
}

/// A tally as stored; one that is damaged is left out.
fn read(tally: &str) -> Option<Tally> {
    serde_json::from_str(tally).inspect_err(|error| tracing::error!(%error, "an hour of traffic can't be read")).ok()
}

#[cfg(test)]
mod tests;
