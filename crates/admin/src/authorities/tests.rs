use siteward_core::chain::X509;
use siteward_core::intake;

use crate::testing::{Browser, Page};

fn has(page: &Page, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.html);
    for text in texts {
        assert!(page.html.contains(text), "no {text:?} in {}", page.html);
    }
}

#[tokio::test]
async fn an_authority_is_made_listed_and_shown_with_how_to_trust_it() {
    let mut browser = Browser::signed_in().await;
    has(&browser.get("/authorities").await, 200, &["There is no authority yet"]);
    let page = browser.submit("/authorities/new", &[("name", "Alder & Finch Test CA"), ("key", "ecdsa-p384")]).await;
    has(&page, 200, &["Authority made.", "<h1>Alder &#38; Finch Test CA</h1>", "ECDSA P-384", "Trust it on a device"]);
    has(&browser.get("/authorities").await, 200, &["Alder &#38; Finch Test CA", "the console’s own certificate"]);
}

#[tokio::test]
async fn a_name_that_can_t_stand_comes_back_with_a_sentence() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "Test CA"), ("key", "ecdsa-p256")]).await;
    let long = "a".repeat(65);
    for (name, key, sentence) in [
        ("", "ecdsa-p256", "Enter a name of 1 to 100 characters"),
        ("a\nb", "ecdsa-p256", "Enter a name of 1 to 100 characters"),
        (long.as_str(), "ecdsa-p256", "at most 64 characters"),
        ("test ca", "ecdsa-p256", "There already is one named Test CA."),
        ("Other", "dsa", "Choose a key."),
    ] {
        let page = browser.post("/authorities/new", &[("name", name), ("key", key)]).await;
        has(&page, 422, &[sentence, "Error: ", name]);
    }
    assert_eq!(browser.store.list_authorities().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_authority_s_certificate_is_saved_as_pem_and_as_der() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "Alder & Finch"), ("key", "ecdsa-p256")]).await;
    let root: X509 = browser.store.find_authority(1).await.unwrap().certificate;
    let page = browser.get("/authorities/1/download?as=pem").await;
    assert_eq!(page.headers["content-disposition"], "attachment; filename=\"Alder---Finch.pem\"");
    assert_eq!(intake::read(page.html.as_bytes()), Ok(vec![root]));
    let page = browser.get("/authorities/1/download?as=der").await;
    assert_eq!(page.headers["content-type"], "application/x-x509-ca-cert");
    assert_eq!(browser.get("/authorities/9").await.status, 404);
}

#[tokio::test]
async fn an_authority_signs_a_pending_request_from_its_own_page() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "Test CA"), ("key", "ecdsa-p256")]).await;
    let fields = [("step", "check"), ("go", "create"), ("name", "Bookshop"), ("key", "ecdsa-p256")];
    let answers = [&fields[..], &[("common_name", "shop.example")]].concat();
    assert_eq!(browser.post("/requests/new", &answers).await.location, "/requests/1?saved=request-made");
    has(&browser.get("/authorities/1").await, 200, &["Bookshop", "action=\"/requests/1/sign\""]);
    has(&browser.submit("/requests/1/sign", &[("authority", "1")]).await, 200, &["<h1>shop.example</h1>"]);
    has(&browser.get("/authorities/1").await, 200, &["No request is waiting."]);
}
