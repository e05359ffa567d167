mod before;

use siteward_core::authority::{Order, Purpose, Reason};
use siteward_core::chain::X509;
use siteward_core::export::KeyFile;
use siteward_core::key::KeyKind;
use siteward_core::site::SiteState;
use siteward_core::ssl::{ClientCertificates, RulePath, Settings};
use siteward_core::store::{CrlSource, PfxOrder, RuleDraft};
use siteward_core::testing::tester;
use siteward_core::testing_ca::TestCa;
use time::Duration;

use super::*;
use crate::testing::{Browser, NAME, Page};

fn has(page: &Page, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.html);
    for text in texts {
        assert!(page.html.contains(text), "no {text:?} in {}", page.html);
    }
}

/// Makes a trust list with this name; its address.
async fn make(browser: &mut Browser, name: &str) -> String {
    let page = browser.post("/trust-lists/new", &[("name", name), ("stale", "closed")]).await;
    assert_eq!(page.status, 303, "{}", page.html);
    page.location.split('?').next().unwrap().to_owned()
}

/// The same with the root of a CA.
async fn partners(browser: &mut Browser, ca: &TestCa) -> String {
    let list = make(browser, "Partners").await;
    let page = browser.bring(&format!("{list}/cas/new"), &[("root.cer", ca.root_der())], "").await;
    assert_eq!(page.status, 303, "{}", page.html);
    list
}

async fn in_store(browser: &Browser, id: TrustListId) -> TrustListView {
    browser.store.find_trust_list(id).await.unwrap()
}

/// Lets a folder of a site ask a list.
async fn require(browser: &Browser, site: SiteId, path: &str, list: TrustListId) {
    let settings =
        Settings { client_certificates: Some(ClientCertificates::Require), trust: Some(list), ..Settings::default() };
    let version = browser.store.table().site(site).unwrap().version;
    let draft = RuleDraft { path: RulePath::parse(path).unwrap(), settings, reason: String::new() };
    browser.store.create_rule(site, version, draft, &tester()).await.unwrap();
}

#[tokio::test]
async fn a_list_is_made_filled_changed_and_shown_with_what_follows_for_visitors() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    has(&browser.get("/trust-lists").await, 200, &["There is no trust list yet"]);
    let page = browser.submit("/trust-lists/new", &[("name", " Partners "), ("stale", "closed")]).await;
    has(&page, 200, &["Trust list made.", "<h1>Partners</h1>", "No CA stands on this list", "closed"]);
    let page = browser.bring("/trust-lists/1/cas/new", &[], &(ca.root_pem() + "and once more" + &ca.root_pem())).await;
    assert!(page.location.starts_with("/trust-lists/1?saved=cas-added"), "{}", page.location);
    let page = browser.get(&page.location).await;
    has(&page, 200, &["Test Root CA", "Not checked", "Whoever it revoked is let in.", "No place of a site"]);
    has(&browser.get("/trust-lists").await, 200, &["Test Root CA", "Not checked", "Everybody whom its CAs vouch for"]);

    let version = in_store(&browser, 1).await.version.to_string();
    let edit = [("name", "Suppliers"), ("stale", "open"), ("version", version.as_str())];
    has(&browser.submit("/trust-lists/1/edit", &edit).await, 200, &["Trust list saved.", "<h1>Suppliers</h1>"]);
    let history = browser.get("/activity?what=trust-list").await;
    has(&history, 200, &["<ins>Open</ins>", "<del>Partners</del>", "put Test Root CA on the trust list Partners"]);
    let version = in_store(&browser, 1).await.version.to_string();
    has(&browser.submit("/trust-lists/1/delete", &[("version", &version)]).await, 200, &["Trust list deleted."]);
    assert_eq!(browser.get("/trust-lists/1").await.status, 404);
}

