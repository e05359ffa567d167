use axum::body::Body;
use axum::http::{Request, header};

use super::*;
use crate::testing::{Browser, Page};

const BOUNDARY: &str = "a-boundary-of-this-test";

fn corpus(file: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/");
    std::fs::read(format!("{path}{file}")).expect(file)
}

/// Brings a file and pasted text.
async fn bring(browser: &mut Browser, file: &[u8], text: &str, profile: &str) -> Page {
    let part = |head: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes();
    let body = [
        part("name=\"file\"; filename=\"request.txt\""),
        file.to_vec(),
        b"\r\n".to_vec(),
        part("name=\"text\""),
        text.as_bytes().to_vec(),
        b"\r\n".to_vec(),
        part("name=\"profile\""),
        profile.as_bytes().to_vec(),
        format!("\r\n--{BOUNDARY}--\r\n").into_bytes(),
    ];
    let request = Request::post("/inspect")
        .header(header::ORIGIN, "https://console.test")
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
    browser.send(request, Body::from(body.concat())).await
}

fn has(page: &Page, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.html);
    for text in texts {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
}

#[tokio::test]
async fn the_articles_own_request_is_shown_in_full_with_its_five_refusals() {
    let mut browser = Browser::signed_in().await;
    has(&browser.get("/inspect").await, 200, &["<h1>Read a request or certificate</h1>", "value=\"public\" checked"]);
    let page = bring(&mut browser, &corpus("csr/iis5-seed.txt"), "", "public").await;
    has(&page, 200, &["Request: plan8", "5 refusals and 2 notes by the rules of public CAs"]);
    has(&page, 200, &["<dt>Organizational unit</dt><dd>PSS</dd>", "Microsoft RSA SChannel Cryptographic Provider"]);
    for refused in
        ["Organizational unit", "Internal name", "No alternative names", "RSA key size", "Signature with SHA-1"]
    {
        has(&page, 200, &[&format!("<h4>Refused: {refused}</h4>")]);
    }
    let golden = include_str!("../../../core/src/lint/article.golden.txt");
    let (fields, findings) = golden.split_once("\n\n").unwrap();
    for field in fields.lines() {
        let [section, name, value] = field.split(" | ").collect::<Vec<_>>()[..] else { panic!("{field}") };
        has(&page, 200, &[&format!("<h3>{section}</h3>"), &format!("<dt>{name}</dt><dd"), &format!(">{value}</dd>")]);
    }
    for said in findings.lines().filter_map(|line| line.strip_prefix("  ")) {
        has(&page, 200, &[said]);
    }
    let text = String::from_utf8(corpus("csr/iis5-seed.txt")).unwrap();
    let pasted = bring(&mut browser, b"", &text, "private").await;
    has(&pasted, 200, &["by the rules of browsers for any CA", "BEGIN NEW CERTIFICATE REQUEST"]);
    has(&pasted, 200, &["value=\"private\" checked"]);
    assert!(!pasted.html.contains("Refused: Organizational unit"));
}

#[tokio::test]
async fn a_certificate_and_its_issuers_are_each_shown_with_what_signed_them() {
    let mut browser = Browser::signed_in().await;
    let page = bring(&mut browser, &corpus("delivery/p256/good/bundle-with-root.pem"), "", "private").await;
    has(
        &page,
        200,
        &["Certificate 1 of 4: ", "CA certificate 2 of 4: ", "Yes: the key of its issuer, which is here too, made it"],
    );
    assert_eq!(page.html.matches("<h3 id=\"f").count(), 4);
}

#[tokio::test]
async fn markup_in_a_name_is_text_and_what_deceives_the_eye_is_replaced() {
    let mut browser = Browser::signed_in().await;
    for (file, expected) in [
        ("cert/html-cn.der", "&#60;script&#62;"),
        ("cert/html-san.der", "&#60;img"),
        ("csr/forged-quotes.der", "a&#34;b;DROP"),
        ("csr/forged-rtl-cn.der", "a\u{fffd}tset"),
        ("csr/forged-crlf-cn.der", "a\u{fffd}\u{fffd}admin"),
    ] {
        let page = bring(&mut browser, &corpus(file), "", "public").await;
        has(&page, 200, &[expected]);
        assert!(!page.html.contains("<script>") && !page.html.contains("<img"), "{file}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_comes_back_with_a_sentence_and_what_was_pasted() {
    let mut browser = Browser::signed_in().await;
    for (text, sentence) in [
        ("", "This is empty. Paste a request or a certificate, or choose a file."),
        ("Hello <b>", "There is no request or certificate in this."),
        ("-----BEGIN CERTIFICATE-----\nMII", "The text is cut off"),
    ] {
        let page = bring(&mut browser, b"", text, "public").await;
        has(
            &page,
            422,
            &["<title>Error: ", sentence, "<a href=\"#file\">", &text.replace('<', "&#60;").replace('>', "&#62;")],
        );
    }
    let large = "x".repeat(MAX_REPLY);
    has(&bring(&mut browser, b"more", &large, "public").await, 422, &["This is larger than 1 MiB."]);
}

#[tokio::test]
async fn a_private_key_is_refused_and_never_sent_back() {
    let mut browser = Browser::signed_in().await;
    let key = String::from_utf8(corpus("keys/p256-pkcs8.pem")).unwrap();
    let page = bring(&mut browser, b"", &key, "public").await;
    has(&page, 422, &["There is a private key in this."]);
    let secret = key.lines().nth(1).unwrap();
    assert!(!page.html.contains(secret) && !page.html.contains("BEGIN PRIVATE KEY"));
}

#[tokio::test]
async fn strangers_read_nothing_here() {
    let mut browser = Browser::stranger().await;
    assert_eq!(browser.get("/inspect").await.status, 303);
    assert_eq!(bring(&mut browser, b"", "x", "public").await.status, 401);
}
