//! The store as its callers see it.

use time::Duration;

use super::*;
use crate::binding::{Place, Protocol, parse_port};
use crate::chain::{Doubt, InstallError, X509};
use crate::host::{HostName, HostPattern};
use crate::key::KeyKind;
use crate::ledger::{Author, Thing};
use crate::site::{SiteId, SiteState};
use crate::ssl::RequireSsl;
use crate::subject::{Subject, SubjectAnswers};
use crate::testing::{TestStore, tester};
use crate::testing_ca::TestCa;

fn place(protocol: Protocol, port: &str, host: &str) -> Place {
    Place { protocol, ip: None, port: parse_port(port).unwrap(), host: HostPattern::parse(host).unwrap() }
}

fn new_site(name: &str, host: &str) -> NewSite {
    NewSite {
        name: name.into(),
        folder: Folder::Own,
        bindings: vec![place(Protocol::Http, "80", host)],
        require_ssl: RequireSsl::Off,
    }
}

fn https(host: &str, certificate: i64) -> BindingDraft {
    BindingDraft { place: place(Protocol::Https, "443", host), certificate: Some(certificate), confirmed: false }
}

async fn request(store: &Store, site: Option<SiteId>, host: &str) -> RequestId {
    let answers = SubjectAnswers { common_name: host.into(), ..SubjectAnswers::default() };
    let subject = Subject::parse(&answers).unwrap();
    let new = NewRequest { site, friendly_name: host.into(), subject, key: KeyKind::EcdsaP256 };
    store.create_request(new, &tester()).await.unwrap()
}

/// A certificate for `host`, requested and completed.
async fn certificate(store: &Store, ca: &TestCa, host: &str) -> i64 {
    let id = request(store, None, host).await;
    let reply = reply(store, ca, id).await;
    store.complete_request(id, reply, &[], false, &tester()).await.unwrap()
}

async fn reply(store: &Store, ca: &TestCa, id: RequestId) -> Vec<X509> {
    let csr = store.find_request(id).await.unwrap().csr;
    vec![X509::parse(&ca.sign_now(&csr)).unwrap(), X509::parse(ca.intermediate_der()).unwrap()]
}

#[tokio::test]
async fn a_saved_site_is_in_the_table_and_in_the_ledger_at_once_and_after_a_restart() {
    let test = TestStore::open().await;
    let id = test.store.create_site(new_site("Bookshop", "shop.example"), &tester()).await.unwrap();
    let site = test.store.table().site(id).unwrap().clone();
    assert_eq!(site.version, test.store.table().revision());
    assert!(site.folder.join("index.html").exists());
    let change = &test.store.list_changes(&ChangeFilter::default(), 10).await.unwrap()[0];
    assert_eq!((change.thing, change.id, change.summary.as_str()), (Thing::Site, id, "added the site Bookshop"));
    assert_eq!(change.before, None);

    let again = Store::open(test.folder.path()).await.unwrap();
    assert_eq!(again.table().site(id), Some(&site));
}

#[tokio::test]
async fn an_edit_over_another_s_edit_is_refused_and_names_them() {
    let test = TestStore::open().await;
    let id = test.store.create_site(new_site("Bookshop", ""), &tester()).await.unwrap();
    let version = test.store.table().site(id).unwrap().version;
    let tomas = Author { name: "Tomas Reyes".into(), ..tester() };
    test.store.update_ssl(id, version, RequireSsl::Refuse, &tomas).await.unwrap();
    let late = test.store.update_ssl(id, version, RequireSsl::Redirect, &tester()).await;
    assert!(matches!(late, Err(StoreError::Stale { by, .. }) if by == "Tomas Reyes"));
    assert_eq!(test.store.table().site(id).unwrap().rules.site().in_clear(), RequireSsl::Refuse);
    let gone = test.store.delete_site(id, version, &tester()).await;
    assert!(matches!(gone, Err(StoreError::Stale { .. })), "a delete is no way round it");
}

