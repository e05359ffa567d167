use siteward_core::certificate::CertificateId;
use siteward_core::chain::X509;
use siteward_core::intake::{IntakeError, MAX_REPLY, PairError};
use siteward_core::testing_ca::{TestCa, openssl};
use time::OffsetDateTime;

use crate::form::address;
use crate::testing::{Browser, MAIL, PASSWORD, Page};

fn has(page: &Page, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.html);
    let html = page.html.replace("&#39;", "'");
    for text in texts {
        assert!(html.contains(text), "no {text:?} in {html}");
    }
}

/// A key of another program in PEM, and a request for it in DER.
fn foreign(host: &str) -> (Vec<u8>, Vec<u8>) {
    let key = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b"");
    let (subject, names) = (format!("/CN={host}"), format!("subjectAltName=DNS:{host}"));
    let options = ["req", "-new", "-key", "/dev/stdin", "-outform", "DER", "-subj", &subject, "-addext", &names];
    let csr = openssl(&options, &key);
    (key, csr)
}

/// The key and its certificate with the chain, as text.
fn with_key(ca: &TestCa, host: &str) -> Vec<u8> {
    let (key, csr) = foreign(host);
    [key, ca.chain_pem(&ca.sign_now(&csr)).into_bytes()].concat()
}

fn pfx(pem: &[u8], options: &[&str]) -> Vec<u8> {
    openssl(&[&["pkcs12", "-export", "-passout", "pass:kingfisher"], options].concat(), pem)
}

/// Brings files to the page for it, and follows to where they lead.
async fn bring(browser: &mut Browser, files: &[(&str, &[u8])], text: &str) -> Page {
    let page = browser.bring("/install", files, text).await;
    if page.status == 303 {
        Page { location: page.location.clone(), ..browser.get(&page.location).await }
    } else {
        page
    }
}

async fn chain(browser: &Browser, id: CertificateId) -> Vec<X509> {
    browser.store.find_certificate(id).await.unwrap().chain
}

#[tokio::test]
async fn a_pfx_of_any_age_is_asked_for_its_password_then_shown_then_installed() {
    let ca = TestCa::new();
    for options in [&[][..], &["-legacy"]] {
        let mut browser = Browser::signed_in().await;
        let pfx = pfx(&with_key(&ca, "shop.example"), options);
        let page = bring(&mut browser, &[("shop.pfx", &pfx)], "").await;
        has(&page, 200, &["<h1>Password needed</h1>", "shop.pfx"]);
        let path = page.location;
        has(&browser.post(&path, &[("password", "")]).await, 422, &[&IntakeError::PasswordNeeded.to_string()]);
        let page = browser.post(&path, &[("password", "wagtail")]).await;
        has(&page, 422, &[&IntakeError::WrongPassword.to_string(), "href=\"#password\""]);
        assert!(!page.html.contains("wagtail"), "a password is never sent back");
        let page = browser.submit(&path, &[("password", "kingfisher")]).await;
        has(
            &page,
            200,
            &["It came with its private key.", "From shop.pfx", "Test Issuing CA", "value=\"shop.example\""],
        );
        has(&browser.post(&path, &[("do", "keep"), ("name", " ")]).await, 422, &["href=\"#name\""]);
        assert_eq!(browser.store.count_certificates().await.unwrap(), 0);
        let page = browser.submit(&path, &[("do", "keep"), ("name", "From the old server")]).await;
        has(&page, 200, &["Certificate installed.", "From the old server", "issued by Test Issuing CA"]);
        assert_eq!(chain(&browser, 1).await.len(), 2);
        browser.store.certified_key(1).await.expect("the key fits and can be served");
        has(&browser.get(&path).await, 422, &["What was brought here is no longer kept"]);
        has(&bring(&mut browser, &[("s.pem", &with_key(&ca, "a.example")), ("b", b"")], "").await, 200, &["a.example"]);
    }
}

