//! References for refused requests: each thread keeps a few for itself, and what is kept is written every few seconds.

use std::mem;
use std::sync::{Mutex, PoisonError};

use siteward_core::refused::{Reference, Refused};
use siteward_core::store::{Store, new_reference};
use siteward_core::traffic::Client;

use crate::traffic::{SHARDS, seat};

/// Refused requests that each thread keeps between two writes. Beyond, pages have no reference: whoever makes so many
/// is not going to read one out.
const KEPT: usize = 32;

/// How many of them may come from one network, so that others find places.
const OF_ONE_NETWORK: usize = 8;

/// What was refused since it was written last.
#[derive(Debug, Default)]
pub(crate) struct References([Mutex<Vec<Refused>>; SHARDS]);

impl References {
    /// Gives a reference and keeps what `refused` makes for it, while there is room.
    pub(crate) fn give(&self, client: Client, refused: impl FnOnce(Reference) -> Refused) -> Option<Reference> {
        let mut kept = lock(&self.0[seat()]);
        let of_network = kept.iter().filter(|own| own.client.network == client.network).count();
        if kept.len() >= KEPT || of_network >= OF_ONE_NETWORK {
            return None;
        }
        let reference = new_reference()?;
        kept.push(refused(reference));
        Some(reference)
    }

    /// Writes what is kept. What can't be written is lost: its visitors read out what nobody knows.
    pub(crate) async fn write(&self, store: &Store) {
        let kept: Vec<Refused> = self.0.iter().flat_map(|kept| mem::take(&mut *lock(kept))).collect();
        if kept.is_empty() {
            return;
        }
        if let Err(error) = store.record_refused(&kept).await {
            tracing::warn!(%error, lost = kept.len(), "references of refused requests can't be written");
        }
    }
}

fn lock(kept: &Mutex<Vec<Refused>>) -> std::sync::MutexGuard<'_, Vec<Refused>> {
    // Nothing panics while it is held.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::refused::Cause;
    use siteward_core::ssl::Transport;
    use siteward_core::testing::TestStore;
    use time::OffsetDateTime;

    fn refused(reference: Reference, client: Client) -> Refused {
        Refused {
            reference,
            at: OffsetDateTime::now_utc(),
            listener: "192.0.2.1:80".parse().unwrap(),
            server_name: None,
            host: None,
            site: None,
            path: "/".into(),
            came: Transport::Clear { credentials: false, reads: true }.into(),
            cause: Cause::NoSite,
            revision: 1,
            decided: None,
            client,
        }
    }

    #[tokio::test]
    async fn a_flood_takes_no_more_memory_and_others_still_get_a_reference() {
        let (test, references) = (TestStore::open().await, References::default());
        let give = |address: [u8; 4]| {
            let client = Client::new("curl/8.5.0", address.into());
            references.give(client, |reference| refused(reference, client))
        };
        let flood: Vec<Reference> = (0..10_000).filter_map(|_| give([203, 0, 113, 7])).collect();
        assert_eq!(flood.len(), OF_ONE_NETWORK);
        let other = give([198, 51, 100, 7]).expect("another network has room");
        let crowd = (0..10_000_u32).filter_map(|number| give((number << 8).to_be_bytes())).count();
        assert_eq!(crowd, KEPT - OF_ONE_NETWORK - 1);
        references.write(&test.store).await;
        for reference in [flood[0], other] {
            let found = test.store.find_refused(reference, OffsetDateTime::now_utc()).await.unwrap();
            assert_eq!(found.map(|found| found.reference), Some(reference));
        }
        assert!(give([203, 0, 113, 7]).is_some(), "there is room again");
    }
}
