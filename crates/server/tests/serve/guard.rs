//! Where a request is refused, and with what words.

use siteward_core::binding::{Place, Protocol};
use siteward_core::key::KeyKind;
use siteward_core::site::SiteState;
use siteward_core::ssl::RequireSsl;
use siteward_core::testing::tester;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{World, clear, exchange, free_port, get, local, place};

#[tokio::test]
async fn an_unknown_host_gets_404_and_no_site_s_content() {
    let world = World::start().await;
    let http = free_port();
    world.site("Bookshop", "shop.example", http).await;
    for host in ["other.example", "shop.example.other.example", "127.0.0.1", "my_shop.example"] {
        let reply = clear(http, get(host, "/")).await;
        assert_eq!(reply.status, 404, "{host}");
        for of_a_site in ["Bookshop", "shop.example"] {
            assert!(!reply.text().contains(of_a_site), "{host}");
        }
    }
    assert_eq!(clear(http, get("SHOP.example.:8080", "/")).await.text(), "content of Bookshop");
}

#[tokio::test]
async fn a_request_whose_host_cannot_be_told_gets_400() {
    let world = World::start().await;
    let http = free_port();
    world.site("Everything", "", http).await;
    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n",
        "GET / HTTP/1.1\r\nHost: me@a.example\r\n",
        "GET / HTTP/1.1\r\nHost: a.example:http\r\n",
        "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n",
        "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n",
        "GET http://a.example/ HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n",
        "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n",
    ] {
        let reply = clear(http, format!("{head}Connection: close\r\n\r\n")).await;
        assert_eq!(reply.status, 400, "{head:?}");
    }
    let absolute = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    assert_eq!(clear(http, absolute).await.status, 200);
    assert_eq!(clear(http, "GET / HTTP/1.0\r\n\r\n").await.status, 200, "HTTP/1.0 knows no Host");
}

#[tokio::test]
async fn host_and_server_name_of_different_sites_get_421() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    world.secured_site("Bookshop", "shop.example", http, https).await;
    world.secured_site("Maps", "maps.example", http, https).await;
    for host in ["maps.example", "other.example", "127.0.0.1"] {
        let reply = exchange(world.connect(https, "shop.example").await.unwrap(), get(host, "/")).await;
        assert_eq!(reply.status, 421, "{host}");
        assert!(!reply.text().contains("Maps"));
    }
}

#[tokio::test]
async fn names_of_one_site_share_its_connections() {
    let world = World::start().await;
    let https = free_port();
    let site = world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let certificate = world.certificate("www.shop.example").await;
    world.bind(site, place(Protocol::Https, https, "www.shop.example"), Some(certificate)).await;
    let stream = world.connect(https, "shop.example").await.unwrap();
    assert_eq!(exchange(stream, get("www.shop.example", "/")).await.status, 200);
}

#[tokio::test]
async fn plain_http_to_a_site_that_requires_ssl_gets_403_4() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let reply = clear(http, get("shop.example", "/books/atlas?a=1&b=%3Cscript%3E'")).await;
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("403.4 SSL required"));
    let address = format!("https://shop.example:{https}/books/atlas?a=1&amp;b=%3Cscript%3E&#39;");
    assert!(reply.text().contains(&format!("<a href=\"{address}\">{address}</a>")), "{}", reply.text());
    assert_eq!(reply.field("cache-control"), Some("no-store"));
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));

    let secure = exchange(world.connect(https, "shop.example").await.unwrap(), get("shop.example", "/")).await;
    assert_eq!(secure.text(), "content of Bookshop");
}

#[tokio::test]
async fn no_path_method_or_header_opens_a_site_that_requires_ssl() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    std::fs::create_dir_all(world.folder(site).join("a")).unwrap();
    std::fs::write(world.folder(site).join("a/secret.txt"), "content of a secret").unwrap();
    for require_ssl in [RequireSsl::Refuse, RequireSsl::Redirect] {
        world.require_ssl(site, require_ssl).await;
        for target in [
            "/",
            "//",
            "/index.html",
            "/INDEX.HTML",
            "/index.html.",
            "/a/secret.txt",
            "//a//secret.txt",
            "/./a/secret.txt",
            "/%61/secret.txt",
            "/a%2Fsecret.txt",
            "/a/../a/secret.txt",
            "/%2e%2e/a/secret.txt",
            "/a/secret.txt?https",
            "/.well-known/x",
            "http://shop.example/a/secret.txt",
            "https://shop.example/a/secret.txt",
        ] {
            for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"] {
                let forged = "X-Forwarded-Proto: https\r\nForwarded: proto=https\r\nFront-End-Https: on\r\n";
                let host = if target.starts_with("https:") { "shop.example:443" } else { "shop.example" };
                let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{forged}");
                let reply = clear(http, format!("{head}Connection: close\r\nContent-Length: 0\r\n\r\n")).await;
                assert!(matches!(reply.status, 308 | 400 | 403), "{method} {target}: {}", reply.status);
                assert!(!reply.text().contains("content of"), "{method} {target}");
            }
        }
    }
}

