use super::*;
use crate::ssl::{RequireSsl, RulePath, Settings};
use crate::store::{ChangeFilter, Folder, NewSite};
use crate::testing::{TestStore, tester};
use crate::traffic::{Client, Tally};
use crate::trial::Would;

async fn site(store: &Store) -> SiteId {
    let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Off };
    store.create_site(new, &tester()).await.unwrap()
}

fn draft(path: &str, settings: impl Into<Settings>) -> RuleDraft {
    let path = if path.is_empty() { RulePath::site() } else { RulePath::parse(path).unwrap() };
    RuleDraft { path, settings: settings.into(), reason: String::new() }
}

fn trials(store: &Store, site: SiteId) -> Vec<(TrialId, String, Settings)> {
    let site = store.table().site(site).unwrap().clone();
    site.trials.iter().map(|trial| (trial.id, trial.path.to_string(), trial.settings)).collect()
}

async fn last_change(store: &Store) -> crate::ledger::Change {
    store.list_changes(&ChangeFilter::default(), 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_trial_is_read_as_it_was_begun_also_after_a_restart_and_changes_nothing_that_is_in_force() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    let in_force = store.table().site(id).unwrap().rules.clone();
    let by = tester();
    let trial = store.create_trial(id, None, draft("", RequireSsl::Refuse), &by).await.unwrap();
    let partners = draft("/partners", RequireSsl::Redirect);
    store.create_trial(id, None, partners, &by).await.unwrap();

    let now = store.table().site(id).unwrap().clone();
    assert_eq!(now.rules, in_force);
    let [whole, partners] = &*now.trials else { panic!("{:?}", now.trials) };
    assert_eq!((whole.id, &whole.author, whole.until - whole.since), (trial, &by.name, Trial::LASTS));
    assert_eq!(whole.rules.as_ref().unwrap().site().in_clear(), RequireSsl::Refuse);
    let rules = partners.rules.as_ref().unwrap();
    assert_eq!((rules.site().in_clear(), rules.at(&partners.path).in_clear()), (RequireSsl::Off, RequireSsl::Redirect));
    let again = Store::open(test.folder.path()).await.unwrap();
    assert_eq!(again.table().site(id), store.table().site(id));

    let change = last_change(store).await;
    assert_eq!((change.thing, change.id, change.before), (Thing::Trial, partners.id, None));
    let after = change.after.unwrap();
    assert_eq!((&after["path"], &after["require_ssl"]), (&json!("/partners"), &json!("redirect")));
    assert_eq!(rules::read_settings(&after), Some(partners.settings));

    store.delete_site(id, now.version, &by).await.unwrap();
    let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM trials").fetch_one(store.reader());
    assert_eq!(left.await.unwrap(), 0);
}

#[tokio::test]
async fn a_new_trial_takes_the_place_of_the_one_that_was_seen_and_of_no_other() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    let first = store.create_trial(id, None, draft("", RequireSsl::Refuse), &tester()).await.unwrap();
    let unseen = store.create_trial(id, None, draft("", RequireSsl::Redirect), &tester()).await;
    assert!(matches!(unseen, Err(StoreError::Stale { by, .. }) if by == "Test"));
    let second = store.create_trial(id, Some(first), draft("", RequireSsl::Redirect), &tester()).await.unwrap();
    assert_eq!(trials(store, id), [(second, "/".into(), RequireSsl::Redirect.into())]);
    let change = last_change(store).await;
    let of = |value: Option<Value>| value.unwrap()["trial"].as_i64();
    assert_eq!((of(change.before), of(change.after)), (Some(first), Some(second)));

    store.delete_trial(id, second, &tester()).await.unwrap();
    assert_eq!(trials(store, id), []);
    assert_eq!(last_change(store).await.before.unwrap()["trial"].as_i64(), Some(second));
    assert!(matches!(store.delete_trial(id, second, &tester()).await, Err(StoreError::Gone)));
}