#[tokio::test]
async fn what_can_t_stand_on_a_list_comes_back_beside_its_field_with_what_was_typed() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let list = partners(&mut browser, &ca).await;
    for (name, stale, sentence) in [
        ("", "closed", "Enter a name of 1 to 100 characters"),
        ("partners", "closed", "There already is one named Partners."),
        ("Devices", "sometimes", "Choose one of these."),
    ] {
        let page = browser.post("/trust-lists/new", &[("name", name), ("stale", stale)]).await;
        has(&page, 422, &[sentence, &format!(r#"value="{name}""#)]);
    }
    let leaf = X509::parse(&ca.client_now("Ann").leaf).unwrap().to_pem();
    for (text, sentence) in [
        ("", "This is empty."),
        ("Dear customer", "There is no certificate in this."),
        (leaf.as_str(), "Ann is not the certificate of a CA."),
        (&ca.root_pem(), "Test Root CA is on this list already."),
    ] {
        let page = browser.bring(&format!("{list}/cas/new"), &[], text).await;
        has(&page, 422, &[sentence, text.trim_end()]);
    }
    for authority in ["", "99"] {
        let page = browser.post(&format!("{list}/cas/own"), &[("authority", authority)]).await;
        assert_eq!(page.status, 422);
    }
    assert_eq!(in_store(&browser, 1).await.cas.len(), 1);
}

#[tokio::test]
async fn an_authority_of_this_server_is_put_on_a_list_and_taken_off_again() {
    let mut browser = Browser::signed_in().await;
    browser.store.create_authority("Devices", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let list = make(&mut browser, "Warehouse").await;
    let page = browser.submit(&format!("{list}/cas/own"), &[("authority", "1")]).await;
    has(&page, 200, &["Put on the trust list.", "Devices", "Always current", "An authority of this server"]);
    has(&browser.get(&format!("{list}/cas/new")).await, 200, &["All of them are on the list."]);
    has(
        &browser.post(&format!("{list}/cas/own"), &[("authority", "1")]).await,
        422,
        &["Devices is on this list already."],
    );
    let source = browser.get(&format!("{list}/cas/1")).await;
    has(&source, 200, &["there is nothing to fetch or bring", "0 certificates revoked"]);
    let version = in_store(&browser, 1).await.version.to_string();
    let fetch = [("address", "http://a.example/"), ("version", version.as_str())];
    has(&browser.post(&format!("{list}/cas/1"), &fetch).await, 422, &["There is nothing to choose."]);
    has(&browser.get(&format!("{list}/cas/1/remove")).await, 200, &["Take Devices off the list?"]);
    let opened = [("version", version.as_str())];
    has(&browser.submit(&format!("{list}/cas/1/remove"), &opened).await, 200, &["Taken off the trust list."]);
    assert_eq!(browser.get(&format!("{list}/cas/1")).await.status, 404);
}

#[tokio::test]
async fn a_list_that_is_asked_says_where_and_stays() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let list = partners(&mut browser, &ca).await;
    let site = browser.https_site("Shop", "shop.example", "refuse").await;
    for n in 0..12 {
        require(&browser, site, &format!("/partners/{n:02}"), 1).await;
    }
    has(&browser.get("/trust-lists").await, 200, &["1 site<"]);
    let places = "Shop</a>, /partners/00, /partners/01";
    has(&browser.get(&list).await, 200, &[places, "/partners/09 and 2 other places"]);
    let page = browser.get(&format!("{list}/delete")).await;
    has(&page, 200, &[places, "Sites ask this list"]);
    assert!(!page.html.contains("btn danger"), "{}", page.html);
    let version = in_store(&browser, 1).await.version.to_string();
    let page = browser.post(&format!("{list}/delete"), &[("version", &version)]).await;
    has(&page, 422, &["Shop, at /partners/00 asks this trust list."]);
}

#[tokio::test]
async fn allow_rules_are_typed_as_they_are_shown_and_each_bad_line_is_named() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let list = format!("{}/rules", partners(&mut browser, &ca).await);
    let version = in_store(&browser, 1).await.version.to_string();
    let bad = "Organization is Meridian*\r\nColour is blue\r\n\r\ncn is a*b";
    let page = browser.post(&list, &[("rules", bad), ("version", &version)]).await;
    has(&page, 422, &["Line 2: Begin with a field", "Line 4: Enter a value", "Colour is blue"]);
    let twice = "cn is Ann\nCommon name is Ann";
    let page = browser.post(&list, &[("rules", twice), ("version", &version)]).await;
    has(&page, 422, &["at most 200 allow rules, each once."]);
    let good = "cn is Ann\r\nIssuer’s organization is *books\r\n";
    let page = browser.submit(&list, &[("rules", good), ("version", &version)]).await;
    has(
        &page,
        200,
        &["Saved: whom the list lets in.", "Common name is Ann", "Issuer’s organization is *books", "403.12"],
    );
    let page = browser.get(&list).await;
    has(&page, 200, &["Common name is Ann\nIssuer’s organization is *books"]);

    let page = browser.post(&list, &[("rules", "cn is Ben"), ("version", &version)]).await;
    has(&page, 409, &[&format!("{NAME} changed this just now"), "<ins>Common name is Ben</ins>", "cn is Ben"]);
    let page = browser.submit(&list, &[("rules", "cn is Ben"), ("version", &page.value("version"))]).await;
    has(&page, 200, &["Common name is Ben"]);
}

#[tokio::test]
async fn an_old_page_of_a_list_gets_a_comparison_only_where_its_own_answers_changed() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let list = format!("{}/edit", partners(&mut browser, &ca).await);
    let opened = browser.get(&list).await;
    let (version, was) = (opened.value("version"), ["Partners", "Closed"]);
    let form = |name: &'static str, stale| {
        [("name", name), ("stale", stale), ("version", version.as_str()), ("was", was[0]), ("was", was[1])]
    };
    let other = X509::parse(ca.intermediate_der()).unwrap();
    browser.store.add_trusted_cas(1, &[other], &tester()).await.unwrap();
    has(&browser.submit(&list, &form("Suppliers", "closed")).await, 200, &["Trust list saved."]);
    let page = browser.post(&list, &form("Partners", "open")).await;
    has(&page, 409, &["<td>Suppliers</td><td><ins>Partners</ins></td>"]);
}