#[tokio::test]
async fn a_site_without_usable_certificate_still_refuses_plain_http() {
    let world = World::start().await;
    let http = free_port();
    let site = world.site("Bookshop", "shop.example", http).await;
    for require_ssl in [RequireSsl::Refuse, RequireSsl::Redirect] {
        world.require_ssl(site, require_ssl).await;
        let reply = clear(http, get("shop.example", "/")).await;
        assert_eq!(reply.status, 403, "{require_ssl:?}");
        assert!(!reply.text().contains("<a "), "there is no https address to go to");
    }
}

#[tokio::test]
async fn redirect_mode_keeps_path_and_query_and_takes_the_right_port_and_only_own_names() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.bind(site, place(Protocol::Http, http, ""), None).await;
    world.require_ssl(site, RequireSsl::Redirect).await;
    let own = format!("https://shop.example:{https}");
    for (host, target) in [
        ("shop.example", "/books//atlas%20of?x=1&y=%0d%0aSet-Cookie:a=b"),
        ("shop.example", "//evil.example/"),
        ("evil.example", "/"),
        ("evil.example:443", "/@evil.example"),
    ] {
        let reply = clear(http, get(host, target)).await;
        assert_eq!(reply.status, 308, "{host} {target}");
        assert_eq!(reply.field("location"), Some(format!("{own}{target}").as_str()));
        assert_eq!(reply.field("set-cookie"), None);
    }
    let post = "POST /order HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(clear(http, post).await.status, 308);
}

#[tokio::test]
async fn a_certificate_that_is_shared_with_a_neighbour_sends_nobody_there() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let names = ["hr.example", "shop.example", "*.alder.example"];
    let shared = Some(world.certificate_for(&names, KeyKind::EcdsaP256, &tester()).await);
    let hr = world.site("HR", "hr.example", free_port()).await;
    world.bind(hr, place(Protocol::Https, https, "hr.example"), shared).await;
    world.bind(hr, place(Protocol::Https, https, "staff.alder.example"), shared).await;
    let shop = world.site("Bookshop", "", http).await;
    let everywhere = Place { ip: None, ..place(Protocol::Https, https, "") };
    world.bind(shop, everywhere, shared).await;
    let elsewhere = Place { ip: Some("127.0.0.2".parse().unwrap()), ..place(Protocol::Https, https, "") };
    world.bind(hr, elsewhere, shared).await;
    world.require_ssl(shop, RequireSsl::Redirect).await;
    for (host, own) in [
        ("127.0.0.1", "shop.example"),
        ("hr.example", "shop.example"),
        ("staff.alder.example", "shop.example"),
        ("www.alder.example", "www.alder.example"),
    ] {
        let reply = clear(http, get(host, "/books")).await;
        assert_eq!(reply.status, 308, "{host}");
        assert_eq!(reply.field("location"), Some(format!("https://{own}:{https}/books").as_str()), "{host}");
    }
    assert!(world.receipt(shop).await.fault(|_| true).is_none(), "fresh clients are meant to be sent there");

    world.bind(hr, place(Protocol::Https, https, "shop.example"), shared).await;
    for require_ssl in [RequireSsl::Redirect, RequireSsl::Refuse] {
        world.require_ssl(shop, require_ssl).await;
        let reply = clear(http, get("127.0.0.1", "/")).await;
        assert_eq!(reply.status, 403, "{require_ssl:?}");
        assert!(!reply.text().contains("<a "), "no name is left that is the site's own: {}", reply.text());
    }
}

#[tokio::test]
async fn redirect_mode_refuses_a_request_whose_credentials_came_in_clear() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.require_ssl(site, RequireSsl::Redirect).await;
    for field in ["Cookie: session=1", "Authorization: Basic bWU6cHc="] {
        let head = format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{field}\r\nConnection: close\r\n\r\n");
        let reply = clear(http, head).await;
        assert_eq!((reply.status, reply.field("location")), (403, None), "{field}");
    }
}

#[tokio::test]
async fn a_stopped_site_gets_503() {
    let world = World::start().await;
    let http = free_port();
    let site = world.site("Bookshop", "shop.example", http).await;
    world.store.update_site_state(site, world.version(site), SiteState::Stopped, &tester()).await.unwrap();
    let reply = clear(http, get("shop.example", "/")).await;
    assert_eq!(reply.status, 503);
    assert!(!reply.text().contains("Bookshop"));
}

#[tokio::test]
async fn a_request_that_would_write_gets_405() {
    let world = World::start().await;
    let http = free_port();
    world.site("Bookshop", "shop.example", http).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        let head =
            format!("{method} / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let reply = clear(http, head).await;
        assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[tokio::test]
async fn a_refused_form_s_sender_reads_the_refusal_although_nobody_wants_the_form() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let form = vec![b'a'; 200_000];
    let head = format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {}\r\n\r\n", form.len());
    let mut stream = tokio::net::TcpStream::connect(local(http)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    for part in form.chunks(10_000) {
        tokio::task::yield_now().await;
        stream.write_all(part).await.unwrap();
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}
