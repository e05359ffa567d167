//! Whatever is undone is as it was, and nobody's later change goes with it.

use time::Duration;

use super::*;
use crate::binding::{Place, Protocol, parse_port};
use crate::chain::X509;
use crate::exemption::ExemptionDraft;
use crate::host::HostPattern;
use crate::key::KeyKind;
use crate::pages::PageDraft;
use crate::site::SiteState;
use crate::ssl::{
    ClearCredentials, ClientCertificates, Hsts, HstsDraft, HstsMode, HstsOrder, KeyExchange, RequireSsl, RulePath,
    Settings, Strength, TlsVersion, Trusted,
};
use crate::store::{
    BindingDraft, CertificateEdit, ChangeFilter, CrlSource, Folder, NewRequest, NewSelfSigned, NewSite, NewUser,
    RuleDraft, Served, SiteEdit, TrustListEdit,
};
use crate::subject::{Subject, SubjectAnswers};
use crate::testing::{TestStore, tester};
use crate::testing_ca::TestCa;
use crate::trust_list::{AllowRule, CrlAddress, Field, TrustListId, WhenStale};

fn place(protocol: Protocol, host: &str) -> Place {
    let port = parse_port(if protocol == Protocol::Http { "80" } else { "443" }).unwrap();
    Place { protocol, ip: None, port, host: HostPattern::parse(host).unwrap() }
}

fn https(host: &str, certificate: i64) -> BindingDraft {
    BindingDraft { place: place(Protocol::Https, host), certificate: Some(certificate), confirmed: true }
}

fn http(host: &str) -> BindingDraft {
    BindingDraft { place: place(Protocol::Http, host), certificate: None, confirmed: false }
}

fn rule(path: &str, settings: impl Into<Settings>) -> RuleDraft {
    RuleDraft { path: RulePath::parse(path).unwrap(), settings: settings.into(), reason: "Old tills".into() }
}

fn by(name: &str) -> Author {
    Author { name: name.into(), ..tester() }
}

/// A trust list that every store here has.
const LIST: TrustListId = 1;

/// A store with a site that has something of everything.
struct Shop {
    test: TestStore,
    site: SiteId,
    /// A certificate for `shop.example` and one for another name of it.
    certificates: [i64; 2],
    folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let test = TestStore::open().await;
        let store = &test.store;
        let edit = TrustListEdit { name: "Staff".into(), when_stale: WhenStale::Closed };
        assert_eq!(store.create_trust_list(edit, &tester()).await.unwrap(), LIST);
        let new = NewSite {
            name: "Shop".into(),
            folder: Folder::Own,
            bindings: vec![place(Protocol::Http, "shop.example")],
            require_ssl: RequireSsl::Redirect,
        };
        let site = store.create_site(new, &tester()).await.unwrap();
        let mut certificates = [0; 2];
        for certificate in &mut certificates {
            let names = ["shop.example", "*.shop.example"];
            let new = NewSelfSigned {
                friendly_name: "Shop".into(),
                names: names.map(|name| crate::certificate::SubjectName::parse(name).unwrap()).to_vec(),
                key: KeyKind::EcdsaP256,
                days: 90,
            };
            *certificate = store.create_self_signed(new, &tester()).await.unwrap();
        }
        store.create_binding(site, https("shop.example", certificates[0]), &tester()).await.unwrap();
        let shop = Self { site, certificates, folder: tempfile::tempdir().unwrap(), test };
        shop.store().create_rule(site, shop.version(), rule("/hooks", RequireSsl::Off), &tester()).await.unwrap();
        let file = ExemptionDraft::file("fileauth.txt", "2024-abc").unwrap();
        shop.store().create_exemption(site, file, &tester()).await.unwrap();
        shop.store().create_trial(site, None, rule("/vault", RequireSsl::Refuse), &tester()).await.unwrap();
        let page = PageDraft::parse("403", "/no.html").unwrap();
        shop.store().create_page(site, shop.version(), page, &tester()).await.unwrap();
        shop
    }

    fn store(&self) -> &Store {
        &self.test.store
    }

    fn version(&self) -> Revision {
        self.site().version
    }

    fn site(&self) -> Site {
        Site::clone(self.store().table().site(self.site).unwrap())
    }

    /// Every site, apart from who changed it last.
    fn state(&self) -> Vec<Site> {
        let table = self.store().table();
        let mut sites: Vec<Site> = table.sites().map(|site| Site { version: 0, ..Site::clone(site) }).collect();
        sites.sort_by_key(|site| site.id);
        sites
    }

    fn newest(&self) -> Revision {
        self.store().table().revision()
    }

    async fn undo(&self, revision: Revision) -> Result<()> {
        self.store().undo(revision, false, &by("Priya Nair")).await
    }

    async fn change(&self, revision: Revision) -> Change {
        self.store().find_change(revision).await.unwrap()
    }

    async fn settings(&self, settings: Settings, who: &Author) {
        self.store().update_ssl(self.site, self.version(), settings, who).await.unwrap();
    }

    async fn hsts(&self, order: HstsOrder) {
        let draft = HstsDraft { order, subdomains: false, preload: false };
        self.store().update_hsts(self.site, self.version(), draft, &tester()).await.unwrap();
    }
}

