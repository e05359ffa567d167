use crate::testing::{Browser, Page};

fn has(page: &Page, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.html);
    for text in texts {
        assert!(page.html.contains(text), "no {text:?} in {}", page.html);
    }
}

#[tokio::test]
async fn the_list_tells_until_when_and_by_how_many_bindings_a_certificate_is_served() {
    let mut browser = Browser::signed_in().await;
    has(&browser.get("/certificates").await, 200, &["No certificate is installed yet"]);
    browser.https_site("Bookshop", "shop.example", "off").await;
    browser.certificate("spare.example").await;
    let page = browser.get("/certificates").await;
    has(&page, 200, &["shop.example", "spare.example", " days left", "Test CA", "1 binding", "No binding"]);
}

#[tokio::test]
async fn a_certificate_s_page_says_where_it_is_used_and_what_happened_to_it() {
    let mut browser = Browser::signed_in().await;
    browser.https_site("Bookshop", "shop.example", "off").await;
    let page = browser.get("/certificates/1").await;
    has(
        &page,
        200,
        &["<h1>shop.example</h1>", "https://shop.example", "/sites/1", "Covered", "ECDSA P-256", " days left"],
    );
    has(&page, 200, &["signed the request for shop.example", "requested a certificate", "/certificates/1/renew"]);
    assert_eq!(browser.get("/certificates/99").await.status, 404);
}

#[tokio::test]
async fn the_chain_is_saved_as_pem_under_a_safe_name() {
    let mut browser = Browser::signed_in().await;
    let id = browser.certificate("*.shop.example").await;
    let page = browser.get(&format!("/certificates/{id}/download")).await;
    has(&page, 200, &["-----BEGIN CERTIFICATE-----"]);
    assert!(!page.html.contains("PRIVATE KEY"));
    assert_eq!(page.headers["content-disposition"], "attachment; filename=\"shop.example.pem\"");
}

#[tokio::test]
async fn a_certificate_is_removed_after_a_question_but_never_while_it_is_served() {
    let mut browser = Browser::signed_in().await;
    browser.https_site("Bookshop", "shop.example", "off").await;
    has(&browser.get("/certificates/1/remove").await, 200, &["It is in use", "a binding of Bookshop"]);
    has(&browser.post("/certificates/1/remove", &[]).await, 422, &["It is still served for Bookshop."]);
    let spare = browser.certificate("spare.example").await;
    let path = format!("/certificates/{spare}/remove");
    has(&browser.get(&path).await, 200, &["Remove spare.example?"]);
    has(&browser.submit(&path, &[]).await, 200, &["Certificate removed."]);
    assert_eq!(browser.get(&path).await.status, 404);
    assert_eq!(browser.store.count_certificates().await.unwrap(), 1);
}
