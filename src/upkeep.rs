//! What Siteward does by itself from time to time.

use std::time::Duration;

use siteward_core::ledger::Author;
use siteward_core::store::Store;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked whether something is due. What is due is decided by dates that are stored, so a computer that
/// slept, or another process on the same database, changes nothing.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Looks at once, and then for as long as the program runs.
pub(crate) async fn keep_up(store: Store) {
    let mut hours = interval(EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hours.tick().await;
        let by = Author::siteward(OffsetDateTime::now_utc());
        if let Err(error) = store.keep_up_authorities(&by).await {
            tracing::error!(%error, "a revocation list could not be made; the last one stays published");
        }
        if let Err(error) = store.remove_ended_exemptions(&by).await {
            tracing::error!(%error, "answers to CAs that have ended stay listed for another hour");
        }
        if let Err(error) = store.remove_replaced(&by).await {
            tracing::error!(%error, "renewed certificates stay for another hour");
        }
    }
}
