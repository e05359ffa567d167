//! Refused requests under their references. They are no configuration: no ledger entry, and the oldest make room; those of
//! whoever sends many before those of others.

use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::host::HostName;
use crate::refused::{Cause, Decided, Reference, Refused, words};
use crate::ssl::RulePath;
use crate::traffic::{Agent, Client};

/// For how long they are kept.
const KEPT_DAYS: i64 = 30;

/// As many as are removed in one transaction because of their age.
const REMOVED_AT_ONCE: i64 = 200;

struct RefusedRow {
    at: i64,
    listener: String,
    server_name: Option<String>,
    host: Option<String>,
    site_id: Option<i64>,
    path: String,
    transport: String,
    cause: String,
    revision: i64,
    rule_id: Option<i64>,
    place: Option<String>,
    setting: Option<String>,
    value: Option<String>,
    agent: String,
    network: String,
}

/// A reference that nobody has and nobody can guess; `None` where the system has no random numbers.
pub fn new_reference() -> Option<Reference> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(Reference::from_random(u64::from_ne_bytes(bytes)))
}

impl Store {
    /// Keeps these, and makes room for them.
    ///
    /// # Errors
    /// `Database`.
    pub async fn record_refused(&self, refused: &[Refused]) -> Result<()> {
        let mut tx = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
        for one in refused {
            insert(&mut tx, one).await?;
        }
        make_room(&mut tx, OF_NO_SITE).await?;
        make_room(&mut tx, OF_ALL).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What is kept under a reference.
    ///
    /// # Errors
    /// `Database`, `Internal`.
    pub async fn find_refused(&self, reference: Reference, now: OffsetDateTime) -> Result<Option<Refused>> {
        let (text, oldest) = (reference.to_string(), to_millis(now - Duration::days(KEPT_DAYS)));
        let row = sqlx::query_as!(
            RefusedRow,
            "SELECT at, listener, server_name, host, site_id, path, transport, cause, revision, rule_id, place, setting,
             value, agent, network FROM refused WHERE reference = ? AND at >= ?",
            text,
            oldest
        );
        let broken = || StoreError::Internal(format!("what is kept under {reference} can't be read"));
        let row = row.fetch_optional(self.reader()).await?;
        row.map(|row| row.read(reference).ok_or_else(broken)).transpose()
    }

    /// Removes a few of those that are too old to be kept; tells whether there may be more.
    ///
    /// # Errors
    /// `Database`.
    pub async fn prune_refused(&self, now: OffsetDateTime) -> Result<bool> {
        let oldest = to_millis(now - Duration::days(KEPT_DAYS));
        let removed = sqlx::query!(
            "DELETE FROM refused WHERE number IN (SELECT number FROM refused WHERE at < ? LIMIT ?)",
            oldest,
            REMOVED_AT_ONCE
        );
        Ok(removed.execute(&self.0.writer).await?.rows_affected() > 0)
    }
}

/// What one part of those that are kept may take.
struct Share {
    /// It is of those only that came for no site.
    is_of_no_site: bool,
    kept: i64,
    /// How many of one network stay when there are too many of all.
    of_one_network: i64,
}

/// Anybody can send what is for no site.
const OF_NO_SITE: Share = Share { is_of_no_site: true, kept: 2_000, of_one_network: 50 };
const OF_ALL: Share = Share { is_of_no_site: false, kept: 20_000, of_one_network: 500 };

/// Removes what is too much: of networks that have many, then of all; each time the oldest.
async fn make_room(db: &mut SqliteConnection, share: Share) -> Result<()> {
    let Share { is_of_no_site, kept, of_one_network } = share;
    let count = sqlx::query_scalar!("SELECT count(*) FROM refused WHERE site_id IS NULL OR NOT ?", is_of_no_site);
    let excess = count.fetch_one(&mut *db).await? - kept;
    if excess <= 0 {
        return Ok(());
    }
    let of_networks = sqlx::query!(
        "DELETE FROM refused WHERE number IN (SELECT number FROM (
             SELECT number, row_number() OVER (PARTITION BY network ORDER BY number DESC) AS place FROM refused
             WHERE site_id IS NULL OR NOT ?
         ) WHERE place > ? ORDER BY number LIMIT ?)",
        is_of_no_site,
        of_one_network,
        excess
    );
    let removed = of_networks.execute(&mut *db).await?.rows_affected();
    let excess = excess - i64::try_from(removed).unwrap_or(excess);
    let oldest = sqlx::query!(
        "DELETE FROM refused WHERE number IN
         (SELECT number FROM refused WHERE site_id IS NULL OR NOT ? ORDER BY number LIMIT ?)",
        is_of_no_site,
        excess
    );
    oldest.execute(db).await?;
    Ok(())
}