#[tokio::test]
async fn two_sites_never_share_a_place_and_a_port_speaks_one_protocol() {
    let test = TestStore::open().await;
    let (store, ca) = (&test.store, TestCa::new());
    store.create_site(new_site("Bookshop", "shop.example"), &tester()).await.unwrap();
    let revision = store.table().revision();
    let taken = store.create_site(new_site("Other", "SHOP.example."), &tester()).await;
    assert!(matches!(taken, Err(StoreError::PlaceTaken { site, .. }) if site == "Bookshop"));
    let named = store.create_site(new_site("bookshop", "other.example"), &tester()).await;
    assert!(matches!(named, Err(StoreError::NameTaken(_))));
    let mut twice = new_site("Twice", "a.example");
    twice.bindings.push(twice.bindings[0].clone());
    assert!(matches!(store.create_site(twice, &tester()).await, Err(StoreError::PlaceTaken { .. })));
    assert_eq!(store.table().revision(), revision, "nothing was saved");
    assert_eq!(std::fs::read_dir(test.folder.path().join(SITES_FOLDER)).unwrap().count(), 1, "nor left behind");

    let certificate = certificate(store, &ca, "shop.example").await;
    let site = store.table().sites().next().unwrap().id;
    let mut draft = https("shop.example", certificate);
    draft.place.port = parse_port("80").unwrap();
    draft.place.host = HostPattern::parse("www.shop.example").unwrap();
    let clash = store.create_binding(site, draft, &tester()).await;
    assert!(matches!(clash, Err(StoreError::PortSpeaks { port: 80, protocol: Protocol::Http, .. })));
}

#[tokio::test]
async fn a_reply_completes_its_request_once_and_switches_the_bindings_in_one_change() {
    let test = TestStore::open().await;
    let (store, ca) = (&test.store, TestCa::new());
    let site = store.create_site(new_site("Bookshop", "shop.example"), &tester()).await.unwrap();
    let old = certificate(store, &ca, "shop.example").await;
    let binding = store.create_binding(site, https("shop.example", old), &tester()).await.unwrap();
    let id = request(store, Some(site), "shop.example").await;
    let answer = reply(store, &ca, id).await;
    let before = store.table().revision();

    let new = store
        .complete_request(id, answer.clone(), &[Served { binding, certificate: old }], false, &tester())
        .await
        .unwrap();
    let table = store.table();
    assert_eq!(table.revision(), before + 1);
    let served = table.site(site).unwrap().bindings[1].certificate.clone().unwrap();
    assert_eq!((served.id, served.fingerprint), (new, answer[0].fingerprint));
    assert_eq!(store.find_certificate(new).await.unwrap().chain.len(), 2, "leaf and intermediate");
    assert!(store.certified_key(new).await.unwrap().keys_match().is_ok());

    let other = request(store, Some(site), "shop.example").await;
    let late = reply(store, &ca, other).await;
    for seen in [Served { binding, certificate: old }, Served { binding: 999, certificate: old }] {
        let refused = store.complete_request(other, late.clone(), &[seen], true, &tester()).await;
        assert!(matches!(refused, Err(StoreError::BindingsChanged)), "it is not what was seen: {refused:?}");
    }
    let twice = store.complete_request(id, answer, &[], false, &tester()).await;
    assert!(matches!(twice, Err(StoreError::RequestClosed(_))));
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let test = TestStore::open().await;
    let (store, ca) = (&test.store, TestCa::new());
    let (mine, other) = (request(store, None, "shop.example").await, request(store, None, "other.example").await);
    let (mine_reply, other_reply) = (reply(store, &ca, mine).await, reply(store, &ca, other).await);
    let revision = store.table().revision();

    let wrong = store.complete_request(mine, other_reply.clone(), &[], true, &tester()).await;
    assert!(matches!(wrong, Err(StoreError::OtherRequest { id, .. }) if id == other));
    let no_leaf = store.complete_request(mine, vec![other_reply[1].clone()], &[], true, &tester()).await;
    assert!(matches!(no_leaf, Err(StoreError::Install(InstallError::NoLeaf))));
    assert_eq!(store.table().revision(), revision);

    store.withdraw_request(other, &tester()).await.unwrap();
    let withdrawn = store.complete_request(other, other_reply.clone(), &[], true, &tester()).await;
    assert!(matches!(withdrawn, Err(StoreError::RequestClosed(why)) if why.contains("withdrawn")));
    let unknown = store.complete_request(mine, other_reply, &[], true, &tester()).await;
    assert!(matches!(unknown, Err(StoreError::Install(InstallError::KeyMismatch { .. }))));
    store.complete_request(mine, mine_reply, &[], false, &tester()).await.unwrap();
}

