//! What is shown before a trust list is changed.

use siteward_core::testing_ca::TestClient;

use super::*;

/// Lets these come to a place that asks the list 1, with the CA that issued for them.
async fn came(browser: &Browser, ca: &TestCa, clients: &[(&str, &TestClient)]) {
    let now = crate::session::now();
    let seen = clients.iter().map(|(name, client)| ca.seen(1, client, &format!("CN={name}"), now));
    browser.store.record_seen(&seen.collect::<Vec<_>>()).await.unwrap();
}

/// A browser, the CA of a list that a site's `/partners` asks, and Ann and Ben, who came there.
async fn asked() -> (Browser, TestCa, [TestClient; 2]) {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    partners(&mut browser, &ca).await;
    let site = browser.https_site("Shop", "shop.example", "refuse").await;
    require(&browser, site, "/partners", 1).await;
    let clients = ["Ann", "Ben"].map(|name| ca.client_now(name));
    came(&browser, &ca, &[("Ann", &clients[0]), ("Ben", &clients[1])]).await;
    (browser, ca, clients)
}

fn revision(browser: &Browser) -> i64 {
    browser.store.table().revision()
}

fn lacks(page: &Page, text: &str) {
    assert!(!page.html.contains(text), "{text:?} in {}", page.html);
}

#[tokio::test]
async fn whom_the_removal_of_a_ca_turns_away_is_shown_before_it_is_confirmed() {
    let (mut browser, ca, _) = asked().await;
    let (other, revision_of) = (TestCa::new(), revision(&browser));
    let root = X509::parse(other.root_der()).unwrap();
    browser.store.add_trusted_cas(1, &[root], &tester()).await.unwrap();
    let zoe = other.client_now("Zoe");
    came(&browser, &other, &[("Zoe", &zoe)]).await;
    let page = browser.get("/trust-lists/1/cas/1/remove").await;
    let why = "403.16 Client certificate untrusted or invalid<span class=\"sub\">No CA of the trust list signed it";
    has(&page, 200, &["Without Test Root CA", "2 of 3", "CN=Ann", "CN=Ben", why, "Shop</a>, /partners"]);
    lacks(&page, "CN=Zoe");
    has(&browser.get("/trust-lists/1/cas/2/remove").await, 200, &["1 of 3", "CN=Zoe"]);
    assert_eq!(revision(&browser), revision_of + 1, "nothing is changed by looking");

    let many: Vec<(String, TestClient)> = (0..21).map(|n| (format!("Guest {n}"), ca.client_now("Guest"))).collect();
    let many: Vec<(&str, &TestClient)> = many.iter().map(|(name, client)| (name.as_str(), client)).collect();
    came(&browser, &ca, &many).await;
    let page = browser.get("/trust-lists/1/cas/1/remove").await;
    has(&page, 200, &["23 of 24", "And 3 further certificates."]);
    assert_eq!(page.html.matches("403.16 Client").count(), 20);
}

#[tokio::test]
async fn where_nobody_came_or_nobody_asks_the_page_says_so() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    partners(&mut browser, &ca).await;
    let page = browser.get("/trust-lists/1/cas/1/remove").await;
    has(&page, 200, &["there is nothing to judge the change by", "No place of a site asks this list"]);
    lacks(&page, "Who would be turned away");
    let page = browser.get("/trust-lists/1/cas/new").await;
    has(&page, 200, &["There is none yet.", "Make an authority"]);
}

