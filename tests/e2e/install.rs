//! A certificate comes in whatever form, and is served: a CA's bundle in a wrong order, a PFX of an old server.

use crate::harness::browser::{Browser, Script};
use crate::harness::console::{Console, Form};
use crate::harness::openssl::Authority;
use crate::harness::program::{Machine, Program};
use crate::harness::team::{MAIL, PASSWORD};

const SITE: &str = "Books and atlases";

#[tokio::test(flavor = "multi_thread")]
async fn a_p7b_in_a_wrong_order_is_dropped_on_its_request_and_served() {
    drop_a_p7b(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p7b_in_a_wrong_order_is_dropped_on_its_request_and_served_with_javascript_off() {
    drop_a_p7b(Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pfx_of_an_old_server_is_asked_for_its_password_and_served() {
    drop_a_pfx(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pfx_of_an_old_server_is_asked_for_its_password_and_served_with_javascript_off() {
    drop_a_pfx(Script::Off).await;
}

/// A site that serves a certificate of an authority of this server, and a browser that does not trust it.
struct Desk {
    machine: Machine,
    authority: Authority,
    program: Program,
    console: Console,
    browser: Browser,
    site: String,
}

impl Desk {
    async fn new(script: Script) -> Self {
        let machine = Machine::new();
        let authority = Authority::with_two_intermediates();
        let (program, mut console) = machine.set_up().await;
        let content = machine.content("shop", SITE);
        let site = console.add_site("Bookshop", "shop.example", machine.http.number(), &content).await;
        let own = Form::post("/authorities/new").with("name", "Own CA").with("key", "ecdsa-p256");
        let own = console.save(own).await;
        let request = console.request(&site, "shop.example").await;
        let sign = Form::post(&format!("{request}/sign")).with("authority", own.trim_start_matches("/authorities/"));
        let certificate = console.save(sign).await;
        console.bind_https(&site, "shop.example", machine.https.number(), &certificate).await;

        let console_root = machine.data().join("console-root.pem");
        let browser = Browser::start(&[&console_root, &authority.root()], script).await;
        browser.visit(&format!("{}/sign-in", program.console)).await;
        browser.types("mail", MAIL).await;
        browser.types("password", PASSWORD).await;
        browser.presses("Sign in").await;
        Self { machine, authority, program, console, browser, site }
    }

    /// The browser trusts what the site serves, and three certificates are sent: the root is not among them.
    async fn expect_served(self) {
        self.browser.visit(&format!("https://shop.example:{}/", self.machine.https.number())).await;
        self.browser.sees(SITE).await;
        let served = "SELECT group_concat(position) FROM chains WHERE certificate_id =
                      (SELECT certificate_id FROM bindings WHERE protocol = 'https')";
        assert_eq!(self.machine.query(served).await.trim(), "0,1,2");
        self.browser.quit().await;
    }
}

async fn drop_a_p7b(script: Script) {
    let mut desk = Desk::new(script).await;
    let request = desk.console.request(&desk.site, "shop.example").await;
    let reply = desk.authority.sign(&desk.console.csr(&request).await);
    let file = desk.browser.file("reply.p7b", &desk.authority.p7b_in_a_wrong_order(&reply));
    let browser = &desk.browser;
    browser.visit(&format!("{}{request}", desk.program.console)).await;
    browser.chooses_file("reply", &file).await;
    browser.presses("Read the reply").await;
    browser.sees("Install this certificate").await;
    let page = browser.text().await;
    for words in ["It answers request", "From reply.p7b", "2 issuers are sent along", "Meridian_Root"] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
    browser.presses("Install and switch the ticked bindings").await;
    browser.sees("shop.example").await;
    desk.expect_served().await;
}

async fn drop_a_pfx(script: Script) {
    let mut desk = Desk::new(script).await;
    let pfx = desk.authority.legacy_pfx("shop.example", "kingfisher");
    let file = desk.browser.file("iis-export.pfx", &pfx);
    let browser = &desk.browser;
    browser.visit(&format!("{}/certificates", desk.program.console)).await;
    browser.follows("Install a certificate").await;
    browser.chooses_file("reply", &file).await;
    browser.presses("Read it").await;
    browser.sees("Password needed").await;
    browser.types("password", "Kingfisher").await;
    browser.presses("Open it").await;
    assert!(browser.text().await.contains("The password does not open this."));
    browser.types("password", "kingfisher").await;
    browser.presses("Open it").await;
    browser.sees("Install this certificate").await;
    let page = browser.text().await;
    for words in ["It came with its private key.", "From iis-export.pfx", "https://shop.example"] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
    browser.presses("Install and switch the ticked bindings").await;
    browser.sees("shop.example").await;
    desk.expect_served().await;
}
