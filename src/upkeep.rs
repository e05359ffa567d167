//! What Siteward does by itself from time to time.

use std::time::Duration;

use siteward_core::ledger::Author;
use siteward_core::status::Status;
use siteward_core::store::Store;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked whether something is due. What is due is decided by dates that are stored, so a computer that
/// slept, or another process on the same database, changes nothing.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Looks at once, and then for as long as the program runs.
pub(crate) async fn keep_up(store: Store, status: Status) {
    let mut hours = interval(EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hours.tick().await;
        let by = Author::siteward(OffsetDateTime::now_utc());
        if let Err(error) = store.keep_up_authorities(&by).await {
            tracing::error!(%error, "a revocation list could not be made; the last one stays published");
        }
        advance_hsts(&store, &status, &by).await;
        if let Err(error) = store.remove_ended_exemptions(&by).await {
            tracing::error!(%error, "answers to CAs that have ended stay listed for another hour");
        }
        if let Err(error) = store.remove_ended_trials(&by).await {
            tracing::error!(%error, "trials that have ended long ago stay listed for another hour");
        }
        if let Err(error) = store.remove_replaced(&by).await {
            tracing::error!(%error, "renewed certificates stay for another hour");
        }
    }
}

/// Takes the steps of HSTS that are due. Each is a change of its own, so one that fails holds up no other.
async fn advance_hsts(store: &Store, status: &Status, by: &Author) {
    let table = store.table();
    for site in table.sites().filter(|site| site.hsts.is_some_and(|hsts| hsts.is_due(by.now))) {
        let receipt = status.sight(site.id).receipt.filter(|receipt| receipt.version == site.version);
        if let Err(error) = store.advance_hsts(site.id, receipt.map(|receipt| receipt.is_good()), by).await {
            tracing::error!(%error, site = site.name, "HSTS stays as it is for another hour");
        }
    }
}