#[tokio::test]
async fn a_form_shows_whom_it_would_turn_away_keeps_what_was_typed_and_saves_nothing() {
    let (mut browser, ca, [_, ben]) = asked().await;
    let version = in_store(&browser, 1).await.version.to_string();
    let before = revision(&browser);
    let preview = ("do", "preview");
    let sent = [("rules", "cn is Ann"), ("version", version.as_str()), preview];
    let page = browser.post("/trust-lists/1/rules", &sent).await;
    has(&page, 200, &["Lets in: Common name is Ann", "1 of 2", "CN=Ben", "403.12", "no allow rule lets its holder in"]);
    has(&page, 200, &["cn is Ann</textarea>"]);
    lacks(&page, "CN=Ann");
    let bad = [("rules", "Colour is blue"), ("version", version.as_str()), preview];
    let page = browser.post("/trust-lists/1/rules", &bad).await;
    has(&page, 422, &["Line 1: Begin with a field", "Colour is blue"]);
    lacks(&page, "Before you save");

    let address = [("address", "http://pki.example/ca.crl"), ("version", version.as_str()), preview];
    let page = browser.post("/trust-lists/1/cas/1", &address).await;
    let first = "from http://pki.example/ca.crl, until the first one is fetched";
    has(&page, 200, &[first, "2 of 2", "403.13", "can’t be known", "value=\"http://pki.example/ca.crl\""]);
    let edit = [("name", "Suppliers"), ("stale", "open"), ("version", version.as_str()), preview];
    let page = browser.post("/trust-lists/1/edit", &edit).await;
    has(&page, 200, &["Open", "Nobody", "of the 2 client certificates", "value=\"Suppliers\""]);
    assert_eq!(revision(&browser), before, "nothing is saved");

    let now = crate::session::now();
    let crl = ca.root_crl(&[&ben.serial()], 1, now - Duration::HOUR, now + Duration::days(3));
    browser.store.upload_crl(1, 1, crl, &tester()).await.unwrap();
    let closed = in_store(&browser, 1).await.version.to_string();
    let never = [("do", "preview-never"), ("version", closed.as_str())];
    let page = browser.post("/trust-lists/1/cas/1", &never).await;
    has(&page, 200, &["Without asking what Test Root CA revoked", "2 are refused now and would be let in."]);
    let stale = browser.post("/trust-lists/1/cas/1", &[("do", "preview-never"), ("version", &version)]).await;
    has(&stale, 409, &["changed this"]);
}

#[tokio::test]
async fn what_is_brought_is_shown_with_its_effect_and_stays_in_the_form() {
    let (mut browser, ca, [_, ben]) = asked().await;
    let issuing = X509::parse(ca.intermediate_der()).unwrap();
    let before = revision(&browser);
    let files = [("issuing.cer", ca.intermediate_der())];
    let page = browser.bring_with("/trust-lists/1/cas/new", &files, &[("do", "preview")]).await;
    has(&page, 200, &["With Test Issuing CA on the list", "Nobody", &issuing.to_pem(), "needn’t be chosen again"]);
    let pasted = [("text", &*ca.root_pem()), ("do", "preview")];
    let page = browser.bring_with("/trust-lists/1/cas/new", &[], &pasted).await;
    has(&page, 422, &["Test Root CA is on this list already.", ca.root_pem().trim_end()]);
    assert_eq!(revision(&browser), before);

    let added = browser.store.add_trusted_cas(1, &[issuing], &tester()).await.unwrap()[0];
    let path = format!("/trust-lists/1/cas/{added}/crl");
    let now = crate::session::now();
    let crl = |serials: &[&[u8]]| ca.issuing_crl(serials, 1, now - Duration::HOUR, now + Duration::days(3));
    let small = crl(&[&ben.serial()]);
    let page = browser.bring_with(&path, &[("ca.crl", &small)], &[("do", "preview")]).await;
    has(&page, 200, &["1 of 2", "CN=Ben", "403.13", "is on the revocation list", "-----BEGIN X509 CRL-----"]);
    let (_, kept) = page.html.split_once("-----BEGIN X509 CRL-----").unwrap();
    let (kept, _) = kept.split_once("</textarea>").unwrap();
    let kept = format!("-----BEGIN X509 CRL-----{kept}");
    assert!(in_store(&browser, 1).await.cas.iter().all(|ca| ca.crl.is_none()), "nothing is saved");
    let many: Vec<Vec<u8>> = (0..3_000_u16).map(|n| [&[1; 18][..], &n.to_be_bytes()].concat()).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    let page = browser.bring_with(&path, &[("large.crl", &crl(&many))], &[("do", "preview")]).await;
    has(&page, 200, &["Nobody", "Choose the file again before you save"]);
    let page = browser.bring_with(&path, &[], &[("text", &kept)]).await;
    assert_eq!(page.status, 303, "{}", page.html);
}