#[tokio::test]
async fn a_key_and_a_certificate_in_two_files_are_one_delivery() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let (key, csr) = foreign("shop.example");
    let leaf = ca.sign_now(&csr);
    let page = bring(&mut browser, &[("key.pem", &key), ("leaf.der", &leaf)], &ca.root_pem()).await;
    has(
        &page,
        200,
        &["From leaf.der", "Incomplete: browsers that have not met Test Issuing CA will fail.", "Set aside"],
    );
    let page = browser.submit(&page.location, &[("do", "keep"), ("name", "Shop")]).await;
    has(&page, 200, &["Certificate installed."]);
    let page = bring(&mut browser, &[("key.pem", &key), ("leaf.der", &leaf)], "").await;
    has(&page, 422, &["This certificate is already installed, as Shop."]);
}

#[tokio::test]
async fn issuers_that_came_once_complete_the_chains_that_come_without_them() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let page = bring(&mut browser, &[("one.pem", &with_key(&ca, "one.example"))], "").await;
    browser.submit(&page.location, &[("do", "keep"), ("name", "One")]).await;
    let (key, csr) = foreign("two.example");
    let page = bring(&mut browser, &[("two.key", &key), ("two.der", &ca.sign_now(&csr))], "").await;
    has(&page, 200, &["Added from an earlier reply", "1 issuer is sent along, 1 of them added", "Test Root CA"]);
    has(&page, 200, &["Nobody here knows the root of Test Issuing CA."]);
    browser.submit(&page.location, &[("do", "keep"), ("name", "Two")]).await;
    assert_eq!(chain(&browser, 2).await[1].der, ca.intermediate_der());

    browser.bring("/roots/new", &[], &ca.root_pem()).await;
    let (key, csr) = foreign("three.example");
    let page = bring(&mut browser, &[("3.key", &key), ("3.der", &ca.sign_now(&csr))], "").await;
    has(&page, 200, &["By your team’s root Test Root CA", "One of your team’s roots, so it is not sent"]);
}

#[tokio::test]
async fn a_certificate_issued_anew_for_the_same_key_takes_over_its_bindings() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    browser.https_site("Bookshop", "shop.example", "off").await;
    let (key, csr) = foreign("shop.example");
    let first = [key, ca.chain_pem(&ca.sign_now(&csr)).into_bytes()].concat();
    let page = bring(&mut browser, &[("first.pem", &first)], "").await;
    has(&page, 200, &["https://shop.example", "checked aria-label", "Install and switch the ticked bindings"]);
    let binding = page.value("b");
    let page = browser.submit(&page.location, &[("b", &binding), ("do", "switch"), ("name", "First")]).await;
    has(&page, 200, &["Certificate installed and in service."]);

    let page = bring(&mut browser, &[("second.der", &ca.sign_now(&csr))], "").await;
    has(&page, 200, &["It is for the key of First.", "https://shop.example", "Added from an earlier reply"]);
    let binding = page.value("b");
    let page = browser.submit(&page.location, &[("b", &binding), ("do", "switch"), ("name", "Second")]).await;
    has(&page, 200, &["Certificate installed and in service.", "Second"]);
    browser.store.certified_key(3).await.expect("the key is still there");
    let changes = browser.get("/activity").await;
    has(&changes, 200, &["imported the certificate Second"]);
}