#[tokio::test]
async fn revocation_lists_are_brought_fetched_or_not_asked_for_and_the_page_says_which() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let path = format!("{}/cas/1", partners(&mut browser, &ca).await);
    let now = crate::session::now();
    let crl = |serial: &[u8], number| ca.root_crl(&[serial], number, now - Duration::HOUR, now + Duration::days(3));
    for (files, text, sentence) in [
        (vec![], "", "Choose the file with the list"),
        (vec![], "Dear customer", "This is not a revocation list"),
        (vec![("a.crl", crl(&[1], 1)), ("b.crl", crl(&[2], 2))], "", "Bring one list at a time."),
        (vec![("a.crl", TestCa::new().root_crl(&[], 1, now, now + Duration::DAY))], "", "The signature of this list"),
    ] {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, list)| (*name, list.as_slice())).collect();
        let page = browser.bring(&format!("{path}/crl"), &files, text).await;
        has(&page, 422, &[sentence, text]);
    }
    let page = browser.bring(&format!("{path}/crl"), &[("root.crl", &crl(&[7], 5))], "").await;
    assert!(page.location.starts_with("/trust-lists/1/cas/1?saved=crl-brought"), "{}", page.html);
    let page = browser.get(&page.location).await;
    has(&page, 200, &["Current until", "1 certificate revoked, as of", "Number <span class=\"hash\">05</span>"]);
    has(&browser.bring(&format!("{path}/crl"), &[("old.crl", &crl(&[7], 4))], "").await, 422, &["A newer list"]);

    let opened = browser.get(&path).await.value("version");
    for address in ["", "https://pki.example/a.crl", "ldap://pki.example/a"] {
        let page = browser.post(&path, &[("address", address), ("version", &opened)]).await;
        has(&page, 422, &["id=\"address-e\"", &format!("value=\"{address}\"")]);
    }
    let fetch = [("address", "http://pki.example/ca.crl"), ("version", opened.as_str())];
    has(&browser.submit(&path, &fetch).await, 200, &["http://pki.example/ca.crl", "It is asked within a minute."]);
    let due = browser.store.list_due_crls(now, 1).await.unwrap().remove(0);
    browser.store.keep_fetched_crl(&due, Err("The server answered 404.".into()), &tester()).await.unwrap();
    has(&browser.get("/trust-lists/1").await, 200, &["Fetching failed, last just now: The server answered 404."]);

    let page = browser.post(&path, &[("do", "never"), ("version", &opened)]).await;
    has(&page, 409, &["<td>http://pki.example/ca.crl</td><td><ins>Not checked</ins></td>"]);
    let never = [("do", "never"), ("version", &page.value("version"))];
    has(&browser.submit(&path, &never).await, 200, &["Not checked"]);
    assert_eq!(in_store(&browser, 1).await.cas[0].source, CrlSource::Never);
}