fn strict() -> Settings {
    Settings {
        require_ssl: Some(RequireSsl::Refuse),
        min_tls: Some(TlsVersion::Tls13),
        strength: Some(Strength::Bits256),
        key_exchange: Some(KeyExchange::PostQuantum),
        client_certificates: Some(ClientCertificates::Accept),
        trust: Some(LIST),
        clear_credentials: Some(ClearCredentials::Redirect),
    }
}

/// Every kind of change to a site that can be undone, each made from the same state.
async fn make(shop: &Shop, kind: &str) -> bool {
    let (store, id, version, me) = (shop.store(), shop.site, shop.version(), &tester());
    let site = shop.site();
    let (hooks, exemption) = (|| site.rules.list()[1].id, || site.exemptions.list()[0].id);
    let (clear, secured) = (|| site.bindings[0].id, || site.bindings[1].id);
    match kind {
        "ssl" => store.update_ssl(id, version, strict(), me).await.unwrap(),
        "rule added" => store.create_rule(id, version, rule("/vault", strict()), me).await.map(drop).unwrap(),
        "rule changed" => store.update_rule(id, hooks(), version, rule("/hooks/in", strict()), me).await.unwrap(),
        "rule removed" => store.delete_rule(id, hooks(), version, me).await.unwrap(),
        "exemption added" => {
            let thumbprint = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";
            let draft = ExemptionDraft::acme(&format!("tok.{thumbprint}"), me.now + Duration::HOUR).unwrap();
            store.create_exemption(id, draft, me).await.map(drop).unwrap();
        }
        "trial started" => store.create_trial(id, None, rule("/tills", strict()), me).await.map(drop).unwrap(),
        "trial replaced" => {
            let seen = Some(site.trials[0].id);
            store.create_trial(id, seen, rule("/vault", strict()), me).await.map(drop).unwrap();
        }
        "trial ended" => store.delete_trial(id, site.trials[0].id, me).await.unwrap(),
        "exemption removed" => store.delete_exemption(id, exemption(), me).await.unwrap(),
        "page added" => {
            store.create_page(id, version, PageDraft::parse("404", "/none.html").unwrap(), me).await.map(drop).unwrap();
        }
        "page changed" => {
            let draft = PageDraft::parse("403.4", "/https.html").unwrap();
            store.update_page(id, site.pages.list()[0].id, version, draft, me).await.unwrap();
        }
        "page removed" => store.delete_page(id, site.pages.list()[0].id, version, me).await.unwrap(),
        "renamed" => {
            let folder = shop.folder.path().display().to_string();
            store.update_site(id, version, SiteEdit { name: "Bookshop".into(), folder }, me).await.unwrap();
        }
        "stopped" => store.update_site_state(id, version, SiteState::Stopped, me).await.unwrap(),
        "binding added" => {
            let draft = https("www.shop.example", shop.certificates[0]);
            store.create_binding(id, draft, me).await.map(drop).unwrap();
        }
        "bindings added" => {
            let drafts = vec![http("a.shop.example"), http("b.shop.example"), https("", shop.certificates[1])];
            store.create_bindings(id, drafts, me).await.map(drop).unwrap();
        }
        "binding moved" => store.update_binding(id, clear(), version, http("tills.shop.example"), me).await.unwrap(),
        "certificate switched" => {
            let draft = https("shop.example", shop.certificates[1]);
            store.update_binding(id, secured(), version, draft, me).await.unwrap();
        }
        "binding removed" => store.delete_binding(id, secured(), version, me).await.unwrap(),
        "certificate installed" => {
            let (ca, served) = (TestCa::new(), Served::by(&site.bindings[1]).unwrap());
            let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
            let subject = Subject::parse(&answers).unwrap();
            let new = NewRequest { site: None, friendly_name: "Shop".into(), subject, key: KeyKind::EcdsaP256 };
            let request = store.create_request(new, me).await.unwrap();
            let csr = store.find_request(request).await.unwrap().csr;
            let reply = vec![X509::parse(&ca.sign_now(&csr)).unwrap(), X509::parse(ca.intermediate_der()).unwrap()];
            store.complete_request(request, reply, &[served], false, me).await.map(drop).unwrap();
        }
        "site added" => {
            let bindings = vec![place(Protocol::Http, "news.example")];
            let new = NewSite { name: "News".into(), folder: Folder::Own, bindings, require_ssl: RequireSsl::Off };
            store.create_site(new, me).await.map(drop).unwrap();
        }
        "site deleted" => store.delete_site(id, version, me).await.unwrap(),
        _ => return false,
    }
    true
}