async fn insert(db: &mut SqliteConnection, refused: &Refused) -> Result<()> {
    let (reference, at) = (refused.reference.to_string(), to_millis(refused.at));
    let (listener, transport) = (refused.listener.to_string(), words::of_came(refused.came));
    let (server_name, host) = (refused.server_name.as_ref(), refused.host.as_ref());
    let (server_name, host) = (server_name.map(HostName::as_str), host.map(HostName::as_str));
    let (cause, agent, network) =
        (refused.cause.as_str(), refused.client.agent.as_str(), refused.client.network.to_string());
    let decided = refused.decided.as_ref();
    let (rule, place) = (decided.map(|own| own.rule), decided.map(|own| own.place.as_str()));
    let (setting, value) = (decided.map(|own| own.setting.as_str()), decided.map(words::of_value));
    // Two of the same are less likely than anything else that can go wrong; the second is then not kept.
    sqlx::query!(
        "INSERT OR IGNORE INTO refused (reference, at, listener, server_name, host, site_id, path, transport, cause,
         revision, rule_id, place, setting, value, agent, network)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        reference,
        at,
        listener,
        server_name,
        host,
        refused.site,
        refused.path,
        transport,
        cause,
        refused.revision,
        rule,
        place,
        setting,
        value,
        agent,
        network
    )
    .execute(db)
    .await?;
    Ok(())
}