#[tokio::test]
async fn a_large_revocation_list_may_be_brought_and_nothing_else_that_is_large() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let path = partners(&mut browser, &ca).await;
    let large = vec![0x30; 3 << 20];
    let page = browser.bring(&format!("{path}/cas/1/crl"), &[("large.crl", &large)], "").await;
    has(&page, 422, &["This is not a revocation list"]);
    let huge = vec![0x30; source::MAX_UPLOAD + 1];
    let page = browser.bring(&format!("{path}/cas/1/crl"), &[("huge.crl", &huge)], "").await;
    has(&page, 422, &[r#"id="reply-e""#, "larger than 16 MB"]);
    assert_eq!(browser.bring(&format!("{path}/cas/new"), &[("large.pem", &large)], "").await.status, 413);
}

#[tokio::test]
async fn an_address_that_only_takes_a_form_leads_back_to_it_when_it_is_loaded_again() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let path = partners(&mut browser, &ca).await;
    for (sent, back) in [("cas/own", "cas/new"), ("cas/1/crl", "cas/1")] {
        let page = browser.get(&format!("{path}/{sent}")).await;
        assert_eq!((page.status, page.location), (303, format!("{path}/{back}")));
    }
    for (sent, back) in [("ssl/trials/7/apply", "ssl/trials/7"), ("pages/7/delete", "pages")] {
        let page = browser.get(&format!("/sites/7/{sent}")).await;
        assert_eq!((page.status, page.location), (303, format!("/sites/7/{back}")));
    }
}

#[tokio::test]
async fn every_line_that_is_no_rule_is_told_beside_the_one_field() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let path = partners(&mut browser, &ca).await;
    let rules = "Colour is blue\nOrganization is a*b";
    let page = browser.post(&format!("{path}/rules"), &[("rules", rules), ("version", "1")]).await;
    has(&page, 422, &["1 answer needs another look"]);
    let beside = page.html.split_once(r#"id="rules-e""#).unwrap().1.split_once("</p>").unwrap().0;
    assert!(beside.contains("Line 1: ") && beside.contains("<br>Line 2: "), "{beside}");
}

/// What the explainer tells, place by place, without markup.
fn told(page: &Page) -> String {
    let table = page.html.split_once("<tbody").map(|(_, rest)| rest).unwrap_or_default();
    let table = table.split_once("</table>").map_or(table, |(table, _)| table);
    let plain = table.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text.trim());
    plain.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn a_certificate_is_explained_for_every_place_that_asks() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    partners(&mut browser, &ca).await;
    let site = browser.https_site("Shop", "shop.example", "refuse").await;
    browser.site("News", "news.example", "off").await;
    require(&browser, site, "/partners", 1).await;
    let ann = ca.client_now("Ann");
    let chain = ca.chain_pem(&ann.leaf);
    let page = browser.bring("/trust-lists/explain", &[], &chain).await;
    has(&page, 200, &["What Ann opens", "2 CAs above it came along", "1 other site asks for none"]);
    let shop = "Shop | / | The page | Certificates are not looked at here.";
    let good = "Shop | /partners | The page | It was issued under Test Root CA. Not all of its CAs tell what they revoked. \
                | By the trust list Partners";
    assert_eq!(told(&page), format!("{shop} | {good}"));

    let alone = browser.bring("/trust-lists/explain", &[("ann.cer", &ann.leaf)], "").await;
    let untrusted = "/partners | 403.16 Client certificate untrusted or invalid | No CA of the trust list signed it";
    assert!(told(&alone).contains(untrusted), "{}", told(&alone));
    let now = crate::session::now();
    let old = ca.client("Ben", now - Duration::days(9), now - Duration::days(2));
    let page = browser.bring("/trust-lists/explain", &[], &ca.chain_pem(&old.leaf)).await;
    assert!(told(&page).contains("/partners | 403.17 Client certificate expired"), "{}", told(&page));

    let version = in_store(&browser, 1).await.version.to_string();
    let rules = [("rules", "cn is Zoe"), ("version", version.as_str())];
    browser.submit("/trust-lists/1/rules", &rules).await;
    let page = browser.bring("/trust-lists/explain", &[], &chain).await;
    assert!(told(&page).contains("403.12 Client certificate not allowed here"), "{}", told(&page));

    let version = browser.version(site).parse().unwrap();
    browser.store.update_site_state(site, version, SiteState::Stopped, &tester()).await.unwrap();
    let page = browser.bring("/trust-lists/explain", &[], &chain).await;
    assert!(told(&page).contains("Shop | /partners | No connection | The site is stopped."), "{}", told(&page));

    for (text, sentence) in [
        ("", "This is empty."),
        ("Dear colleague", "There is no certificate in this."),
        (&ca.root_pem(), "There are only certificates of CAs in this."),
    ] {
        has(&browser.bring("/trust-lists/explain", &[], text).await, 422, &[sentence, text.trim_end()]);
    }
}

