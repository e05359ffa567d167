use super::*;
use crate::ssl::RequireSsl;
use crate::store::{ChangeFilter, Folder, NewSite};
use crate::testing::{TestStore, tester};
use crate::traffic::{self, Answer, Class, Facts, Http, Way};

const CLASS: Class = Class {
    facts: Facts { way: Way::Clear(Credentials::Cookie), http: Http::Http11 },
    answer: Answer { status: 403, substatus: 4 },
    folder: ELSEWHERE,
};
const ELSEWHERE: traffic::Folder = traffic::Folder::ELSEWHERE;

fn client(number: u8) -> Client {
    Client::new(&format!("agent/{number}"), [10, 0, number, 1].into())
}

fn leaking(client: Client, requests: u64) -> Tally {
    let mut tally = Tally::default();
    tally.count(CLASS, client, requests);
    tally
}

async fn site(store: &Store) -> SiteId {
    let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Off };
    store.create_site(new, &tester()).await.unwrap()
}

async fn record(store: &Store, hour: Hour, tallies: Vec<(SiteId, Tally)>) {
    store.record_traffic(hour, &mut tallies.clone(), tester().now).await.unwrap();
}

#[tokio::test]
async fn counts_of_an_hour_add_up_and_are_no_entry_of_the_ledger() {
    let test = TestStore::open().await;
    let store = &test.store;
    record(store, 7, (1..=100).map(|site| (site, leaking(client(1), 2))).collect()).await;
    record(store, 7, vec![(100, leaking(client(1), 3))]).await;
    record(store, 8, vec![(100, leaking(client(2), 4))]).await;
    let traffic = store.list_traffic(100, 0).await.unwrap();
    let counts: Vec<_> = traffic.iter().map(|(hour, source, tally)| (*hour, *source, tally.requests())).collect();
    assert_eq!(counts, [(7, Source::Recorded, 5), (8, Source::Recorded, 4)]);
    assert_eq!(store.list_traffic(100, 8).await.unwrap().len(), 1);
    assert_eq!(store.list_traffic(1, 0).await.unwrap().len(), 1);
    assert_eq!(store.count_changes(&ChangeFilter::default()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_hour_that_is_damaged_is_left_out_and_the_others_go_on() {
    let test = TestStore::open().await;
    let store = &test.store;
    record(store, 7, vec![(1, leaking(client(1), 1))]).await;
    record(store, 8, vec![(1, leaking(client(1), 2))]).await;
    sqlx::query("UPDATE traffic SET tally = '{}' WHERE hour = 7").execute(&store.0.writer).await.unwrap();
    assert_eq!(store.list_traffic(1, 0).await.unwrap().len(), 1);
    record(store, 7, vec![(1, leaking(client(1), 3))]).await;
    assert_eq!(store.list_traffic(1, 0).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_older_than_ninety_days_goes_in_small_steps() {
    let test = TestStore::open().await;
    let store = &test.store;
    let now = tester().now;
    let oldest = hour_of(now) - 24 * KEPT_DAYS;
    for hour in [oldest - 1, oldest] {
        record(store, hour, (1..=REMOVED_AT_ONCE + 1).map(|site| (site, leaking(client(1), 1))).collect()).await;
    }
    let left = async |site| store.list_traffic(site, 0).await.unwrap().len();
    assert!(store.prune_traffic(now).await.unwrap());
    assert_eq!(left(1).await + left(REMOVED_AT_ONCE + 1).await, 3, "not all at once");
    assert!(store.prune_traffic(now).await.unwrap());
    assert!(!store.prune_traffic(now).await.unwrap(), "nothing is left to remove");
    assert_eq!(left(1).await + left(REMOVED_AT_ONCE + 1).await, 2);
}

#[tokio::test]
async fn leaks_are_told_by_client_up_to_a_bound_and_kept_once_from_each() {
    let test = TestStore::open().await;
    let store = &test.store;
    let site = site(store).await;
    for number in 0..200 {
        record(store, 7, vec![(site, leaking(client(number), 1))]).await;
    }
    record(store, 7, vec![(site, leaking(client(0), 1))]).await;
    let leaks = store.list_leaks(None).await.unwrap();
    assert_eq!(i64::try_from(leaks.len()).unwrap(), LEAKS + 1, "and one for all others");
    assert_eq!(leaks.iter().map(|leak| leak.requests).sum::<u64>(), 201);
    let first = leaks.iter().find(|leak| leak.agent == "agent/0").unwrap();
    assert_eq!((first.requests, first.network.as_str()), (2, "10.0.0.0/24"));
}

#[tokio::test]
async fn a_leak_that_somebody_dealt_with_is_in_the_ledger_and_the_next_one_is_told_anew() {
    let test = TestStore::open().await;
    let store = &test.store;
    let site = site(store).await;
    assert!(matches!(store.delete_leaks(site, &tester()).await, Err(StoreError::Gone)));
    record(store, 7, vec![(site, leaking(client(1), 5))]).await;
    store.delete_leaks(site, &tester()).await.unwrap();
    assert!(store.list_leaks(Some(site)).await.unwrap().is_empty());
    let change = &store.list_changes(&ChangeFilter::default(), 1).await.unwrap()[0];
    assert_eq!(change.summary, "dealt with credentials that were sent in clear to Shop");
    record(store, 8, vec![(site, leaking(client(1), 1))]).await;
    assert_eq!(store.list_leaks(Some(site)).await.unwrap()[0].requests, 1);
}

#[tokio::test]
async fn an_imported_log_is_told_apart_and_leaks_nothing_now() {
    let test = TestStore::open().await;
    let store = &test.store;
    let site = site(store).await;
    record(store, 7, vec![(site, Tally::default())]).await;
    let imported = Imported { tallies: [(7, leaking(client(1), 5))].into(), counted: 5, skipped: 0 };
    store.import_traffic(site, &imported, &tester()).await.unwrap();
    store.import_traffic(site, &imported, &tester()).await.unwrap();
    let traffic = store.list_traffic(site, 0).await.unwrap();
    let counts: Vec<_> = traffic.iter().map(|(_, source, tally)| (*source, tally.requests())).collect();
    assert_eq!(counts, [(Source::Imported, 5), (Source::Recorded, 0)], "the same log counts once");
    assert!(store.list_leaks(None).await.unwrap().is_empty());
    assert_eq!(store.list_changes(&ChangeFilter::default(), 1).await.unwrap()[0].summary, "imported a log for Shop");
}