const KINDS: [&str; 22] = [
    "ssl",
    "trial started",
    "trial replaced",
    "trial ended",
    "rule added",
    "rule changed",
    "rule removed",
    "exemption added",
    "exemption removed",
    "page added",
    "page changed",
    "page removed",
    "renamed",
    "stopped",
    "binding added",
    "bindings added",
    "binding moved",
    "certificate switched",
    "binding removed",
    "certificate installed",
    "site added",
    "site deleted",
];

#[tokio::test]
async fn each_change_undone_is_as_if_it_had_never_been_and_undone_again_as_it_was() {
    let shop = Shop::open().await;
    let before = shop.state();
    for kind in KINDS {
        assert!(make(&shop, kind).await);
        let (changed, revision) = (shop.state(), shop.newest());
        assert_ne!(changed, before, "{kind}");
        let told = shop.store().try_undo(revision, false, &tester()).await.unwrap();
        assert_eq!((shop.state(), shop.newest()), (changed.clone(), revision), "{kind}: looking changes nothing");

        shop.undo(revision).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(shop.state(), before, "{kind} undone");
        let undoing = shop.change(revision + 1).await;
        assert_eq!(undoing.undoes, Some(revision), "{kind}");
        assert_eq!((undoing.before.clone(), undoing.after.clone()), (told.before, told.after), "{kind}");
        let again = Store::open(shop.test.folder.path()).await.unwrap();
        assert_eq!(again.table().site(shop.site), shop.store().table().site(shop.site), "{kind} after a restart");
        again.close().await;

        shop.undo(revision + 1).await.unwrap_or_else(|error| panic!("{kind} again: {error}"));
        assert_eq!(shop.state(), changed, "{kind}: its undoing undone");
        shop.undo(revision + 2).await.unwrap_or_else(|error| panic!("{kind} a third time: {error}"));
        assert_eq!(shop.state(), before, "{kind} undone once more");
    }
    assert!(!make(&shop, "something else").await);
}

#[tokio::test]
async fn what_somebody_changed_since_is_not_undone_and_they_are_named() {
    for kind in KINDS {
        let shop = Shop::open().await;
        assert!(make(&shop, kind).await);
        let revision = shop.newest();
        shop.undo(revision).await.unwrap();
        shop.undo(revision + 1).await.unwrap();
        let (state, newest) = (shop.state(), shop.newest());
        let twice = shop.undo(revision + 1).await;
        assert!(matches!(twice, Err(StoreError::Undone { by, .. }) if by == "Priya Nair"), "{kind}");
        assert_eq!((shop.state(), shop.newest()), (state, newest), "{kind}");
    }
    let shop = Shop::open().await;
    shop.settings(strict(), &tester()).await;
    let first = shop.newest();
    let weaker = Settings { min_tls: Some(TlsVersion::Tls12), ..strict() };
    shop.settings(weaker, &by("Tomas Reyes")).await;
    shop.store().update_site_state(shop.site, shop.version(), SiteState::Stopped, &by("Owen Clarke")).await.unwrap();
    let refused = shop.undo(first).await;
    assert!(matches!(&refused, Err(StoreError::ChangedSince { by, .. }) if by == "Tomas Reyes"), "{refused:?}");
    shop.undo(first + 1).await.unwrap();
    shop.undo(first).await.unwrap();
    assert_eq!(shop.site().rules.own(), RequireSsl::Redirect.into());
    assert_eq!(shop.site().state, SiteState::Stopped, "what others changed elsewhere stays");
}

#[tokio::test]
async fn only_what_a_change_set_is_put_back() {
    let shop = Shop::open().await;
    shop.settings(Settings { min_tls: Some(TlsVersion::Tls13), ..RequireSsl::Redirect.into() }, &tester()).await;
    let first = shop.newest();
    let both = Settings { strength: Some(Strength::Bits256), ..shop.site().rules.own() };
    shop.settings(both, &tester()).await;
    shop.undo(first).await.unwrap();
    assert_eq!(shop.site().rules.own(), Settings { strength: Some(Strength::Bits256), ..RequireSsl::Redirect.into() });
}

