//! What a visitor is told who does not get what they came for.

use std::time::Duration;

use http::{Method, Request};
use siteward_core::binding::Protocol;
use siteward_core::host::HostName;
use siteward_core::key::KeyKind;
use siteward_core::ledger::Thing;
use siteward_core::pages::PageDraft;
use siteward_core::refused::{Cause, Reference, Refused};
use siteward_core::site::{SiteId, SiteState};
use siteward_core::ssl::{Refusal, RequireSsl, Settings, TlsVersion, Transport};
use siteward_core::store::Store;
use siteward_core::testing::{TestStore, tester};
use time::OffsetDateTime;

use crate::access_log::Log;
use crate::http2::{ask, client, client_with, text};
use crate::ssl::rule;
use crate::world::{World, clear, connect, exchange, free_port, get, local, place};

const HOST: &str = "shop.example";

/// A GET with more header fields.
fn get_with(host: &str, target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n")
}

#[tokio::test]
async fn a_page_speaks_the_visitor_s_language_over_every_protocol_and_says_which() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    for (accepted, tag, heading) in [
        ("", "en", "This page needs a secure connection"),
        ("de-CH,de;q=0.9,en;q=0.8", "de", "Diese Seite braucht eine sichere Verbindung"),
        ("fr", "fr", "Cette page demande une connexion sécurisée"),
        ("it, es;q=0.5", "es", "Esta página necesita una conexión segura"),
        ("ja,en;q=0.1", "ja", "このページには安全な接続が必要です"),
        ("zh-Hans-CN", "zh", "此页面需要安全连接"),
        ("q=;,,de;q=nonsense", "en", "This page needs a secure connection"),
    ] {
        let field = if accepted.is_empty() { String::new() } else { format!("Accept-Language: {accepted}\r\n") };
        let reply = clear(http, get_with(HOST, "/books", &field)).await;
        assert_eq!(reply.status, 403, "{accepted}");
        assert_eq!(reply.field("content-language"), Some(tag), "{accepted}");
        assert_eq!(reply.field("vary"), Some("accept-language"), "{accepted}");
        for part in [heading, &format!("<html lang=\"{tag}\">"), "403.4 SSL required"] {
            assert!(reply.text().contains(part), "{accepted}: {part} in {}", reply.text());
        }
        assert!(reply.text().contains(&format!("<a href=\"https://{HOST}:{https}/books\">")), "{accepted}");
    }

    let mut client = client(&world, https, HOST).await;
    let request = Request::builder().method(Method::GET).uri(format!("https://{HOST}/nothing"));
    let request = request.header("accept-language", "ja").body(http_body_util::Empty::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-language"]), (404, &"ja".parse().unwrap()));
    let page = text(answer).await;
    assert!(page.contains("このアドレスにページはありません") && page.contains("404 Not found"), "{page}");
}

#[tokio::test]
async fn a_redirect_too_speaks_the_visitor_s_language() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    world.require_ssl(site, RequireSsl::Redirect).await;
    let reply = clear(http, get_with(HOST, "/books", "Accept-Language: fr-FR\r\n")).await;
    assert_eq!((reply.status, reply.field("content-language")), (308, Some("fr")));
    assert!(reply.text().contains("Cette page a une adresse sécurisée"), "{}", reply.text());
    let secure = exchange(world.connect(https, HOST).await.unwrap(), get(HOST, "/")).await;
    assert_eq!(secure.field("content-language"), None, "content is the site's own");
}

/// The reference on a page.
fn reference(page: &str) -> Reference {
    let shown = page.split_once("<p>Reference <b>").expect(page).1.split_once('<').unwrap().0;
    Reference::parse(shown).unwrap()
}

/// Ends serving, which writes what is kept.
async fn end(world: World) -> (TestStore, Store) {
    let World { test, store, server, .. } = world;
    server.shutdown(Duration::from_secs(5)).await;
    (test, store)
}

async fn find(store: &Store, reference: Reference) -> Refused {
    store.find_refused(reference, OffsetDateTime::now_utc()).await.unwrap().expect("it is kept")
}

