use std::net::IpAddr;

use siteward_core::binding::{Place, Protocol, parse_port};
use siteward_core::host::HostPattern;
use siteward_core::site::SiteId;
use siteward_core::ssl::RequireSsl;
use siteward_core::status::Listening;
use siteward_core::store::{Folder as SiteFolder, NewSite};
use siteward_core::table::Listen;
use siteward_core::testing::tester;
use siteward_core::traffic::{Answer, Class, Client, Credentials, Facts, Folder, Http, Tally, Way, hour_of};
use time::OffsetDateTime;

use crate::testing::Browser;

const CLEAR: Way = Way::Clear(Credentials::None);

/// Counts what came an hour ago.
async fn came(browser: &Browser, site: SiteId, counts: &[(Way, &str, u64)]) {
    let (now, mut tally) = (OffsetDateTime::now_utc(), Tally::default());
    for (way, address, requests) in counts {
        let (facts, answer) = (Facts { way: *way, http: Http::Http11 }, Answer { status: 200, substatus: 0 });
        let class = Class { facts, answer, folder: Folder::of("", true) };
        tally.count(class, Client::new("curl/8.5.0", address.parse().unwrap()), *requests);
    }
    browser.store.record_traffic(hour_of(now) - 1, &mut vec![(site, tally)], now).await.unwrap();
}

/// Adds a site that answers over http at an address of port 80, or at all.
async fn http_site(browser: &Browser, name: &str, ip: Option<IpAddr>) -> SiteId {
    let host = HostPattern::parse(&format!("{}.example", name.to_lowercase())).unwrap();
    let place = Place { protocol: Protocol::Http, ip, port: parse_port("80").unwrap(), host };
    let new =
        NewSite { name: name.into(), folder: SiteFolder::Own, bindings: vec![place], require_ssl: RequireSsl::Off };
    browser.store.create_site(new, &tester()).await.unwrap()
}

/// What the form sends for port 80 after its newest change.
fn form<'a>(networks: &'a str, speech: &'a str, version: &'a str) -> [(&'a str, &'a str); 4] {
    [("networks", networks), ("speech", speech), ("version", version), ("do", "preview")]
}

