//! Every page, looked at by axe in light and dark, wide and narrow, and by people in `target/screenshots/`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::browser::{Browser, Script};
use crate::harness::console::{Console, Form};
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;
use crate::harness::team::{MAIL, PASSWORD};

const AXE: &str = include_str!("vendor/axe-core/axe.min.js");

/// Theme, width and height.
const VIEWS: [(&str, u32, u32); 4] =
    [("light", 1440, 900), ("dark", 1440, 900), ("light", 390, 844), ("dark", 390, 844)];

/// Pages that tell that there is nothing.
const GONE: [&str; 2] = ["/no/such/page", "/join/no-such-token"];

/// What axe finds on the page as it stands, one line each.
const FINDINGS: &str = "
    const done = arguments[arguments.length - 1];
    const report = (result) => done(result.violations.flatMap((violation) => violation.nodes.map(
        (node) => `${violation.id}: ${node.target.join(' ')}: ${node.failureSummary}`.replace(/\\s+/g, ' '))));
    axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        .then(report, (error) => done([String(error)]));";

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_page_in_light_and_dark_wide_and_narrow() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (program, mut console) = machine.set_up().await;
    let console_root = machine.data().join("console-root.pem");
    let browser = Browser::start(&[&console_root, &authority.root()], Script::On).await;
    let mut gallery = Gallery::new(&browser);

    gallery.look_at("sign-in", &format!("{}/sign-in", program.console)).await;
    sign_in(&browser, &program.console).await;
    gallery.look_at("overview-of-a-first-start", &format!("{}/", program.console)).await;
    for empty in ["requests", "certificates"] {
        gallery.look_at(&format!("{empty}-none"), &format!("{}/{empty}", program.console)).await;
    }
    let World { pages, visitor } = furnish(&machine, &mut authority, &mut console).await;
    for path in pages {
        let status = console.open(&path).await.status;
        assert!(status.is_success() || GONE.contains(&path.as_str()), "{path}: {status}");
        let name = path.trim_matches('/').replace(['/', '?', '=', '&'], "-");
        let name = match name.as_str() {
            "" => "overview",
            link if link.starts_with("join-") && link != "join-no-such-token" => "join",
            name => name,
        };
        gallery.look_at(name, &format!("{}{path}", program.console)).await;
    }
    gallery.look_at("visitor-403-4", &visitor).await;
    gallery.look_at("visitor-default-site", &format!("http://other.example:{}/", machine.http.number())).await;

    browser.visit(&format!("{}/requests/new?site=2", program.console)).await;
    for step in ["organization", "names", "location", "check"] {
        browser.presses("Continue").await;
        gallery.look(&format!("requests-new-{step}")).await;
    }
    browser.visit(&format!("{}/sites/new", program.console)).await;
    for field in ["host", "port", "ip"] {
        browser.types(field, "not this").await;
    }
    browser.presses("Add the site").await;
    gallery.look("sites-new-refused").await;
    let request = console.request("/sites/2", "shop.example").await;
    let reply = browser.file("reply.pem", &authority.sign(&console.csr(&request).await).chain());
    browser.visit(&format!("{}{request}", program.console)).await;
    browser.presses("Read the reply").await;
    gallery.look("requests-reply-refused").await;
    browser.chooses_file("reply", &reply).await;
    browser.presses("Read the reply").await;
    gallery.look("requests-install").await;
    browser.visit(&format!("{}/team/invite", program.console)).await;
    browser.types("note", "Ada, web team").await;
    browser.presses("Make the link").await;
    gallery.look("team-invited").await;

    let findings = gallery.findings;
    browser.quit().await;
    assert!(findings.is_empty(), "\n{findings}");
}

async fn sign_in(browser: &Browser, console: &str) {
    browser.visit(&format!("{console}/sign-in")).await;
    browser.types("mail", MAIL).await;
    browser.types("password", PASSWORD).await;
    browser.presses("Sign in").await;
}

/// Pages of the console, and a page that a visitor is refused.
struct World {
    pages: Vec<String>,
    visitor: String,
}