#[tokio::test]
async fn an_expired_leaf_or_an_uncovered_name_needs_a_confirmation() {
    let test = TestStore::open().await;
    let (store, ca) = (&test.store, TestCa::new());
    let site = store.create_site(new_site("Bookshop", ""), &tester()).await.unwrap();
    let id = request(store, None, "shop.example").await;
    let csr = store.find_request(id).await.unwrap().csr;
    let now = tester().now;
    let expired = ca.sign(&csr, now - Duration::days(90), now - Duration::days(1), None);
    let expired = vec![X509::parse(&expired).unwrap()];
    let refused = store.complete_request(id, expired.clone(), &[], false, &tester()).await;
    assert!(matches!(refused, Err(StoreError::Doubtful(doubts)) if matches!(doubts[0], Doubt::Expired(_))));
    store.complete_request(id, expired, &[], true, &tester()).await.unwrap();

    let good = certificate(store, &ca, "shop.example").await;
    let refused = store.create_binding(site, https("www.shop.example", good), &tester()).await;
    assert!(matches!(refused, Err(StoreError::Doubtful(doubts)) if matches!(doubts[0], Doubt::NotCovered(_))));
    let confirmed = BindingDraft { confirmed: true, ..https("www.shop.example", good) };
    store.create_binding(site, confirmed, &tester()).await.unwrap();
}

#[tokio::test]
async fn a_certificate_in_use_cannot_be_removed_and_an_unused_one_takes_its_key_along() {
    let test = TestStore::open().await;
    let (store, ca) = (&test.store, TestCa::new());
    let site = store.create_site(new_site("Bookshop", ""), &tester()).await.unwrap();
    let id = certificate(store, &ca, "shop.example").await;
    let binding = store.create_binding(site, https("shop.example", id), &tester()).await.unwrap();
    let used = store.delete_certificate(id, &tester()).await;
    assert!(matches!(used, Err(StoreError::CertificateInUse(sites)) if sites == "Bookshop"));
    let version = store.table().site(site).unwrap().version;
    store.delete_binding(site, binding, version, &tester()).await.unwrap();
    store.delete_certificate(id, &tester()).await.unwrap();
    assert!(matches!(store.certified_key(id).await, Err(StoreError::Gone)));
    let sealed = sqlx::query_scalar!("SELECT count(*) FROM keys WHERE sealed <> x''").fetch_one(store.reader()).await;
    assert_eq!(sealed.unwrap(), 0);
}

#[tokio::test]
async fn an_authority_signs_a_pending_request_and_the_console() {
    let test = TestStore::open().await;
    let authority = test.store.create_authority("Inside", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let id = request(&test.store, None, "intranet").await;
    let certificate = test.store.sign_request(id, authority, &tester()).await.unwrap();
    let certificate = test.store.find_certificate(certificate).await.unwrap();
    assert!(certificate.facts.covers(&HostName::parse("intranet").unwrap()));
    assert_eq!(certificate.chain.len(), 1, "the root is not sent along");
    assert_eq!(certificate.facts.issuer, "Inside");
    assert!(test.store.console_certificate(&[], &tester()).await.is_ok());
}

#[tokio::test]
async fn what_another_process_commits_is_published_and_never_overwritten() {
    let test = TestStore::open().await;
    let other = Store::open(test.folder.path()).await.unwrap();
    let mut news = test.store.sites();
    let theirs = other.create_site(new_site("Theirs", "a.example"), &tester()).await.unwrap();
    let seen = tokio::time::timeout(std::time::Duration::from_secs(1), news.changed()).await.unwrap().unwrap();
    assert!(seen.site(theirs).is_some(), "within a second");

    other.create_site(new_site("Also theirs", "b.example"), &tester()).await.unwrap();
    let ours = test.store.create_site(new_site("Ours", "c.example"), &tester()).await.unwrap();
    assert_eq!(test.store.table().sites().count(), 3, "a write catches up first");
    assert_eq!(test.store.table().site(ours).unwrap().version, other.table().revision() + 1);
}

#[tokio::test]
async fn readers_keep_the_table_they_borrowed_while_writers_race() {
    let test = TestStore::open().await;
    let writers = (0..8).map(|i| {
        let store = test.store.clone();
        tokio::spawn(async move {
            store.create_site(new_site(&format!("site {i}"), &format!("h{i}.example")), &tester()).await
        })
    });
    let mut revisions = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
        revisions.push(test.store.table().revision());
    }
    assert!(revisions.is_sorted());
    assert_eq!(test.store.table().revision(), 8);
    assert_eq!(test.store.list_changes(&ChangeFilter::default(), 100).await.unwrap().len(), 8, "dense");
}

