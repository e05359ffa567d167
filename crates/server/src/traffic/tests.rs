use siteward_core::testing::TestStore;

use super::*;

fn tallies(sites: i64, requests: u64) -> Vec<(SiteId, Tally)> {
    let class = Class {
        facts: siteward_core::traffic::Facts { way: Way::Clear(Credentials::None), http: Http::Http11 },
        answer: siteward_core::traffic::Answer { status: 200, substatus: 0 },
        folder: siteward_core::traffic::Folder::ELSEWHERE,
    };
    let mut tally = Tally::default();
    tally.count(class, Client::OTHERS, requests);
    (1..=sites).map(|site| (site, tally.clone())).collect()
}

#[tokio::test]
async fn everything_that_is_too_old_is_removed_however_much_it_is() {
    let test = TestStore::open().await;
    let now = OffsetDateTime::now_utc();
    let old = hour_of(now) - 24 * 365;
    test.store.record_traffic(old, &mut tallies(401, 1), now).await.unwrap();
    test.store.record_traffic(hour_of(now), &mut tallies(1, 1), now).await.unwrap();
    prune(&test.store, now).await;
    for site in [200, 401] {
        assert!(test.store.list_traffic(site, 0).await.unwrap().is_empty(), "site {site}");
    }
    assert_eq!(test.store.list_traffic(1, 0).await.unwrap().len(), 1, "today's stays");
}

#[test]
fn all_that_is_fresh_is_kept_and_only_what_could_not_be_written_is_bounded() {
    let sites = i64::try_from(WAITING).unwrap() + 5;
    let mut waiting = Waiting::default();
    waiting.add(7, tallies(sites, 2));
    assert_eq!((waiting.hours[&7].len(), waiting.lost), (WAITING + 5, 0));
    let mut waiting = Waiting::default();
    waiting.put_back(7, tallies(3, 2));
    waiting.put_back(8, tallies(sites, 2));
    assert_eq!((waiting.hours[&7].len(), waiting.hours[&8].len(), waiting.lost), (3, WAITING - 3, 16));
}

#[test]
fn a_client_is_the_same_whether_its_user_agent_is_remembered_or_not_and_few_are() {
    let traffic = Traffic::new(10);
    let remote = IpAddr::from([203, 0, 113, 7]);
    let request = |agent: &str| http::Request::builder().header(USER_AGENT, agent).body(()).unwrap().into_parts().0;
    for number in 0..AGENTS + 9 {
        let agent = format!("curl/{number}.1");
        for _ in 0..2 {
            assert_eq!(traffic.client(&request(&agent), remote), Client::new(&agent, remote));
        }
    }
    traffic.client(&request(&"x".repeat(AGENT_LENGTH + 1)), remote);
    assert_eq!(traffic.shard().agents.len(), AGENTS);
    traffic.take();
    assert!(traffic.shard().agents.is_empty());
}

#[test]
fn what_can_t_be_told_apart_any_more_is_still_counted_and_what_can_t_be_counted_is_told() {
    let traffic = Traffic::new(2);
    let request = http::Request::builder().body(()).unwrap().into_parts().0;
    let class = |status| Class {
        facts: siteward_core::traffic::Facts { way: Way::Clear(Credentials::None), http: Http::Http11 },
        answer: siteward_core::traffic::Answer { status, substatus: 0 },
        folder: siteward_core::traffic::Folder::of("books", true),
    };
    let count = |status, host| traffic.count(&request, IpAddr::from([10, 0, host, 1]), 1, class(status), &[]);
    let lost = || traffic.lost.load(Ordering::Relaxed);
    // Two are told apart, two more kinds only without folder and client.
    for (status, host) in [(200, 1), (200, 2), (200, 3), (404, 1)] {
        count(status, host);
    }
    count(200, 4);
    count(404, 5);
    assert_eq!(lost(), 0, "their kind has its place already");
    count(403, 1);
    assert_eq!(lost(), 1);
    for failure in [Failure::NotTls, Failure::Timeout, Failure::Closed, Failure::NotTls] {
        traffic.fail(1, failure);
    }
    assert_eq!(lost(), 2);
    let tally = &traffic.take()[&1];
    assert_eq!((tally.requests(), tally.failures().map(|(_, n)| n).sum::<u64>()), (6, 3));
}
