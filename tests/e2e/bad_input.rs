//! Bad input: a sentence by the field, what was typed is kept, nothing is changed.

use std::os::unix::fs::symlink;

use hyper::StatusCode;

use crate::harness::client::curl;
use crate::harness::console::{Console, Form, Page};
use crate::harness::openssl::{Authority, Validity};
use crate::harness::program::{Machine, Program};

const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// A console with one site, and a pending request for it.
struct Desk {
    machine: Machine,
    authority: Authority,
    _program: Program,
    console: Console,
    site: String,
    request: String,
}

impl Desk {
    async fn new() -> Self {
        let machine = Machine::new();
        let (program, mut console) = machine.set_up().await;
        let folder = machine.content("shop", "Books and atlases");
        let site = console.add_site("Bookshop", "shop.example", machine.http.number(), &folder).await;
        let request = console.request(&site, "shop.example").await;
        Self { machine, authority: Authority::new(), _program: program, console, site, request }
    }

    /// A trust list with the root of the authority on it, and the page of this CA.
    async fn trust_list(&mut self) -> (String, String) {
        let new = Form::post("/trust-lists/new").with("name", "Partners").with("stale", "closed");
        let list = self.console.save(new).await;
        let root = self.console.open(&format!("{list}/cas/new")).await.form("Put them on the list");
        self.console.save(root.with("text", &self.authority.root_pem())).await;
        let ca = format!("{list}/cas/1");
        (list, ca)
    }

    /// Sends the form behind `button` on the page at `path` with these answers; it must be refused with a sentence
    /// beside `field`, keep what was typed, and change nothing.
    async fn is_refused(&mut self, path: &str, button: &str, answers: &[(&str, &str)], field: &str) {
        self.is_refused_but_for(path, button, answers, field, "").await;
    }

    /// The same where the answer to `choice` is none of those offered, so that it can't be kept.
    async fn is_refused_but_for(
        &mut self,
        path: &str,
        button: &str,
        answers: &[(&str, &str)],
        field: &str,
        choice: &str,
    ) {
        let before = self.machine.revision().await;
        let mut form = self.console.open(path).await.form(button);
        for (name, value) in answers {
            form = form.with(name, value);
        }
        let page = self.console.send(form).await;
        let what = format!("{path} with {:.200}", format!("{answers:?}"));
        assert_eq!(page.status, REFUSED, "{what}");
        says(&page, field, &what);
        for (name, value) in answers.iter().filter(|(name, _)| *name != choice) {
            let typed = page.form(button).value(name).map(kept);
            assert!(typed == Some(kept(value)), "{what}: what was typed into {name} is not kept");
        }
        assert_eq!(self.machine.revision().await, before, "{what} changed something");
    }

    /// Brings `reply` to the request at `path`; it must be refused likewise.
    async fn reply_is_refused(&mut self, what: &str, path: &str, reply: &[u8]) {
        let before = self.machine.revision().await;
        let page = self.console.bring(path, reply).await;
        assert_eq!(page.status, REFUSED, "{what}");
        says(&page, "reply", what);
        if let Ok(text) = std::str::from_utf8(reply) {
            let pasted = Form::post(&format!("{path}/reply")).with("text", text).with_file("reply", "", b"");
            let page = self.console.send(pasted).await;
            assert_eq!(page.status, REFUSED, "{what}, pasted");
            if page.body.contains("<textarea") {
                let pasted = page.form("Read the reply").value("text").map(kept);
                assert!(pasted == Some(kept(text)), "{what}: what was pasted is not kept");
            }
        }
        assert_eq!(self.machine.revision().await, before, "{what} changed something");
    }
}

/// The page says in a sentence what is wrong: beside `field`, or above all where the page has no such field any more.
fn says(page: &Page, field: &str, what: &str) {
    let has_field = !page.texts(&format!("[name={field}]")).is_empty();
    let beside = page.texts(&if has_field { format!("#{field}-e") } else { "[role=alert] li".into() });
    let is_sentence = |text: &String| text.ends_with('.') && text.contains(' ');
    assert!(beside.first().is_some_and(is_sentence), "{what}: beside {field} stands {beside:?}");
}