#[tokio::test]
async fn page_status_line_log_line_and_what_is_kept_agree_for_each_refusal() {
    let (log, _guard) = Log::begin();
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    let maps = world.secured_site("Maps", "maps.example", http, https).await;
    rule(&world, site, "/account", RequireSsl::Refuse.into()).await;
    rule(&world, site, "/vault", Settings { min_tls: Some(TlsVersion::Tls13), ..Settings::default() }).await;
    let version = world.version(maps);
    world.store.update_site_state(maps, version, SiteState::Stopped, &tester()).await.unwrap();
    let judged_by = world.store.table().revision();

    let in_clear = clear(http, get_with(HOST, "/account/orders?password=secret", "User-Agent: curl/8.5.0\r\n")).await;
    let stranger = clear(http, get("stranger.example", "/")).await;
    let odd = clear(http, get(HOST, "/a/../b")).await;
    let two = clear(http, "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\nConnection: close\r\n\r\n").await;
    let stopped = clear(http, get("maps.example", "/")).await;
    let old = connect(world.visitor(&[&rustls::version::TLS12]).await, https, HOST).await.unwrap();
    let weak = exchange(old, get(HOST, "/vault/")).await;
    let other = exchange(world.connect(https, HOST).await.unwrap(), get("maps.example", "/")).await;

    let lines = log.lines();
    let (_test, store) = end(world).await;
    let cases = [
        (in_clear, Cause::Unmet(Refusal::SslRequired), Some(site), "sc-status=403 sc-substatus=4"),
        (stranger, Cause::NoSite, None, "sc-status=404 sc-substatus=0"),
        (odd, Cause::BadPath, None, "sc-status=400 sc-substatus=0"),
        (two, Cause::BadHost, None, "sc-status=400 sc-substatus=0"),
        (stopped, Cause::Closed, Some(maps), "sc-status=503 sc-substatus=0"),
        (weak, Cause::Unmet(Refusal::TlsTooOld), Some(site), "sc-status=403 sc-substatus=5"),
        (other, Cause::OtherSite, Some(site), "sc-status=421 sc-substatus=0"),
    ];
    assert_eq!(lines.len(), cases.len(), "{lines:#?}");
    for ((reply, cause, of_site, words), line) in cases.iter().zip(&lines) {
        let reference = reference(reply.text());
        assert_eq!(reply.status, cause.answer().status, "{cause:?}");
        assert!(reply.text().contains(&format!(">{} ", cause.answer())), "{cause:?}: {}", reply.text());
        assert!(line.contains(words) && line.contains(&format!("reference={reference}")), "{cause:?}: {line}");
        let kept = find(&store, reference).await;
        assert_eq!((kept.cause, kept.site, kept.revision), (*cause, *of_site, judged_by));
        assert_eq!(kept.client.network(), "127.0.0.0/24");
    }

    let kept = find(&store, reference(cases[0].0.text())).await;
    let decided = kept.decided.unwrap();
    assert_eq!((kept.listener, kept.path.as_str()), (local(http), "/account/orders"));
    assert_eq!((decided.place.to_string(), decided.setting.as_str()), ("/account".to_owned(), "require_ssl"));
    assert_eq!(kept.client.agent.as_str(), "curl/8.5");
    let setter = store.find_setter(Thing::Rule, decided.rule, &decided.setting, &decided.value, kept.revision).await;
    assert_eq!(setter.unwrap().map(|change| change.author), Some(tester().name));
    let kept = find(&store, reference(cases[5].0.text())).await;
    assert!(matches!(kept.came.transport, Transport::Tls(facts) if facts.version == TlsVersion::Tls12));
    let kept = find(&store, reference(cases[6].0.text())).await;
    let name = |name: Option<HostName>| name.unwrap().to_string();
    assert_eq!((name(kept.server_name), name(kept.host)), (HOST.to_owned(), "maps.example".to_owned()));
}

#[tokio::test]
async fn a_flood_gets_pages_without_a_reference_and_takes_no_more_rows() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let mut references = Vec::new();
    for _ in 0..300 {
        let reply = clear(http, get(HOST, "/")).await;
        assert!(reply.text().contains("403.4 SSL required"));
        references.extend(reply.text().contains("Reference").then(|| reference(reply.text())));
    }
    assert!((1..150).contains(&references.len()), "{}", references.len());
    let (_test, store) = end(world).await;
    for reference in references {
        find(&store, reference).await;
    }
}

/// A page of a site's own.
async fn own_page(world: &World, site: SiteId, status: &str, file: &str) {
    let draft = PageDraft::parse(status, file).unwrap();
    world.store.create_page(site, world.version(site), draft, &tester()).await.unwrap();
}

