use time::{Duration, OffsetDateTime};

use super::*;
use crate::authority::Reason;
use crate::certificate::SubjectName;
use crate::chain::X509;
use crate::key::KeyKind;
use crate::ledger::Change;
use crate::ssl::{ClientCertificates, RequireSsl, RulePath, Settings, Trusted};
use crate::store::{ChangeFilter, Folder, IssuedFilter, NewSite, RuleDraft};
use crate::testing::{TestStore, tester};
use crate::testing_ca::TestCa;
use crate::trust_list::{CrlAddress, CrlError, Field, NotTrustable, TrustedCaId};

fn edit(name: &str) -> TrustListEdit {
    TrustListEdit { name: name.into(), when_stale: WhenStale::Closed }
}

fn root(ca: &TestCa) -> X509 {
    X509::parse(ca.root_der()).unwrap()
}

fn issuing(ca: &TestCa) -> X509 {
    X509::parse(ca.intermediate_der()).unwrap()
}

async fn list_with(store: &Store, certificates: &[X509]) -> (TrustListId, Vec<TrustedCaId>) {
    let list = store.create_trust_list(edit("Partners"), &tester()).await.unwrap();
    let cas = store.add_trusted_cas(list, certificates, &tester()).await.unwrap();
    (list, cas)
}

async fn last_change(store: &Store) -> Change {
    store.list_changes(&ChangeFilter::default(), 1).await.unwrap().remove(0)
}

async fn version(store: &Store, list: TrustListId) -> Revision {
    store.find_trust_list(list).await.unwrap().version
}

#[tokio::test]
async fn a_trust_list_is_in_force_in_the_ledger_and_read_again_after_a_restart() {
    let test = TestStore::open().await;
    let store = &test.store;
    let ca = TestCa::new();
    let (list, cas) = list_with(store, &[root(&ca), issuing(&ca)]).await;
    assert_eq!(cas.len(), 2);
    let change = last_change(store).await;
    assert_eq!((change.thing, change.id), (Thing::TrustList, list));
    assert_eq!(change.summary, "put Test Root CA, Test Issuing CA on the trust list Partners");
    let added = change.after.unwrap();
    assert_eq!(added["cas"][0]["certificate"], root(&ca).to_pem(), "enough to put it there again");

    let rules = vec![AllowRule::parse(Field::Organization, "Meridian*").unwrap()];
    let opened = version(store, list).await;
    store.set_allow_rules(list, opened, rules.clone(), &tester()).await.unwrap();
    let late = store.set_allow_rules(list, opened, Vec::new(), &tester()).await;
    assert!(matches!(late, Err(StoreError::Stale { .. })));
    assert_eq!(store.find_trust_list(list).await.unwrap().allow, rules);

    let renamed = TrustListEdit { when_stale: WhenStale::Open, ..edit("Suppliers") };
    store.update_trust_list(list, version(store, list).await, renamed, &tester()).await.unwrap();
    let again = Store::open(test.folder.path()).await.unwrap();
    let in_force = |store: &Store| store.table().trust_list(Trusted::List(list)).unwrap().clone();
    assert_eq!(in_force(&again), in_force(store));
    assert_eq!(in_force(store).name, "Suppliers");

    let before = in_force(store).identity();
    store.remove_trusted_ca(list, version(store, list).await, cas[1], &tester()).await.unwrap();
    assert_ne!(in_force(store).identity(), before, "other CAs are another policy of handshakes");
    store.delete_trust_list(list, version(store, list).await, &tester()).await.unwrap();
    assert!(store.table().trust_list(Trusted::List(list)).is_err());
    let deleted = last_change(store).await.before.unwrap();
    assert_eq!(
        (&deleted["cas"][0]["name"], &deleted["allow"][0]["pattern"]),
        (&"Test Root CA".into(), &"Meridian*".into())
    );
}