#[tokio::test]
async fn what_was_before_is_put_back_only_where_it_may_be_set_today() {
    let shop = Shop::open().await;
    let (store, me) = (shop.store(), tester());
    assert!(make(&shop, "binding removed").await);
    let removed = shop.newest();
    let new = NewSite { name: "News".into(), folder: Folder::Own, bindings: vec![], require_ssl: RequireSsl::Off };
    let news = store.create_site(new, &me).await.unwrap();
    let taken = store.create_binding(news, https("shop.example", shop.certificates[0]), &me).await.unwrap();
    assert!(matches!(shop.undo(removed).await, Err(StoreError::PlaceTaken { site, .. }) if site == "News"));
    store.delete_binding(news, taken, store.table().site(news).unwrap().version, &me).await.unwrap();

    let late = Author { now: me.now + Duration::days(91), ..tester() };
    let expired = store.undo(removed, false, &late).await;
    assert!(matches!(expired, Err(StoreError::Doubtful(_))), "{expired:?}");
    store.undo(removed, true, &late).await.unwrap();
    assert_eq!(shop.site().bindings.len(), 2);

    assert!(make(&shop, "binding removed").await);
    store.delete_certificate(shop.certificates[0], &me).await.unwrap();
    let gone = shop.undo(shop.newest() - 1).await;
    assert!(matches!(gone, Err(StoreError::Final(NO_CERTIFICATE))), "{gone:?}");

    assert!(make(&shop, "rule removed").await);
    let removed = shop.newest();
    store.create_rule(shop.site, shop.version(), rule("/hooks", RequireSsl::Refuse), &me).await.unwrap();
    assert!(matches!(shop.undo(removed).await, Err(StoreError::RuleTaken(_))));

    assert!(make(&shop, "renamed").await);
    let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings: vec![], require_ssl: RequireSsl::Off };
    let renamed = shop.newest();
    store.create_site(new, &me).await.unwrap();
    assert!(matches!(shop.undo(renamed).await, Err(StoreError::NameTaken(_))));

    store.delete_site(shop.site, shop.version(), &me).await.unwrap();
    assert!(matches!(shop.undo(renamed).await, Err(StoreError::Final(_))));
}

#[tokio::test]
async fn a_folder_that_may_not_be_served_any_more_is_not_gone_back_to() {
    let shop = Shop::open().await;
    let old = tempfile::tempdir().unwrap();
    let move_to = async |folder: &std::path::Path| {
        let edit = SiteEdit { name: "Shop".into(), folder: folder.display().to_string() };
        shop.store().update_site(shop.site, shop.version(), edit, &tester()).await.unwrap();
    };
    move_to(old.path()).await;
    move_to(shop.folder.path()).await;
    drop(old);
    let refused = shop.undo(shop.newest()).await;
    assert!(matches!(refused, Err(StoreError::Folder(_))), "{refused:?}");
}

#[tokio::test]
async fn what_browsers_were_promised_stays_remembered_when_hsts_is_undone() {
    let shop = Shop::open().await;
    let told = || shop.site().hsts;
    shop.hsts(HstsOrder::Fixed(31_536_000)).await;
    let (first, promised) = (shop.newest(), told().unwrap());
    shop.undo(first).await.unwrap();
    let unwound = told().unwrap();
    assert_eq!((unwound.mode, unwound.max_age), (HstsMode::Unwind, 0));
    assert!(unwound.told_before >= promised.since + Duration::seconds(31_536_000));

    shop.undo(first + 1).await.unwrap();
    let again = told().unwrap();
    assert_eq!((again.mode, again.max_age), (HstsMode::Fixed, 31_536_000));
    assert!(again.told_before >= unwound.told_before);

    shop.hsts(HstsOrder::Fixed(300)).await;
    let shortened = shop.newest();
    shop.hsts(HstsOrder::Ramp).await;
    assert!(matches!(shop.undo(shortened).await, Err(StoreError::ChangedSince { .. })));
    shop.undo(shop.newest()).await.unwrap();
    shop.undo(shortened).await.unwrap();
    assert_eq!(told().map(|Hsts { mode, max_age, .. }| (mode, max_age)), Some((HstsMode::Fixed, 31_536_000)));

    let before = shop.state();
    shop.store().delete_site(shop.site, shop.version(), &tester()).await.unwrap();
    shop.undo(shop.newest()).await.unwrap();
    assert_eq!(shop.state(), before, "a site comes back with what its browsers remember");
}

#[tokio::test]
async fn the_team_s_words_roots_and_addresses_go_back_too() {
    let test = TestStore::open().await;
    let (store, me, ca) = (&test.store, tester(), TestCa::new());
    let last = || store.table().revision();
    let root = X509::parse(ca.root_der()).unwrap();
    store.create_root(&root, &me).await.unwrap();
    store.undo(last(), false, &me).await.unwrap();
    assert!(store.list_roots().await.unwrap().is_empty());
    store.undo(last(), false, &me).await.unwrap();
    assert_eq!(store.list_roots().await.unwrap()[0].certificate, root);
    store.delete_root(store.list_roots().await.unwrap()[0].id, &me).await.unwrap();
    store.undo(last(), false, &me).await.unwrap();
    assert_eq!(store.list_roots().await.unwrap()[0].certificate, root);

    let names = vec![crate::certificate::SubjectName::parse("shop.example").unwrap()];
    let new = NewSelfSigned { friendly_name: "Shop".into(), names, key: KeyKind::EcdsaP256, days: 90 };
    let id = store.create_self_signed(new, &me).await.unwrap();
    let edit = CertificateEdit { friendly_name: "Bookshop".into(), owner: None, note: "Two\nlines".into() };
    let version = store.find_certificate(id).await.unwrap().version;
    store.update_certificate(id, version, edit, &me).await.unwrap();
    store.undo(last(), false, &me).await.unwrap();
    let back = store.find_certificate(id).await.unwrap();
    assert_eq!((back.friendly_name.as_str(), back.note.as_str(), back.version), ("Shop", "", last()));

    let authority = store.create_authority("Test CA", KeyKind::EcdsaP256, &me).await.unwrap();
    let address = crate::authority::Address::parse("pki.example").unwrap().unwrap();
    store.update_authority_address(authority, "", Some(&address), &me).await.unwrap();
    let moved = last();
    store.undo(moved, false, &me).await.unwrap();
    assert_eq!(store.find_authority(authority).await.unwrap().address, None);
    assert!(matches!(store.undo(moved, false, &me).await, Err(StoreError::Undone { .. })));
}

