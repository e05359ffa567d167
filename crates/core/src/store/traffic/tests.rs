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
    named_site(store, "Shop").await
}

async fn named_site(store: &Store, name: &str) -> SiteId {
    let new = NewSite { name: name.into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Off };
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
async fn sites_to_which_something_came_in_most_hours_come_first() {
    let test = TestStore::open().await;
    let store = &test.store;
    for (hour, sites) in [(6, vec![9]), (7, vec![1, 2]), (8, vec![2, 3]), (9, vec![2, 3])] {
        record(store, hour, sites.into_iter().map(|site| (site, leaking(client(1), 1))).collect()).await;
    }
    assert_eq!(store.list_busy_sites(7).await.unwrap(), [2, 3, 1]);
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
    let leaks = store.list_leaks(site).await.unwrap();
    assert_eq!(i64::try_from(leaks.len()).unwrap(), LEAKS + 1, "and one for all others");
    assert_eq!(leaks.iter().map(|leak| leak.requests).sum::<u64>(), 201);
    let first = leaks.iter().find(|leak| leak.agent == "agent/0").unwrap();
    assert_eq!((first.requests, first.network.as_str()), (2, "10.0.0.0/24"));
}

#[tokio::test]
async fn a_network_that_invents_user_agents_leaves_room_for_the_leaks_of_others() {
    let test = TestStore::open().await;
    let store = &test.store;
    let site = site(store).await;
    for number in 0..100 {
        let invented = Client::new(&format!("invented/{number}"), [10, 0, 0, 1].into());
        record(store, 7, vec![(site, leaking(invented, 1))]).await;
    }
    record(store, 7, vec![(site, leaking(client(9), 1))]).await;
    let leaks = store.list_leaks(site).await.unwrap();
    let of = |network: &str| leaks.iter().filter(|leak| leak.network == network).count();
    assert_eq!((of("10.0.0.0/24"), of("10.0.9.0/24"), of("")), (4, 1, 1));
    assert_eq!(leaks.iter().map(|leak| leak.requests).sum::<u64>(), 101);
}

#[tokio::test]
async fn a_leak_that_somebody_dealt_with_is_in_the_ledger_and_the_next_one_is_told_anew() {
    let test = TestStore::open().await;
    let store = &test.store;
    let site = site(store).await;
    assert!(matches!(store.delete_leaks(site, tester().now, &tester()).await, Err(StoreError::Gone)));
    record(store, 7, vec![(site, leaking(client(1), 5))]).await;
    assert!(store.delete_leaks(site, tester().now, &tester()).await.unwrap());
    assert!(store.list_leaks(site).await.unwrap().is_empty());
    let change = &store.list_changes(&ChangeFilter::default(), 1).await.unwrap()[0];
    assert_eq!(change.summary, "dealt with credentials that were sent in clear to Shop");
    record(store, 8, vec![(site, leaking(client(1), 1))]).await;
    assert_eq!(store.list_leaks(site).await.unwrap()[0].requests, 1);
}

#[tokio::test]
async fn only_leaks_that_were_seen_are_dealt_with() {
    let test = TestStore::open().await;
    let store = &test.store;
    let (site, shown) = (site(store).await, tester().now);
    store.record_traffic(7, &mut vec![(site, leaking(client(1), 5))], shown).await.unwrap();
    store.record_traffic(7, &mut vec![(site, leaking(client(2), 3))], shown + Duration::SECOND).await.unwrap();
    assert!(store.delete_leaks(site, shown, &tester()).await.unwrap());
    let left = store.list_leaks(site).await.unwrap();
    assert_eq!(left.iter().map(|leak| leak.requests).collect::<Vec<_>>(), [3]);
    assert!(!store.delete_leaks(site, shown, &tester()).await.unwrap(), "the other was not seen yet");
    assert_eq!(store.list_leaks(site).await.unwrap(), left);
}

#[tokio::test]
async fn a_few_of_many_leaking_sites_are_read_and_all_are_counted() {
    let test = TestStore::open().await;
    let (store, now) = (&test.store, tester().now);
    let mut sites = Vec::new();
    for number in 0..9 {
        let at = now + Duration::seconds(number);
        let site = named_site(store, &format!("Shop {number}")).await;
        sites.push(site);
        let tallies = || vec![(site, leaking(client(1), 1)), (site, leaking(client(2), 2))];
        store.record_traffic(7, &mut tallies(), at).await.unwrap();
    }
    let leaking = store.list_leaking_sites(2).await.unwrap();
    let told: Vec<_> = leaking.iter().map(|own| (own.site, own.requests)).collect();
    assert_eq!(told, [(sites[8], 3), (sites[7], 3)]);
    assert_eq!(store.count_leaking_sites().await.unwrap(), 9);
}

#[tokio::test]
async fn leaks_go_with_their_age_and_are_not_told_without_their_site() {
    let test = TestStore::open().await;
    let store = &test.store;
    let (site, now) = (site(store).await, tester().now);
    let old = named_site(store, "Old").await;
    let then = now - Duration::days(KEPT_DAYS) - Duration::HOUR;
    store.record_traffic(7, &mut vec![(old, leaking(client(1), 1))], then).await.unwrap();
    record(store, 7, vec![(site, leaking(client(1), 1))]).await;
    while store.prune_traffic(now).await.unwrap() {}
    assert!(store.list_leaks(old).await.unwrap().is_empty());
    assert_eq!(store.list_leaks(site).await.unwrap().len(), 1);
    let version = store.table().site(site).unwrap().version;
    store.delete_site(site, version, &tester()).await.unwrap();
    assert!(store.list_leaks(site).await.unwrap().is_empty());
    record(store, 7, vec![(site, leaking(client(1), 1))]).await;
    assert_eq!(store.count_leaking_sites().await.unwrap(), 0, "nobody could deal with it");
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
    assert_eq!(store.count_leaking_sites().await.unwrap(), 0);
    assert_eq!(store.list_changes(&ChangeFilter::default(), 1).await.unwrap()[0].summary, "imported a log for Shop");
}