#[tokio::test]
async fn another_process_learns_of_lists_and_of_what_was_fetched() {
    let test = TestStore::open().await;
    let other = Store::open(test.folder.path()).await.unwrap();
    let mut sites = other.sites();
    let ca = TestCa::new();
    let (list, cas) = list_with(&test.store, &[root(&ca)]).await;
    let address = CrlAddress::parse("http://pki.example/root.crl").unwrap();
    let opened = version(&test.store, list).await;
    test.store.set_crl_address(list, opened, cas[0], Some(&address), &tester()).await.unwrap();
    let due = test.store.list_due_crls(OffsetDateTime::now_utc(), 9).await.unwrap();
    let now = OffsetDateTime::now_utc();
    let body = ca.root_crl(&[], 1, now - Duration::HOUR, now + Duration::DAY);
    assert_eq!(test.store.keep_fetched_crl(&due[0], Ok(body), &tester()).await.unwrap(), None);
    loop {
        let table = other.table();
        let known = table.trust_lists().find(|own| own.id == list);
        if known.is_some_and(|known| known.crl(cas[0]).is_some()) {
            break;
        }
        sites.changed().await.unwrap();
    }
}

#[tokio::test]
async fn names_are_unique_and_only_cas_stand_on_a_list_each_once() {
    let test = TestStore::open().await;
    let store = &test.store;
    let ca = TestCa::new();
    let (list, _) = list_with(store, &[root(&ca)]).await;
    let taken = store.create_trust_list(edit("partners"), &tester()).await;
    assert!(matches!(taken, Err(StoreError::NameTaken(name)) if name == "Partners"));
    assert!(matches!(store.create_trust_list(edit(" "), &tester()).await, Err(StoreError::Name)));
    let twice = store.add_trusted_cas(list, &[issuing(&ca), root(&ca)], &tester()).await;
    assert!(matches!(twice, Err(StoreError::CaListed(_))));
    assert_eq!(store.find_trust_list(list).await.unwrap().cas.len(), 1, "all of them or none");
    let leaf = X509::parse(&ca.client_now("Ann").leaf).unwrap();
    let no_ca = store.add_trusted_cas(list, &[leaf], &tester()).await;
    assert!(matches!(no_ca, Err(StoreError::NotTrustable(NotTrustable::NotCa(_)))));
    let many: Vec<X509> = std::iter::repeat_with(|| root(&TestCa::new())).take(TrustList::MAX_CAS).collect();
    assert!(matches!(store.add_trusted_cas(list, &many, &tester()).await, Err(StoreError::TrustListFull)));
}