#[tokio::test]
async fn an_encrypted_file_is_explained_with_its_password_and_an_issued_one_by_its_link() {
    let mut browser = Browser::signed_in().await;
    let authority = browser.store.create_authority("Devices", KeyKind::EcdsaP256, &tester()).await.unwrap();
    let list = make(&mut browser, "Devices").await;
    browser.submit(&format!("{list}/cas/own"), &[("authority", &authority.to_string())]).await;
    let site = browser.https_site("Shop", "shop.example", "off").await;
    require(&browser, site, "/tills", 1).await;
    let order = Order {
        purpose: Purpose::Client,
        common_name: "Till 7".into(),
        organization: None,
        names: Vec::new(),
        mail: None,
        days: 90,
    };
    let order =
        PfxOrder { order, key: KeyKind::EcdsaP256, file: KeyFile::Pfx, password: "long enough".to_owned().into() };
    let (issued, file) = browser.store.issue_as_pfx(authority, order, &tester()).await.unwrap();
    let files: [(&str, &[u8]); 1] = [("till.pfx", &file)];
    for (password, sentence) in [("", "This is encrypted."), ("wrong", "The password does not open this.")] {
        let page = browser.bring_with("/trust-lists/explain", &files, &[("password", password)]).await;
        has(&page, 422, &[sentence, "id=\"password-e\""]);
    }
    let page = browser.bring_with("/trust-lists/explain", &files, &[("password", "long enough")]).await;
    let good = "/tills | The page | It was issued under Devices, and is not revoked.";
    assert!(told(&page).contains(good), "{}", told(&page));

    let link = format!("/trust-lists/explain?issued={issued}");
    has(&browser.get(&format!("/issued/{issued}")).await, 200, &[&format!("href=\"{link}\""), "See what it opens"]);
    assert!(told(&browser.get(&link).await).contains(good));
    browser.store.revoke_issued(issued, Reason::KeyCompromise, &tester()).await.unwrap();
    let revoked = "/tills | 403.13 Client certificate revoked | The certificate of Till 7 is on the revocation list";
    assert!(told(&browser.get(&link).await).contains(revoked));
    assert_eq!(browser.get("/trust-lists/explain?issued=999").await.status, 404);
}

#[tokio::test]
async fn nothing_opens_where_no_site_asks_or_none_can_be_reached() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    partners(&mut browser, &ca).await;
    let site = browser.site("News", "news.example", "off").await;
    let chain = ca.chain_pem(&ca.client_now("Ann").leaf);
    let page = browser.bring("/trust-lists/explain", &[], &chain).await;
    has(&page, 200, &["No site asks for certificates."]);
    assert!(!page.html.contains("other site"), "{}", page.html);
    require(&browser, site, "/partners", 1).await;
    let page = browser.bring("/trust-lists/explain", &[], &chain).await;
    assert!(told(&page).contains("News | /partners | Nothing | The site has no https binding."), "{}", told(&page));
}

#[tokio::test]
async fn many_places_are_explained_page_by_page() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    partners(&mut browser, &ca).await;
    let site = browser.site("Shop", "shop.example", "off").await;
    for n in 1..=30 {
        require(&browser, site, &format!("/folder-{n:02}"), 1).await;
    }
    let chain = ca.chain_pem(&ca.client_now("Ann").leaf);
    let first = browser.bring("/trust-lists/explain", &[], &chain).await;
    has(&first, 200, &["1–25 of 31", "/folder-24"]);
    assert!(!told(&first).contains("/folder-25"));
    let (_, kept) = first.html.split_once("readonly>\n").unwrap();
    let kept = kept.split_once("</textarea>").unwrap().0.to_owned();
    let second = browser.bring_with("/trust-lists/explain", &[], &[("text", &kept), ("page", "2")]).await;
    has(&second, 200, &["26–31 of 31", "/folder-30", "What Ann opens"]);
    assert!(!told(&second).contains("/folder-24"));
}