#[tokio::test]
async fn each_change_of_a_trust_list_goes_back_too() {
    let test = TestStore::open().await;
    let (store, me, ca) = (&test.store, tester(), TestCa::new());
    let last = || store.table().revision();
    let root = X509::parse(ca.root_der()).unwrap();
    let issuing = X509::parse(ca.intermediate_der()).unwrap();
    let own = store.create_authority("Own CA", KeyKind::EcdsaP256, &me).await.unwrap();
    let edit = |name: &str, when_stale| TrustListEdit { name: name.into(), when_stale };
    let id = store.create_trust_list(edit("Partners", WhenStale::Closed), &me).await.unwrap();
    let first = store.add_trusted_cas(id, &[root], &me).await.unwrap()[0];
    store.add_trusted_authority(id, own, &me).await.unwrap();
    let rule = AllowRule::parse(Field::Organization, "Meridian*").unwrap();
    let address = CrlAddress::parse("http://pki.example/ca.crl").unwrap();
    let state = async || {
        let list = store.find_trust_list(id).await.ok().map(|mut list| {
            list.version = 0;
            list.cas.sort_by_key(|ca| ca.id);
            format!("{list:?}")
        });
        let in_force = store.table().trust_list(Trusted::List(id)).ok().map(|list| format!("{:?}", list.identity()));
        (list, in_force)
    };
    for kind in
        ["renamed", "CA added", "CA removed", "authority removed", "allowed", "fetched", "list added", "deleted"]
    {
        let (before, version) = (state().await, store.find_trust_list(id).await.unwrap().version);
        let cas = store.find_trust_list(id).await.unwrap().cas;
        match kind {
            "renamed" => store.update_trust_list(id, version, edit("Suppliers", WhenStale::Open), &me).await.unwrap(),
            "CA added" => {
                store.add_trusted_cas(id, std::slice::from_ref(&issuing), &me).await.map(drop).unwrap();
            }
            "CA removed" => store.remove_trusted_ca(id, version, cas[0].id, &me).await.unwrap(),
            "authority removed" => store.remove_trusted_ca(id, version, cas[1].id, &me).await.unwrap(),
            "allowed" => store.set_allow_rules(id, version, vec![rule.clone()], &me).await.unwrap(),
            "fetched" => store.set_crl_address(id, version, first, Some(&address), &me).await.unwrap(),
            "list added" => store.create_trust_list(edit("Others", WhenStale::Open), &me).await.map(drop).unwrap(),
            _ => store.delete_trust_list(id, version, &me).await.unwrap(),
        }
        let (changed, revision) = (state().await, last());
        assert!(changed != before || kind == "list added", "{kind}");
        for _ in 0..2 {
            store.undo(last(), false, &me).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert_eq!(state().await, before, "{kind} undone");
            store.undo(last(), false, &me).await.unwrap_or_else(|error| panic!("{kind} again: {error}"));
            assert_eq!(state().await, changed, "{kind} made again");
        }
        store.undo(last(), false, &me).await.unwrap();
        assert!(matches!(store.undo(revision, false, &me).await, Err(StoreError::Undone { .. })), "{kind}");
    }
    let version = store.find_trust_list(id).await.unwrap().version;
    store.remove_trusted_ca(id, version, first, &me).await.unwrap();
    let removed = last();
    let root = X509::parse(ca.root_der()).unwrap();
    store.add_trusted_cas(id, &[root], &by("Tomas Reyes")).await.unwrap();
    let refused = store.undo(removed, false, &me).await;
    assert!(matches!(refused, Err(StoreError::CaListed(_))), "{refused:?}");
}

