//! Somebody with a site to look after, a browser, and a CA elsewhere that sends what is to be installed.

use std::time::{Duration, Instant};

use thirtyfour::prelude::*;
use tokio::time::{interval, timeout};

use super::browser::{Browser, Script};
use super::client::Visitor;
use super::console::{Console, Form};
use super::openssl::{Authority, Reply};
use super::program::{Machine, Program};
use super::team::{MAIL, PASSWORD};

const TEXT: &str = "Books and atlases";
const PASSPHRASE: &str = "kingfisher";

/// What the certificate of the PFX is called in the console.
pub(crate) const FROM_THE_PFX: &str = "From the old server";

/// How soon after an installation the site's page tells that fresh clients got the new certificate.
const PROVEN: Duration = Duration::from_secs(2);

/// A site whose bindings serve a certificate of this server's own authority, which the browser does not trust.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) machine: Machine,
    pub(crate) authority: Authority,
    pub(crate) program: Program,
    pub(crate) console: Console,
    pub(crate) browser: Browser,
    hosts: &'static [&'static str],
    site: String,
}

impl Desk {
    /// Somebody signed in to the console of a site with an http and an https binding for each of `hosts`.
    pub(crate) async fn new(script: Script, hosts: &'static [&'static str]) -> Self {
        let machine = Machine::new();
        let authority = Authority::with_two_intermediates();
        let (program, mut console) = machine.set_up().await;
        let content = machine.content("shop", TEXT);
        let site = console.add_site("Bookshop", &hosts.join("\n"), machine.http.number(), &content).await;
        console.require_ssl(&site, "redirect").await;
        let own = Form::post("/authorities/new").with("name", "Own CA").with("key", "ecdsa-p256");
        let own = console.save(own).await;

        let console_root = machine.data().join("console-root.pem");
        let browser = Browser::start(&[&console_root, &authority.root()], script).await;
        browser.visit(&format!("{}/sign-in", program.console)).await;
        browser.types("mail", MAIL).await;
        browser.types("password", PASSWORD).await;
        browser.presses("Sign in").await;
        let mut desk = Self { machine, authority, program, console, browser, hosts, site };

        let request = desk.request().await;
        let sign = Form::post(&format!("{request}/sign")).with("authority", own.trim_start_matches("/authorities/"));
        let certificate = desk.console.save(sign).await;
        for host in hosts {
            desk.console.bind_https(&desk.site, host, desk.machine.https.number(), &certificate).await;
        }
        desk
    }

    /// Requests a certificate for every host; the path of the request's page.
    pub(crate) async fn request(&mut self) -> String {
        let form = Form::post("/requests/new")
            .with("step", "check")
            .with("go", "create")
            .with("site", self.site.trim_start_matches("/sites/"))
            .with("name", self.hosts[0])
            .with("key", "ecdsa-p256")
            .with("common_name", self.hosts[0])
            .with("names", &self.hosts[1..].join("\n"));
        self.console.save(form).await
    }

    /// The CA answers the request at `path`; its bundle is dropped on the request's page, which shows what it is.
    pub(crate) async fn answers(&mut self, path: &str) -> Reply {
        let reply = self.authority.sign(&self.console.csr(path).await);
        let file = self.browser.file("reply.p7b", &self.authority.p7b_in_a_wrong_order(&reply));
        self.browser.visit(&format!("{}{path}", self.program.console)).await;
        self.browser.chooses_file("reply", &file).await;
        self.browser.presses("Read the reply").await;
        self.expect_preview(&["It answers request", "From reply.p7b"]).await;
        reply
    }

    /// A PFX for every host is brought, and opened at the second attempt.
    pub(crate) async fn brings_a_pfx(&mut self) -> Reply {
        let (reply, pfx) = self.authority.legacy_pfx(self.hosts, PASSPHRASE);
        let browser = &self.browser;
        let file = browser.file("iis-export.pfx", &pfx);
        browser.visit(&format!("{}/certificates", self.program.console)).await;
        browser.follows("Install a certificate").await;
        browser.chooses_file("reply", &file).await;
        browser.presses("Read it").await;
        browser.sees("Password needed").await;
        browser.types("password", "Kingfisher").await;
        browser.presses("Open it").await;
        assert!(browser.text().await.contains("The password does not open this."));
        browser.types("password", PASSPHRASE).await;
        browser.presses("Open it").await;
        self.expect_preview(&["It came with its private key.", "From iis-export.pfx"]).await;
        browser.types("name", FROM_THE_PFX).await;
        reply
    }

    async fn expect_preview(&self, words: &[&str]) {
        self.browser.sees("Install this certificate").await;
        let page = self.browser.text().await;
        let bindings = self.hosts.iter().map(|host| format!("https://{host}"));
        let expected =
            words.iter().chain(&["with 2 issuers to send along", "Meridian_Root"]).map(|words| (*words).into());
        for words in expected.chain(bindings) {
            assert!(page.contains(&words), "no {words:?} in {page}");
        }
    }

    /// Installs what the page shows; within two seconds of the answer, the site's page shows that fresh clients of
    /// every kind got it. The path of the certificate.
    pub(crate) async fn installs(&self, reply: &Reply) -> String {
        self.browser.presses("Install and switch the ticked bindings").await;
        let installed = Instant::now();
        let address = self.browser.driver.current_url().await.expect("an address");
        timeout(PROVEN, self.until_proven(reply)).await.expect("receipts within two seconds");
        println!("receipts were green on the page {:?} after the answer", installed.elapsed());
        address.path().to_owned()
    }

    async fn until_proven(&self, reply: &Reply) {
        let mut tick = interval(Duration::from_millis(50));
        while !self.is_proven(reply).await {
            tick.tick().await;
        }
    }

    /// Whether *What a visitor gets* is all green, and tells of this certificate.
    async fn is_proven(&self, reply: &Reply) -> bool {
        let browser = &self.browser;
        browser.visit(&format!("{}{}", self.program.console, self.site)).await;
        let count = async |selector: &str| browser.driver.find_all(By::Css(selector)).await.expect("elements").len();
        let all_of_both = count(".seen dl strong.ok").await == 2 && count(".seen tbody .st:not(.ok)").await == 0;
        all_of_both && browser.text().await.contains(&reply.fingerprint().short())
    }

    /// Every host shows what the CA signed with both issuers but not the root, and the browser trusts it.
    pub(crate) async fn expect_served(&self, reply: &Reply) {
        let port = self.machine.https.number();
        let visitor = Visitor::trusting(&reply.root);
        for host in self.hosts {
            let shown = visitor.connect(port, host).await.expect("a handshake").fingerprint;
            assert_eq!(shown, Some(reply.fingerprint()), "{host}");
            self.browser.visit(&format!("https://{host}:{port}/")).await;
            self.browser.sees(TEXT).await;
        }
        let sent =
            "SELECT DISTINCT (SELECT group_concat(position) FROM chains c WHERE c.certificate_id = b.certificate_id)
                    FROM bindings b WHERE protocol = 'https'";
        assert_eq!(self.machine.query(sent).await.trim(), "0,1,2");
    }
}
