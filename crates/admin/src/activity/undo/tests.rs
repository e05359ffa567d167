use siteward_core::certificate::CertificateId;
use siteward_core::ledger::Author;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::RequireSsl;
use siteward_core::testing::tester;
use siteward_core::traffic::{Answer, Class, Client, Credentials, Facts, Folder, Http, Tally, Way, hour_of};
use time::{Duration, OffsetDateTime};

use crate::testing::{Browser, NAME, Page};

/// The address behind the button of the note after a save.
fn button(page: &Page) -> String {
    let (_, note) = page.html.split_once(r#"<p class="note ok""#).expect("a note");
    let (note, _) = note.split_once("</p>").unwrap();
    let (_, link) = note.split_once(r#"<a class="btn end" href=""#).unwrap_or_else(|| panic!("a button in {note}"));
    link.split('"').next().unwrap().to_owned()
}

fn site(browser: &Browser, id: SiteId) -> Option<Site> {
    let table = browser.store.table();
    table.site(id).map(|site| Site { version: 0, ..Site::clone(site) })
}

async fn newest(browser: &Browser) -> String {
    format!("/activity/{}", browser.store.table().revision())
}

#[tokio::test]
async fn what_was_saved_on_any_form_is_undone_with_two_clicks_and_shown_before() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "redirect").await;
    let at = |path: &str| format!("/sites/{id}{path}");
    browser.submit(&at("/ssl/rules/new"), &[("path", "/hooks"), ("ssl", "off")]).await;
    browser.submit(&at("/ssl/exemptions"), &[("kind", "file"), ("name", "a.txt"), ("content", "abc")]).await;
    let now = site(&browser, id).unwrap();
    let [clear, secured] = [0, 1].map(|n| now.bindings[n].id);
    let (rule, exemption) = (now.rules.list()[1].id, now.exemptions.list()[0].id);
    let other: CertificateId = browser.certificate("shop.example").await;
    let (folder, other) = (browser.folder(), other.to_string());
    for (path, fields, words) in [
        (
            at("/ssl"),
            vec![("ssl", "refuse"), ("tls", "1.3")],
            "<del>Refuse plain HTTP</del></td><td><ins>Redirect to HTTPS</ins>",
        ),
        (at("/ssl/rules/new"), vec![("path", "/vault"), ("bits", "256")], "<td>/vault</td>"),
        (
            at(&format!("/ssl/rules/{rule}")),
            vec![("path", "/in"), ("ssl", "refuse")],
            "<del>/in</del></td><td><ins>/hooks</ins>",
        ),
        (at(&format!("/ssl/rules/{rule}/delete")), vec![], "<td>/hooks</td>"),
        (at("/ssl/hsts"), vec![("hsts", "fixed"), ("age", "300")], "<del>5 minutes</del>"),
        (at("/ssl/exemptions"), vec![("kind", "file"), ("name", "b.txt"), ("content", "b")], "pki-validation/b.txt"),
        (at(&format!("/ssl/exemptions/{exemption}/delete")), vec![], "pki-validation/a.txt"),
        (
            at("/content"),
            vec![("name", "Bookshop"), ("folder", &folder)],
            "<del>Bookshop</del></td><td><ins>Shop</ins>",
        ),
        (at("/stop"), vec![], "<del>Stopped</del></td><td><ins>Running</ins>"),
        (
            at("/bindings/new"),
            vec![("protocol", "http"), ("host", "a.example\nb.example")],
            "http on port 80, a.example; http on port 80, b.example",
        ),
        (
            at(&format!("/bindings/{clear}")),
            vec![("protocol", "http"), ("host", "m.example")],
            "<ins>shop.example</ins>",
        ),
        (
            at(&format!("/bindings/{secured}")),
            vec![("protocol", "https"), ("host", "shop.example"), ("certificate", &other)],
            "Certificate",
        ),
        (at(&format!("/bindings/{secured}/delete")), vec![], "<td>443</td>"),
        (at("/delete"), vec![], "https on port 443, shop.example"),
    ] {
        let before = site(&browser, id).unwrap();
        let version = browser.version(id);
        let fields: Vec<(&str, &str)> = fields.into_iter().chain([("version", version.as_str())]).collect();
        let saved = browser.submit(&path, &fields).await;
        assert_ne!(site(&browser, id).as_ref(), Some(&before), "{path}");

        let undo = button(&saved);
        let asked = browser.get(&undo).await;
        assert_eq!(asked.status, 200, "{path}: {}", asked.html);
        assert!(asked.html.contains("Undo this change?") && asked.html.contains(words), "{path}: {}", asked.html);
        let undone = browser.submit(&undo, &[]).await;
        assert!(undone.html.contains("<b>Change undone.</b>"), "{path}: {}", undone.html);
        let (mut after, mut before) = (site(&browser, id).unwrap(), before);
        (after.hsts, before.hsts) = (None, None); // what was told to browsers stays remembered
        assert_eq!(after, before, "{path}");
        let twice = browser.post(&undo, &[]).await;
        assert_eq!(twice.status, 409, "{path}");
        assert!(twice.html.contains(&format!("{NAME} undid it")), "{path}: {}", twice.html);
    }
}