impl RefusedRow {
    fn read(self, reference: Reference) -> Option<Refused> {
        let name = |text: Option<String>| {
            text.map(|text| HostName::parse(&text).ok()).map_or(Some(None), |name| name.map(Some))
        };
        let decided = match (self.rule_id, self.place, self.setting, self.value) {
            (Some(rule), Some(place), Some(setting), Some(value)) => {
                let (value, twist) = words::to_value(&value)?;
                Some(Decided { rule, place: RulePath::stored(&place).ok()?, setting, value, twist })
            }
            _ => None,
        };
        Some(Refused {
            reference,
            at: from_millis(self.at).ok()?,
            listener: self.listener.parse().ok()?,
            server_name: name(self.server_name)?,
            host: name(self.host)?,
            site: self.site_id,
            path: self.path,
            came: words::to_came(&self.transport)?,
            cause: Cause::parse(&self.cause)?,
            revision: self.revision,
            decided,
            client: Client { agent: Agent::parse(&self.agent)?, network: self.network.parse().ok()? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssl::{Refusal, Transport};
    use crate::testing::{TestStore, tester};

    fn refused(number: u64, at: OffsetDateTime) -> Refused {
        Refused {
            reference: Reference::from_random(number),
            at,
            listener: "[2001:db8::1]:80".parse().unwrap(),
            server_name: None,
            host: Some(HostName::parse("shop.example").unwrap()),
            site: Some(7),
            path: "/books/ü…".into(),
            came: Transport::Clear { credentials: true, reads: false }.into(),
            cause: Cause::Unmet(Refusal::SslRequired),
            revision: 5,
            decided: Some(Decided {
                rule: 3,
                place: RulePath::parse("/books").unwrap(),
                setting: "require_ssl".into(),
                value: "refuse".into(),
                twist: None,
            }),
            client: Client::new("curl/8.5.0", "203.0.113.7".parse().unwrap()),
        }
    }

    /// A time as it comes back: whole milliseconds.
    fn now() -> OffsetDateTime {
        from_millis(to_millis(tester().now)).unwrap()
    }

    async fn count(store: &Store) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM refused").fetch_one(store.reader()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_kept_is_found_by_its_reference_until_it_is_too_old() {
        let test = TestStore::open().await;
        let (store, now) = (&test.store, now());
        let bare = Refused {
            host: None,
            site: None,
            decided: None,
            cause: Cause::BadHost,
            server_name: Some(HostName::parse("maps.example").unwrap()),
            ..refused(2, now)
        };
        let all = [refused(1, now), bare, refused(1, now)];
        store.record_refused(&all).await.unwrap();
        for one in &all[..2] {
            assert_eq!(store.find_refused(one.reference, now).await.unwrap().as_ref(), Some(one));
        }
        assert_eq!(store.find_refused(Reference::from_random(9), now).await.unwrap(), None);
        let later = now + Duration::days(KEPT_DAYS) + Duration::SECOND;
        assert_eq!(store.find_refused(all[0].reference, later).await.unwrap(), None, "it is not removed yet");
        assert!(!store.prune_refused(now).await.unwrap());
        assert!(store.prune_refused(later).await.unwrap());
        assert_eq!(count(store).await, 0);
    }

    #[tokio::test]
    async fn however_many_come_no_stranger_drives_out_those_of_others() {
        let test = TestStore::open().await;
        let (store, now) = (&test.store, now());
        let of = |number: u64, network: u8| Refused {
            client: Client::new("curl/8.5.0", [198, 51, network, 7].into()),
            ..refused(number, now)
        };
        let crowd: Vec<Refused> = (0..5_000).map(|number| of(1 + number, (number % 250) as u8)).collect();
        store.record_refused(&crowd).await.unwrap();
        for round in 1..=6 {
            let flood: Vec<Refused> = (1..=5_000).map(|number| refused(5_000 * round + number, now)).collect();
            store.record_refused(&flood).await.unwrap();
        }
        assert_eq!(count(store).await, OF_ALL.kept);
        let is_kept = async |number| store.find_refused(Reference::from_random(number), now).await.unwrap().is_some();
        assert!(is_kept(1).await && is_kept(5_000).await, "the oldest of others");
        assert!(!is_kept(5_001).await && is_kept(35_000).await, "the newest of whoever floods");

        let many = |from: u64| (from..from + 10_000).map(|number| of(number, (number % 250) as u8)).collect::<Vec<_>>();
        store.record_refused(&many(40_001)).await.unwrap();
        store.record_refused(&many(50_001)).await.unwrap();
        assert_eq!(count(store).await, OF_ALL.kept, "where nobody has too many, the newest of all stay");
        assert!(!is_kept(1).await && is_kept(60_000).await);
    }

    #[tokio::test]
    async fn requests_for_no_site_have_little_room_of_their_own() {
        let test = TestStore::open().await;
        let (store, now) = (&test.store, now());
        let of_no_site = |number| Refused { site: None, decided: None, cause: Cause::NoSite, ..refused(number, now) };
        store.record_refused(&[refused(1, now)]).await.unwrap();
        store.record_refused(&(2..5_002).map(of_no_site).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(count(store).await, OF_NO_SITE.kept + 1);
        assert!(store.find_refused(Reference::from_random(1), now).await.unwrap().is_some());
        assert!(store.find_refused(Reference::from_random(5_001), now).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn no_scanner_drives_out_what_others_asked_of_no_site() {
        let test = TestStore::open().await;
        let (store, now) = (&test.store, now());
        let of = |number: u64, network: u8| Refused {
            site: None,
            decided: None,
            cause: Cause::NoSite,
            client: Client::new("curl/8.5.0", [198, 51, network, 7].into()),
            ..refused(number, now)
        };
        let others: Vec<Refused> = (1..=1_000).map(|number| of(number, (number % 20) as u8)).collect();
        store.record_refused(&others).await.unwrap();
        for round in 1..=3 {
            let scan: Vec<Refused> = (1..=2_000).map(|number| of(2_000 * round + number, 99)).collect();
            store.record_refused(&scan).await.unwrap();
        }
        assert_eq!(count(store).await, OF_NO_SITE.kept);
        let is_kept = async |number| store.find_refused(Reference::from_random(number), now).await.unwrap().is_some();
        assert!(is_kept(1).await && is_kept(1_000).await, "50 of each of the others");
        assert!(!is_kept(7_000).await && is_kept(8_000).await, "the newest of whoever scans");
    }

    #[test]
    fn references_differ() {
        let all: std::collections::HashSet<Reference> = (0..1_000).filter_map(|_| new_reference()).collect();
        assert_eq!(all.len(), 1_000);
    }
}