#[tokio::test]
async fn of_several_pairs_one_is_chosen() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let both = [with_key(&ca, "one.example"), with_key(&ca, "two.example")].concat();
    let page = bring(&mut browser, &[("both.pem", &both)], "").await;
    has(&page, 200, &["Which certificate?", "one.example", "two.example", "With its key"]);
    let two = page.html.split("name=\"which\" value=\"").nth(2).unwrap().split('"').next().unwrap().to_owned();
    let page_two = browser.get(&address(&page.location, &[("which", &two)])).await;
    has(&page_two, 200, &["<b>two.example</b>", "one.example is not part of this chain."]);
    assert_eq!(page_two.value("which"), two);
    let other = browser.get(&format!("{}?which=2", page.location)).await;
    has(&other, 422, &["can’t be installed any more. Choose again.", "one.example", "two.example"]);
    let path = page.location;
    let page = browser.submit(&path, &[("which", &two), ("do", "keep"), ("name", "Two")]).await;
    has(&page, 200, &["<h1>two.example</h1>"]);

    let path = bring(&mut browser, &[("both.pem", &both)], "").await.location;
    let gone = browser.post(&path, &[("which", &two), ("do", "keep"), ("name", "One")]).await;
    has(&gone, 422, &["can’t be installed any more", "one.example"]);
    assert_eq!(browser.store.count_certificates().await.unwrap(), 1, "not another one in its place");
    let many: Vec<u8> = (0..9).flat_map(|n| with_key(&ca, &format!("n{n}.example"))).collect();
    let page = bring(&mut browser, &[("many.pem", &many)], "").await;
    has(&page, 200, &["There are more than 8 in this", "n7.example"]);
    assert!(!page.html.contains("n8.example"), "{}", page.html);
}

#[tokio::test]
async fn a_binding_that_somebody_else_switched_meanwhile_is_shown_again_first() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    browser.https_site("Bookshop", "shop.example", "off").await;
    let mut other = browser.clone();
    let mine = bring(&mut browser, &[("mine.pem", &with_key(&ca, "shop.example"))], "").await;
    let theirs = bring(&mut other, &[("theirs.pem", &with_key(&ca, "shop.example"))], "").await;
    let seen = mine.value("b");
    let fields = [("b", seen.as_str()), ("b", seen.as_str()), ("do", "switch"), ("name", "Theirs")];
    has(&other.submit(&theirs.location, &fields).await, 200, &["Certificate installed and in service."]);

    let fields = [("b", seen.as_str()), ("do", "switch"), ("name", "Mine")];
    let page = browser.post(&mine.location, &fields).await;
    has(&page, 409, &["A ticked binding was switched or deleted meanwhile.", "value=\"Mine\""]);
    assert_ne!(page.value("b"), seen);
    assert!(!page.html.contains(" checked aria-label"), "{}", page.html);
    assert_eq!(browser.store.count_certificates().await.unwrap(), 2, "nothing was installed");

    let gone = [("b", "999:1"), ("do", "switch"), ("name", "Mine")];
    has(&browser.post(&mine.location, &gone).await, 409, &["A ticked binding was switched or deleted meanwhile."]);
    let seen = page.value("b");
    let fields = [("b", seen.as_str()), ("do", "switch"), ("name", "Mine")];
    has(&browser.submit(&mine.location, &fields).await, 200, &["Certificate installed and in service."]);
}

#[tokio::test]
async fn a_binding_that_is_not_ticked_raises_no_doubt() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    browser.https_site("Bookshop", "shop.example", "off").await;
    let site = browser.site("Other", "other.example", "off").await;
    browser.bind(site, "other.example", 1).await;
    let page = bring(&mut browser, &[("shop.pem", &with_key(&ca, "shop.example"))], "").await;
    has(&page, 200, &["Switch https://other.example", "Does not cover it"]);
    assert!(!page.html.contains("Install it all the same"), "{}", page.html);
    let rows: Vec<&str> = page.html.split("name=\"b\" value=\"").skip(1).collect();
    let other = rows.iter().find(|row| row.contains("other.example")).unwrap().split('"').next().unwrap();
    let page = browser.post(&page.location, &[("b", other), ("do", "switch"), ("name", "Shop")]).await;
    has(&page, 422, &["It does not cover other.example.", "Install it all the same"]);
}

