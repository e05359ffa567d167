//! What a visitor is told who does not get what they came for.

use http::{Method, Request};
use siteward_core::ssl::RequireSsl;

use crate::http2::{client, text};
use crate::world::{World, clear, exchange, free_port, get};

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