#[tokio::test]
async fn an_invitation_adds_one_person_and_the_first_person_ends_all_others() {
    let test = TestStore::open().await;
    let (store, now) = (&test.store, tester().now);
    let (first, spare) = (
        store.create_invitation("set-up", &tester()).await.unwrap(),
        store.create_invitation("set-up", &tester()).await.unwrap(),
    );
    let inga = || NewUser { name: "Inga".into(), mail: "inga@example.org".into(), password_hash: "hash".into() };
    let user = store.create_user(&first, inga(), now).await.unwrap();
    for token in [&first, &spare, &String::from("made up")] {
        assert!(matches!(store.create_user(token, inga(), now).await, Err(StoreError::InvitationGone)));
    }
    let late = store.create_invitation("Tomas", &tester()).await.unwrap();
    let after = now + Duration::hours(INVITATION_HOURS + 1);
    assert!(matches!(store.find_invitation(&late, after).await, Err(StoreError::InvitationGone)));
    for name in ["INGA", "siteward"] {
        let other = NewUser { name: name.into(), mail: "other@example.org".into(), ..inga() };
        assert!(matches!(store.create_user(&late, other, now).await, Err(StoreError::NameTaken(_))), "{name}");
    }
    let taken = NewUser { name: "Tomas".into(), mail: "INGA@example.org".into(), ..inga() };
    assert!(matches!(store.create_user(&late, taken, now).await, Err(StoreError::MailTaken)));
    assert!(matches!(store.delete_user(user, &tester()).await, Err(StoreError::LastUser)));
    assert!(store.find_invitation(&late, now).await.is_ok(), "a refused attempt does not use it up");
}

#[tokio::test]
async fn a_session_ends_by_itself_by_signing_out_and_with_its_person() {
    let test = TestStore::open().await;
    let (store, now) = (&test.store, tester().now);
    for name in ["Inga", "Tomas"] {
        let token = store.create_invitation(name, &tester()).await.unwrap();
        let new = NewUser { name: name.into(), mail: format!("{name}@example.org"), password_hash: "hash".into() };
        store.create_user(&token, new, now).await.unwrap();
    }
    let users = store.list_users().await.unwrap();
    let session = store.create_session(users[0].id, now).await.unwrap();
    assert_eq!(store.find_session(&session, now).await.unwrap().unwrap().name, "Inga");
    let nearly = now + Duration::hours(SESSION_HOURS - 1);
    assert!(store.find_session(&session, nearly).await.unwrap().is_some());
    let later = nearly + Duration::hours(SESSION_HOURS - 1);
    assert!(store.find_session(&session, later).await.unwrap().is_some(), "it goes on while it is used");
    assert!(store.find_session(&session, later + Duration::hours(SESSION_HOURS)).await.unwrap().is_none());
    store.delete_session(&session).await.unwrap();
    assert!(store.find_session(&session, now).await.unwrap().is_none());
    let session = store.create_session(users[0].id, now).await.unwrap();
    let inga = Author { user: Some(users[0].id), ..tester() };
    let invited = store.create_invitation("a friend of Inga", &inga).await.unwrap();
    store.delete_user(users[0].id, &tester()).await.unwrap();
    assert!(matches!(store.find_invitation(&invited, now).await, Err(StoreError::InvitationGone)), "nor by a link");
    assert!(store.find_session(&session, now).await.unwrap().is_none());
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar!("SELECT token_digest FROM invitations").fetch_all(store.reader()).await.unwrap();
    assert!(kept.is_empty());
}

#[tokio::test]
async fn without_the_master_key_the_store_opens_says_so_and_unseals_nothing() {
    let test = TestStore::open().await;
    let ca = TestCa::new();
    let id = certificate(&test.store, &ca, "shop.example").await;
    std::fs::remove_file(test.folder.path().join(crate::vault::MASTER_KEY_FILE)).unwrap();
    let again = Store::open(test.folder.path()).await.unwrap();
    assert!(again.vault_trouble().unwrap().contains("Put it back"));
    assert!(matches!(again.certified_key(id).await, Err(StoreError::Vault(_))));
    assert!(again.console_certificate(&[], &tester()).await.is_ok(), "the console must be reachable to say so");
}

#[tokio::test]
async fn stopping_and_deleting_a_site_leaves_its_requests_and_certificates() {
    let test = TestStore::open().await;
    let store = &test.store;
    let site = store.create_site(new_site("Bookshop", ""), &tester()).await.unwrap();
    let pending = request(store, Some(site), "shop.example").await;
    let version = store.table().site(site).unwrap().version;
    store.update_site_state(site, version, SiteState::Stopped, &tester()).await.unwrap();
    let version = store.table().site(site).unwrap().version;
    store.delete_site(site, version, &tester()).await.unwrap();
    assert!(store.table().site(site).is_none());
    let kept = store.find_request(pending).await.unwrap();
    assert_eq!((kept.site, kept.state), (None, RequestState::Pending));
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    let test = TestStore::open().await;
    let (store, now) = (&test.store, tester().now);
    let token = store.create_invitation("Inga", &tester()).await.unwrap();
    let new = NewUser { name: "Inga".into(), mail: "inga@example.org".into(), password_hash: "old".into() };
    let user = store.create_user(&token, new, now).await.unwrap();
    let (here, elsewhere) =
        (store.create_session(user, now).await.unwrap(), store.create_session(user, now).await.unwrap());
    store.update_password(user, "new", &here, &tester()).await.unwrap();
    assert_eq!(store.find_session(&here, now).await.unwrap().unwrap().password_hash, "new");
    assert!(store.find_session(&elsewhere, now).await.unwrap().is_none());
}

