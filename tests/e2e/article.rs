//! The article's whole procedure, in a browser, with `openssl` as the certification authority: request a certificate,
//! install the reply, bind it, require SSL.

use crate::harness::browser::{Browser, Script};
use crate::harness::client::curl;
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;
use crate::harness::team::{MAIL, NAME, PASSWORD};
use crate::harness::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_site_gets_ssl_from_request_to_redirect_with_an_rsa_key() {
    enable_ssl("rsa-2048", "2048 bit", Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_gets_ssl_from_request_to_redirect_with_an_ecdsa_key() {
    enable_ssl("ecdsa-p256", "prime256v1", Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_gets_ssl_from_request_to_redirect_with_an_rsa_key_and_javascript_off() {
    enable_ssl("rsa-2048", "2048 bit", Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_gets_ssl_from_request_to_redirect_with_an_ecdsa_key_and_javascript_off() {
    enable_ssl("ecdsa-p256", "prime256v1", Script::Off).await;
}

async fn enable_ssl(key: &str, key_in_request: &str, script: Script) {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let mut program = machine.start().await;
    let console_root = machine.data().join("console-root.pem");
    let browser = Browser::start(&[&console_root, &authority.root()], script).await;
    let (http, https) = (machine.http.number(), machine.https.number());

    browser.visit(&program.set_up_link().await).await;
    browser.sees("Set up Siteward").await;
    browser.types("name", NAME).await;
    browser.types("mail", MAIL).await;
    browser.types("password", PASSWORD).await;
    browser.presses("Set up and sign in").await;

    browser.visit(&format!("{}/sites", program.console)).await;
    browser.follows("Add a site").await;
    browser.types("name", "Bookshop").await;
    browser.types("host", "shop.example").await;
    browser.types("port", &http.to_string()).await;
    browser.chooses("place", "at").await;
    browser.types("folder", &machine.content("shop", "Books and atlases").display().to_string()).await;
    browser.chooses("ssl", "off").await;
    browser.presses("Add the site").await;
    browser.sees("Bookshop").await;

    browser.visit(&format!("{}/requests", program.console)).await;
    browser.follows("Request a certificate").await;
    answer_the_wizard(&browser, key).await;
    browser.sees("Your certificate request is ready to send").await;
    let request_page = browser.driver.current_url().await.unwrap().to_string();
    let csr = browser.saves("Download .csr", "shop.example.csr").await;
    let in_words = authority.verify_request(&csr);
    for part in
        [key_in_request, "DNS:shop.example", "C=GB", "ST=Somerset", "L=Bath", "O=Alder & Finch", "CN=shop.example"]
    {
        assert!(in_words.contains(part), "no {part} in {in_words}");
    }

    let reply = browser.file("reply.pem", &authority.sign(&csr).chain());
    browser.visit(&request_page).await;
    browser.chooses_file("reply", &reply).await;
    browser.presses("Read the reply").await;
    browser.sees("Install this certificate").await;
    browser.presses("Install the certificate").await;

    browser.visit(&format!("{}/sites", program.console)).await;
    browser.follows("Bookshop").await;
    browser.follows("Add a binding").await;
    browser.chooses("protocol", "https").await;
    browser.types("port", &https.to_string()).await;
    browser.types("host", "shop.example").await;
    browser.selects("certificate", "shop.example").await;
    browser.presses("Add the binding").await;
    browser.sees("Bookshop").await;
    let site = browser.driver.current_url().await.unwrap();
    let site = format!("{}{}", program.console, site.path());

    let secure = format!("https://shop.example:{https}");
    browser.visit(&format!("{secure}/")).await;
    browser.sees("Books and atlases").await;

    let in_clear = format!("http://shop.example:{http}");
    assert!(curl(&[&in_clear]).contains("Books and atlases"), "nothing is required yet");
    require_ssl(&browser, &site, "refuse").await;
    browser.visit(&format!("{in_clear}/")).await;
    browser.sees("This page needs a secure connection").await;
    assert!(browser.text().await.contains("403.4 SSL required"));
    browser.follows(&format!("{secure}/")).await;
    browser.sees("Books and atlases").await;
    let head = curl(&["--head", &in_clear]);
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    until("the refusal in the log", async || program.log().contains("sc-status=403 sc-substatus=4").then_some(()))
        .await;

    require_ssl(&browser, &site, "redirect").await;
    let head = curl(&["--head", &format!("{in_clear}/atlas?page=2")]);
    assert!(head.starts_with("HTTP/1.1 308 "), "{head}");
    assert!(head.to_lowercase().contains(&format!("location: {secure}/atlas?page=2\r\n")), "{head}");
    browser.visit(&format!("{in_clear}/index.html")).await;
    browser.sees("Books and atlases").await;
    assert_eq!(browser.driver.current_url().await.unwrap().as_str(), format!("{secure}/index.html"));
    browser.quit().await;
}

/// Fills in every page of the request, in the article's order.
async fn answer_the_wizard(browser: &Browser, key: &str) {
    browser.sees("Site and key").await;
    browser.selects("site", "Bookshop").await;
    browser.types("name", "Bookshop until spring").await;
    browser.chooses("key", key).await;
    browser.presses("Continue").await;
    browser.sees("Organization").await;
    browser.types("organization", "Alder & Finch").await;
    browser.presses("Continue").await;
    browser.sees("Names").await;
    browser.presses("Continue").await;
    browser.sees("Location").await;
    browser.selects("country", "United Kingdom").await;
    browser.types("state", "Somerset").await;
    browser.types("locality", "Bath").await;
    browser.presses("Continue").await;
    browser.sees("Check your answers").await;
    browser.presses("Create certificate request").await;
}

async fn require_ssl(browser: &Browser, site: &str, setting: &str) {
    browser.visit(site).await;
    browser.follows("SSL settings").await;
    browser.chooses("ssl", setting).await;
    browser.presses("Save SSL settings").await;
}