#[tokio::test]
async fn a_site_s_own_page_is_shown_with_the_code_and_without_asking_its_rules() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    std::fs::create_dir(world.folder(site).join("own")).unwrap();
    for (name, text) in [("no.html", "<h1>Not like this</h1>"), ("none.html", "<h1>Nothing here</h1>")] {
        std::fs::write(world.folder(site).join("own").join(name), text).unwrap();
    }
    world.require_ssl(site, RequireSsl::Refuse).await;
    own_page(&world, site, "403", "/own/no.html").await;
    own_page(&world, site, "404", "/own/none.html").await;

    let reply = clear(http, get_with(HOST, "/books", "Accept-Language: de\r\n")).await;
    assert_eq!((reply.status, reply.text()), (403, "<h1>Not like this</h1>"));
    assert_eq!(reply.field("content-type"), Some("text/html"));
    assert_eq!(reply.field("cache-control"), Some("no-store"));
    assert_eq!(
        (reply.field("etag"), reply.field("last-modified"), reply.field("content-language")),
        (None, None, None)
    );
    let head = format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let reply = clear(http, head).await;
    assert_eq!((reply.status, reply.text(), reply.field("content-length")), (403, "", Some("22")));
    let partly = clear(http, get_with(HOST, "/", "Range: bytes=0-3\r\nIf-None-Match: *\r\n")).await;
    assert_eq!((partly.status, partly.text()), (403, "<h1>Not like this</h1>"));
    assert_eq!(clear(http, get(HOST, "/own/no.html")).await.status, 403, "at its own address it is content");

    rule(&world, site, "/vault", Settings { min_tls: Some(TlsVersion::Tls13), ..Settings::default() }).await;
    let mut old = client_with(world.visitor(&[&rustls::version::TLS12]).await, https, HOST).await;
    let answer = ask(&mut old, Method::GET, &format!("https://{HOST}/vault/x")).await;
    assert_eq!(answer.status().as_u16(), 403, "403.5, over HTTP/2");
    assert_eq!(text(answer).await, "<h1>Not like this</h1>");
    let mut client = client(&world, https, HOST).await;
    let answer = ask(&mut client, Method::GET, &format!("https://{HOST}/nothing")).await;
    assert_eq!(answer.status().as_u16(), 404);
    assert_eq!(text(answer).await, "<h1>Nothing here</h1>");
    let answer = ask(&mut client, Method::GET, "https://maps.example/").await;
    assert_eq!(answer.status().as_u16(), 421);
    assert!(text(answer).await.contains("421 Misdirected request"), "always the built-in page");
    let stranger = clear(http, get("stranger.example", "/nothing")).await;
    assert!(stranger.text().contains("404 Not found"), "no site, no page of a site's own");
}

#[tokio::test]
async fn a_site_s_own_page_shows_the_reference_where_it_asks_for_it() {
    let world = World::start().await;
    let http = free_port();
    let site = world.site("Bookshop", HOST, http).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    std::fs::write(world.folder(site).join("no.html"), "<b>{reference}</b> {Reference} <i>{reference}</i>").unwrap();
    own_page(&world, site, "403", "/no.html").await;
    own_page(&world, site, "404", "/no.html").await;
    let reply = clear(http, get(HOST, "/%7Breference%7D")).await;
    let shown =
        reply.text().strip_prefix("<b>").and_then(|rest| rest.split_once('<')).expect("a reference").0.to_owned();
    assert_eq!(reply.text(), format!("<b>{shown}</b> {{Reference}} <i>{shown}</i>"));
    let head = format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let length = reply.field("content-length").map(str::to_owned);
    assert_eq!(length, Some(reply.text().len().to_string()));
    assert_eq!(clear(http, head).await.field("content-length").map(str::to_owned), length);
    world.require_ssl(site, RequireSsl::Off).await;
    let nothing = clear(http, get(HOST, "/nothing")).await;
    assert_eq!(nothing.text(), "<b>-</b> {Reference} <i>-</i>", "what nobody asks about has none");
    let https = free_port();
    let certificate = Some(world.certificate_for(&[HOST], KeyKind::EcdsaP256, &tester()).await);
    world.bind(site, place(Protocol::Https, https, HOST), certificate).await;
    let mut client = client(&world, https, HOST).await;
    for method in [Method::HEAD, Method::GET] {
        let answer = ask(&mut client, method.clone(), &format!("https://{HOST}/nothing")).await;
        assert_eq!(answer.headers()["content-length"], nothing.text().len().to_string(), "{method} over HTTP/2");
        assert_eq!(text(answer).await, if method == Method::GET { nothing.text() } else { "" });
    }
    let (_test, store) = end(world).await;
    find(&store, Reference::parse(&shown).expect(&shown)).await;
}

#[tokio::test]
async fn where_a_site_s_own_page_cannot_be_shown_the_built_in_one_is() {
    let world = World::start().await;
    let http = free_port();
    let site = world.site("Bookshop", HOST, http).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let folder = world.folder(site);
    own_page(&world, site, "403.4", "/no.html").await;
    let shown = async || clear(http, get(HOST, "/")).await;
    let built_in = async |why: &str| {
        let reply = shown().await;
        assert!(reply.status == 403 && reply.text().contains("403.4 SSL required"), "{why}: {}", reply.text());
    };
    built_in("it is missing").await;
    std::os::unix::fs::symlink("/etc/hostname", folder.join("no.html")).unwrap();
    built_in("it leads out of the folder").await;
    std::fs::remove_file(folder.join("no.html")).unwrap();
    std::fs::create_dir(folder.join("no.html")).unwrap();
    built_in("it is a folder").await;
    std::fs::remove_dir(folder.join("no.html")).unwrap();
    std::fs::write(folder.join("no.html"), vec![b'x'; 64 * 1024 + 1]).unwrap();
    built_in("it is too large").await;
    std::fs::write(folder.join("no.html"), "own").unwrap();
    assert_eq!(shown().await.text(), "own");
    std::fs::remove_dir_all(&folder).unwrap();
    let gone = async { while shown().await.text() == "own" {} };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("what is gone is shown for a moment only");
    built_in("the whole folder is gone").await;
}
