//! Every page, looked at by axe in light and dark, wide and narrow, and by people in `target/screenshots/`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::browser::{Browser, Script};
use crate::harness::client::Connection;
use crate::harness::console::{Console, Form};
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;
use crate::harness::team::{MAIL, PASSWORD};
use crate::harness::wait::until;

const AXE: &str = include_str!("vendor/axe-core/axe.min.js");

/// Theme, width and height.
const VIEWS: [(&str, u32, u32); 4] =
    [("light", 1440, 900), ("dark", 1440, 900), ("light", 390, 844), ("dark", 390, 844)];

/// Pages that tell that there is nothing.
const GONE: [&str; 3] = ["/no/such/page", "/join/no-such-token", "/why/7KQ2M-9XTPA"];

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
    for empty in ["requests", "certificates", "trust-lists"] {
        gallery.look_at(&format!("{empty}-none"), &format!("{}/{empty}", program.console)).await;
    }
    let World { examples, more, visitor } = furnish(&machine, &mut authority, &mut console).await;
    for path in routes().map(|route| example(route, &examples)).chain(more) {
        let page = console.get(&path).await;
        let is_page = page.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if page.status.is_redirection() || page.status.is_success() && !is_page {
            continue; // a file, or an address that only leads to a page
        }
        assert!(page.status.is_success() || GONE.contains(&path.as_str()), "{path}: {}", page.status);
        let name = path.trim_matches('/').replace(['/', '?', '=', '&'], "-");
        let name = match name.as_str() {
            "" => "overview",
            link if link.starts_with("join-") && !GONE.contains(&path.as_str()) => "join",
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
    browser.visit(&format!("{}/install", program.console)).await;
    browser.presses("Read it").await;
    gallery.look("install-refused").await;
    let pfx = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/pfx/legacy-rc2-3des.pfx");
    browser.chooses_file("reply", Path::new(pfx)).await;
    browser.presses("Read it").await;
    gallery.look("install-password").await;
    browser.visit(&format!("{}/inspect", program.console)).await;
    browser.presses("Read it").await;
    gallery.look("inspect-refused").await;
    let article = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/csr/iis5-seed.txt");
    browser.chooses_file("file", Path::new(article)).await;
    browser.presses("Read it").await;
    gallery.look("inspect-article").await;
    browser.visit(&format!("{}/trust-lists/1/rules", program.console)).await;
    browser.types("rules", "Colour is blue").await;
    browser.presses("Save the rules").await;
    gallery.look("trust-lists-1-rules-refused").await;
    browser.visit(&format!("{}/trust-lists/1/cas/1", program.console)).await;
    browser.types("address", "https://pki.example/").await;
    browser.presses("Fetch from here").await;
    gallery.look("trust-lists-1-cas-1-refused").await;
    browser.visit(&format!("{}/trust-lists/explain", program.console)).await;
    browser.presses("Explain it").await;
    gallery.look("trust-lists-explain-refused").await;
    let listener = format!("listeners/{}/all", machine.http.number());
    for (name, path, field, text, button) in [
        ("rule", "sites/2/ssl/rules/new", "path", "/../up", "Add the rule"),
        ("exemption", "sites/2/ssl/exemptions", "hours", "200", "Answer it"),
        ("own-page", "sites/2/pages", "file", "/../up.html", "Add the page"),
        ("proxies", &listener, "networks", "everybody", "Save the trusted proxies"),
        ("why", "why", "reference", "7KQ2M", "Explain"),
    ] {
        browser.visit(&format!("{}/{path}", program.console)).await;
        browser.types(field, text).await;
        browser.presses(button).await;
        gallery.look(&format!("{name}-refused")).await;
    }
    browser.visit(&format!("{}/sites/2/ssl/hsts", program.console)).await;
    browser.chooses("hsts", "fixed").await;
    browser.chooses("preload", "yes").await;
    browser.presses("Save what browsers are told").await;
    gallery.look("hsts-refused").await;
    browser.visit(&format!("{}/sites/2/ssl", program.console)).await;
    console.require_ssl("/sites/2", "redirect").await;
    browser.chooses("ssl", "off").await;
    browser.presses("Save SSL settings").await;
    gallery.look("ssl-conflict").await;
    browser.chooses("clients", "require").await;
    browser.presses("Save SSL settings").await;
    gallery.look("ssl-refused").await;
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

/// Every address of the console that can be opened, as its table of routes has it.
fn routes() -> impl Iterator<Item = &'static str> {
    let table = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/admin/src/lib.rs")).lines();
    let routes = table.filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", get("));
    routes.map(|(route, _)| route)
}

