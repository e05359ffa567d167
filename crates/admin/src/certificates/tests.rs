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

#[tokio::test]
async fn a_certificate_of_an_own_authority_is_renewed_at_once_and_can_be_served_again() {
    let mut browser = Browser::signed_in().await;
    let site = browser.https_site("Bookshop", "shop.example", "off").await;
    let before = browser.store.table().revision();
    let page = browser.submit("/certificates/1/renew", &[("authority", "1")]).await;
    has(&page, 200, &["Certificate installed and in service.", "<dt>Renews</dt>", "https://shop.example"]);
    assert_eq!(browser.store.table().revision(), before + 2, "requested, then signed and switched");
    let served = |browser: &Browser| {
        let table = browser.store.table();
        let bindings = &table.site(site).unwrap().bindings;
        bindings.iter().find_map(|binding| binding.certificate.as_ref().map(|own| own.id)).unwrap()
    };
    assert_eq!(served(&browser), 2);
    has(&browser.get("/certificates/1").await, 200, &["took its place", "Serve this one again"]);
    has(&browser.get("/certificates?view=replaced").await, 200, &["Replaced 1", "/certificates/1"]);

    let page = browser.submit("/certificates/1/serve", &[]).await;
    has(&page, 200, &["This certificate is served again."]);
    assert_eq!((served(&browser), browser.store.table().revision()), (1, before + 3));
    has(&browser.post("/certificates/1/serve", &[]).await, 422, &["there is none to return"]);
}

#[tokio::test]
async fn a_renewal_that_no_authority_can_sign_leads_to_the_request_that_was_made() {
    let mut browser = Browser::signed_in().await;
    browser.https_site("Bookshop", "shop.example", "off").await;
    let page = browser.post("/certificates/1/renew", &[("authority", "999")]).await;
    has(
        &page,
        422,
        &["This authority no longer exists", "href=\"#authority\"", "action=\"/requests/2/sign\"", "<dt>Renews</dt>"],
    );
    let again = browser.post("/certificates/1/renew", &[("authority", "1")]).await;
    assert_eq!((again.status, again.location.as_str()), (303, "/requests/2"), "not a second request");
    has(
        &browser.submit("/requests/2/sign", &[("authority", "1")]).await,
        200,
        &["Certificate installed and in service."],
    );
}

#[tokio::test]
async fn a_renewal_asks_for_the_same_names_with_a_new_key_or_the_same() {
    let mut browser = Browser::signed_in().await;
    browser.https_site("Bookshop", "shop.example", "off").await;
    let old = browser.store.find_certificate(1).await.unwrap().chain[0].key_id;
    for (fields, same_key) in [(&[][..], false), (&[("keep", "yes")], true)] {
        let page = browser.submit("/certificates/1/renew", fields).await;
        has(&page, 200, &["Certificate request made.", "<dt>Renews</dt>", "served by 1 binding"]);
        let request = browser.store.list_requests(None, 0, 1).await.unwrap().remove(0);
        assert_eq!(request.key_id == old, same_key);
        assert_eq!((request.renews, request.subject.common_name.as_str()), (Some(1), "shop.example"));
        has(&browser.get("/certificates/1").await, 200, &["Bring the CA’s reply"]);
        let path = format!("/requests/{}/withdraw", request.id);
        let becomes = if same_key { "Its private key stays on this server" } else { "Its private key is destroyed." };
        has(&browser.get(&path).await, 200, &[becomes]);
        has(&browser.submit(&path, &[]).await, 200, &[becomes]);
    }
    assert!(browser.store.certified_key(1).await.is_ok(), "a withdrawn renewal leaves the key that is in use");
    let page = browser.get("/requests/new?renew=1").await;
    has(&page, 200, &[r#"name="renews" value="1""#, r#"name="common_name" value="shop.example""#]);
}
