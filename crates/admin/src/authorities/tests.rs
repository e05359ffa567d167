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
async fn a_new_authority_is_offered_an_address_at_which_its_lists_are_answered() {
    let mut browser = Browser::signed_in().await;
    let offered = async |browser: &mut Browser| {
        let html = browser.get("/authorities/new").await.html;
        let (_, field) = html.split_once("name=\"address\"").unwrap();
        field.split_once("value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    };
    assert_eq!(offered(&mut browser).await, "", "nobody knows a name of this server yet");
    browser.site("Shop", "shop.example", "off").await;
    assert_eq!(offered(&mut browser).await, "shop.example");
    let fields = [("name", "Test CA"), ("key", "ecdsa-p256"), ("address", "pki.example:8080")];
    browser.post("/authorities/new", &fields).await;
    assert_eq!(offered(&mut browser).await, "pki.example:8080", "all lists are in one place");
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

#[tokio::test]
async fn a_renewal_switches_bindings_so_it_is_signed_on_its_own_page() {
    let mut browser = Browser::signed_in().await;
    browser.https_site("Bookshop", "shop.example", "off").await;
    let request = browser.post("/certificates/1/renew", &[]).await.location;
    let request = request.split('?').next().unwrap();
    let page = browser.get("/authorities/1").await;
    has(&page, 200, &[&format!("<a href=\"{request}\">Look at it and sign"), "Only a renewal switches bindings"]);
    assert!(!page.html.contains("/sign\""), "{}", page.html);
    has(&browser.get(request).await, 200, &["served by 1 binding", "the bindings of the one it renews switch to it"]);
}

#[tokio::test]
async fn what_is_copied_to_a_shell_holds_nothing_that_somebody_typed() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "x'; $(reboot) \"”"), ("key", "ecdsa-p256")]).await;
    let page = browser.get("/authorities/1/trust").await;
    has(&page, 200, &["-n siteward-root -i x-----reboot.crt</span>"]);
}

/// A request of an `openssl` program elsewhere would look like this to the console.
async fn csr(browser: &Browser) -> String {
    let request = browser.request("mail.example", time::OffsetDateTime::now_utc()).await;
    let request = browser.store.find_request(request).await.unwrap();
    siteward_core::csr::to_pem(&request.csr, siteward_core::csr::Armour::Standard)
}

#[tokio::test]
async fn an_authority_is_made_with_levels_names_and_address_and_signs_another() {
    let mut browser = Browser::signed_in().await;
    let fields = [("name", "Alder Root"), ("key", "ecdsa-p256"), ("levels", "1"), ("days", "5000")];
    let more =
        [("permitted", "shop.example\n10.0.0.0/8"), ("excluded", "old.shop.example"), ("address", "pki.example:8080")];
    let page = browser.submit("/authorities/new", &[&fields[..], &more].concat()).await;
    has(
        &page,
        200,
        &[
            "shop.example<br>10.0.0.0/8",
            "old.shop.example",
            "1 level of authorities",
            "http://pki.example:8080/.well-known/siteward/crl/",
        ],
    );
    let below = [("name", "Alder Issuing"), ("key", "ecdsa-p256"), ("levels", "0"), ("days", "3650"), ("parent", "1")];
    let page = browser.submit("/authorities/new", &below).await;
    has(&page, 200, &["Signed by <a href=\"/authorities/1\">Alder Root</a>"]);
    for (field, value, sentence) in [
        ("levels", "9", "from 0 to 7"),
        ("days", "0", "from 1 to 10957"),
        ("permitted", "10.1.0.0/8", "the range begins at 10.0.0.0"),
        ("excluded", "a b", "Enter a domain such as"),
        ("address", "https://x", "Enter a host name or IP address"),
        ("country", "Germany", "DE, not Germany"),
        ("parent", "x", "Choose who signs it."),
        ("parent", "2", "Alder Issuing may sign no authority"),
    ] {
        let mut fields = vec![("name", "Other"), ("key", "ecdsa-p256"), ("levels", "0"), ("days", "30")];
        fields.retain(|(own, _)| *own != field);
        let page = browser.post("/authorities/new", &[&fields[..], &[(field, value)]].concat()).await;
        has(&page, 422, &[sentence, "Error: "]);
    }
    let page = browser.get("/authorities/new?after=1").await;
    has(&page, 200, &["It takes the place of Alder Root", "value=\"Alder Root 2\"", "pki.example:8080"]);
}

#[tokio::test]
async fn a_server_s_certificate_is_signed_and_installed_from_names() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "Test CA")]).await;
    let page = browser.submit("/authorities/1/server", &[("names", "shop.example\n10.0.0.7"), ("days", "825")]).await;
    has(&page, 200, &["<h1>shop.example</h1>", "Certificate installed."]);
    has(&browser.get("/authorities/1").await, 200, &["/issued/1", "See all 1"]);
    for (names, days, sentence) in
        [("", "90", "Enter the names visitors type"), ("a b", "90", "“a b”"), ("a.example", "826", "from 1 to 825")]
    {
        let page = browser.post("/authorities/1/server", &[("names", names), ("days", days)]).await;
        has(&page, 422, &[sentence]);
    }
}