#[tokio::test]
async fn what_can_t_be_installed_comes_back_with_its_cause_and_nothing_is_kept() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let (key, csr) = foreign("shop.example");
    let leaf = ca.sign_now(&csr);
    let (other_key, _) = foreign("other.example");
    let corpus =
        |file: &str| std::fs::read(format!("{}/../../tests/corpus/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let pending = browser.request("gone.example", OffsetDateTime::now_utc()).await;
    let withdrawn = browser.store.find_request(pending).await.unwrap();
    browser.submit(&format!("/requests/{pending}/withdraw"), &[]).await;
    let other_pem = String::from_utf8(other_key.clone()).unwrap();
    let cases: Vec<(Vec<Vec<u8>>, String)> = vec![
        (vec![], IntakeError::Empty.to_string()),
        (vec![leaf.clone()], "is not on this server. Bring it too".into()),
        (vec![key.clone()], PairError::NoCertificate.to_string()),
        (vec![other_key, leaf.clone()], PairError::KeyMismatch.to_string()),
        (vec![ca.intermediate_der().to_vec()], "holds only certificates of CAs".into()),
        (vec![ca.sign_now(&withdrawn.csr)], "This request was withdrawn".into()),
        (vec![corpus("pfx/iter-20m.pfx")], IntakeError::TooManyIterations.to_string()),
        (vec![corpus("pfx/no-mac.pfx")], IntakeError::NoMac.to_string()),
        (vec![corpus("pfx/truncated.pfx")], IntakeError::Damaged.to_string()),
        (vec![corpus("pfx/keystore.jks")], "keytool -importkeystore".into()),
        (vec![corpus("cert/v1.der")], IntakeError::OldVersion.to_string()),
        (vec![b"<!doctype html><html>".to_vec()], IntakeError::WebPage.to_string()),
    ];
    for (files, sentence) in cases {
        let files: Vec<(&str, &[u8])> = files.iter().map(|file| ("file", file.as_slice())).collect();
        let page = bring(&mut browser, &files, "").await;
        assert_eq!(page.status, 422, "{sentence}: {}", page.html);
        has(&page, 422, &[&sentence, "href=\"#reply\""]);
    }
    let page = bring(&mut browser, &[], &String::from_utf8(key).unwrap()).await;
    has(&page, 422, &["There is a private key in this, but no certificate."]);
    assert!(!page.html.contains("PRIVATE KEY"), "a private key is never sent back");
    let bare: String = other_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let page = bring(&mut browser, &[], &bare).await;
    has(&page, 422, &["There is a private key in this, but no certificate."]);
    assert!(!page.html.contains(&bare), "in no form");
    for size in [MAX_REPLY + 1, 20 * MAX_REPLY] {
        let page = bring(&mut browser, &[("large", &vec![b'x'; size])], "").await;
        has(&page, 413, &[&IntakeError::TooLarge.to_string(), "href=\"#reply\""]);
    }
    let page = bring(&mut browser, &[("wrong.pfx", &corpus("pfx/key-mismatch.pfx"))], "").await;
    has(&page, 200, &["Password needed"]);
    assert_eq!(browser.store.count_certificates().await.unwrap(), 0);
}

#[tokio::test]
async fn an_unreadable_certificate_in_a_good_bundle_is_set_aside() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let old = std::fs::read(format!("{}/../../tests/corpus/cert/v1.der", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let page = bring(&mut browser, &[("shop.pem", &with_key(&ca, "shop.example")), ("old-root.cer", &old)], "").await;
    has(&page, 200, &["It came with its private key.", "old-root.cer: A certificate in this is of an old version"]);
    has(&page, 200, &["1 issuer is sent along"]);
}

#[tokio::test]
async fn a_delivery_ends_with_the_session_it_was_brought_in() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let page = bring(&mut browser, &[("shop.pem", &with_key(&ca, "shop.example"))], "").await;
    let path = page.location;
    browser.post("/sign-out", &[]).await;
    browser.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD)]).await;
    has(&browser.get(&path).await, 422, &["What was brought here is no longer kept"]);
    has(&browser.post(&path, &[("do", "keep"), ("name", "Shop")]).await, 422, &["What was brought here"]);
}
