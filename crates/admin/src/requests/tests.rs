use siteward_core::certificate::CertificateId;
use siteward_core::intake::{IntakeError, MAX_REPLY};
use siteward_core::key::KeyKind;
use siteward_core::site::SiteId;
use siteward_core::store::{NewRequest, RequestState, Store};
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_core::testing::tester;
use siteward_core::testing_ca::TestCa;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::testing::{Browser, Page};

/// The hidden fields of a page, as a browser sends them on.
fn hidden(page: &Page) -> Vec<(String, String)> {
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let inputs = page.html.split("<input type=\"hidden\"").skip(1);
    inputs.map(|input| (attribute(input, " name"), unescaped(&attribute(input, " value")))).collect()
}

fn unescaped(html: &str) -> String {
    [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")]
        .iter()
        .fold(html.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// Fills in what a page of the wizard shows, and presses a button.
async fn answer(browser: &mut Browser, page: &Page, fields: &[(&str, &str)], go: &str) -> Page {
    let hidden = hidden(page);
    let carried = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let carried = carried.filter(|(name, _)| *name != "next" && !fields.iter().any(|(own, _)| own == name));
    let all: Vec<(&str, &str)> = carried.chain(fields.iter().copied()).chain([("go", go)]).collect();
    browser.post("/requests/new", &all).await
}

/// From the first page to *check your answers*, without changing what is proposed.
async fn answers_to_check(browser: &mut Browser, site: SiteId, fields: &[(&str, &str)]) -> Page {
    let site = site.to_string();
    let mut all = vec![("step", "names"), ("go", "check"), ("site", site.as_str()), ("name", "Bookshop 2027")];
    all.extend([("key", "ecdsa-p256"), ("common_name", "shop.example")]);
    all.retain(|(name, _)| !fields.iter().any(|(own, _)| own == name));
    all.extend(fields);
    browser.post("/requests/new", &all).await
}

async fn pending(store: &Store, site: Option<SiteId>, names: &[&str]) -> Request {
    let answers =
        SubjectAnswers { common_name: names[0].into(), names: names[1..].join("\n"), ..SubjectAnswers::default() };
    let subject = Subject::parse(&answers).unwrap();
    let new = NewRequest { site, friendly_name: "Bookshop 2027".into(), subject, key: KeyKind::EcdsaP256 };
    let id = store.create_request(new, &tester()).await.unwrap();
    store.find_request(id).await.unwrap()
}

/// Brings a file and pasted text to a request, and follows to the preview.
async fn bring(browser: &mut Browser, id: RequestId, file: &[u8], text: &str) -> Page {
    let page = browser.bring(&format!("/requests/{id}/reply"), &[("reply.crt", file)], text).await;
    if page.status == 303 {
        Page { location: page.location.clone(), ..browser.get(&page.location).await }
    } else {
        page
    }
}

fn has(page: &Page, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.html);
    let html = unescaped(&page.html);
    for text in texts {
        assert!(html.contains(text), "no {text:?} in {html}");
    }
}

#[tokio::test]
async fn the_wizard_asks_in_the_article_s_order_and_makes_a_request() {
    let mut browser = Browser::signed_in().await;
    let site = browser.site("Bookshop", "shop.example\nwww.shop.example", "off").await;
    let page = browser.get(&format!("/requests/new?site={site}")).await;
    has(&page, 200, &["<h1>Site and key</h1>", "value=\"Bookshop\"", "value=\"ecdsa-p256\" id=\"key\" checked"]);
    let id = site.to_string();
    let first = [("site", id.as_str()), ("name", "Bookshop 2027"), ("key", "rsa-2048")];
    let page = answer(&mut browser, &page, &first, "next").await;
    has(&page, 200, &["<h1>Organization</h1>"]);
    let page =
        answer(&mut browser, &page, &[("organization", "Alder & Finch Ltd"), ("organizational_unit", "")], "next")
            .await;
    has(&page, 200, &["<h1>Names</h1>", "value=\"shop.example\"", "\nwww.shop.example</textarea>"]);
    let names = [("common_name", "shop.example"), ("names", "www.shop.example\r\nbücher.example")];
    let page = answer(&mut browser, &page, &names, "next").await;
    has(&page, 200, &["<h1>Location</h1>", "<option value=\"GB\">United Kingdom (GB)</option>"]);
    let place = [("country", "GB"), ("state", ""), ("locality", "Bristol")];
    let page = answer(&mut browser, &page, &place, "next").await;
    has(&page, 200, &["<h1>Check your answers</h1>", "GB, United Kingdom", "RSA 2048, new for this request"]);
    has(
        &page,
        200,
        &["bücher.example <span class=\"quiet\">(xn--bcher-kva.example)</span>", "Nothing speaks against it"],
    );
    assert_eq!(browser.store.count_requests(None).await.unwrap(), 0, "nothing exists before the last button");

    let page = answer(&mut browser, &page, &[], "create").await;
    assert_eq!(page.status, 303, "{}", page.html);
    let page = browser.get(&page.location).await;
    has(
        &page,
        200,
        &["Your certificate request is ready to send", "-----BEGIN CERTIFICATE REQUEST-----", "Bookshop 2027"],
    );
    let request = &browser.store.list_requests(Some(RequestState::Pending), 0, 1).await.unwrap()[0];
    assert_eq!(request.subject.organization.as_deref(), Some("Alder & Finch Ltd"));
    assert_eq!((request.key, request.site), (KeyKind::Rsa2048, Some(site)));
}

#[tokio::test]
async fn a_step_with_a_bad_answer_comes_back_with_a_sentence_and_everything_typed() {
    let long = "a".repeat(65_536);
    for (step, field, typed, sentence) in [
        ("site", "name", "a\nb", "Enter a name of 1 to 100 characters"),
        ("site", "site", "77", "This site no longer exists."),
        ("site", "key", "rsa-1024", "Choose a key."),
        ("organization", "organization", "a\u{0}b", "Organization has no line breaks or control characters."),
        ("organization", "organizational_unit", "a\nb", "Organizational unit has no line breaks"),
        ("names", "common_name", "my server", "A host name has no spaces"),
        ("names", "common_name", long.as_str(), "A host name has at most 253 characters."),
        ("names", "common_name", "<script>alert(1)</script>", "Enter only the host name"),
        ("names", "names", "shop_1.example", "“shop_1.example”: A host name has only letters"),
        ("location", "country", "USA", "Use the two-letter code: US, not USA."),
        ("location", "locality", long.as_str(), "City/locality has at most 128 characters"),
    ] {
        let mut browser = Browser::signed_in().await;
        let mut fields = vec![("step", step), ("go", "next"), ("name", "Bookshop"), ("key", "ecdsa-p256")];
        fields.extend([("common_name", "shop.example"), ("organization", "Alder & Finch")]);
        fields.retain(|(name, _)| *name != field);
        fields.push((field, typed));
        let page = browser.post("/requests/new", &fields).await;
        has(&page, 422, &[sentence, "<title>Error: ", &format!("href=\"#{field}\"")]);
        assert!(!page.html.contains("<script>alert"), "escaped");
        if !matches!(field, "site" | "key") {
            assert!(unescaped(&page.html).contains(typed), "{field} keeps what was typed");
        }
        if field == "key" {
            has(&page, 422, &[r#"<fieldset class="field wrong" aria-describedby="key-e">"#]);
        }
        if field != "organization" {
            has(&page, 422, &["Alder & Finch"]);
        }
    }
}

#[tokio::test]
async fn an_organization_of_markup_and_quotes_is_only_text() {
    let mut browser = Browser::signed_in().await;
    let site = browser.site("Bookshop", "shop.example", "off").await;
    let typed = "\"><script>alert(1)</script>";
    let page = answers_to_check(&mut browser, site, &[("organization", typed)]).await;
    has(&page, 200, &["Check your answers"]);
    assert!(!page.html.contains("<script>alert"), "{}", page.html);
    let page = answer(&mut browser, &page, &[], "create").await;
    let page = browser.get(&page.location).await;
    assert!(!page.html.contains("<script>alert"), "{}", page.html);
    let request = &browser.store.list_requests(None, 0, 1).await.unwrap()[0];
    assert_eq!(request.subject.organization.as_deref(), Some(typed));
}

#[tokio::test]
async fn going_back_or_changing_an_answer_loses_nothing() {
    let mut browser = Browser::signed_in().await;
    let site = browser.site("Bookshop", "shop.example", "off").await;
    let page =
        answers_to_check(&mut browser, site, &[("organization", "Alder & Finch"), ("locality", "Bristol")]).await;
    let page = answer(&mut browser, &page, &[], "back").await;
    has(&page, 200, &["<h1>Location</h1>", "value=\"Bristol\"", "name=\"organization\" value=\"Alder & Finch\""]);
    let page =
        answer(&mut browser, &page, &[("country", "nowhere"), ("state", ""), ("locality", "Bath")], "back").await;
    has(&page, 200, &["<h1>Names</h1>", "name=\"country\" value=\"nowhere\""]);

    let page = answers_to_check(&mut browser, site, &[]).await;
    let page = answer(&mut browser, &page, &[], "organization").await;
    has(&page, 200, &["<h1>Organization</h1>"]);
    let page = answer(&mut browser, &page, &[("organization", "Lantern"), ("organizational_unit", "")], "next").await;
    has(&page, 200, &["<h1>Check your answers</h1>", "<dd>Lantern</dd>"]);
}

#[tokio::test]
async fn what_a_public_ca_would_refuse_is_said_and_mended_with_a_button() {
    let mut browser = Browser::signed_in().await;
    let site = browser.site("Bookshop", "shop.example\nm.shop.example", "off").await;
    let fields = [("organizational_unit", "Web team"), ("names", "intranet")];
    let page = answers_to_check(&mut browser, site, &fields).await;
    has(
        &page,
        200,
        &["Remove “Web team”", "Add m.shop.example", "Nobody outside can look up “intranet”", "3 findings"],
    );
    let page = answer(&mut browser, &page, &[], "drop-unit").await;
    has(&page, 200, &["2 findings"]);
    let page = answer(&mut browser, &page, &[], "add-hosts").await;
    has(&page, 200, &["1 finding ", "intranet<br>m.shop.example"]);
}

#[tokio::test]
async fn a_request_can_be_made_again_with_the_same_answers() {
    let mut browser = Browser::signed_in().await;
    let request = pending(&browser.store, None, &["shop.example", "*.shop.example"]).await;
    let page = browser.get(&format!("/requests/new?again={}", request.id)).await;
    has(
        &page,
        200,
        &["value=\"Bookshop 2027\"", "name=\"common_name\" value=\"shop.example\"", "value=\"*.shop.example\""],
    );
    assert_eq!(browser.get("/requests/new?again=99").await.status, 404);
    assert_eq!(browser.get("/requests/new?site=x").await.status, 404);
    assert_eq!(browser.get("/requests/new?site=9").await.status, 404);
}

#[tokio::test]
async fn a_request_is_saved_in_four_forms_under_a_safe_name() {
    let mut browser = Browser::signed_in().await;
    let id = pending(&browser.store, None, &["*.shop.example"]).await.id;
    for (query, name, first_line) in [
        ("as=csr", "shop.example.csr", "-----BEGIN CERTIFICATE REQUEST-----"),
        ("as=txt", "shop.example.txt", "-----BEGIN CERTIFICATE REQUEST-----"),
        ("as=csr&header=new", "shop.example.csr", "-----BEGIN NEW CERTIFICATE REQUEST-----"),
        ("as=txt&header=new", "shop.example.txt", "-----BEGIN NEW CERTIFICATE REQUEST-----"),
    ] {
        let page = browser.get(&format!("/requests/{id}/download?{query}")).await;
        has(&page, 200, &[]);
        assert_eq!(page.headers["content-disposition"], format!("attachment; filename=\"{name}\""));
        assert_eq!(page.html.lines().next(), Some(first_line));
    }
    assert_eq!(file_name("../../etc/passwd\"\r\n", "csr"), "etc-passwd.csr");
    assert_eq!(file_name("日本", "csr"), "siteward.csr");
}

#[tokio::test]
async fn a_request_that_does_not_exist_is_not_found() {
    let mut browser = Browser::signed_in().await;
    for path in ["/requests/7", "/requests/x", "/requests/7/download", "/requests/7/withdraw"] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(bring(&mut browser, 7, b"", "").await.status, 404);
}

#[tokio::test]
async fn the_list_shows_each_state_with_its_count() {
    let mut browser = Browser::signed_in().await;
    has(&browser.get("/requests").await, 200, &["No request is waiting", "Pending 0", "Withdrawn 0"]);
    pending(&browser.store, None, &["shop.example", "www.shop.example"]).await;
    has(&browser.get("/requests").await, 200, &["Pending 1", "Bookshop 2027", "+ 1 more"]);
    has(&browser.get("/requests?state=completed").await, 200, &["No request is completed yet"]);
}

#[tokio::test]
async fn a_withdrawn_request_takes_no_reply_and_can_t_be_withdrawn_again() {
    let mut browser = Browser::signed_in().await;
    let request = pending(&browser.store, None, &["shop.example"]).await;
    let path = format!("/requests/{}/withdraw", request.id);
    has(&browser.get(&path).await, 200, &["Withdraw Bookshop 2027?", "can’t be undone"]);
    let page = browser.submit(&path, &[]).await;
    has(&page, 200, &["Request withdrawn.", "It takes no reply any more.", "Its private key is destroyed."]);
    has(&browser.get(&path).await, 422, &["was withdrawn"]);
    has(&browser.post(&path, &[]).await, 422, &["was withdrawn"]);
    let leaf = TestCa::new().sign_now(&request.csr);
    has(&bring(&mut browser, request.id, &leaf, "").await, 422, &["This request was withdrawn"]);
}

#[tokio::test]
async fn an_authority_of_siteward_signs_a_request_and_the_certificate_is_installed() {
    let mut browser = Browser::signed_in().await;
    let request = pending(&browser.store, None, &["shop.example"]).await;
    let path = format!("/requests/{}", request.id);
    has(&browser.get(&path).await, 200, &["Make an authority</a> first"]);
    has(&browser.post(&format!("{path}/sign"), &[]).await, 422, &["Choose the authority that signs."]);
    let authority = browser.store.create_authority("Test CA", KeyKind::EcdsaP256, &tester()).await.unwrap().to_string();
    has(&browser.get(&path).await, 200, &[">Test CA</option>"]);
    let page = browser.submit(&format!("{path}/sign"), &[("authority", &authority)]).await;
    has(&page, 200, &["Certificate installed.", "<h1>shop.example</h1>", "issued by Test CA"]);
    has(&browser.get(&path).await, 200, &["Completed", "Open the certificate"]);
    has(
        &browser.post(&format!("{path}/sign"), &[("authority", &authority)]).await,
        422,
        &["has its certificate already"],
    );
}

#[tokio::test]
async fn a_reply_that_can_t_be_read_is_refused_and_what_was_pasted_is_kept() {
    let mut browser = Browser::signed_in().await;
    let request = pending(&browser.store, None, &["shop.example"]).await;
    let csr = to_pem(&request.csr, Armour::Standard);
    for (text, error) in [
        ("", IntakeError::Empty),
        (" \r\n ", IntakeError::Empty),
        ("Dear customer, <b>", IntakeError::NothingFound),
        ("-----BEGIN CERTIFICATE-----\nMIIB", IntakeError::Truncated),
        ("-----BEGIN CERTIFICATE-----\nMI!B\n-----END CERTIFICATE-----", IntakeError::Base64),
        (csr.as_str(), IntakeError::Request),
    ] {
        let page = bring(&mut browser, request.id, b"", text).await;
        let field = if text.trim().is_empty() { "href=\"#reply\"" } else { "href=\"#text\"" };
        has(&page, 422, &[&error.to_string(), field, text]);
    }
    for file in [&[0u8, 255, 3, 7][..], &[0x30, 0x82, 0xff, 0xff, 0], b"<!doctype html><html>"] {
        assert_eq!(bring(&mut browser, request.id, file, "").await.status, 422);
    }
    let page = bring(&mut browser, request.id, &vec![b' '; MAX_REPLY], "x").await;
    has(&page, 422, &[&IntakeError::NothingFound.to_string()]);
    for size in [MAX_REPLY + 1, 2 * MAX_REPLY, 20 * MAX_REPLY] {
        let page = bring(&mut browser, request.id, &vec![b'x'; size], "").await;
        has(&page, 413, &[&IntakeError::TooLarge.to_string(), "href=\"#reply\"", "What happens next"]);
    }
    assert_eq!(browser.store.count_certificates().await.unwrap(), 0);
    assert_eq!(browser.store.find_request(request.id).await.unwrap().state, RequestState::Pending);
}

#[tokio::test]
async fn a_reply_for_another_key_is_refused_and_leads_to_the_request_it_answers() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let request = pending(&browser.store, None, &["shop.example"]).await;
    let other = pending(&browser.store, None, &["other.example"]).await;
    let page = bring(&mut browser, request.id, ca.chain_pem(&ca.sign_now(&other.csr)).as_bytes(), "").await;
    has(&page, 422, &["This reply answers another request", &format!("Look at it for request {}", other.id)]);
    let preview = page.html.split("href=\"/install/").nth(1).unwrap().split('"').next().unwrap();
    let page = browser.get(&format!("/install/{preview}")).await;
    has(&page, 200, &[&format!("It answers request {}", other.id), "Install this certificate"]);

    let stranger = Browser::signed_in().await;
    let stranger = pending(&stranger.store, None, &["shop.example"]).await;
    let page = bring(&mut browser, request.id, &ca.sign_now(&stranger.csr), "").await;
    has(&page, 422, &["was made for another key"]);
    let page = bring(&mut browser, request.id, ca.root_pem().as_bytes(), "").await;
    has(&page, 422, &["holds only certificates of CAs"]);
}

/// A site with an https binding that serves a certificate, and a pending request for it.
async fn renewal(browser: &mut Browser) -> (SiteId, Request) {
    let site = browser.https_site("Bookshop", "shop.example", "off").await;
    let request = pending(&browser.store, Some(site), &["shop.example", "www.shop.example"]).await;
    (site, request)
}

fn served(browser: &Browser, site: SiteId) -> CertificateId {
    let table = browser.store.table();
    table.site(site).unwrap().bindings.iter().find_map(|binding| binding.certificate.clone()).unwrap().id
}

#[tokio::test]
async fn a_reply_is_shown_with_what_it_would_change_before_anything_changes() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let (site, request) = renewal(&mut browser).await;
    let old = served(&browser, site);
    let reply = ca.chain_pem(&ca.sign_now(&request.csr));
    let page = bring(&mut browser, request.id, b"", &reply).await;
    has(
        &page,
        200,
        &["Install this certificate", "Test Issuing CA", "Test Root CA", "https://shop.example", "Key matches"],
    );
    has(&page, 200, &["Install and switch the ticked bindings", "1 issuer is sent along", "checked aria-label"]);
    assert_eq!(served(&browser, site), old);

    let binding = page.value("b");
    let path = page.location;
    let fields = [("b", binding.as_str()), ("do", "switch")];
    let page = browser.submit(&path, &fields).await;
    has(&page, 200, &["Certificate installed and in service.", "https://shop.example", "Bookshop"]);
    assert_ne!(served(&browser, site), old);

    has(&browser.post(&path, &fields).await, 422, &["What was brought here is no longer kept"]);
    has(&bring(&mut browser, request.id, reply.as_bytes(), "").await, 422, &["has its certificate already"]);
}

#[tokio::test]
async fn a_certificate_is_installed_without_switching_where_that_is_chosen() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let (site, request) = renewal(&mut browser).await;
    let old = served(&browser, site);
    let pem = ca.chain_pem(&ca.sign_now(&request.csr));
    let path = bring(&mut browser, request.id, b"", &pem).await.location;
    let page = browser.submit(&path, &[("b", "1"), ("do", "keep")]).await;
    has(&page, 200, &["Certificate installed.", "No binding serves it yet"]);
    assert_eq!(served(&browser, site), old);
    has(&browser.get(&path).await, 422, &["What was brought here is no longer kept"]);
    for gone in ["reply", "sign"] {
        let page = browser.get(&format!("/requests/{}/{gone}", request.id)).await;
        assert_eq!(page.location, format!("/requests/{}", request.id), "what was sent to {gone} is no longer there");
    }
}

#[tokio::test]
async fn a_doubtful_certificate_is_installed_only_after_a_confirmation() {
    let now = OffsetDateTime::now_utc();
    let (past, future) = (now - Duration::days(10), now + Duration::days(10));
    for (from, until, names, doubt) in [
        (past, now - Duration::days(1), None, "It expired on"),
        (future, future + Duration::days(1), None, "It is not valid before"),
        (past, future, Some(&["other.example"][..]), "It does not cover shop.example."),
    ] {
        let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
        let (site, request) = renewal(&mut browser).await;
        let old = served(&browser, site);
        let pem = ca.chain_pem(&ca.sign(&request.csr, from, until, names));
        let page = bring(&mut browser, request.id, pem.as_bytes(), "").await;
        let asks = page.html.contains("Install it all the same");
        assert_eq!(asks, names.is_none(), "a binding that it does not cover is not ticked, so nothing is doubted yet");
        let binding = page.value("b");
        let path = page.location;
        let mut fields = vec![("b", binding.as_str()), ("do", "switch")];
        let page = browser.post(&path, &fields).await;
        has(&page, 422, &[doubt, "href=\"#confirmed\""]);
        assert_eq!(served(&browser, site), old, "nothing changed");
        fields.push(("confirmed", "yes"));
        assert_eq!(browser.post(&path, &fields).await.status, 303);
        assert_ne!(served(&browser, site), old);
    }
}

#[tokio::test]
async fn a_binding_of_another_site_with_the_same_names_is_offered_too() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    browser.https_site("Bookshop", "shop.example", "off").await;
    let request = pending(&browser.store, None, &["shop.example"]).await;
    let page = bring(&mut browser, request.id, &ca.sign_now(&request.csr), "").await;
    has(
        &page,
        200,
        &[
            "https://shop.example",
            "Bookshop, port 443",
            "Incomplete: browsers that have not met Test Issuing CA will fail.",
        ],
    );
}

#[tokio::test]
async fn a_request_is_ready_to_send_just_after_it_was_made_and_has_its_own_name_from_then_on() {
    let mut browser = Browser::signed_in().await;
    let fields = [("step", "check"), ("go", "create"), ("name", "Bookshop 2027"), ("key", "ecdsa-p256")];
    let page = browser.submit("/requests/new", &[&fields[..], &[("common_name", "shop.example")]].concat()).await;
    has(&page, 200, &["<h1>Your certificate request is ready to send</h1>", "Certificate request made."]);
    let page = browser.get("/requests/1").await;
    has(&page, 200, &["<h1>Bookshop 2027</h1>", "Waiting for the CA"]);
}

#[tokio::test]
async fn a_request_whose_certificate_was_removed_has_no_key_any_more() {
    let mut browser = Browser::signed_in().await;
    let certificate = browser.certificate("shop.example").await;
    assert!(!browser.get("/requests/1").await.html.contains("destroyed"));
    browser.submit(&format!("/certificates/{certificate}/remove"), &[]).await;
    has(&browser.get("/requests/1").await, 200, &["ECDSA P-256, destroyed", "Its certificate was removed since."]);
}