#[tokio::test]
async fn a_client_s_file_comes_once_and_its_password_never_comes_back() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "Test CA")]).await;
    let fields =
        [("name", "Inga"), ("mail", "inga@shop.example"), ("password", "not so short"), ("again", "not so short")];
    let page = browser.post("/authorities/1/client", &fields).await;
    assert_eq!((page.status, &page.headers["content-type"]), (200, &"application/x-pkcs12".parse().unwrap()));
    assert_eq!(page.headers["cache-control"], "no-store");
    has(&browser.get("/issued/1").await, 200, &["Inga", "For: Client"]);
    for (field, value, sentence) in [
        ("name", "", "Enter the name"),
        ("mail", "inga", "Enter an e-mail address"),
        ("password", "short", "at least 8 characters"),
        ("again", "something else", "The two passwords differ"),
        ("file", "pem-clear", "Choose how the file is encrypted"),
    ] {
        let mut fields = fields.to_vec();
        fields.retain(|(own, _)| *own != field);
        let page = browser.post("/authorities/1/client", &[&fields[..], &[(field, value)]].concat()).await;
        has(&page, 422, &[sentence]);
        assert!(!page.html.contains("not so short"), "a password is never sent back");
    }
}

#[tokio::test]
async fn a_request_is_shown_before_it_is_signed_and_what_it_got_can_be_saved_and_revoked() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "Test CA")]).await;
    let csr = csr(&browser).await;
    let preview = browser.post("/authorities/1/request", &[("csr", &csr), ("go", "read")]).await;
    has(&preview, 200, &["Sign the request", "mail.example", "Key usage", "Findings", "Yes: whoever made the request"]);
    let sign = [("csr", csr.as_str()), ("go", "sign"), ("purpose", "server"), ("days", "30")];
    has(&browser.submit("/authorities/1/request", &sign).await, 200, &["Certificate signed.", "<h1>mail.example</h1>"]);
    let root = browser.store.find_authority(1).await.unwrap().certificate;
    let page = browser.get("/issued/1/download?as=pem").await;
    assert_eq!(intake::read(page.html.as_bytes()).unwrap().len(), 1, "the root is no part of what a server sends");
    assert_eq!(
        browser.get("/issued/1/download?as=p7b").await.headers["content-type"],
        "application/x-pkcs7-certificates"
    );
    let crl = siteward_core::document::DocumentKind::Crl.path(root.key_id);
    let before = browser.store.table().document(&crl).unwrap().clone();
    has(&browser.post("/issued/1/revoke", &[]).await, 422, &["Choose why it is revoked."]);
    has(&browser.post("/issued/1/revoke", &[("reason", "6")]).await, 422, &["Choose why"]);
    has(&browser.submit("/issued/1/revoke", &[("reason", "1")]).await, 200, &["Certificate revoked.", "Revoked by"]);
    assert_ne!(browser.store.table().document(&crl).unwrap().body, before.body);
    has(&browser.post("/issued/1/revoke", &[("reason", "1")]).await, 422, &["already"]);
    has(&browser.get("/issued?view=revoked&f=mail").await, 200, &["mail.example", "Revoked 1", "Valid 0"]);
    has(&browser.get("/issued?f=nothing").await, 200, &["No certificate fits"]);
    has(&browser.get("/activity").await, 200, &["revoked the certificate of mail.example"]);
    for (text, sentence) in [
        ("", "There is no request in this"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "There is a private key in this"),
    ] {
        has(&browser.post("/authorities/1/request", &[("csr", text)]).await, 422, &[sentence]);
    }
}

#[tokio::test]
async fn an_authority_s_address_renewal_and_end_have_pages_that_say_what_follows() {
    let mut browser = Browser::signed_in().await;
    browser.post("/authorities/new", &[("name", "First")]).await;
    browser.post("/authorities/new", &[("name", "Second")]).await;
    let page = browser.submit("/authorities/2/address", &[("address", "http://pki.example/")]).await;
    has(&page, 200, &["Address saved.", "http://pki.example/.well-known"]);
    let late = [("address", "other.example"), ("was", "")];
    let page = browser.post("/authorities/2/address", &late).await;
    has(&page, 409, &["<td>pki.example</td><td><ins>other.example</ins></td>", "name=\"was\" value=\"pki.example\""]);
    has(&browser.post("/authorities/2/address", &[("address", "x/y")]).await, 422, &["Enter a host name"]);
    has(
        &browser.get("/authorities/2/renew").await,
        200,
        &["install the new one on each of them", "/authorities/new?after=2"],
    );
    has(
        &browser.submit("/authorities/2/renew", &[("days", "400")]).await,
        200,
        &["Authority renewed.", "Earlier certificates"],
    );
    has(&browser.post("/authorities/2/renew", &[("days", "x")]).await, 422, &["Enter a number of days"]);
    has(&browser.get("/authorities/2/trust").await, 200, &["update-ca-certificates", "keytool", "Compare first"]);
    has(&browser.post("/authorities/1/delete", &[]).await, 422, &["It issues the console"]);
    has(&browser.submit("/authorities/2/delete", &[]).await, 200, &["Authority deleted."]);
    assert_eq!(browser.get("/authorities/2").await.status, 404);
}
