use time::{Duration, OffsetDateTime};

use super::*;
use crate::authority::{Address, Constraints, Reason};
use crate::document::DocumentKind;
use crate::store::{IssuedFilter, IssuedState, NewAuthority};
use crate::testing::{TestStore, tester};
use crate::testing_ca::openssl;

fn order(purpose: Purpose, name: &str) -> Order {
    let names = if purpose == Purpose::Server { vec![SubjectName::parse(name).unwrap()] } else { Vec::new() };
    Order { purpose, common_name: name.into(), organization: None, names, mail: None, days: 30 }
}

fn new(name: &str, parent: Option<AuthorityId>, path_length: Option<u8>) -> NewAuthority {
    let draft = Draft { path_length, ..Draft::root(name) };
    NewAuthority { draft, key: KeyKind::EcdsaP256, parent, predecessor: None, address: None }
}

async fn server(test: &TestStore, authority: AuthorityId, name: &str, by: &Author) -> CertificateId {
    test.store.issue_installed(authority, name, order(Purpose::Server, name), KeyKind::EcdsaP256, by).await.unwrap()
}

async fn issued(test: &TestStore, state: Option<IssuedState>, text: &str) -> Vec<String> {
    let filter = IssuedFilter { authority: None, state, text: text.into() };
    let now = OffsetDateTime::now_utc();
    let rows = test.store.list_issued(&filter, now, 0, 100).await.unwrap();
    assert_eq!(rows.len() as i64, test.store.count_issued(&filter, now).await.unwrap());
    rows.into_iter().map(|own| own.certificate.subject).collect()
}

#[tokio::test]
async fn a_client_s_file_opens_with_its_password_and_its_key_is_not_kept() {
    let test = TestStore::open().await;
    let authority = test.store.create_authority("Root", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let keys = async || sqlx::query_scalar!("SELECT count(*) FROM keys").fetch_one(test.store.reader()).await.unwrap();
    let before = keys().await;
    let order = order(Purpose::Client, "Inga Solberg");
    let password = Zeroizing::new("correct horse".to_owned());
    let new = PfxOrder { order, key: KeyKind::EcdsaP256, file: KeyFile::Pfx, password };
    let (id, file) = test.store.issue_as_pfx(authority, new, &tester()).await.unwrap();
    let text = openssl(&["pkcs12", "-passin", "pass:correct horse", "-nodes"], &file);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("PRIVATE KEY") && text.matches("BEGIN CERTIFICATE").count() == 2, "{text}");
    assert!(text.contains("CN=Inga Solberg") || text.contains("CN = Inga Solberg"), "{text}");
    assert_eq!(keys().await, before, "the key is in the file alone");
    assert_eq!(test.store.find_issued(id).await.unwrap().certificate.subject, "Inga Solberg");
}

#[tokio::test]
async fn what_is_signed_is_remembered_and_found_by_subject_name_serial_and_state() {
    let test = TestStore::open().await;
    let long_ago = Author { now: tester().now - Duration::days(100), ..tester() };
    let authority = test.store.create_authority("Root", KeyKind::EcdsaP256, &long_ago).await.unwrap();
    let old = Author { now: tester().now - Duration::days(60), ..tester() };
    server(&test, authority, "old.example", &old).await;
    server(&test, authority, "shop.example", &tester()).await;
    let certificate = server(&test, authority, "bad.example", &tester()).await;
    assert_eq!(issued(&test, None, "").await, ["bad.example", "shop.example", "old.example"]);
    assert_eq!(issued(&test, None, "SHOP").await, ["shop.example"]);
    let leaf = test.store.find_certificate(certificate).await.unwrap().chain.remove(0);
    assert_eq!(issued(&test, None, &leaf.serial[..11]).await, ["bad.example"], "by the start of its serial number");
    let filter = IssuedFilter { text: leaf.serial, ..IssuedFilter::default() };
    let id = test.store.list_issued(&filter, tester().now, 0, 1).await.unwrap()[0].id;
    test.store.revoke_issued(id, Reason::Superseded, &tester()).await.unwrap();
    assert_eq!(issued(&test, Some(IssuedState::Valid), "").await, ["shop.example"]);
    assert_eq!(issued(&test, Some(IssuedState::Revoked), "").await, ["bad.example"]);
    assert_eq!(issued(&test, Some(IssuedState::Expired), "").await, ["old.example"]);
    let twice = test.store.revoke_issued(id, Reason::Superseded, &tester()).await;
    assert!(matches!(twice, Err(StoreError::Revoked(_))));
}