#[tokio::test]
async fn a_ca_comes_back_to_an_open_list_without_its_revocation_list_only_where_that_is_confirmed() {
    let test = TestStore::open().await;
    let (store, me, ca) = (&test.store, tester(), TestCa::new());
    for (name, when_stale, crl, whole, is_asked) in [
        ("Closed", WhenStale::Closed, true, false, false),
        ("Open", WhenStale::Open, true, false, true),
        ("Never checked", WhenStale::Open, false, false, false),
        ("Closed and deleted", WhenStale::Closed, true, true, false),
        ("Open and deleted", WhenStale::Open, true, true, true),
    ] {
        let id = store.create_trust_list(TrustListEdit { name: name.into(), when_stale }, &me).await.unwrap();
        let root = X509::parse(ca.root_der()).unwrap();
        let own = store.add_trusted_cas(id, &[root], &me).await.unwrap()[0];
        if crl {
            let list = ca.root_crl(&[&[7]], 1, me.now - Duration::HOUR, me.now + Duration::DAY);
            store.upload_crl(id, own, list, &me).await.unwrap();
        }
        let version = store.find_trust_list(id).await.unwrap().version;
        match whole {
            true => store.delete_trust_list(id, version, &me).await.unwrap(),
            false => store.remove_trusted_ca(id, version, own, &me).await.unwrap(),
        }
        let removed = store.table().revision();
        let refused = store.undo(removed, false, &me).await;
        if is_asked {
            assert!(
                matches!(&refused, Err(StoreError::Unchecked(who)) if who == "Test Root CA"),
                "{name}: {refused:?}"
            );
            store.undo(removed, true, &me).await.unwrap();
        } else {
            refused.unwrap();
        }
        let back = store.find_trust_list(id).await.unwrap().cas.remove(0);
        let source = if crl { CrlSource::Uploaded } else { CrlSource::Never };
        assert_eq!((back.source, back.crl), (source, None), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_undone_says_why() {
    let test = TestStore::open().await;
    let (store, me) = (&test.store, tester());
    store.create_invitation("Owen Clarke", &me).await.unwrap();
    let names = vec![crate::certificate::SubjectName::parse("shop.example").unwrap()];
    let new = NewSelfSigned { friendly_name: "Shop".into(), names, key: KeyKind::EcdsaP256, days: 90 };
    let id = store.create_self_signed(new, &me).await.unwrap();
    store.delete_certificate(id, &me).await.unwrap();
    store.create_authority("Test CA", KeyKind::EcdsaP256, &me).await.unwrap();
    let changes = store.list_changes(&ChangeFilter::default(), 100).await.unwrap();
    assert_eq!(changes.len(), 4);
    for change in changes {
        let refused = store.undo(change.revision, false, &me).await;
        assert!(matches!(refused, Err(StoreError::Final(why)) if why.ends_with('.')), "{}", change.summary);
    }
    assert!(matches!(store.undo(99, false, &me).await, Err(StoreError::Gone)));
    assert_eq!(store.table().revision(), 4);
}

#[tokio::test]
async fn an_entry_of_a_time_when_less_was_kept_is_not_guessed_at() {
    let shop = Shop::open().await;
    assert!(make(&shop, "binding removed").await);
    let old = r#"UPDATE changes SET before = json_remove(before, '$.certificate_id') WHERE revision = ?"#;
    sqlx::query(old).bind(shop.newest()).execute(&shop.store().0.writer).await.unwrap();
    assert!(matches!(shop.undo(shop.newest()).await, Err(StoreError::Final(_))));
    assert!(make(&shop, "exemption removed").await);
    let old = r#"UPDATE changes SET before = json_remove(before, '$.content') WHERE revision = ?"#;
    sqlx::query(old).bind(shop.newest()).execute(&shop.store().0.writer).await.unwrap();
    assert!(matches!(shop.undo(shop.newest()).await, Err(StoreError::Final(_))));
}

#[tokio::test]
async fn the_list_tells_what_is_undone_however_often_that_was_undone_itself() {
    let shop = Shop::open().await;
    shop.settings(strict(), &tester()).await;
    let first = shop.newest();
    for n in 0..4 {
        let all: Vec<Revision> = (first..=shop.newest()).collect();
        let undone = shop.store().list_undone(&all).await.unwrap();
        for revision in all {
            let is_undone = revision < first + n && (first + n - revision) % 2 == 1;
            assert_eq!(undone.contains_key(&revision), is_undone, "{n}: {revision}");
        }
        shop.undo(first + n).await.unwrap();
    }
    let summary = shop.change(first + 2).await.summary;
    assert_eq!(summary, format!("undid change {}: changed the SSL settings of Shop", first + 1));
}

/// A certificate that tells itself apart from the others in words.
async fn another(shop: &Shop) -> i64 {
    let names = vec![crate::certificate::SubjectName::parse("*.shop.example").unwrap()];
    let new = NewSelfSigned { friendly_name: "Short".into(), names, key: KeyKind::EcdsaP256, days: 30 };
    shop.store().create_self_signed(new, &tester()).await.unwrap()
}

#[tokio::test]
async fn what_siteward_took_back_is_told_as_such_and_an_undoing_taken_back_undid_nothing() {
    for kind in ["certificate switched", "certificate installed"] {
        let shop = Shop::open().await;
        let store = shop.store();
        let siteward = Author::siteward(tester().now);
        let before = shop.state();
        assert!(make(&shop, kind).await);
        let (changed, first) = (shop.state(), shop.newest());
        shop.undo(first).await.unwrap();
        let undoing = shop.newest();
        assert!(store.take_back(undoing, "It is not accepted.", &siteward).await.unwrap(), "{kind}");
        assert_eq!(shop.state(), changed, "{kind}");
        assert!(store.list_undone(&[first]).await.unwrap().is_empty(), "{kind} is in force again");
        let refused = shop.undo(undoing).await;
        assert!(matches!(refused, Err(StoreError::Final(TAKEN_BACK))), "{kind}: {refused:?}");
        shop.undo(first).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(shop.state(), before, "{kind} undone at last");

        assert!(make(&shop, "certificate switched").await);
        let again = shop.newest();
        assert!(store.take_back(again, "It is not accepted.", &siteward).await.unwrap(), "{kind}");
        let refused = shop.undo(again).await;
        assert!(matches!(refused, Err(StoreError::Final(TAKEN_BACK))), "{kind}: {refused:?}");
    }
}

#[tokio::test]
async fn whoever_is_named_is_who_changed_that_binding_and_nobody_is_where_that_is_not_known() {
    for kind in ["certificate switched", "certificate installed"] {
        let shop = Shop::open().await;
        assert!(make(&shop, kind).await);
        let switched = shop.newest();
        let served = shop.site().bindings[1].clone();
        let draft = https("shop.example", another(&shop).await);
        shop.store().update_binding(shop.site, served.id, shop.version(), draft, &by("Tomas Reyes")).await.unwrap();
        shop.settings(strict(), &by("Owen Clarke")).await;
        let refused = shop.undo(switched).await;
        assert!(matches!(&refused, Err(StoreError::ChangedSince { by, .. }) if by == "Tomas Reyes"), "{refused:?}");
        shop.store().delete_binding(shop.site, served.id, shop.version(), &by("Owen Clarke")).await.unwrap();
        let refused = shop.undo(switched).await;
        match kind {
            "certificate switched" => {
                assert!(matches!(&refused, Err(StoreError::ChangedSince { by, .. }) if by == "Owen Clarke"));
            }
            _ => assert!(matches!(&refused, Err(StoreError::Final(why)) if why.contains("removed")), "{refused:?}"),
        }
    }
    let shop = Shop::open().await;
    assert!(make(&shop, "bindings added").await);
    let at = |place: Place| shop.site().bindings.into_iter().find(|own| own.place == place).unwrap().id;
    let (added, second) = (shop.newest(), at(http("b.shop.example").place));
    let tomas = by("Tomas Reyes");
    shop.store().update_binding(shop.site, second, shop.version(), http("c.shop.example"), &tomas).await.unwrap();
    let moved = shop.newest();
    shop.settings(strict(), &by("Owen Clarke")).await;
    let refused = shop.undo(added).await;
    assert!(matches!(&refused, Err(StoreError::ChangedSince { by, .. }) if by == "Tomas Reyes"), "{refused:?}");
    shop.undo(moved).await.unwrap();
    let third = https("", another(&shop).await);
    let id = at(third.place.clone());
    shop.store().update_binding(shop.site, id, shop.version(), third, &by("Ada Quinn")).await.unwrap();
    let refused = shop.undo(added).await;
    assert!(matches!(&refused, Err(StoreError::ChangedSince { by, .. }) if by == "Ada Quinn"), "{refused:?}");
    shop.undo(shop.newest()).await.unwrap();
    shop.undo(added).await.unwrap();
    let refused = shop.undo(moved + 2).await;
    assert!(matches!(refused, Err(StoreError::Final(SET_SINCE))), "gone together with others: {refused:?}");
}

#[tokio::test]
async fn bindings_that_go_back_to_different_certificates_are_told_one_by_one() {
    let shop = Shop::open().await;
    let (store, me) = (shop.store(), &tester());
    let other = another(&shop).await;
    store.create_binding(shop.site, https("www.shop.example", other), me).await.unwrap();
    let before = shop.state();
    let served: Vec<Served> = shop.site().bindings.iter().filter_map(Served::by).collect();
    let subject = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
    let subject = Subject::parse(&subject).unwrap();
    let new = NewRequest { site: None, friendly_name: "Shop".into(), subject, key: KeyKind::EcdsaP256 };
    let (request, ca) = (store.create_request(new, me).await.unwrap(), TestCa::new());
    let csr = store.find_request(request).await.unwrap().csr;
    let reply = vec![X509::parse(&ca.sign_now(&csr)).unwrap(), X509::parse(ca.intermediate_der()).unwrap()];
    store.complete_request(request, reply, &served, true, me).await.unwrap();
    let (changed, installed) = (shop.state(), shop.newest());
    store.undo(installed, true, me).await.unwrap();
    assert_eq!(shop.state(), before);
    let after = shop.change(installed + 1).await.after.unwrap();
    let told: Vec<&str> = after["switched"].as_str().unwrap().split("; ").collect();
    let own = |n: usize| before[0].bindings[n].certificate.as_ref().unwrap().in_words();
    assert_eq!(told.len(), 2, "{after}");
    for n in [1, 2] {
        assert!(told.contains(&format!("{}: {}", before[0].bindings[n].place, own(n)).as_str()), "{after}");
        assert!(after["certificate"].as_str().unwrap().contains(&own(n)), "{after}");
    }
    store.undo(installed + 1, true, me).await.unwrap();
    assert_eq!(shop.state(), changed);
    store.undo(installed + 2, true, me).await.unwrap();
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn an_owner_comes_back_as_the_person_they_were_and_what_is_gone_is_told_in_a_sentence() {
    let test = TestStore::open().await;
    let (store, me) = (&test.store, tester());
    let last = || store.table().revision();
    let join = async |name: &str, mail: &str| {
        let token = store.create_invitation(name, &me).await.unwrap();
        let new = NewUser { name: name.into(), mail: mail.into(), password_hash: "hash".into() };
        store.create_user(&token, new, me.now).await.unwrap()
    };
    join("Inga", "inga@example.org").await;
    let ada = join("Ada", "ada@example.org").await;
    let names = vec![crate::certificate::SubjectName::parse("shop.example").unwrap()];
    let new = NewSelfSigned { friendly_name: "Shop".into(), names, key: KeyKind::EcdsaP256, days: 90 };
    let id = store.create_self_signed(new, &me).await.unwrap();
    let owned_by = async |owner| {
        let edit = CertificateEdit { friendly_name: "Shop".into(), owner, note: String::new() };
        let version = store.find_certificate(id).await.unwrap().version;
        store.update_certificate(id, version, edit, &me).await.unwrap();
    };
    let owner = async || store.find_certificate(id).await.unwrap().owner.map(|(owner, _)| owner);
    owned_by(Some(ada)).await;
    owned_by(None).await;
    let left = last();
    store.undo(left, false, &me).await.unwrap();
    assert_eq!(owner().await, Some(ada));
    store.undo(last(), false, &me).await.unwrap();
    assert_eq!(owner().await, None);

    store.delete_user(ada, &me).await.unwrap();
    join("Ada", "another@example.org").await;
    let refused = store.undo(left, false, &me).await;
    assert!(matches!(refused, Err(StoreError::Final(why)) if why.contains("left the team")), "{refused:?}");
    assert_eq!(owner().await, None, "another person of the same name is not the owner");

    let old = "UPDATE changes SET before = json_remove(before, '$.owner_id') WHERE revision = ?";
    sqlx::query(old).bind(left).execute(&store.0.writer).await.unwrap();
    assert!(matches!(Undo::of(&store.find_change(left).await.unwrap()), Err(why) if why.contains("kept enough")));

    owned_by(Some(1)).await;
    let owned = last();
    store.delete_certificate(id, &me).await.unwrap();
    let refused = store.undo(owned, false, &me).await;
    assert!(matches!(refused, Err(StoreError::Final(why)) if why.contains("was removed")), "{refused:?}");

    store.create_authority("The console's", KeyKind::EcdsaP256, &me).await.unwrap();
    let authority = store.create_authority("Test CA", KeyKind::EcdsaP256, &me).await.unwrap();
    let address = crate::authority::Address::parse("pki.example").unwrap().unwrap();
    store.update_authority_address(authority, "", Some(&address), &me).await.unwrap();
    let moved = last();
    store.delete_authority(authority, &me).await.unwrap();
    let refused = store.undo(moved, false, &me).await;
    assert!(matches!(refused, Err(StoreError::Final(why)) if why.contains("was deleted")), "{refused:?}");
}

#[tokio::test]
async fn a_site_that_comes_back_still_tells_what_leaked() {
    let shop = Shop::open().await;
    let store = shop.store();
    let leak = "INSERT INTO leaks VALUES (?, 'cookie', 'Till', '192.0.2.0/24', 1, 1, 3)";
    sqlx::query(leak).bind(shop.site).execute(&store.0.writer).await.unwrap();
    assert!(make(&shop, "site deleted").await);
    assert_eq!(store.count_leaking_sites().await.unwrap(), 0);
    assert!(store.list_leaking_sites(5).await.unwrap().is_empty());
    shop.undo(shop.newest()).await.unwrap();
    assert_eq!(store.count_leaking_sites().await.unwrap(), 1);
    assert_eq!(store.list_leaking_sites(5).await.unwrap()[0].requests, 3);
    assert_eq!(store.list_leaks(shop.site).await.unwrap().len(), 1);
}