/// `route` with the ids of something that exists.
fn example(route: &str, examples: &[(&str, String)]) -> String {
    let fitting = examples.iter().filter_map(|(start, path)| Some((start, path, route.strip_prefix(start)?)));
    let longest = fitting.max_by_key(|(start, ..)| start.len());
    let path = longest.map_or(route.to_owned(), |(_, path, rest)| format!("{path}{rest}"));
    assert!(!path.contains('{'), "furnish makes no example of {route}");
    path
}

/// What the console is filled with: something that exists for each route with an id, and pages worth a look besides.
struct World {
    examples: Vec<(&'static str, String)>,
    more: Vec<String>,
    /// A page that a visitor is refused.
    visitor: String,
}

/// Fills the console with something of every kind.
async fn furnish(machine: &Machine, authority: &mut Authority, console: &mut Console) -> World {
    let (http, https) = (machine.http.number(), machine.https.number());
    let books = machine.content("shop", "Books");
    let shop = console.add_site("Bookshop", "shop.example\nbücher.example", http, &books).await;
    let certificate = console.obtain(authority, &shop, "shop.example").await;
    console.bind_https(&shop, "shop.example", https, &certificate).await;
    console.require_ssl(&shop, "refuse").await;
    let rule = Form::post(&format!("{shop}/ssl/rules/new")).with("path", "/hooks/stock").with("ssl", "off");
    console.save(rule.with("bits", "256").with("reason", "The tills of the branches are old")).await;
    let rule = machine.query("SELECT id FROM ssl_rules WHERE path = 'hooks/stock'").await;
    let tried = Form::post(&format!("{shop}/ssl/rules/new")).with("path", "/partners").with("tls", "1.3");
    console.save(tried.with("do", "report")).await;
    let binding = machine.query("SELECT id FROM bindings WHERE protocol = 'https'").await;
    console.save(Form::post(&format!("{shop}/pages")).with("shown", "404").with("file", "/none.html")).await;
    let own_page = machine.query("SELECT id FROM pages").await;
    let mut visitor = Connection::in_clear(http, "shop.example").await.expect("a visitor");
    visitor.fetch("/account").await.expect("a refusal");
    let reference = until("the refusal to be kept", async || {
        let kept = machine.query("SELECT reference FROM refused").await;
        kept.lines().next().map(str::to_owned)
    });
    let reference = reference.await;
    let change = machine.query("SELECT max(revision) FROM changes WHERE thing = 'rule'").await;
    let closed = console.add_site("News & notes", "news.example", http, &machine.content("news", "News")).await;
    console.require_ssl(&closed, "redirect").await;
    let pending = console.request(&closed, "news.example").await;
    let withdrawn = console.request(&closed, "old.example").await;
    let page = console.open(&format!("{withdrawn}/withdraw")).await;
    let button = page.texts("main form button").remove(0);
    console.save(page.form(&button)).await;
    let spare = console.obtain(authority, &shop, "spare.example").await;
    let own = Form::post("/authorities/new").with("name", "Alder & Finch Test CA").with("key", "ecdsa-p256");
    let own = console.save(own).await;
    let client = [("name", "Inga Solberg"), ("password", "long enough"), ("again", "long enough")];
    let client = client.iter().fold(Form::post(&format!("{own}/client")), |form, (name, text)| form.with(name, text));
    assert!(console.send(client).await.status.is_success());
    let issued = console.open("/issued?f=inga").await.addresses("main table a").remove(0);
    let (list, ca) = trust_list(console, authority, own.trim_start_matches("/authorities/")).await;
    let partners = Form::post(&format!("{shop}/ssl/rules/new")).with("path", "/partners").with("clients", "require");
    console.save(partners.with("trust", list.trim_start_matches("/trust-lists/"))).await;
    let reply = authority.sign(&console.csr(&pending).await);
    let staged = console.bring(&pending, reply.chain().as_bytes()).await.path;
    let root = console.open("/roots/new").await.form("Trust it").with("text", &authority.root_pem());
    console.save(root).await;
    let root = "/roots/1".to_owned();
    let invited = console.send(Form::post("/team/invite").with("note", "Ada, web team")).await.text("#link");
    let join = &invited[invited.find("/join/").expect("a link")..];
    let withdraw =
        console.open("/team").await.addresses("main a").into_iter().find(|path| path.contains("invitations"));
    let withdraw = withdraw.expect("an invitation to withdraw");

    let more = ["/search?q=shop", "/search?q=nothing-of-this", "/sites?f=shop", "/sites?f=nothing-of-this"];
    let states = ["/requests?state=completed", "/requests?state=withdrawn", "/requests/1"];
    let mut more: Vec<String> = more.iter().chain(&states).chain(&GONE).map(|path| (*path).to_owned()).collect();
    more.push(format!("{shop}/ssl?path=/hooks/stock/7"));
    more.push(format!("/trust-lists/explain?issued={}", issued.trim_start_matches("/issued/")));
    more.push(format!("{list}/cas/2"));
    more.extend([closed, withdrawn, format!("{certificate}/remove"), format!("{shop}/bindings/2")]);
    let examples = vec![
        ("/sites/{id}/bindings/{binding}", format!("{shop}/bindings/{}", binding.trim())),
        ("/sites/{id}/ssl/rules/{rule}", format!("{shop}/ssl/rules/{}", rule.trim())),
        ("/sites/{id}/ssl/trials/{trial}", format!("{shop}/ssl/trials/1")),
        ("/sites/{id}/pages/{page}", format!("{shop}/pages/{}", own_page.trim())),
        ("/why/{reference}", format!("/why/{reference}")),
        ("/sites/{id}", shop),
        ("/requests/{id}", pending),
        ("/certificates/{id}/remove", format!("{spare}/remove")),
        ("/certificates/{id}", certificate),
        ("/authorities/{id}", own),
        ("/issued/{id}", issued),
        ("/install/{token}", staged),
        ("/roots/{id}", root),
        ("/trust-lists/{id}/cas/{ca}", ca),
        ("/trust-lists/{id}", list),
        ("/listeners/{port}/{ip}", format!("/listeners/{http}/all")),
        ("/activity/{revision}", format!("/activity/{}", change.trim())),
        ("/team/invitations/{id}/withdraw", withdraw),
        ("/team/{id}", "/team/1".into()),
        ("/join/{token}", join.into()),
        ("/assets/{*path}", "/assets/mark.svg".into()),
    ];
    World { examples, more, visitor: format!("http://shop.example:{http}/atlas") }
}

/// A trust list with a CA of somebody else, whose revocation list is fetched, and an authority of this server; the list and
/// the first CA.
async fn trust_list(console: &mut Console, authority: &Authority, own: &str) -> (String, String) {
    let list = console.save(Form::post("/trust-lists/new").with("name", "Partners").with("stale", "closed")).await;
    let root = console.open(&format!("{list}/cas/new")).await.form("Put them on the list");
    console.save(root.with("text", &authority.root_pem())).await;
    console.save(Form::post(&format!("{list}/cas/own")).with("authority", own)).await;
    let rules = console.open(&format!("{list}/rules")).await.form("Save the rules");
    console.save(rules.with("rules", "Organization is Alder*\ncn is Inga Solberg")).await;
    let ca = format!("{list}/cas/1");
    let source = console.open(&ca).await.form("Fetch from here");
    console.save(source.with("address", "http://pki.invalid/root.crl")).await;
    (list, ca)
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
        // From the top, so that nothing lies half under the bar there.
        self.browser.driver.execute("scrollTo(0, 0)", Vec::new()).await.expect("the page scrolls");
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
