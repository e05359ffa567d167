//! Notices what other processes commit to the same file.

use std::sync::Weak;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::time::{MissedTickBehavior, interval};

use super::{Inner, Result, load};

/// How often the file is looked at: well below the second in which another process's change must be served.
const EVERY: Duration = Duration::from_millis(200);

/// How often the master key is looked for while it is missing.
const LOOK_FOR_KEY: Duration = Duration::from_secs(1);

/// What was seen of the file.
struct Watch {
    connection: SqliteConnection,
    version: i64,
    looked_for_key: Instant,
}

/// Publishes what other processes committed, until the store is dropped.
///
/// `PRAGMA data_version` reads one number from shared memory; the ledger is read only after it has moved.
pub(super) async fn follow_other_processes(store: Weak<Inner>, options: SqliteConnectOptions) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = None;
    loop {
        ticks.tick().await;
        let Some(store) = store.upgrade() else { return };
        if let Err(error) = look(&store, &options, &mut watch).await {
            tracing::warn!(%error, "other processes' changes can't be read; trying again");
            watch = None;
        }
    }
}

async fn look(store: &Inner, options: &SqliteConnectOptions, watch: &mut Option<Watch>) -> Result<()> {
    let watch = match watch {
        Some(watch) => watch,
        None => {
            let connection = options.connect().await?;
            watch.insert(Watch { connection, version: i64::MIN, looked_for_key: Instant::now() })
        }
    };
    let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut watch.connection).await?;
    let has_moved = version != watch.version;
    if has_moved {
        store.catch_up().await?;
    }
    let key_is_missing = store.trouble.borrow().is_some();
    if has_moved || key_is_missing && watch.looked_for_key.elapsed() >= LOOK_FOR_KEY {
        store.heed_vault().await?;
        watch.looked_for_key = Instant::now();
    }
    watch.version = version;
    Ok(())
}

impl Inner {
    /// Publishes the newest committed table, if it is newer than the one in force.
    async fn catch_up(&self) -> Result<()> {
        let publisher = self.publisher.lock().await;
        let mut snapshot = self.reader.begin().await?;
        if let Some(table) = load::catch_up(&mut snapshot, &publisher.table(), &self.data_dir).await? {
            publisher.publish(table);
        }
        Ok(())
    }
}