#[tokio::test]
async fn a_change_that_was_undone_is_grey_and_leads_to_what_undid_it_and_back() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "redirect").await;
    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", "off"), ("version", &version)]).await;
    let change = newest(&browser).await;
    browser.submit(&format!("{change}/undo"), &[]).await;
    let undoing = newest(&browser).await;
    for path in ["/activity", &format!("/sites/{id}/history")] {
        let html = browser.get(path).await.html;
        assert_eq!(html.matches(r#"<li class="undone">"#).count(), 1, "{path}: {html}");
        assert!(html.contains(&format!(r#"<a href="{undoing}">Undone</a> by {NAME}"#)), "{path}: {html}");
        assert!(html.contains(&format!(r#"<a href="{change}">See change"#)), "{path}: {html}");
        assert!(html.contains(&format!(r#"href="{undoing}/undo">Undo"#)), "{path}: {html}");
        assert!(!html.contains(&format!(r#"href="{change}/undo">"#)), "{path}: {html}");
    }
    let page = browser.get(&change).await;
    assert!(page.html.contains("<h1>Change ") && page.html.contains("<span class=\"tag\">Undone</span>"));

    browser.submit(&format!("{undoing}/undo"), &[]).await;
    assert_eq!(site(&browser, id).unwrap().rules.site().in_clear(), RequireSsl::Off);
    let html = browser.get(&change).await.html;
    assert!(html.contains(&format!(r#"href="{change}/undo">"#)), "it is in force again: {html}");
}

#[tokio::test]
async fn whom_the_settings_of_before_would_refuse_is_shown_before_they_come_back() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", "off"), ("version", &version)]).await;
    let mut tally = Tally::default();
    let facts = Facts { way: Way::Clear(Credentials::None), http: Http::Http11 };
    let class = Class { facts, answer: Answer { status: 200, substatus: 0 }, folder: Folder::of("", true) };
    tally.count(class, Client::new("Java/1.8.0_392", [203, 0, 113, 7].into()), 20);
    let now = OffsetDateTime::now_utc();
    browser.store.record_traffic(hour_of(now), &mut vec![(id, tally)], now).await.unwrap();
    let page = browser.get(&format!("{}/undo", newest(&browser).await)).await;
    assert!(page.html.contains(r#"<h2 id="before">Before you undo it</h2>"#), "{}", page.html);
    assert!(page.html.contains("20 of 20 requests</a> would have been refused"), "{}", page.html);
    assert!(page.html.contains("Java/1.8"), "{}", page.html);
    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/stop"), &[("version", &version)]).await;
    let page = browser.get(&format!("{}/undo", newest(&browser).await)).await;
    assert!(!page.html.contains("Before you undo it"), "nothing is demanded otherwise: {}", page.html);
}

#[tokio::test]
async fn a_change_that_cannot_be_undone_any_more_says_why() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", "off"), ("version", &version)]).await;
    let change = format!("{}/undo", newest(&browser).await);
    let tomas = Author { name: "Tomas Reyes".into(), ..tester() };
    let version = browser.store.table().site(id).unwrap().version;
    browser.store.update_ssl(id, version, RequireSsl::Redirect, &tomas).await.unwrap();
    for page in [browser.get(&change).await, browser.post(&change, &[]).await] {
        assert_eq!(page.status, 409);
        assert!(page.html.contains("This change can’t be undone"), "{}", page.html);
        assert!(page.html.contains("Tomas Reyes changed it again just now."), "{}", page.html);
        assert!(!page.html.contains("<form class=\"gap-t\""), "{}", page.html);
    }
    assert_eq!(browser.post("/team/invite", &[("note", "Owen Clarke")]).await.status, 200);
    let page = browser.get(&format!("{}/undo", newest(&browser).await)).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("An invitation is withdrawn on the page Team."), "{}", page.html);
    assert!(browser.get("/activity").await.html.contains("<span class=\"tag\">Final</span>"));
    for path in ["/activity/999", "/activity/999/undo", "/activity/x/undo"] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(browser.post("/activity/999/undo", &[]).await.status, 404);
}

#[tokio::test]
async fn a_certificate_that_has_expired_since_comes_back_only_when_that_is_confirmed() {
    let mut browser = Browser::signed_in().await;
    let id = browser.site("Shop", "shop.example", "redirect").await;
    let old = browser.certificate_of("shop.example", OffsetDateTime::now_utc() - Duration::days(120)).await;
    browser.bind(id, "shop.example", old).await;
    let (binding, version) = (site(&browser, id).unwrap().bindings[1].id, browser.version(id));
    let delete = format!("/sites/{id}/bindings/{binding}/delete");
    let undo = button(&browser.submit(&delete, &[("version", &version)]).await);
    for page in [browser.get(&undo).await, browser.post(&undo, &[]).await] {
        assert_eq!(page.status, 422);
        assert!(
            page.html.contains(r#"name="confirmed" value="yes""#) && page.html.contains("expired"),
            "{}",
            page.html
        );
    }
    browser.submit(&undo, &[("confirmed", "yes")]).await;
    assert_eq!(site(&browser, id).unwrap().bindings.len(), 2);
}
