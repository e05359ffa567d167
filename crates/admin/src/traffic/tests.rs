use axum::body::Body;
use axum::http::{Request, header};
use siteward_core::site::SiteId;
use siteward_core::traffic::{
    self, Cipher, Class, Client, Exchange, Facts, Failure, Folder, Http, Shown, Tally, TlsVersion, Way, hour_of,
};
use time::{Duration, OffsetDateTime};

use super::*;
use crate::testing::{Browser, Page};

const TLS13: Way = Way::Tls {
    version: TlsVersion::Tls13,
    cipher: Cipher::Aes128,
    exchange: Exchange::PostQuantum,
    shown: Shown::Revoked,
};

fn class(way: Way, status: u16, substatus: u8) -> Class {
    let facts = Facts { way, http: Http::Http2 };
    Class { facts, answer: traffic::Answer { status, substatus }, folder: Folder::of("", true) }
}

fn client(agent: &str) -> Client {
    Client::new(agent, [203, 0, 113, 7].into())
}

async fn record(browser: &Browser, site: SiteId, ago: Duration, count: impl Fn(&mut Tally)) {
    let now = OffsetDateTime::now_utc();
    let mut tally = Tally::default();
    count(&mut tally);
    browser.store.record_traffic(hour_of(now - ago), &mut vec![(site, tally)], now).await.unwrap();
}

async fn upload(browser: &mut Browser, site: SiteId, log: &str, ports: &str) -> Page {
    let part =
        |name: &str, text: &str| format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let body = format!("{}{}--X--\r\n", part("log", log), part("ports", ports));
    let request = Request::post(format!("/sites/{site}/traffic"))
        .header(header::ORIGIN, "https://console.test")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
    browser.send(request, Body::from(body)).await
}

fn log(at: OffsetDateTime) -> String {
    let (date, hour) = (at.date(), at.hour());
    format!(
        "#Fields: date time s-port sc-status c-ip cs(User-Agent)\r\n{date} {hour:02}:00:00 80 200 203.0.113.9 Java/1.8.0\r\n"
    )
}

#[tokio::test]
async fn the_page_says_that_nothing_came_before_anything_did() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let page = browser.get(&format!("/sites/{id}/traffic")).await;
    assert_eq!(page.status, 200);
    assert!(page.html.contains("Nothing came in this time"), "{}", page.html);
}

#[tokio::test]
async fn the_page_tells_how_requests_came_who_was_refused_and_why_handshakes_failed() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    record(&browser, id, Duration::ZERO, |tally| {
        tally.count(class(TLS13, 200, 0), client("Mozilla/5.0 (X11) Firefox/115.0"), 1_500);
        tally.count(class(Way::Clear(Credentials::None), 403, 4), client("Java/1.8.0_392"), 20);
        tally.fail(Failure::Rejected, 3);
    })
    .await;
    record(&browser, id, Duration::days(20), |tally| tally.count(class(TLS13, 200, 0), Client::OTHERS, 7)).await;
    record(&browser, NO_SITE, Duration::ZERO, |tally| tally.fail(Failure::NotTls, 9)).await;
    let page = browser.get(&format!("/sites/{id}/traffic")).await;
    for part in [
        "1,520 requests in the last 7 days, 98.7 % over HTTPS",
        "403.4 SSL required",
        "The client did not trust the certificate",
        "9 more handshakes ended before a site was known",
        "Post-quantum (ML-KEM)",
        "Java/1.8<span class=\"sub\">203.0.113.0/24</span></th><td class=\"num\">20</td><td class=\"num\">20</td>",
    ] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    let page = browser.get(&format!("/sites/{id}/traffic?span=quarter")).await;
    assert!(page.html.contains("1,527 requests in the last 90 days"), "{}", page.html);
}

#[tokio::test]
async fn a_user_agent_is_escaped() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let agent = client("<script>x/1");
    record(&browser, id, Duration::ZERO, |tally| tally.count(class(TLS13, 200, 0), agent, 1)).await;
    let page = browser.get(&format!("/sites/{id}/traffic")).await;
    assert!(page.html.contains("&#60;script&#62;x/1"), "{}", page.html);
}

#[tokio::test]
async fn credentials_in_clear_need_attention_until_somebody_dealt_with_them() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let leaking = class(Way::Clear(Credentials::Authorization), 403, 4);
    record(&browser, id, Duration::ZERO, |tally| tally.count(leaking, client("stock/2"), 4)).await;
    let overview = browser.get("/").await;
    assert!(overview.html.contains("Shop was sent credentials in clear"), "{}", overview.html);
    let page = browser.get(&format!("/sites/{id}/traffic")).await;
    assert!(page.html.contains("An Authorization field") && page.html.contains("stock/2"), "{}", page.html);
    let path = format!("/sites/{id}/traffic/leaks");
    let until = page.html.split("name=\"until\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let until = until.unwrap().to_owned();
    let old = browser.post(&path, &[("until", "1")]).await;
    assert_eq!(old.status, 422, "what was not shown is not dealt with");
    assert!(old.html.contains("again since you opened this page") && old.html.contains("stock/2"), "{}", old.html);
    let page = browser.submit(&path, &[("until", &until)]).await;
    assert!(page.html.contains("Taken note.") && !page.html.contains("An Authorization field"), "{}", page.html);
    assert!(!browser.get("/").await.html.contains("credentials in clear"));
    let history = browser.get(&format!("/sites/{id}/history")).await;
    assert!(history.html.contains("dealt with credentials that were sent in clear to"), "{}", history.html);
    assert_eq!(browser.post(&path, &[("until", &until)]).await.status, 404, "none is left");
}