/// As a browser keeps it: no NUL in HTML, and line ends of one kind.
fn kept(text: &str) -> String {
    text.replace('\0', "\u{fffd}").replace('\r', "").trim().to_owned()
}

#[tokio::test]
async fn a_reply_that_can_not_be_installed_is_refused_with_a_sentence_and_changes_nothing() {
    let mut desk = Desk::new().await;
    let (site, request) = (desk.site.clone(), desk.request.clone());
    let other = desk.console.request(&site, "news.example").await;
    let other_reply = desk.authority.sign(&desk.console.csr(&other).await);
    let reply = desk.authority.sign(&desk.console.csr(&request).await);
    let csr = desk.console.csr(&request).await;
    let leaf = reply.leaf.as_str();
    let truncated = &leaf[..leaf.len() / 2];
    let damaged = leaf.replacen('M', "!", 3);

    desk.reply_is_refused("a reply for another request", &request, other_reply.chain().as_bytes()).await;
    desk.reply_is_refused("a reply without a leaf", &request, reply.intermediate.as_bytes()).await;
    desk.reply_is_refused("only the root", &request, reply.root.as_bytes()).await;
    desk.reply_is_refused("the request itself", &request, csr.as_bytes()).await;
    desk.reply_is_refused("garbage", &request, b"Dear customer, your certificate is on its way.").await;
    desk.reply_is_refused("truncated PEM", &request, truncated.as_bytes()).await;
    desk.reply_is_refused("damaged PEM", &request, damaged.as_bytes()).await;
    desk.reply_is_refused("nothing", &request, b"").await;
    desk.reply_is_refused("white space", &request, b" \r\n\t ").await;
    desk.reply_is_refused("binary", &request, &[0x30, 0x82, 0xff, 0xff, 0x00, 0x7f, 0x80]).await;
    desk.reply_is_refused("zeros", &request, &[0; 4096]).await;

    let before = desk.machine.revision().await;
    for size in [3 << 19, 20 << 20] {
        let page = desk.console.bring(&request, &vec![b'A'; size]).await;
        assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
        says(&page, "reply", "too large a reply");
    }
    assert_eq!(desk.machine.revision().await, before);

    desk.console.complete(&request, &reply.chain()).await;
    desk.reply_is_refused("the same reply twice", &request, reply.chain().as_bytes()).await;
    desk.reply_is_refused("it, for another request", &other, reply.chain().as_bytes()).await;
    let withdraw = desk.console.open(&format!("{other}/withdraw")).await;
    let button = withdraw.texts("main form button").remove(0);
    desk.console.save(withdraw.form(&button)).await;
    desk.reply_is_refused("a reply to a withdrawn request", &other, other_reply.chain().as_bytes()).await;
}

