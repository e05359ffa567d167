//! Client certificates that came: told once a day by each connection, kept until they are written.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use siteward_core::certificate::Fingerprint;
use siteward_core::store::Store;
use siteward_core::trust_list::{Seen, TrustListId};
use time::OffsetDateTime;

use crate::client::Client;

/// The most that wait to be written. What comes beyond is told by its next connection. None is larger than what a client
/// may send at all, since a path from it was proven.
const WAITING: usize = 1_000;

/// What came since it was written last, each certificate once for each trust list.
#[derive(Debug, Default)]
pub(crate) struct SeenClients(Mutex<HashMap<(TrustListId, Fingerprint), Seen, RandomState>>);

impl SeenClients {
    /// Keeps what `client` showed, for each trust list by which it was judged for the first time today.
    pub(crate) fn keep(&self, client: &Client, now: OffsetDateTime) {
        for list in client.to_tell() {
            self.put(client.seen(list, now));
        }
    }

    fn put(&self, seen: Seen) {
        let Some(own) = seen.sent.first() else { return };
        let key = (seen.list, Fingerprint::of(own));
        let mut waiting = self.waiting();
        if waiting.len() < WAITING || waiting.contains_key(&key) {
            waiting.insert(key, seen);
        }
    }

    /// Writes what is kept. What can't be written waits for the next time.
    pub(crate) async fn write(&self, store: &Store) {
        let seen: Vec<Seen> = mem::take(&mut *self.waiting()).into_values().collect();
        if seen.is_empty() {
            return;
        }
        if let Err(error) = store.record_seen(&seen).await {
            tracing::warn!(%error, "client certificates that came can't be written for the moment");
            seen.into_iter().for_each(|seen| self.put(seen));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<(TrustListId, Fingerprint), Seen, RandomState>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use siteward_core::chain::X509;
    use siteward_core::ssl::{ClientCertificate, Trusted};
    use siteward_core::store::TrustListEdit;
    use siteward_core::table::SiteTable;
    use siteward_core::testing::{TestStore, tester};
    use siteward_core::testing_ca::{TestCa, TestClient};
    use siteward_core::trust_list::WhenStale;
    use time::Duration;

    /// A client that shows its certificate with that of its issuer.
    fn showing(ca: &TestCa, client: &TestClient) -> Client {
        let sent = [client.leaf.as_slice(), ca.intermediate_der()].map(|der| CertificateDer::from(der).into_owned());
        Client::showing(sent.to_vec())
    }

    async fn trusting(test: &TestStore, name: &str, ca: &TestCa) -> TrustListId {
        let edit = TrustListEdit { name: name.into(), when_stale: WhenStale::Closed };
        let list = test.store.create_trust_list(edit, &tester()).await.unwrap();
        let root = X509::parse(ca.root_der()).unwrap();
        test.store.add_trusted_cas(list, &[root], &tester()).await.unwrap();
        list
    }

    /// Lets a client ask at a place with this list; how many certificates wait to be written then.
    fn ask(clients: &SeenClients, table: &SiteTable, list: TrustListId, client: &Client, at: OffsetDateTime) -> usize {
        client.worth(table, Trusted::List(list), at);
        clients.keep(client, at);
        clients.waiting().len()
    }

    #[tokio::test]
    async fn a_connection_tells_of_its_certificate_once_for_each_list_and_day_and_a_stranger_s_is_not_told() {
        let (test, ca, clients) = (TestStore::open().await, TestCa::new(), SeenClients::default());
        let (partners, devices) = (trusting(&test, "Partners", &ca).await, trusting(&test, "Devices", &ca).await);
        let (table, now) = (test.store.table(), OffsetDateTime::now_utc());
        let stranger = TestCa::new();
        let foreign = showing(&stranger, &stranger.client_now("Ann"));
        assert_eq!(ask(&clients, &table, partners, &foreign, now), 0);
        let late = showing(&ca, &ca.client("Late", now - Duration::days(9), now - Duration::DAY));
        assert_eq!(late.worth(&table, Trusted::List(partners), now), ClientCertificate::OutOfDate);
        let ann = showing(&ca, &ca.client_now("Ann"));
        assert_eq!(ask(&clients, &table, partners, &ann, now), 1);
        assert_eq!(ask(&clients, &table, devices, &ann, now), 2);
        clients.write(&test.store).await;
        assert_eq!(ask(&clients, &table, partners, &ann, now), 0, "it was told today");
        assert_eq!(ask(&clients, &table, partners, &ann, now + Duration::DAY), 1, "the other list was not asked again");
        assert_eq!(ask(&clients, &table, partners, &late, now), 2, "whoever expired is known too");
        clients.write(&test.store).await;
        let names = |seen: Vec<Seen>| seen.iter().map(|seen| seen.subject.to_string()).collect::<Vec<_>>();
        let came = names(test.store.list_seen(partners).await.unwrap());
        assert!(came.len() == 2 && came[0].contains("CN=Ann") && came[1].contains("CN=Late"), "{came:?}");
        assert_eq!(names(test.store.list_seen(devices).await.unwrap()).len(), 1);
    }

    #[tokio::test]
    async fn no_more_wait_to_be_written_than_there_is_room_for() {
        let (test, ca, clients) = (TestStore::open().await, TestCa::new(), SeenClients::default());
        let (list, now) = (trusting(&test, "Partners", &ca).await, OffsetDateTime::now_utc());
        let seen = |n: usize| {
            let sent = vec![CertificateDer::from([&[0x30, 8][..], &n.to_be_bytes()].concat())];
            Seen { list, sent: sent.into(), subject: format!("CN={n}").into(), at: now }
        };
        (0..WAITING + 9).for_each(|n| clients.put(seen(n)));
        assert_eq!(clients.waiting().len(), WAITING);
        let again = Seen { at: now + Duration::HOUR, ..seen(0) };
        clients.put(again.clone());
        assert!(clients.waiting().values().any(|own| *own == again), "a known one is told anew");
        clients.write(&test.store).await;
        assert!(clients.waiting().is_empty());
        assert_eq!(test.store.list_seen(list).await.unwrap().len(), 500);
    }
}