#[tokio::test]
async fn a_list_that_a_place_asks_can_t_be_deleted_nor_an_authority_that_is_on_one() {
    let test = TestStore::open().await;
    let store = &test.store;
    store.create_authority("Console", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let authority = store.create_authority("Devices", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let list = store.create_trust_list(edit("Devices"), &tester()).await.unwrap();
    let ca = store.add_trusted_authority(list, authority, &tester()).await.unwrap();
    let why = store.delete_authority(authority, &tester()).await.unwrap_err().to_string();
    assert_eq!(why, "It is on the trust list Devices. Take it off there first.");
    let opened = version(store, list).await;
    let address = CrlAddress::parse("http://a.example/").unwrap();
    let refused = store.set_crl_address(list, opened, ca, Some(&address), &tester()).await;
    assert!(matches!(refused, Err(StoreError::OwnCrl)));

    let new =
        NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Refuse };
    let site = store.create_site(new, &tester()).await.unwrap();
    let site_version = || store.table().site(site).unwrap().version;
    let settings = |trust| Settings {
        trust: Some(trust),
        client_certificates: Some(ClientCertificates::Require),
        ..Settings::default()
    };
    let draft = |trust| RuleDraft {
        path: RulePath::parse("/partners").unwrap(),
        settings: settings(trust),
        reason: String::new(),
    };
    let gone = store.create_rule(site, site_version(), draft(99), &tester()).await;
    assert!(matches!(gone, Err(StoreError::TrustListGone)));
    let rule = store.create_rule(site, site_version(), draft(list), &tester()).await.unwrap();
    assert_eq!(last_change(store).await.after.unwrap()["trust_list"], list);
    assert_eq!(store.table().sites_asking(list).map(|site| site.id).collect::<Vec<_>>(), [site]);
    let used = store.delete_trust_list(list, opened, &tester()).await.unwrap_err().to_string();
    assert_eq!(used, "Shop, at /partners asks this trust list. Choose another one there first.");
    store.delete_rule(site, rule, site_version(), &tester()).await.unwrap();
    assert_eq!(store.table().sites_asking(list).count(), 0);

    let tried = store.create_trial(site, None, draft(99), &tester()).await;
    assert!(matches!(tried, Err(StoreError::TrustListGone)));
    let trial = store.create_trial(site, None, draft(list), &tester()).await.unwrap();
    let used = store.delete_trust_list(list, opened, &tester()).await.unwrap_err().to_string();
    assert_eq!(used, "The report for Shop, at /partners names this trust list. End or remove it there first.");
    store.delete_trial(site, trial, &tester()).await.unwrap();
    let ended = store.table().revision();
    let other = store.create_trust_list(edit("Others"), &tester()).await.unwrap();
    let tried = store.create_trial(site, None, draft(other), &tester()).await.unwrap();
    store.delete_trial(site, tried, &tester()).await.unwrap();
    let ended_later = store.table().revision();
    store.delete_trust_list(other, version(store, other).await, &tester()).await.unwrap();
    let gone = store.undo(ended_later, false, &tester()).await;
    assert!(matches!(gone, Err(StoreError::TrustListGone)), "{gone:?}");
    store.undo(ended, false, &tester()).await.unwrap();
    let back = store.table().site(site).unwrap().trials[0].id;
    store.delete_trial(site, back, &tester()).await.unwrap();
    store.remove_trusted_ca(list, opened, ca, &tester()).await.unwrap();
    store.delete_authority(authority, &tester()).await.unwrap();
}

#[tokio::test]
async fn of_two_revocation_lists_the_newer_counts_however_they_come() {
    let test = TestStore::open().await;
    let store = &test.store;
    let ca = TestCa::new();
    let (list, cas) = list_with(store, &[root(&ca)]).await;
    let now = OffsetDateTime::now_utc();
    let made = |number, age: Duration| ca.root_crl(&[&[7]], number, now - age, now + Duration::DAY);
    let upload = async |bytes| store.upload_crl(list, cas[0], bytes, &tester()).await;
    upload(made(5, Duration::HOUR)).await.unwrap();
    for older in [made(4, Duration::minutes(1)), made(6, Duration::hours(2))] {
        let refused = upload(older).await;
        assert!(matches!(refused, Err(StoreError::Crl(CrlError::Older(_)))), "{refused:?}");
    }
    upload(made(6, Duration::minutes(30))).await.unwrap();
    let foreign = TestCa::new();
    let foreign = foreign.root_crl(&[], 9, now, now + Duration::DAY);
    assert!(matches!(upload(foreign).await, Err(StoreError::Crl(CrlError::BadSignature(_)))));
    let of_issuing = ca.issuing_crl(&[], 9, now, now + Duration::DAY);
    assert!(matches!(upload(of_issuing).await, Err(StoreError::Crl(CrlError::OtherIssuer(_)))));
    let tomorrow = ca.root_crl(&[], 9, now + Duration::DAY, now + Duration::days(2));
    assert!(matches!(upload(tomorrow).await, Err(StoreError::Crl(CrlError::Future(_)))));

    let shown = store.find_trust_list(list).await.unwrap().cas.remove(0);
    assert_eq!(shown.source, CrlSource::Uploaded);
    let crl = shown.crl.unwrap();
    assert_eq!((crl.number.as_deref(), crl.revoked), (Some("06"), 1));
    store.set_crl_address(list, version(store, list).await, cas[0], None, &tester()).await.unwrap();
    assert_eq!(store.find_trust_list(list).await.unwrap().cas[0].crl, None, "what was known is forgotten");
    upload(made(1, Duration::HOUR)).await.unwrap();
}

#[tokio::test]
async fn what_became_of_fetching_is_kept_and_tried_again_in_time() {
    let test = TestStore::open().await;
    let store = &test.store;
    let ca = TestCa::new();
    let (list, cas) = list_with(store, &[root(&ca)]).await;
    let address = CrlAddress::parse("http://pki.example/root.crl").unwrap();
    store.set_crl_address(list, version(store, list).await, cas[0], Some(&address), &tester()).await.unwrap();
    let by = tester();
    let due = async |later| store.list_due_crls(by.now + later, 9).await.unwrap();
    let first = due(Duration::ZERO).await.remove(0);
    assert_eq!(first, DueCrl { ca: cas[0], address: address.clone() });
    let revision = store.table().revision();

    let failed = store.keep_fetched_crl(&first, Err("No answer.".into()), &by).await.unwrap();
    assert_eq!(failed.as_deref(), Some("No answer."));
    let nothing = store.keep_fetched_crl(&first, Ok(b"<html>".to_vec()), &by).await.unwrap();
    assert!(nothing.unwrap().starts_with("This is not a revocation list"));
    let shown = store.find_trust_list(list).await.unwrap().cas.remove(0);
    assert_eq!(shown.fetched.unwrap().failures, 2);
    assert_eq!((due(Duration::minutes(9)).await.len(), due(Duration::minutes(10)).await.len()), (0, 1));

    let body = ca.root_crl(&[&[7]], 1, by.now - Duration::HOUR, by.now + Duration::days(7));
    for _ in 0..2 {
        let taken = store.keep_fetched_crl(&first, Ok(body.clone()), &by).await.unwrap();
        assert_eq!(taken, None, "the same once more is nothing to complain of");
    }
    let shown = store.find_trust_list(list).await.unwrap().cas.remove(0);
    assert_eq!((shown.fetched.unwrap().error, shown.crl.unwrap().revoked), (None, 1));
    assert_eq!((due(Duration::hours(23)).await.len(), due(Duration::hours(24)).await.len()), (0, 1));
    assert_eq!(store.table().revision(), revision, "it is nobody's change");

    let elsewhere = CrlAddress::parse("http://other.example/").unwrap();
    store.set_crl_address(list, version(store, list).await, cas[0], Some(&elsewhere), &tester()).await.unwrap();
    assert_eq!(store.keep_fetched_crl(&first, Err("late".into()), &by).await.unwrap(), None);
    assert_eq!(store.find_trust_list(list).await.unwrap().cas[0].fetched, None);
}

#[tokio::test]
async fn a_list_of_which_one_row_cannot_be_read_lets_nobody_in() {
    for damage in [
        "UPDATE trusted_cas SET der = x'00'",
        "UPDATE allow_rules SET pattern = 'a*b'",
        "UPDATE revocation_lists SET body = x'00', digest = zeroblob(32)",
    ] {
        let test = TestStore::open().await;
        let store = &test.store;
        let ca = TestCa::new();
        let (list, cas) = list_with(store, &[root(&ca)]).await;
        let now = OffsetDateTime::now_utc();
        let body = ca.root_crl(&[], 1, now, now + Duration::DAY);
        store.upload_crl(list, cas[0], body, &tester()).await.unwrap();
        let rules = vec![AllowRule::parse(Field::CommonName, "Ann").unwrap()];
        store.set_allow_rules(list, version(store, list).await, rules, &tester()).await.unwrap();
        sqlx::query(damage).execute(&store.0.writer).await.unwrap();
        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(again.table().trust_lists().len(), 0, "{damage}");
        let shown = again.list_trust_lists().await.unwrap();
        assert_eq!((shown.len(), shown[0].is_readable), (1, false), "it is shown with what is left of it: {damage}");
        again.delete_trust_list(list, version(&again, list).await, &tester()).await.unwrap();
        assert_eq!(again.list_trust_lists().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_read_keeps_no_other_list_waiting() {
    let test = TestStore::open().await;
    let store = &test.store;
    let ca = TestCa::new();
    let (list, cas) = list_with(store, &[root(&ca), issuing(&ca)]).await;
    for own in &cas {
        let address = CrlAddress::parse("http://pki.example/ca.crl").unwrap();
        store.set_crl_address(list, version(store, list).await, *own, Some(&address), &tester()).await.unwrap();
    }
    let damage = "UPDATE trusted_cas SET address = 'ldap://', fetched_at = 9223372036854775807 WHERE id = ?";
    sqlx::query(damage).bind(cas[0]).execute(&store.0.writer).await.unwrap();
    let due = store.list_due_crls(tester().now, 1).await.unwrap();
    assert_eq!(due.iter().map(|due| due.ca).collect::<Vec<_>>(), [cas[1]]);
    let again = Store::open(test.folder.path()).await.unwrap();
    assert!(again.table().trust_list(Trusted::List(list)).is_ok(), "it lets people in as before");
    let shown = again.find_trust_list(list).await.unwrap();
    assert_eq!((shown.cas.len(), shown.is_readable), (2, true), "and is told as doing so");
    assert_eq!((&shown.cas[0].source, &shown.cas[0].fetched), (&CrlSource::Fetched(None), &None));
}

#[tokio::test]
async fn a_ca_of_which_a_row_cannot_be_read_is_asked_as_seldom_as_after_any_failure() {
    for damage in
        ["UPDATE trusted_cas SET der = x'00'", "UPDATE revocation_lists SET this_update = 9223372036854775807"]
    {
        let test = TestStore::open().await;
        let (store, ca, by) = (&test.store, TestCa::new(), tester());
        let (list, cas) = list_with(store, &[root(&ca)]).await;
        let address = CrlAddress::parse("http://pki.example/root.crl").unwrap();
        store.set_crl_address(list, version(store, list).await, cas[0], Some(&address), &by).await.unwrap();
        let due = store.list_due_crls(by.now, 1).await.unwrap().remove(0);
        let crl = |number| ca.root_crl(&[], number, by.now - Duration::HOUR, by.now + Duration::DAY);
        store.keep_fetched_crl(&due, Ok(crl(1)), &by).await.unwrap();
        sqlx::query(damage).execute(&store.0.writer).await.unwrap();
        let why = store.keep_fetched_crl(&due, Ok(crl(2)), &by).await.unwrap();
        assert!(why.unwrap().contains("can’t be read"), "{damage}");
        let again = by.now + Duration::minutes(5);
        assert_eq!(store.list_due_crls(again - Duration::SECOND, 1).await.unwrap().len(), 0, "{damage}");
        assert_eq!(store.list_due_crls(again, 1).await.unwrap(), [due], "{damage}");
    }
}

#[tokio::test]
async fn a_list_about_other_certificates_takes_no_other_one_s_place_until_that_is_forgotten() {
    let test = TestStore::open().await;
    let store = &test.store;
    let ca = TestCa::new();
    let (list, cas) = list_with(store, &[issuing(&ca)]).await;
    let now = OffsetDateTime::now_utc();
    let part = |address: &str, until| ca.issuing_crl_about(address, &[], until);
    let is_whole = async || store.find_trust_list(list).await.unwrap().cas.remove(0).crl.unwrap().is_whole;
    let (one, two) = (part("http://a/1", now + Duration::DAY), part("http://a/2", now + Duration::days(2)));
    store.upload_crl(list, cas[0], one.clone(), &tester()).await.unwrap();
    assert!(!is_whole().await);
    let refused = store.upload_crl(list, cas[0], two.clone(), &tester()).await;
    assert!(matches!(refused, Err(StoreError::Crl(CrlError::OtherScope))), "{refused:?}");
    let address = CrlAddress::parse("http://a/2").unwrap();
    store.set_crl_address(list, version(store, list).await, cas[0], Some(&address), &tester()).await.unwrap();
    let due = store.list_due_crls(tester().now, 1).await.unwrap().remove(0);
    let why = store.keep_fetched_crl(&due, Ok(two.clone()), &tester()).await.unwrap().unwrap();
    assert!(why.contains("stop checking this CA first"), "{why}");
    store.set_crl_address(list, version(store, list).await, cas[0], None, &tester()).await.unwrap();
    store.upload_crl(list, cas[0], two, &tester()).await.unwrap();
    let all = ca.issuing_crl(&[], 2, now, now + Duration::DAY);
    store.upload_crl(list, cas[0], all, &tester()).await.unwrap();
    assert!(is_whole().await);
    assert!(store.upload_crl(list, cas[0], one, &tester()).await.is_err());
}

#[tokio::test]
async fn what_an_own_authority_revokes_counts_with_the_change() {
    let test = TestStore::open().await;
    let store = &test.store;
    let authority = store.create_authority("Devices", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let key = store.find_authority(authority).await.unwrap().certificate.key_id;
    assert_eq!(store.table().own_lists()[&key].as_ref().unwrap().len(), 0);
    let list = store.create_trust_list(edit("Devices"), &tester()).await.unwrap();
    store.add_trusted_authority(list, authority, &tester()).await.unwrap();
    let shown = store.find_trust_list(list).await.unwrap().cas.remove(0);
    assert_eq!((shown.source, shown.origin), (CrlSource::Own, CaOrigin::Own(authority)));

    store.console_certificate(&[SubjectName::parse("127.0.0.1").unwrap()], &tester()).await.unwrap();
    let issued = store.list_issued(&IssuedFilter::default(), tester().now, 0, 1).await.unwrap().remove(0);
    store.revoke_issued(issued.id, Reason::Unspecified, &tester()).await.unwrap();
    assert_eq!(store.table().own_lists()[&key].as_ref().unwrap().len(), 1);
    let before = store.table().trust_list(Trusted::List(list)).unwrap().identity();
    store.renew_authority(authority, 100, &tester()).await.unwrap();
    let after = store.table().trust_list(Trusted::List(list)).unwrap().identity();
    assert_ne!(before, after, "its newest certificate counts");
}