#[tokio::test]
async fn each_port_is_listed_with_what_it_speaks_whether_it_is_open_and_whom_it_believes() {
    let mut browser = Browser::signed_in().await;
    assert!(browser.get("/listeners").await.html.contains("Nothing listens"));
    browser.https_site("Shop", "shop.example", "refuse").await;
    let listen = |port, protocol| Listen { ip: None, port, protocol };
    let taken = Listening::Failed("Another program already uses port 80.".into());
    let report = [(listen(80, Protocol::Http), taken), (listen(443, Protocol::Https), Listening::Open)];
    browser.reporter.report(i64::MAX, report.into());
    let html = browser.get("/listeners").await.html;
    for words in ["Port 80", "Port 443", "Not open: Another program already uses port 80.", "Nobody is believed"] {
        assert!(html.contains(words), "{words}: {html}");
    }
    let fields = [("networks", "10.0.0.1\r\n10.0.0.2\n10.0.0.3\n10.0.0.4"), ("speech", "forwarded"), ("version", "0")];
    let html = browser.submit("/listeners/80/all", &fields).await.html;
    for words in ["Trusted proxies saved.", "10.0.0.1, 10.0.0.2, 10.0.0.3 and 1 more", "Forwarded (RFC 7239)"] {
        assert!(html.contains(words), "{words}: {html}");
    }
    let html = browser.get("/sites/1").await.html;
    assert!(html.contains(r#"href="/listeners""#), "{html}");
    let html = browser.get("/activity?what=proxies").await.html;
    for words in ["changed the trusted proxies of port 80", "<td>10.0.0.1, 10.0.0.2", "<td>Forwarded (RFC 7239)"] {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[tokio::test]
async fn what_cannot_be_believed_comes_back_with_a_sentence_beside_its_field() {
    let mut browser = Browser::signed_in().await;
    browser.site("Shop", "shop.example", "off").await;
    for (networks, speech, field, sentence) in [
        ("10.0.0.7\n<b>", "forwarded", "networks", "“&#60;b&#62;” is neither an address nor a network"),
        ("0.0.0.0/0", "forwarded", "networks", "takes in strangers"),
        ("10.0.0.7/8", "forwarded", "networks", "Enter 10.0.0.0/8 for all of it"),
        ("10.0.0.7", "", "speech", "Choose how the proxies say"),
    ] {
        let fields = [("networks", networks), ("speech", speech), ("version", "0")];
        let page = browser.post("/listeners/80/all", &fields).await;
        assert_eq!(page.status, 422, "{networks}");
        assert!(page.html.contains(&format!("id=\"{field}-e\"")) && page.html.contains(sentence), "{}", page.html);
        assert!(page.html.contains(networks.split('\n').next().unwrap()), "what was typed is kept");
    }
    for nowhere in ["/listeners/81/all", "/listeners/80/10.0.0.1", "/listeners/80/every", "/listeners/0/all"] {
        assert_eq!(browser.get(nowhere).await.status, 404, "{nowhere}");
        assert_eq!(browser.post(nowhere, &[("speech", "forwarded")]).await.status, 404, "{nowhere}");
    }
}

#[tokio::test]
async fn what_a_visitor_gets_by_way_of_a_trusted_proxy_is_explained_where_there_is_one() {
    let mut browser = Browser::signed_in().await;
    browser.https_site("Shop", "shop.example", "refuse").await;
    browser.post("/sites/1/ssl/rules/new", &[("path", "/vault"), ("tls", "1.3")]).await;
    let way = "https:// that ends at a trusted proxy";
    assert!(!browser.get("/sites/1/ssl?path=/").await.html.contains(way));
    browser.submit("/listeners/80/all", &[("networks", "10.0.0.1"), ("speech", "forwarded"), ("version", "0")]).await;
    assert!(browser.get("/sites/1/ssl?path=/").await.html.contains(way));
    let html = browser.get("/sites/1/ssl?path=/vault/").await.html;
    assert!(html.contains("403.5 Stronger encryption required. What was agreed on with the proxy"), "{html}");
}

#[tokio::test]
async fn who_was_faster_is_named_and_compared_with() {
    let mut browser = Browser::signed_in().await;
    browser.site("Shop", "shop.example", "off").await;
    let page = browser.get("/listeners/80/all").await;
    let (version, was) = (page.value("version"), page.value("was"));
    assert_eq!((version.as_str(), was.as_str()), ("0", "Nobody"));
    browser.submit("/listeners/80/all", &[("networks", "10.0.0.1"), ("speech", "forwarded"), ("version", "0")]).await;
    let mine =
        [("networks", "10.0.0.2"), ("speech", "proxy-protocol"), ("version", "0"), ("was", "Nobody"), ("was", "")];
    let page = browser.post("/listeners/80/all", &mine).await;
    assert_eq!(page.status, 409);
    for words in ["<td>10.0.0.1</td><td><ins>10.0.0.2</ins></td>", "<ins>PROXY protocol</ins>", "10.0.0.2</textarea>"] {
        assert!(page.html.contains(words), "{words}: {}", page.html);
    }
    let version = page.value("version");
    let again = [("networks", "10.0.0.2"), ("speech", "proxy-protocol"), ("version", version.as_str())];
    assert!(browser.submit("/listeners/80/all", &again).await.html.contains("PROXY protocol"));
}

#[tokio::test]
async fn whom_it_would_turn_away_to_believe_a_proxy_no_longer_is_told_before_it_is_saved() {
    let mut browser = Browser::signed_in().await;
    let shop = browser.https_site("Shop", "shop.example", "refuse").await;
    let news = browser.https_site("News", "news.example", "redirect").await;
    let page = browser.get("/listeners/80/all").await;
    assert!(page.html.contains("Before you save") && page.html.contains(r#"value="preview""#), "{}", page.html);
    browser.submit("/listeners/80/all", &form("10.0.0.1", "x-forwarded", "0")[..3]).await;
    let version = browser.get("/listeners/80/all").await.value("version");
    let nothing = browser.post("/listeners/80/all", &form("", "x-forwarded", &version)).await;
    assert!(nothing.html.contains("no request came over TLS that ended at a trusted proxy"), "{}", nothing.html);

    came(&browser, shop, &[(Way::Proxied, "203.0.113.7", 20), (CLEAR, "203.0.113.7", 5)]).await;
    came(&browser, news, &[(Way::Proxied, "203.0.113.7", 1)]).await;
    let page = browser.post("/listeners/80/all", &form("", "x-forwarded", &version)).await;
    assert_eq!(page.status, 200);
    for part in [
        "No longer believed: 10.0.0.1, by X-Forwarded-For and X-Forwarded-Proto",
        "Up to 21</span>",
        "21 requests came over TLS that ended at a trusted proxy",
        "20 get 403.4 SSL required",
        "1 is redirected to https. Where the proxy ends TLS, that leads back to it, and so on for ever.",
        "curl/8.5</th><td>20</td>",
        &format!(
            r#"<a href="/sites/{shop}/traffic">Shop</a> <span class="small quiet">20 refused</span></th><td>20</td>"#
        ),
        &format!(
            r#"<a href="/sites/{news}/traffic">News</a> <span class="small quiet">1 redirected</span></th><td>1</td>"#
        ),
    ] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    assert_eq!(browser.get("/listeners/80/all").await.value("version"), version, "nothing was saved");
    let same = browser.post("/listeners/80/all", &form("10.0.0.1", "x-forwarded", &version)).await;
    assert!(same.html.contains("Everybody is believed as now."), "{}", same.html);

    let late = browser.post("/listeners/80/all", &form("", "x-forwarded", "0")).await;
    assert_eq!(late.status, 409, "a preview is checked as the change is");
    let bad = browser.post("/listeners/80/all", &form("proxy", "x-forwarded", &version)).await;
    assert!(bad.status == 422 && bad.html.contains("is neither an address nor a network"), "{}", bad.html);
}

#[tokio::test]
async fn what_came_from_networks_that_are_newly_believed_is_told_and_what_they_must_begin_with() {
    let mut browser = Browser::signed_in().await;
    let shop = browser.https_site("Shop", "shop.example", "off").await;
    let page = browser.post("/listeners/80/all", &form("10.0.0.1", "x-forwarded", "0")).await;
    assert!(page.html.contains("Nothing came from the newly believed networks in clear"), "{}", page.html);
    assert!(page.html.contains("10.0.0.1</textarea>"), "what is typed is kept: {}", page.html);
    came(&browser, shop, &[(CLEAR, "10.0.0.9", 7), (CLEAR, "10.0.1.9", 100), (Way::Proxied, "203.0.113.7", 3)]).await;
    let page = browser.post("/listeners/80/all", &form("10.0.0.1", "proxy-protocol", "0")).await;
    for part in [
        "Newly believed: 10.0.0.1, by PROXY protocol",
        "7 requests came from there in clear in the last 7 days: they would count as those of the visitors",
        "up to 7 requests get no answer while the proxy doesn’t send it",
        "7 from their networks",
    ] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    browser.submit("/listeners/80/all", &form("10.0.0.1", "proxy-protocol", "0")[..3]).await;
    let version = browser.get("/listeners/80/all").await.value("version");
    let page = browser.post("/listeners/80/all", &form("10.0.0.1", "forwarded", &version)).await;
    for part in
        ["No longer believed: 10.0.0.1, by PROXY protocol", "Newly believed: 10.0.0.1, by Forwarded", "3 in clear"]
    {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    assert!(page.html.contains("A proxy that still sends the header of the PROXY protocol gets no connection."));
}

#[tokio::test]
async fn of_many_sites_those_are_looked_at_to_which_most_came_and_the_page_says_so() {
    let mut browser = Browser::signed_in().await;
    let mut ids = Vec::new();
    for n in 0..32 {
        ids.push(http_site(&browser, &format!("S{n}"), None).await);
    }
    for id in &ids[..12] {
        came(&browser, *id, &[(CLEAR, "10.0.0.9", 1)]).await;
    }
    let page = browser.post("/listeners/80/all", &form("10.0.0.1", "x-forwarded", "0")).await;
    for part in
        ["12 requests came from there", "And 2 more sites.", "Judged by 12 of the 32 sites that are reached here"]
    {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
}

#[tokio::test]
async fn undoing_a_change_of_trusted_proxies_tells_whom_that_would_turn_away() {
    let mut browser = Browser::signed_in().await;
    let shop = browser.https_site("Shop", "shop.example", "refuse").await;
    came(&browser, shop, &[(Way::Proxied, "203.0.113.7", 20)]).await;
    browser.submit("/listeners/80/all", &form("10.0.0.1", "x-forwarded", "0")[..3]).await;
    let revision = browser.store.table().revision();
    let html = browser.get(&format!("/activity/{revision}/undo")).await.html;
    for part in ["Before you undo it", "No longer believed: 10.0.0.1", "Up to 20</span>"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert_eq!(browser.store.table().revision(), revision, "nothing was undone");
}

#[tokio::test]
async fn at_a_single_address_nobody_may_be_believed_or_these_or_as_on_all_addresses() {
    let mut browser = Browser::signed_in().await;
    http_site(&browser, "Shop", Some([127, 0, 0, 1].into())).await;
    http_site(&browser, "News", None).await;
    browser.submit("/listeners/80/all", &form("10.0.0.1", "x-forwarded", "0")[..3]).await;
    let at = "/listeners/80/127.0.0.1";
    let page = browser.get(at).await;
    assert!(page.html.contains(r#"value="all" id="whom" checked"#), "{}", page.html);
    assert_eq!(page.value("was"), "As on all addresses");
    assert!(browser.get("/listeners").await.html.contains("As on all addresses"));
    for (whom, networks, field, sentence) in [
        ("these", "", "networks", "Enter at least one address."),
        ("nobody", "10.0.0.2", "networks", "Choose “These” above"),
        ("some", "", "whom", "Choose one of these."),
    ] {
        let fields = [("whom", whom), ("networks", networks), ("speech", "x-forwarded"), ("version", "0")];
        let page = browser.post(at, &fields).await;
        assert_eq!(page.status, 422, "{whom}");
        assert!(page.html.contains(&format!("id=\"{field}-e\"")) && page.html.contains(sentence), "{}", page.html);
    }
    let nobody = [("whom", "nobody"), ("networks", ""), ("speech", "x-forwarded"), ("version", "0")];
    let html = browser.submit(at, &nobody).await.html;
    assert!(html.contains("Nobody is believed"), "{html}");
    assert!(browser.get(at).await.html.contains(r#"value="nobody" checked"#));
    let html = browser.get("/activity?what=proxies").await.html;
    assert!(html.contains("no longer trusts any proxy at port 80 at 127.0.0.1"), "{html}");
    assert!(html.contains("<td>Nobody</td>"), "{html}");
    assert_eq!(browser.store.table().proxies_at([127, 0, 0, 1].into(), 80), None);
}

#[tokio::test]
async fn the_form_says_that_nobody_is_believed_while_the_port_speaks_another_protocol() {
    let mut browser = Browser::signed_in().await;
    let old = http_site(&browser, "Old", None).await;
    browser.submit("/listeners/80/all", &form("10.0.0.1", "x-forwarded", "0")[..3]).await;
    let version = browser.store.table().site(old).unwrap().version;
    browser.store.delete_site(old, version, &tester()).await.unwrap();
    let sentence = "Nobody is believed here now.";
    assert!(!browser.get("/listeners/80/all").await.html.contains(sentence));

    let new = NewSite { name: "New".into(), folder: SiteFolder::Own, bindings: vec![], require_ssl: RequireSsl::Off };
    let new = browser.store.create_site(new, &tester()).await.unwrap();
    let certificate = browser.certificate("new.example").await.to_string();
    let fields = [("protocol", "https"), ("port", "80"), ("host", "new.example"), ("certificate", &certificate)];
    browser.submit(&format!("/sites/{new}/bindings/new"), &fields).await;
    let page = browser.get("/listeners/80/all").await;
    assert!(page.html.contains(sentence) && page.html.contains("while the port spoke http, and it speaks https"));
    let version = page.value("version");
    let html = browser.submit("/listeners/80/all", &form("10.0.0.1", "x-forwarded", &version)[..3]).await.html;
    assert!(html.contains("10.0.0.1"), "{html}");
    let html = browser.get("/activity?what=proxies").await.html;
    assert!(html.contains("<td><del>http</del></td><td><ins>https</ins></td>"), "{html}");
}