#[tokio::test]
async fn a_doubtful_reply_is_installed_only_after_a_confirmation() {
    for validity in [Validity::Expired, Validity::NotYet] {
        let mut desk = Desk::new().await;
        let request = desk.request.clone();
        let reply = desk.authority.sign_for(&desk.console.csr(&request).await, validity);
        let before = desk.machine.revision().await;

        let preview = desk.console.bring(&request, reply.chain().as_bytes()).await;
        let form = preview.form("Install the certificate");
        let refused = desk.console.send(form.clone()).await;
        assert_eq!(refused.status, REFUSED, "{validity:?}");
        says(&refused, "confirmed", &format!("{validity:?}"));
        assert_eq!(desk.machine.revision().await, before);

        let path = desk.console.save(form.with("confirmed", "yes")).await;
        assert!(path.starts_with("/certificates/"), "{path}");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_cover_the_host_name_is_bound_only_after_a_confirmation() {
    let mut desk = Desk::new().await;
    let certificate = desk.console.obtain(&mut desk.authority, &desk.site, "shop.example").await;
    let path = format!("{}/bindings/new", desk.site);
    let port = desk.machine.https.number().to_string();
    let answers = [
        ("protocol", "https"),
        ("host", "other.example"),
        ("port", port.as_str()),
        ("certificate", certificate.trim_start_matches("/certificates/")),
    ];
    desk.is_refused(&path, "Add the binding", &answers, "confirmed").await;
    let mut form = desk.console.open(&path).await.form("Add the binding").with("confirmed", "yes");
    for (name, value) in answers {
        form = form.with(name, value);
    }
    desk.console.save(form).await;
}

#[tokio::test]
async fn a_reply_switches_a_binding_that_it_does_not_cover_only_after_a_confirmation() {
    let mut desk = Desk::new().await;
    let certificate = desk.console.obtain(&mut desk.authority, &desk.site, "shop.example").await;
    desk.console.bind_https(&desk.site, "shop.example", desk.machine.https.number(), &certificate).await;
    let served = desk.machine.query("SELECT id || ':' || certificate_id FROM bindings WHERE protocol = 'https'").await;
    let request = desk.console.request(&desk.site, "other.example").await;
    let reply = desk.authority.sign(&desk.console.csr(&request).await);
    let preview = desk.console.bring(&request, reply.chain().as_bytes()).await;
    let form = preview.form("Install and switch the ticked bindings");
    assert_eq!(form.value("b"), None, "a binding that is not covered is not proposed");

    let before = desk.machine.revision().await;
    let form = form.with("b", served.trim());
    let refused = desk.console.send(form.clone()).await;
    assert_eq!(refused.status, REFUSED);
    says(&refused, "confirmed", "a reply for other.example");
    assert_eq!(desk.machine.revision().await, before);
    desk.console.save(form.with("confirmed", "yes")).await;
}

#[tokio::test]
async fn an_answer_that_can_not_stand_is_refused_beside_its_field_and_kept() {
    let mut desk = Desk::new().await;
    let binding = format!("{}/bindings/new", desk.site);
    let long_host = format!("{}.example", ["a".repeat(60).as_str(); 5].join("."));
    let bad_hosts = [
        "shop example",
        "_shop.example",
        "shop_1.example",
        "shop..example",
        "https://shop.example",
        "shop.example:443",
        "127.0.0.1",
        "*.example",
        "<script>alert(1)</script>",
        "\"'>.example",
        long_host.as_str(),
    ];
    for host in bad_hosts {
        desk.is_refused("/sites/new", "Add the site", &[("name", "New"), ("ssl", "off"), ("host", host)], "host").await;
        desk.is_refused(&binding, "Add the binding", &[("protocol", "http"), ("host", host)], "host").await;
    }
    for port in ["0", "65536", "https", "-1", "+80", "8 0", ""] {
        desk.is_refused(
            "/sites/new",
            "Add the site",
            &[("name", "New"), ("ssl", "off"), ("host", "new.example"), ("port", port)],
            "port",
        )
        .await;
        if !port.is_empty() {
            desk.is_refused(&binding, "Add the binding", &[("protocol", "http"), ("port", port)], "port").await;
        }
    }
    for ip in ["localhost", "300.1.1.1", "<b>"] {
        desk.is_refused(&binding, "Add the binding", &[("protocol", "http"), ("ip", ip)], "ip").await;
    }
    desk.is_refused(&binding, "Add the binding", &[("protocol", "https"), ("host", "a.example")], "certificate").await;

    let file = desk.machine.content("file", "A file").join("index.html").display().to_string();
    let data = desk.machine.data().display().to_string();
    let around = desk.machine.data().parent().expect("a folder around the data").display().to_string();
    let content = format!("{}/content", desk.site);
    for folder in ["/no/such/folder", "relative", "", &file, &data, &format!("{data}/../data"), &around, "/"] {
        let answers = [("name", "New"), ("ssl", "off"), ("host", "new.example"), ("place", "at"), ("folder", folder)];
        desk.is_refused("/sites/new", "Add the site", &answers, "folder").await;
        desk.is_refused(&content, "Save name and folder", &[("folder", folder)], "folder").await;
    }
    let (long, huge) = ("n".repeat(101), "x".repeat(64 << 10));
    for name in ["", "   ", &long, &huge] {
        desk.is_refused(
            "/sites/new",
            "Add the site",
            &[("name", name), ("ssl", "off"), ("host", "new.example")],
            "name",
        )
        .await;
        desk.is_refused(&content, "Save name and folder", &[("name", name)], "name").await;
        desk.is_refused("/authorities/new", "Make the authority", &[("name", name)], "name").await;
    }
    let taken = [("name", "Bookshop"), ("ssl", "off"), ("host", "new.example")];
    desk.is_refused("/sites/new", "Add the site", &taken, "name").await;
    let port = desk.machine.http.number().to_string();
    let taken = [("name", "New"), ("ssl", "off"), ("host", "Shop.Example."), ("port", port.as_str())];
    desk.is_refused("/sites/new", "Add the site", &taken, "host").await;
    let speaks_http = [("protocol", "https"), ("host", "a.example"), ("port", port.as_str())];
    desk.is_refused(&binding, "Add the binding", &speaks_http, "port").await;
}

#[tokio::test]
async fn an_answer_about_a_trust_list_that_can_not_stand_is_refused_beside_its_field_and_kept() {
    let mut desk = Desk::new().await;
    let (list, ca) = desk.trust_list().await;
    let (long, huge) = ("n".repeat(101), "x".repeat(64 << 10));
    let taken = "partners";
    for name in ["", "  ", "a\u{1}b", taken, &long, &huge] {
        desk.is_refused("/trust-lists/new", "Make the trust list", &[("name", name)], "name").await;
    }
    desk.is_refused(&format!("{list}/edit"), "Save the trust list", &[("name", &long)], "name").await;
    desk.is_refused_but_for(&format!("{list}/edit"), "Save the trust list", &[("stale", "ajar")], "stale", "stale")
        .await;
    let (many, pattern) = ("cn is Ann\n".repeat(2), format!("cn is {}", "p".repeat(201)));
    for rules in ["Ann", "cn=Ann", "colour is blue", "cn is ", "cn is a*b", "cn is \u{7}", &many, &pattern, &huge] {
        desk.is_refused(&format!("{list}/rules"), "Save the rules", &[("rules", rules)], "rules").await;
    }
    for address in
        ["", "pki.example/a.crl", "https://pki.example/a", "ldap://pki.example/a", "http://", "http://a b/", &huge]
    {
        desk.is_refused(&ca, "Fetch from here", &[("address", address)], "address").await;
    }
    let leaf = desk.authority.sign(&desk.console.csr(&desk.request).await).leaf;
    let (root, csr) = (desk.authority.root_pem(), desk.console.csr(&desk.request).await);
    let truncated = &root[..root.len() / 2];
    for text in ["", "Dear partner", truncated, &leaf, &csr, &root] {
        let field = if text.is_empty() { "reply" } else { "text" };
        desk.is_refused(&format!("{list}/cas/new"), "Put them on the list", &[("text", text)], field).await;
        desk.is_refused(&ca, "Take this list", &[("text", text)], field).await;
    }
    for text in ["", "Dear partner", truncated, &csr, &root] {
        let field = if text.is_empty() { "reply" } else { "text" };
        desk.is_refused("/trust-lists/explain", "Explain it", &[("text", text)], field).await;
    }
    let ssl = format!("{}/ssl", desk.site);
    for (clients, trust) in [("require", "none"), ("accept", "none"), ("accept", "4711"), ("require", "<b>")] {
        let answers = [("clients", clients), ("trust", trust)];
        desk.is_refused_but_for(&ssl, "Save SSL settings", &answers, "trust", "trust").await;
        let rule = [("path", "/partners"), ("clients", clients), ("trust", trust.trim_start_matches("none"))];
        desk.is_refused_but_for(&format!("{ssl}/rules/new"), "Add the rule", &rule, "trust", "trust").await;
    }
}

#[tokio::test]
async fn an_answer_of_the_wizard_that_can_not_stand_is_asked_again_beside_its_field() {
    let mut desk = Desk::new().await;
    let huge = "x".repeat(64 << 10);
    let long = "o".repeat(65);
    for (step, field, answer) in [
        ("location", "country", "USA"),
        ("location", "country", "us1"),
        ("location", "state", &huge),
        ("location", "locality", "Bath\nSomerset"),
        ("organization", "organization", &long),
        ("organization", "organizational_unit", "Web\u{0}team"),
        ("names", "common_name", &huge),
        ("names", "common_name", "shop example"),
        ("names", "common_name", "_shop.example"),
        ("names", "common_name", "<script>alert(1)</script>"),
        ("names", "names", "good.example\nbad_.example"),
        ("site", "name", &huge),
        ("site", "key", "rsa-512"),
        ("site", "site", "4711"),
    ] {
        let before = desk.machine.revision().await;
        for (go, at) in [("next", step), ("create", "check")] {
            let form = Form::post("/requests/new")
                .with("step", at)
                .with("go", go)
                .with("site", "1")
                .with("name", "Bookshop")
                .with("key", "ecdsa-p256")
                .with("common_name", "shop.example")
                .with(field, answer);
            let page = desk.console.send(form).await;
            let what = format!("{field}: {answer:.40?} by {go}");
            assert_eq!(page.status, REFUSED, "{what}");
            says(&page, field, &what);
            let typed = page.form("Continue").value(field).map(kept);
            let is_a_choice = ["key", "site"].contains(&field);
            assert!(is_a_choice || typed == Some(kept(answer)), "{what}: what was typed is not kept");
        }
        assert_eq!(desk.machine.revision().await, before, "{field} changed something");
    }
}

#[tokio::test]
async fn an_international_host_name_is_stored_in_ascii_and_shown_in_both_forms() {
    let mut desk = Desk::new().await;
    let folder = desk.machine.content("books", "Bücher");
    let site = desk.console.add_site("Bücher", "Bücher.example", desk.machine.http.number(), &folder).await;
    let page = desk.console.open(&site).await.text("main");
    assert!(page.contains("bücher.example") && page.contains("xn--bcher-kva.example"), "{page}");
    assert_eq!(
        desk.machine.query("SELECT host FROM bindings WHERE host LIKE 'xn--%'").await,
        "xn--bcher-kva.example\n"
    );
    let request = desk.console.request(&site, "bücher.example").await;
    let in_words = desk.authority.verify_request(&desk.console.csr(&request).await);
    assert!(in_words.contains("DNS:xn--bcher-kva.example"), "{in_words}");
}

#[tokio::test]
async fn hostile_text_in_any_field_is_never_markup_and_never_a_fault() {
    let mut desk = Desk::new().await;
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' OR 1=1; --",
        "{{7*7}}${7*7}",
        "line\r\nSet-Cookie: a=b",
        "nul\u{0}nul",
        "\u{202e}\u{feff}\u{fffd}",
    ];
    let (list, ca) = desk.trust_list().await;
    let pages = [
        ("/sites/new".to_owned(), "Add the site"),
        (format!("{}/bindings/new", desk.site), "Add the binding"),
        (format!("{}/content", desk.site), "Save name and folder"),
        (format!("{}/ssl", desk.site), "Save SSL settings"),
        ("/requests/new?site=2".to_owned(), "Continue"),
        ("/authorities/new".to_owned(), "Make the authority"),
        ("/team/invite".to_owned(), "Make the link"),
        ("/trust-lists/new".to_owned(), "Make the trust list"),
        (format!("{list}/edit"), "Save the trust list"),
        (format!("{list}/rules"), "Save the rules"),
        (format!("{list}/cas/new"), "Put them on the list"),
        (ca.clone(), "Fetch from here"),
        (ca, "Take this list"),
        ("/trust-lists/explain".to_owned(), "Explain it"),
        (desk.request.clone(), "Read the reply"),
        ("/".to_owned(), "Save theme"),
    ];
    let (mut sent, mut refused) = (0, 0);
    for (path, button) in &pages {
        let form = desk.console.open(path).await.form(button);
        let names: Vec<String> = form.names().map(str::to_owned).collect();
        for name in names {
            for text in hostile {
                let page = desk.console.send(form.clone().with(&name, text)).await;
                let what = format!("{text:?} in {name} of {path}");
                assert!(!page.status.is_server_error(), "{what}: {}", page.status);
                assert!(page.headers.get("set-cookie").is_none(), "{what} set a cookie");
                is_clean(&page, &what);
                sent += 1;
                refused += usize::from(page.status.is_client_error());
            }
        }
    }
    println!("{sent} hostile answers sent, {refused} refused");
    for path in [
        "/",
        "/sites",
        "/activity",
        "/requests",
        "/authorities",
        "/trust-lists",
        "/team",
        "/sites/2",
        "/sites/2/history",
    ] {
        is_clean(&desk.console.open(path).await, path);
    }
    for text in hostile {
        let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for path in ["/search?q=", "/sites?f=", "/activity?author=", "/sign-in?next=", "/requests?state="] {
            let page = desk.console.open(&format!("{path}{query}")).await;
            assert!(!page.status.is_server_error(), "{path}{query}");
            is_clean(&page, path);
        }
    }
}

/// Nothing that was typed has become an element, an attribute or a script.
fn is_clean(page: &Page, what: &str) {
    for markup in ["script:not([src])", "img[onerror]", "[onerror]", "b script"] {
        assert!(page.texts(markup).is_empty(), "{what}: {markup}");
    }
    assert!(!page.body.contains("49$49"), "{what}: evaluated");
}

#[tokio::test]
async fn an_edit_by_two_people_at_once_is_refused_with_a_sentence_and_loses_nothing() {
    let mut desk = Desk::new().await;
    let path = format!("{}/content", desk.site);
    let first = desk.console.open(&path).await.form("Save name and folder");
    let second = first.clone();
    desk.console.save(first.with("name", "Book shop")).await;
    let page = desk.console.send(second.with("name", "The Bookshop")).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert_eq!(page.form("Save name and folder").value("name"), Some("The Bookshop"), "what was typed is kept");
    assert!(page.text("[role=alert]").contains("Book shop"), "what is saved now is shown");
    assert_eq!(desk.machine.query("SELECT name FROM sites WHERE id = 2").await, "Book shop\n");
}

#[tokio::test]
async fn a_certificate_in_use_can_not_be_removed() {
    let mut desk = Desk::new().await;
    let certificate = desk.console.obtain(&mut desk.authority, &desk.site, "shop.example").await;
    let remove = desk.console.open(&format!("{certificate}/remove")).await;
    let button = remove.texts("main form button").remove(0);
    let form = remove.form(&button);
    desk.console.bind_https(&desk.site, "shop.example", desk.machine.https.number(), &certificate).await;

    let before = desk.machine.revision().await;
    let page = desk.console.send(form).await;
    assert_eq!(page.status, REFUSED);
    assert!(page.text("main").contains("in use"), "{}", page.text("main"));
    assert_eq!(desk.machine.revision().await, before);
}

#[tokio::test]
async fn no_path_leads_out_of_the_served_folder() {
    let desk = Desk::new().await;
    let folder = desk.machine.content("shop", "Books and atlases");
    let secret = desk.machine.data().join("secret.txt");
    std::fs::write(&secret, "the secret").unwrap();
    symlink(&secret, folder.join("link.txt")).unwrap();
    symlink(desk.machine.data(), folder.join("linked")).unwrap();
    let outside = secret.display();
    let tricks = [
        "/../data/secret.txt".to_owned(),
        "/../../data/secret.txt".to_owned(),
        "/%2e%2e/%2e%2e/data/secret.txt".to_owned(),
        "/..%2f..%2fdata%2fsecret.txt".to_owned(),
        "/%2e%2e%2f%2e%2e%2fdata%2fsecret.txt".to_owned(),
        "/..%5c..%5cdata%5csecret.txt".to_owned(),
        "/..\\..\\data\\secret.txt".to_owned(),
        "/index.html%00.txt".to_owned(),
        "/%00".to_owned(),
        "/link.txt".to_owned(),
        "/linked/secret.txt".to_owned(),
        "/%252e%252e/%252e%252e/data/secret.txt".to_owned(),
        format!("/{outside}"),
        format!("/%2f{outside}"),
        "/c:/windows/win.ini".to_owned(),
        "/index.html::$DATA".to_owned(),
    ];
    let origin = format!("http://shop.example:{}", desk.machine.http.number());
    assert!(curl(&[&origin]).contains("Books and atlases"));
    for trick in tricks {
        let answer = curl(&["--path-as-is", "--write-out", "\n%{http_code}", &format!("{origin}{trick}")]);
        let (body, status) = answer.rsplit_once('\n').unwrap();
        assert!(["400", "404"].contains(&status), "{trick}: {status}");
        assert!(!body.contains("the secret") && !body.contains("Books and atlases"), "{trick}: {body}");
    }
}