#[tokio::test]
async fn a_revocation_is_published_by_every_process_when_it_is_saved_and_its_number_grows() {
    let test = TestStore::open().await;
    let other = Store::open(test.folder.path()).await.unwrap();
    let authority = test.store.create_authority("Root", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let key = test.store.find_authority(authority).await.unwrap().certificate.key_id;
    let path = DocumentKind::Crl.path(key);
    let number = |store: &Store| {
        let list = store.table().document(&path).unwrap().body.clone();
        let said = String::from_utf8(openssl(&["crl", "-inform", "DER", "-noout", "-crlnumber"], &list)).unwrap();
        i64::from_str_radix(said.trim().trim_start_matches("crlNumber=0x").trim_start_matches("crlNumber="), 16)
            .unwrap()
    };
    let first = number(&test.store);
    server(&test, authority, "bad.example", &tester()).await;
    let id = test.store.list_issued(&IssuedFilter::default(), tester().now, 0, 1).await.unwrap()[0].id;
    test.store.revoke_issued(id, Reason::KeyCompromise, &tester()).await.unwrap();
    assert!(number(&test.store) > first);
    let newest = test.store.table().generation();
    let mut sites = other.sites();
    while other.table().generation() < newest {
        sites.changed().await.unwrap();
    }
    assert_eq!(number(&other), number(&test.store));
}

#[tokio::test]
async fn a_list_is_made_anew_after_a_day_without_a_change_in_the_ledger() {
    let test = TestStore::open().await;
    let old = Author { now: tester().now - Duration::hours(25), ..tester() };
    let authority = test.store.create_authority("Root", KeyKind::EcdsaP256, &old).await.unwrap();
    let key = test.store.find_authority(authority).await.unwrap().certificate.key_id;
    let made_at = || test.store.table().document(&DocumentKind::Crl.path(key)).unwrap().made_at;
    let (revision, first) = (test.store.table().revision(), made_at());
    test.store.keep_up_authorities(&tester()).await.unwrap();
    let second = made_at();
    assert!(second > first);
    test.store.keep_up_authorities(&tester()).await.unwrap();
    assert_eq!(made_at(), second, "nothing is due");
    assert_eq!(test.store.table().revision(), revision);
}

#[tokio::test]
async fn a_revoked_certificate_stays_on_the_list_until_one_is_made_after_its_end() {
    let test = TestStore::open().await;
    let start = tester().now - Duration::days(50);
    let at = |days: i64| Author { now: start + Duration::days(days), ..tester() };
    let authority = test.store.create_authority("Root", KeyKind::EcdsaP256, &at(0)).await.unwrap();
    server(&test, authority, "bad.example", &at(0)).await;
    let id = test.store.list_issued(&IssuedFilter::default(), at(0).now, 0, 1).await.unwrap()[0].id;
    test.store.revoke_issued(id, Reason::KeyCompromise, &at(1)).await.unwrap();
    let key = test.store.find_authority(authority).await.unwrap().certificate.key_id;
    let entries = || {
        let list = test.store.table().document(&DocumentKind::Crl.path(key)).unwrap().body.clone();
        let text = String::from_utf8(openssl(&["crl", "-inform", "DER", "-noout", "-text"], &list)).unwrap();
        text.matches("Serial Number:").count()
    };
    assert_eq!(entries(), 1);
    test.store.keep_up_authorities(&at(31)).await.unwrap();
    assert_eq!(entries(), 1, "the first list after its end still names it");
    test.store.keep_up_authorities(&at(33)).await.unwrap();
    assert_eq!(entries(), 0);
}

#[tokio::test]
async fn the_console_s_certificates_are_remembered_and_forgotten_a_week_after_their_end() {
    let test = TestStore::open().await;
    let old = Author { now: tester().now - Duration::days(120), ..tester() };
    test.store.console_certificate(&[SubjectName::parse("localhost").unwrap()], &old).await.unwrap();
    let revision = test.store.table().revision();
    test.store.console_certificate(&[SubjectName::parse("127.0.0.1").unwrap()], &tester()).await.unwrap();
    assert_eq!(test.store.table().revision(), revision, "no change of anybody's");
    assert_eq!(issued(&test, None, "").await, ["127.0.0.1", "localhost"]);
    test.store.keep_up_authorities(&tester()).await.unwrap();
    assert_eq!(issued(&test, None, "").await, ["127.0.0.1"]);
}

#[tokio::test]
async fn an_authority_below_stays_within_the_levels_and_names_of_those_above() {
    let test = TestStore::open().await;
    let mut root = new("Root", None, Some(1));
    root.draft.constraints =
        Constraints { permitted: Constraints::parse_list("example").unwrap(), excluded: Vec::new() };
    let root = test.store.create_authority_as(root, &tester()).await.unwrap();
    let deep = test.store.create_authority_as(new("Deep", Some(root), Some(1)), &tester()).await;
    assert!(matches!(deep, Err(StoreError::TooDeep(name)) if name == "Root"));
    let below = test.store.create_authority_as(new("Below", Some(root), None), &tester()).await.unwrap();
    let read = Draft::of(&test.store.find_authority(below).await.unwrap().certificate.der).unwrap();
    assert_eq!(read.path_length, Some(0), "any number means as many as there may be");
    let third = test.store.create_authority_as(new("Third", Some(below), Some(0)), &tester()).await;
    assert!(matches!(third, Err(StoreError::TooDeep(name)) if name == "Below"));
    let outside = order(Purpose::Server, "shop.test");
    let outside = test.store.issue_installed(below, "x", outside, KeyKind::EcdsaP256, &tester()).await;
    assert!(matches!(outside, Err(StoreError::Forbidden { authority, .. }) if authority == "Root"));
    let certificate = server(&test, below, "shop.example", &tester()).await;
    let chain = test.store.find_certificate(certificate).await.unwrap().chain;
    let subjects: Vec<_> = chain.iter().map(|own| own.subject.as_str()).collect();
    assert_eq!(subjects, ["shop.example", "Below"], "the root is not sent");
}

#[tokio::test]
async fn an_authority_is_deleted_with_its_key_and_documents_only_when_nothing_depends_on_it() {
    let test = TestStore::open().await;
    let old = Author { now: tester().now - Duration::days(60), ..tester() };
    let first = test.store.create_authority("Siteward", KeyKind::EcdsaP256, &old).await.unwrap();
    let root = test.store.create_authority_as(new("Root", None, Some(1)), &old).await.unwrap();
    let below = test.store.create_authority_as(new("Below", Some(root), Some(0)), &old).await.unwrap();
    let in_use = async |id| match test.store.delete_authority(id, &tester()).await {
        Err(StoreError::AuthorityInUse(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(in_use(first).await.contains("console"));
    assert!(in_use(root).await.contains("Below"));
    server(&test, below, "gone.example", &old).await;
    let key = test.store.find_authority(below).await.unwrap().certificate.key_id;
    test.store.delete_authority(below, &tester()).await.unwrap();
    assert!(test.store.table().document(&DocumentKind::Crl.path(key)).is_none());
    assert!(test.store.table().document(&DocumentKind::Certificate.path(key)).is_none());
    assert!(in_use(root).await.contains("revocation list"), "it signed an authority that is valid still");
    let alone = test.store.create_authority("Alone", KeyKind::EcdsaP256, &tester()).await.unwrap();
    server(&test, alone, "shop.example", &tester()).await;
    assert!(in_use(alone).await.contains("revocation list"));
}

#[tokio::test]
async fn renewing_keeps_key_name_and_terms_and_publishes_the_new_certificate() {
    let test = TestStore::open().await;
    let root = test.store.create_authority("Root", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let before = test.store.find_authority(root).await.unwrap().certificate;
    test.store.renew_authority(root, 7300, &tester()).await.unwrap();
    let after = test.store.find_authority(root).await.unwrap().certificate;
    assert_eq!((after.key_id, &after.subject), (before.key_id, &before.subject));
    assert!(after.not_after > before.not_after && after.serial != before.serial);
    assert_eq!(Draft { days: 3650, ..Draft::of(&after.der).unwrap() }, Draft::of(&before.der).unwrap());
    let published = test.store.table().document(&DocumentKind::Certificate.path(after.key_id)).unwrap().body.clone();
    assert_eq!(&published[..], after.der);
    let former = test.store.list_former_certificates(root).await.unwrap();
    assert_eq!(former.into_iter().map(|(_, own)| own).collect::<Vec<_>>(), [before]);
    let address = Address::parse("pki.example").unwrap();
    test.store.update_authority_address(root, "", address.as_ref(), &tester()).await.unwrap();
    assert_eq!(test.store.find_authority(root).await.unwrap().address, address);
}

#[tokio::test]
async fn what_changed_since_an_authority_was_read_is_never_undone() {
    let (test, by) = (TestStore::open().await, tester());
    let store = &test.store;
    store.create_authority("First", KeyKind::EcdsaP256, &by).await.unwrap();
    let id = store.create_authority("Second", KeyKind::EcdsaP256, &by).await.unwrap();
    let signing = store.signing(id).await.unwrap();
    store.renew_authority(id, 900, &by).await.unwrap();
    let mut write = store.begin(&by).await.unwrap();
    crate::store::documents::publish(&mut write, &signing).await.unwrap();
    write.commit_upkeep().await.unwrap();
    let path = DocumentKind::Certificate.path(signing.key.id());
    let newest = store.find_authority(id).await.unwrap().certificate.der;
    assert_eq!(store.table().document(&path).unwrap().body.as_ref(), newest.as_slice());

    store.delete_authority(id, &by).await.unwrap();
    let mut write = store.begin(&by).await.unwrap();
    let published = crate::store::documents::publish(&mut write, &signing).await;
    assert!(matches!(published, Err(StoreError::Gone)), "{published:?}");
    let recorded = record(&mut write, &signing, IssuedKind::Server, &newest).await;
    assert!(matches!(recorded, Err(StoreError::Gone)), "{recorded:?}");
}

#[tokio::test]
async fn a_revoked_authority_signs_nothing_more_and_neither_does_one_below_it() {
    let (test, by) = (TestStore::open().await, tester());
    let store = &test.store;
    let root = store.create_authority_as(new("Root", None, Some(3)), &by).await.unwrap();
    let middle = store.create_authority_as(new("Middle", Some(root), Some(2)), &by).await.unwrap();
    let low = store.create_authority_as(new("Low", Some(middle), Some(0)), &by).await.unwrap();
    let before = store.anchors().await.unwrap().own.len();
    let filter = IssuedFilter { authority: Some(root), ..IssuedFilter::default() };
    let issued = store.list_issued(&filter, by.now, 0, 1).await.unwrap()[0].id;
    store.revoke_issued(issued, Reason::KeyCompromise, &by).await.unwrap();
    for authority in [middle, low] {
        let order = order(Purpose::Server, "shop.example");
        let refused = store.issue_installed(authority, "Shop", order, KeyKind::EcdsaP256, &by).await;
        assert!(matches!(&refused, Err(StoreError::Issue(why)) if why.0.contains("was revoked")), "{refused:?}");
        let refused = store.renew_authority(authority, 30, &by).await;
        assert!(matches!(refused, Err(StoreError::Issue(_))), "{refused:?}");
    }
    server(&test, root, "shop.example", &by).await;
    assert_eq!(store.anchors().await.unwrap().own.len(), before - 2);
    store.keep_up_authorities(&Author { now: by.now + Duration::days(2), ..by }).await.expect("their lists go on");
}