#[tokio::test]
async fn a_withdrawn_invitation_is_worth_nothing() {
    let test = TestStore::open().await;
    let now = tester().now;
    let token = test.store.create_invitation("Tomas", &tester()).await.unwrap();
    let id = test.store.list_invitations(now).await.unwrap()[0].id;
    test.store.withdraw_invitation(id, &tester()).await.unwrap();
    assert!(matches!(test.store.find_invitation(&token, now).await, Err(StoreError::InvitationGone)));
    assert!(matches!(test.store.withdraw_invitation(id, &tester()).await, Err(StoreError::Gone)));
}

#[tokio::test]
async fn a_destroyed_key_leaves_no_trace_in_the_files() {
    let test = TestStore::open().await;
    let id = request(&test.store, None, "shop.example").await;
    let sealed = sqlx::query_scalar!("SELECT sealed FROM keys").fetch_one(test.store.reader()).await.unwrap();
    let traces = || {
        let files = [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal")];
        let bytes = files.map(|file| std::fs::read(test.folder.path().join(file)).unwrap_or_default());
        bytes.iter().filter(|bytes| bytes.windows(32).any(|window| window == &sealed[20..52])).count()
    };
    assert!(traces() > 0);
    test.store.withdraw_request(id, &tester()).await.unwrap();
    assert_eq!(traces(), 0);
}

#[tokio::test]
async fn only_the_owner_reads_the_database_whatever_the_folder_allows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    store.create_site(new_site("Bookshop", ""), &tester()).await.unwrap();
    for file in [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal"), format!("{DATABASE_FILE}-shm")] {
        let mode = std::fs::metadata(folder.path().join(&file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn several_first_starts_at_once_all_open_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let path = folder.path().to_owned();
            tokio::spawn(async move { Store::open(&path).await })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap().unwrap().vault_trouble(), None);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_nothing_else() {
    let test = TestStore::open().await;
    let (store, ca) = (&test.store, TestCa::new());
    let damaged = store.create_site(new_site("Damaged", "a.example"), &tester()).await.unwrap();
    let certificate = certificate(store, &ca, "a.example").await;
    store.create_binding(damaged, https("a.example", certificate), &tester()).await.unwrap();
    for damage in [
        "UPDATE bindings SET host = 'my_shop.example' WHERE protocol = 'http'",
        "UPDATE certificates SET names = '[\"_\"]'",
    ] {
        sqlx::query(damage).execute(&store.0.writer).await.unwrap();
    }
    let again = Store::open(test.folder.path()).await.unwrap();
    let site = again.table().site(damaged).unwrap().clone();
    assert_eq!(site.bindings.len(), 1, "the unreadable place is not served");
    assert_eq!(site.bindings[0].certificate, None, "and https is closed");
    again.create_site(new_site("Other", "b.example"), &tester()).await.unwrap();
}

#[tokio::test]
async fn a_moved_data_directory_takes_the_folders_of_its_sites_along() {
    let test = TestStore::open().await;
    let id = test.store.create_site(new_site("Bookshop", ""), &tester()).await.unwrap();
    test.store.close().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("data");
    std::fs::rename(test.folder.path(), &moved).unwrap();
    let store = Store::open(&moved).await.unwrap();
    assert!(store.table().site(id).unwrap().folder.starts_with(moved.canonicalize().unwrap()));
    assert!(store.table().site(id).unwrap().folder.join("index.html").exists());
}

#[tokio::test]
async fn a_write_that_is_given_up_after_its_commit_is_published_all_the_same() {
    let test = TestStore::open().await;
    for i in 0..20u64 {
        let name = format!("site {i}");
        let (by, new) = (tester(), new_site(&name, &format!("h{i}.example")));
        let write = test.store.create_site(new, &by);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(300 * i), write).await;
    }
    let saved = test.store.count_changes(&ChangeFilter::default()).await.unwrap();
    let mut news = test.store.sites();
    while test.store.table().revision() < saved {
        tokio::time::timeout(std::time::Duration::from_secs(2), news.changed()).await.unwrap().unwrap();
    }
    assert_eq!(test.store.table().sites().count() as i64, saved);
}