#[tokio::test]
async fn undoing_a_change_of_a_list_shows_whom_it_turns_away_and_what_does_not_come_back() {
    let (mut browser, ca, [ann, _]) = asked().await;
    let now = crate::session::now();
    let version = async |browser: &Browser| in_store(browser, 1).await.version.to_string();
    let rules = [("rules", "cn is Ann"), ("version", &version(&browser).await)];
    browser.submit("/trust-lists/1/rules", &rules).await;
    let none = [("rules", ""), ("version", &version(&browser).await)];
    browser.submit("/trust-lists/1/rules", &none).await;
    let page = browser.get(&format!("/activity/{}/undo", revision(&browser))).await;
    has(&page, 200, &["Before you undo it", "With what held before this change", "1 of 2", "CN=Ben", "403.12"]);

    let crl = ca.root_crl(&[&ann.serial()], 1, now - Duration::HOUR, now + Duration::days(3));
    browser.store.upload_crl(1, 1, crl, &tester()).await.unwrap();
    let open = [("name", "Partners"), ("stale", "open"), ("version", &version(&browser).await)];
    browser.submit("/trust-lists/1/edit", &open).await;
    let opened = version(&browser).await;
    browser.submit("/trust-lists/1/cas/1/remove", &[("version", &opened)]).await;
    let undo = format!("/activity/{}/undo", revision(&browser));
    let page = browser.get(&undo).await;
    let lost = "The revocation list of Test Root CA does not come back.";
    let doubt = "whoever Test Root CA revoked would be let in until a list is here";
    has(&page, 422, &[lost, doubt, "Put it back all the same", "2 are refused now and would be let in."]);
    has(&browser.post(&undo, &[]).await, 422, &[doubt]);
    let page = browser.submit(&undo, &[("confirmed", "yes")]).await;
    has(&page, 200, &["Change undone, but for a revocation list.", "<h1>Partners</h1>", "No list"]);
}

#[tokio::test]
async fn a_list_that_is_named_where_certificates_are_ignored_or_tried_says_where_and_stays() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let list = partners(&mut browser, &ca).await;
    let site = browser.https_site("Shop", "shop.example", "refuse").await;
    let version = browser.version(site).parse().unwrap();
    let settings = Settings { trust: Some(1), ..Settings::default() };
    let draft = |path: &str| RuleDraft { path: RulePath::parse(path).unwrap(), settings, reason: String::new() };
    browser.store.create_rule(site, version, draft("/lounge"), &tester()).await.unwrap();
    browser.store.create_trial(site, None, draft("/tills"), &tester()).await.unwrap();
    let places = "Shop</a>, /lounge (certificates are ignored) and /tills (report only)";
    has(&browser.get(&list).await, 200, &["No place of a site.", "Named where it is not asked", places]);
    has(&browser.get("/trust-lists").await, 200, &["No site, named by 1"]);
    let page = browser.get(&format!("{list}/delete")).await;
    has(&page, 200, &["Sites name this list", places]);
    lacks(&page, "btn danger");
}

#[tokio::test]
async fn the_ssl_settings_tell_what_another_list_makes_of_the_certificates_that_came() {
    let (mut browser, ..) = asked().await;
    let other = make(&mut browser, "Suppliers").await;
    let page = browser.bring(&format!("{other}/cas/new"), &[("root.cer", TestCa::new().root_der())], "").await;
    assert_eq!(page.status, 303);
    let site = browser.store.table().sites().next().unwrap().clone();
    let rule = site.rules.list().iter().find(|rule| !rule.path.is_site()).unwrap().id;
    let (path, version) = (format!("/sites/{}/ssl/rules/{rule}", site.id), browser.version(site.id));
    let form = |trust: &'static str| {
        [
            ("path", "/partners"),
            ("clients", "require"),
            ("trust", trust),
            ("version", version.as_str()),
            ("do", "preview"),
        ]
    };
    let told = "Suppliers is asked instead of Partners. Of 2 remembered client certificates, 2 would be turned away.";
    has(&browser.post(&path, &form("2")).await, 200, &[told]);
    lacks(&browser.post(&path, &form("1")).await, "is asked instead of");
}