/// Fills the console with something of every kind.
async fn furnish(machine: &Machine, authority: &mut Authority, console: &mut Console) -> World {
    let (http, https) = (machine.http.number(), machine.https.number());
    let shop =
        console.add_site("Bookshop", "shop.example\nbücher.example", http, &machine.content("shop", "Books")).await;
    let certificate = console.obtain(authority, &shop, "shop.example").await;
    console.bind_https(&shop, "shop.example", https, &certificate).await;
    console.require_ssl(&shop, "refuse").await;
    let news = console.add_site("News & notes", "news.example", http, &machine.content("news", "News")).await;
    console.require_ssl(&news, "redirect").await;
    let pending = console.request(&news, "news.example").await;
    let withdrawn = console.request(&news, "old.example").await;
    let page = console.open(&format!("{withdrawn}/withdraw")).await;
    let button = page.texts("main form button").remove(0);
    console.save(page.form(&button)).await;
    let own = Form::post("/authorities/new").with("name", "Alder & Finch Test CA").with("key", "ecdsa-p256");
    let own = console.save(own).await;
    let invitation = Form::post("/team/invite").with("note", "Ada, web team");
    let invitation = console.send(invitation).await.text("#link");
    let join = &invitation[invitation.find("/join/").expect("a link")..];
    let spare = console.obtain(authority, &shop, "spare.example").await;
    // The default site has binding 1, the shop's two http names 2 and 3.
    let (http_binding, https_binding) = (format!("{shop}/bindings/3"), format!("{shop}/bindings/4"));

    let mut pages: Vec<String> = [
        "/",
        "/search",
        "/search?q=shop",
        "/search?q=nothing-of-this",
        "/sites",
        "/sites?f=shop",
        "/sites?f=nothing-of-this",
        "/sites/new",
        "/requests",
        "/requests?state=completed",
        "/requests?state=withdrawn",
        "/requests/new",
        "/certificates",
        "/authorities",
        "/authorities/new",
        "/activity",
        "/team",
        "/team/invite",
        "/team/1/remove",
        join,
    ]
    .into_iter()
    .chain(GONE)
    .map(str::to_owned)
    .collect();
    for below in ["", "/ssl", "/content", "/history", "/stop", "/delete", "/bindings/new"] {
        pages.push(format!("{shop}{below}"));
    }
    pages.extend([news, http_binding, https_binding.clone(), format!("{https_binding}/delete")]);
    pages.extend([pending.clone(), format!("{pending}/withdraw"), withdrawn, "/requests/1".into()]);
    pages.extend([certificate.clone(), format!("{certificate}/remove"), format!("{spare}/remove"), own]);
    World { pages, visitor: format!("http://shop.example:{http}/atlas") }
}

/// Looks at pages, and keeps what is found and what is seen.
struct Gallery<'a> {
    browser: &'a Browser,
    folder: PathBuf,
    findings: String,
}

impl<'a> Gallery<'a> {
    fn new(browser: &'a Browser) -> Self {
        let target = Path::new(env!("CARGO_BIN_EXE_siteward")).ancestors().nth(2).expect("a target directory");
        let folder = target.join("screenshots");
        fs::create_dir_all(&folder).expect("a folder for screenshots");
        Self { browser, folder, findings: String::new() }
    }

    async fn look_at(&mut self, name: &str, address: &str) {
        self.browser.visit(address).await;
        self.look(name).await;
    }

    async fn look(&mut self, name: &str) {
        self.browser.driver.execute(AXE, Vec::new()).await.expect("axe can be read");
        for (theme, width, height) in VIEWS {
            self.show_as(theme, width, height).await;
            let found = self.browser.driver.execute_async(FINDINGS, Vec::new()).await.expect("axe runs");
            for finding in found.json().as_array().expect("a list of findings") {
                writeln!(self.findings, "{name}, {theme}, {width} px: {}", finding.as_str().unwrap_or_default())
                    .expect("text can be written");
            }
            let file = self.folder.join(format!("{name}-{theme}-{width}.png"));
            self.browser.driver.screenshot(&file).await.expect("a screenshot");
        }
    }

    async fn show_as(&self, theme: &str, width: u32, height: u32) {
        let theme = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.tell("Emulation.setEmulatedMedia", theme).await;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn tell(&self, method: &str, parameters: Value) {
        self.browser.driver.cdp().send_raw(method, parameters).await.expect("the browser obeys");
    }
}
