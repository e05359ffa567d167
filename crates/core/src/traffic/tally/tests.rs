use proptest::prelude::*;

use super::*;
use crate::traffic::{Answer, Cipher, Exchange, Facts, Http, Shown, TlsVersion};

fn class(way: Way, status: u16, substatus: u8, path: &str) -> Class {
    let facts = Facts { way, http: Http::Http11 };
    Class { facts, answer: Answer { status, substatus }, folder: Folder::of(path, false) }
}

const CLEAR: Way = Way::Clear(Credentials::None);

fn client(agent: &str, network: u8) -> Client {
    Client::new(agent, IpAddr::from([10, 0, network, 1]))
}

/// What trials make of it: more of them than an hour keeps.
fn judged() -> impl Strategy<Value = (TrialId, Would)> {
    const WOULDS: [&str; 10] =
        ["served", "already", "unsure", "redirected", "403.4", "403.5", "403.7", "403.12", "403.16", "403.17"];
    (0..40i64, prop::sample::select(&WOULDS[..])).prop_map(|(trial, would)| (trial, Would::parse(would).unwrap()))
}

/// A visitor who sends what they like: one of many folders, agents and codes.
fn anything() -> impl Strategy<Value = (Class, Client)> {
    let way = prop_oneof![
        Just(CLEAR),
        Just(Way::Clear(Credentials::Cookie)),
        prop::sample::select(Shown::ALL).prop_map(|shown| Way::Tls {
            version: TlsVersion::Tls13,
            cipher: Cipher::Aes128,
            exchange: Exchange::X25519,
            shown,
        }),
    ];
    (way, 200..600u16, 0..5u8, 0..400u16, 0..400u16).prop_map(|(way, status, substatus, folder, agent)| {
        let class = class(way, status, substatus, &format!("folder-{folder}/page"));
        (class, client(&format!("agent/{agent}"), 1))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tally_stays_small_and_its_sum_exact_whatever_comes(
        batches in prop::collection::vec(prop::collection::vec((anything(), judged(), 1..50u64), 0..300), 0..6)
    ) {
        let (mut tally, mut sum) = (Tally::default(), 0);
        for batch in batches {
            let mut next = Tally::default();
            for ((class, client), (trial, would), requests) in batch {
                next.count(class, client, requests);
                next.judge(trial, would, client, requests);
                sum += requests;
            }
            next.bound();
            tally.add(&next);
            tally.bound();
            prop_assert_eq!(tally.requests(), sum);
            prop_assert!(tally.classes.len() <= Tally::CLASSES);
            let clients: usize = tally.classes.values().map(|counted| counted.clients.len()).sum();
            prop_assert!(clients <= Tally::CLIENTS);
            let outcomes = || tally.trials.values().flat_map(BTreeMap::values);
            prop_assert!(outcomes().map(|counted| counted.clients.len()).sum::<usize>() <= Tally::TRIAL_CLIENTS);
            prop_assert!(tally.trials.len() <= Tally::TRIALS);
            let stored = serde_json::to_string(&tally).unwrap();
            prop_assert!(stored.len() < 32 * 1024, "{} bytes", stored.len());
            let leaking: usize = tally.leaks.values().map(|counted| counted.clients.len()).sum();
            prop_assert!(leaking <= Tally::LEAKING);
            let read: Tally = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(read, Tally { leaks: BTreeMap::new(), ..tally.clone() });
        }
    }

    #[test]
    fn whoever_asks_more_than_their_share_is_told_and_nobody_with_more_than_they_asked(
        strangers in prop::collection::vec(0..5000u16, 0..4000), often in 200..400u64
    ) {
        let (class, heavy) = (class(CLEAR, 403, 4, ""), client("stock import/2", 7));
        let (mut tally, mut asked) = (Tally::default(), BTreeMap::<Client, u64>::new());
        for batch in strangers.chunks(400) {
            for number in batch {
                let stranger = client(&format!("stranger/{number}"), (number % 200) as u8);
                tally.count(class, stranger, 1);
                *asked.entry(stranger).or_default() += 1;
            }
            tally.bound();
        }
        tally.count(class, heavy, often);
        asked.insert(heavy, often);
        tally.bound();
        let shown: BTreeMap<Client, u64> = tally.clients(&class).map(|(client, requests)| (*client, requests)).collect();
        for (client, requests) in &shown {
            prop_assert!(requests <= &asked[client]);
        }
        let error = tally.requests() / Tally::CLIENTS as u64 + 1;
        prop_assert!(shown.get(&heavy).copied().unwrap_or(0) + error >= often);
    }
}

#[test]
fn rare_folders_are_given_up_and_busy_ones_kept() {
    let mut tally = Tally::default();
    tally.count(class(CLEAR, 200, 0, "books/"), client("curl/8.5", 1), 1000);
    for number in 0..500 {
        tally.count(class(CLEAR, 404, 0, &format!("scan-{number}/")), client("scanner/1", 2), 1);
    }
    tally.bound();
    let busy: Vec<_> = tally.classes().filter(|(class, _)| class.folder.as_str() == "/books/").collect();
    assert_eq!(busy.len(), 1);
    let elsewhere = class(CLEAR, 404, 0, "").elsewhere();
    assert!(tally.classes().any(|(class, requests)| *class == elsewhere && requests > 300));
    assert!(tally.clients(&elsewhere).any(|(client, _)| client.agent.as_str() == "scanner/1"));
}

#[test]
fn only_credentials_that_were_refused_or_redirected_for_coming_in_clear_are_leaks() {
    let mut tally = Tally::default();
    let (app, others) = (client("app/1.0", 3), Client::OTHERS);
    tally.count(class(Way::Clear(Credentials::Cookie), 403, 4, ""), app, 2);
    tally.count(class(Way::Clear(Credentials::Cookie), 403, 4, "shop/"), app, 3);
    tally.count(class(Way::Clear(Credentials::Both), 403, 4, ""), others, 4);
    tally.count(class(Way::Clear(Credentials::Authorization), 308, 4, ""), app, 6);
    tally.count(class(Way::Clear(Credentials::Authorization), 301, 4, ""), app, 1);
    tally.count(class(Way::Clear(Credentials::Authorization), 301, 0, "shop/"), app, 100);
    tally.count(class(Way::Clear(Credentials::Cookie), 200, 0, ""), app, 100);
    tally.count(class(CLEAR, 403, 4, ""), app, 100);
    let leaks: Vec<_> = tally.leaks().into_iter().collect();
    let expected =
        [((Credentials::Cookie, app), 5), ((Credentials::Authorization, app), 7), ((Credentials::Both, others), 4)];
    assert_eq!(leaks, expected);
}

#[test]
fn however_many_clients_come_over_tls_the_only_one_in_clear_is_told() {
    let tls =
        Way::Tls { version: TlsVersion::Tls13, cipher: Cipher::Aes128, exchange: Exchange::X25519, shown: Shown::None };
    let (clear, older) = (class(CLEAR, 403, 4, ""), class(tls.showing(Shown::Good), 200, 0, ""));
    let (till, stock) = (client("till/1", 1), client("stock/2", 2));
    let (mut tally, mut hour) = (Tally::default(), Tally::default());
    for number in 0..200u16 {
        let (folder, busy) = (format!("folder-{}/page", number % 40), client(&format!("busy/{number}"), number as u8));
        tally.count(class(tls, 200, 0, &folder), busy, 1000);
    }
    tally.count(clear, till, 1);
    tally.count(older, stock, 1);
    tally.bound();
    hour.add(&tally);
    hour.add(&tally);
    hour.bound();
    assert_eq!(hour.clients(&clear).collect::<Vec<_>>(), [(&till, 2)]);
    assert_eq!(hour.clients(&older).collect::<Vec<_>>(), [(&stock, 2)]);
}

#[test]
fn the_user_agents_that_one_network_invents_leave_room_for_the_leaks_of_others() {
    let leaking = class(Way::Clear(Credentials::Cookie), 403, 4, "");
    let app = client("app/1.0", 7);
    let mut tally = Tally::default();
    for number in 0..500u16 {
        tally.count(leaking, client(&format!("invented/{number}"), 1), 3 + u64::from(number % 5));
    }
    tally.count(leaking, app, 1);
    tally.bound();
    let leaks = tally.leaks();
    assert_eq!(leaks.values().sum::<u64>(), tally.requests());
    assert_eq!(leaks[&(Credentials::Cookie, app)], 1);
}

#[test]
fn where_there_are_more_networks_than_places_those_with_least_clients_keep_theirs() {
    let mut tally = Tally::default();
    let leaking = class(Way::Clear(Credentials::Cookie), 403, 4, "");
    for network in 0..100 {
        tally.count(leaking, client("Till/1", network), 1);
    }
    for network in 100..240 {
        tally.count(leaking, client("Invented/1", network), 5);
        tally.count(leaking, client("Invented/2", network), 4);
    }
    tally.bound();
    let leaks = tally.leaks();
    let tills = leaks.keys().filter(|(_, client)| client.agent.as_str() == "Till/1").count();
    assert_eq!(tills, 100);
    assert!(leaks.len() <= Tally::LEAKING + 1, "{}", leaks.len());
    assert_eq!(leaks.values().sum::<u64>(), tally.requests());
}

#[test]
fn what_trials_say_is_counted_exactly_and_the_newest_are_kept() {
    let mut tally = Tally::default();
    for number in 0..500u16 {
        let strangers = client(&format!("stranger/{number}"), 1);
        tally.judge(99, Would::Refused(4), strangers, 1);
        tally.judge(i64::from(number % 20), Would::Served, Client::OTHERS, 1);
        tally.bound();
    }
    let of = |trial| tally.judged(trial).map(|(would, requests, _)| (would, requests)).collect::<Vec<_>>();
    assert_eq!(of(99), [(Would::Refused(4), 500)]);
    assert_eq!(of(19), [(Would::Served, 25)]);
    assert_eq!(of(0), []);
}

#[test]
fn what_was_written_before_anything_was_tried_is_read() {
    let text = r#"{"classes":[["clear none 1.1",200,0,"/",7,[]]],"failures":[],"rest":0}"#;
    let tally: Tally = serde_json::from_str(text).unwrap();
    assert_eq!((tally.requests(), serde_json::to_string(&tally).unwrap().as_str()), (7, text));
}

#[test]
fn what_was_not_written_by_a_tally_is_refused() {
    for text in [
        "{}",
        "[]",
        r#"{"classes":[["clear",200,0,"/",1,[]]],"failures":[],"rest":0}"#,
        r#"{"classes":[],"failures":[],"rest":0,"trials":[[1,"403.8",1,[]]]}"#,
    ] {
        assert!(serde_json::from_str::<Tally>(text).is_err(), "{text}");
    }
}