#[tokio::test]
async fn a_log_is_imported_and_marked_as_such() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let yesterday = OffsetDateTime::now_utc() - Duration::DAY;
    for _ in 0..2 {
        let page = upload(&mut browser, id, &log(yesterday), "443").await;
        assert_eq!(page.status, 303, "{}", page.html);
    }
    let page = browser.get(&format!("/sites/{id}/traffic")).await;
    assert!(page.html.contains("1 request in the last 7 days, 0 % over HTTPS"), "{}", page.html);
    assert!(page.html.contains("1 of them was imported") && page.html.contains("Java/1.8"), "{}", page.html);
}

#[tokio::test]
async fn a_log_that_tells_nothing_is_refused_and_the_ports_are_kept() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let old = log(OffsetDateTime::now_utc() - Duration::days(200));
    for (log, ports, sentence) in [
        ("", "443", "Choose the log file to import."),
        ("hello", "8443", "it has no line that begins with #Fields"),
        ("#Fields: date time", "443", "The log does not have the field s-port."),
        (old.as_str(), "443", "No request of the last 90 days could be read"),
        (old.as_str(), "https", "Enter port numbers with commas between them"),
    ] {
        let page = upload(&mut browser, id, log, ports).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains(sentence), "{sentence} in {}", page.html);
        assert!(page.html.contains(&format!(r#"value="{ports}""#)), "{ports}");
    }
    assert!(browser.store.list_traffic(id, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn before_ssl_settings_are_saved_the_page_tells_whom_they_would_refuse() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    let page = browser.get(&path).await;
    assert!(page.html.contains("Nothing came in the last 7 days"), "{}", page.html);
    record(&browser, id, Duration::days(6), |tally| {
        tally.count(class(TLS13, 200, 0), client("Mozilla/5.0 (X11) Firefox/115.0"), 980);
        tally.count(class(Way::Clear(Credentials::None), 200, 0), client("Java/1.8.0_392"), 20);
    })
    .await;
    record(&browser, id, Duration::days(8), |tally| tally.count(class(TLS13, 200, 0), Client::OTHERS, 5)).await;
    let page = browser.get(&path).await;
    assert!(page.html.contains("0 of 1,000 requests</a> would have been refused"), "{}", page.html);

    let version = browser.version(id);
    let form = [("ssl", "refuse"), ("tls", "1.2"), ("bits", "128"), ("keys", "any"), ("version", version.as_str())];
    let asked: Vec<_> = form.into_iter().chain([("do", "preview")]).collect();
    let page = browser.post(&path, &asked).await;
    assert_eq!(page.status, 200);
    for part in [
        "2.0 %",
        "20 of 1,000 requests</a> would have been refused",
        "20 get 403.4 SSL required",
        "Java/1.8</th><td>20</td>",
        "Require secure channel (SSL): Refuse plain HTTP",
        r#"value="refuse" id="ssl" checked"#,
    ] {
        let part_without_id = part.replace(r#" id="ssl""#, "");
        assert!(page.html.contains(part) || page.html.contains(&part_without_id), "{part} in {}", page.html);
    }
    assert_eq!(browser.version(id), version, "nothing was saved");
    let page = browser.submit(&path, &form).await;
    assert!(page.html.contains("20 of 1,000 requests</a> would have been refused"), "{}", page.html);
}

#[tokio::test]
async fn one_request_is_told_of_as_one() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let clear = class(Way::Clear(Credentials::None), 403, 4);
    record(&browser, id, Duration::hours(2), |tally| tally.count(clear, client("Java/1.8.0_392"), 1)).await;
    let html = browser.get(&format!("/sites/{id}/ssl")).await.html;
    for part in
        ["1 of 1 request</a> would have been refused; 1 of them was refused then, too.", "1 gets 403.4 SSL required"]
    {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[tokio::test]
async fn the_panel_tells_of_whom_it_is_not_known_whether_they_have_a_certificate() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let folder = |name| Folder::of(name, true);
    record(&browser, id, Duration::ZERO, |tally| {
        let never_asked = class(TLS13.showing(Shown::Unknown), 200, 0);
        tally.count(Class { folder: folder("orders"), ..never_asked }, client("Java/1.8.0_392"), 8);
        tally.count(Class { folder: folder("books"), ..never_asked }, client("Java/1.8.0_392"), 4);
        tally.count(class(Way::Clear(Credentials::None), 403, 4), client("Java/1.8.0_392"), 1);
    })
    .await;
    let asked = [("path", "/orders"), ("clients", "require"), ("do", "preview")];
    let page = browser.post(&format!("/sites/{id}/ssl/rules/new"), &asked).await;
    for part in [
        "1 of 5 requests</a> would have been refused; 1 of them was refused then, too.",
        "1 gets 403.4 SSL required",
        "Of 8 requests it is not known who has a certificate: none was asked for, or none was looked at.",
    ] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    assert!(!page.html.contains("it can’t be told"), "{}", page.html);
}

#[tokio::test]
async fn a_preview_of_what_can_t_be_read_says_so_beside_the_field() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let form = [("ssl", "sometimes"), ("tls", "1.2"), ("bits", "128"), ("keys", "any"), ("do", "preview")];
    let page = browser.post(&format!("/sites/{id}/ssl"), &form).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("Choose one of these."), "{}", page.html);
}