#[tokio::test]
async fn what_is_in_force_is_not_tried_and_a_trial_rests_while_its_settings_are_in_force() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    let nothing = store.create_trial(id, None, draft("", RequireSsl::Off), &tester()).await;
    assert!(matches!(nothing, Err(StoreError::TrialOfNothing)));
    let empty = store.create_trial(id, None, draft("/x", Settings::default()), &tester()).await;
    assert!(matches!(empty, Err(StoreError::RuleEmpty)));
    store.create_trial(id, None, draft("", RequireSsl::Refuse), &tester()).await.unwrap();
    let rests = || store.table().site(id).unwrap().trials[0].rules.is_none();
    for (ssl, expected) in [(RequireSsl::Refuse, true), (RequireSsl::Off, false)] {
        let version = store.table().site(id).unwrap().version;
        store.update_ssl(id, version, ssl, &tester()).await.unwrap();
        assert_eq!(rests(), expected, "{ssl:?}");
    }
}

#[tokio::test]
async fn so_many_places_are_tried_and_no_more() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    let begin = async |n: usize, replaces| {
        store.create_trial(id, replaces, draft(&format!("/folder-{n}"), RequireSsl::Refuse), &tester()).await
    };
    let mut last = 0;
    for n in 0..Trial::MOST {
        last = begin(n, None).await.unwrap();
    }
    assert!(matches!(begin(Trial::MOST, None).await, Err(StoreError::TrialsFull)));
    begin(Trial::MOST - 1, Some(last)).await.unwrap();
}

#[tokio::test]
async fn what_a_trial_has_come_to_is_added_up_over_its_hours() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    let trial = store.create_trial(id, None, draft("", RequireSsl::Refuse), &tester()).await.unwrap();
    let client = Client::new("Java/1.8.0", [10, 0, 0, 1].into());
    for hour in [hour_of(tester().now), hour_of(tester().now) + 1] {
        let mut tally = Tally::default();
        tally.judge(trial, Would::Served, Client::OTHERS, 90);
        tally.judge(trial, Would::Already, Client::OTHERS, 3);
        tally.judge(trial, Would::Refused(4), client, 6);
        tally.judge(trial, Would::Unsure, Client::OTHERS, 1);
        tally.judge(trial + 1, Would::Refused(4), client, 1000);
        store.record_traffic(hour, &mut vec![(id, tally)], tester().now).await.unwrap();
    }
    let trial = store.table().site(id).unwrap().trials[0].clone();
    let findings = store.trial_findings(id, &trial).await.unwrap();
    let expected = Findings {
        requests: 200,
        refused: 12,
        redirected: 0,
        already: 6,
        unsure: 2,
        reasons: [(4, 12)].into(),
        clients: vec![(client, 12)],
    };
    assert_eq!(findings, expected);
}

#[tokio::test]
async fn a_trial_stays_after_its_end_until_it_says_nothing_any_more() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    let begun = tester();
    let trial = store.create_trial(id, None, draft("", RequireSsl::Refuse), &begun).await.unwrap();
    let after = |days| Author::siteward(begun.now + Duration::days(days));
    for days in [13, 14, 90] {
        store.remove_ended_trials(&after(days)).await.unwrap();
        assert_eq!(trials(store, id).len(), 1, "{days}");
    }
    store.remove_ended_trials(&after(91)).await.unwrap();
    assert_eq!(trials(store, id), []);
    assert_eq!(last_change(store).await.author, "Siteward");

    let in_force = draft("/a", RequireSsl::Refuse);
    let trial_in_force = store.create_trial(id, None, in_force.clone(), &begun).await.unwrap();
    assert_ne!(trial_in_force, trial);
    let version = store.table().site(id).unwrap().version;
    store.create_rule(id, version, in_force, &begun).await.unwrap();
    store.remove_ended_trials(&after(13)).await.unwrap();
    assert_eq!(trials(store, id).len(), 1, "it may still be undone");
    store.remove_ended_trials(&after(14)).await.unwrap();
    assert_eq!(trials(store, id), []);
}

#[tokio::test]
async fn a_trial_that_can_not_be_read_is_left_out_and_its_site_is_served() {
    let test = TestStore::open().await;
    let store = &test.store;
    let id = site(store).await;
    store.create_trial(id, None, draft("", RequireSsl::Refuse), &tester()).await.unwrap();
    sqlx::query("UPDATE trials SET settings = '{\"require_ssl\":\"maybe\"}'").execute(&store.0.writer).await.unwrap();
    let again = Store::open(test.folder.path()).await.unwrap();
    assert!(again.table().site(id).unwrap().trials.is_empty());
}
