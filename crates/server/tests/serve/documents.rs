//! Revocation lists and certificates of authorities, over http.

use siteward_core::authority::Reason;
use siteward_core::document::DocumentKind;
use siteward_core::ssl::RequireSsl;
use siteward_core::store::{IssuedFilter, Store};
use siteward_core::testing::tester;

use crate::world::{World, clear, exchange, free_port, get};

/// The path of the revocation list of the test's authority, and of its certificate.
async fn paths(store: &Store) -> [String; 2] {
    let authority = store.list_authorities().await.unwrap().remove(0);
    [DocumentKind::Crl, DocumentKind::Certificate].map(|kind| kind.path(authority.certificate.key_id))
}

#[tokio::test]
async fn documents_are_answered_on_every_http_port_whatever_the_host_and_the_site_s_ssl_settings() {
    let world = World::start().await;
    let (http, https, other) = (free_port(), free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    world.site("Maps", "maps.example", other).await;
    let [list, certificate] = paths(&world.store).await;
    let authority = world.store.list_authorities().await.unwrap().remove(0).certificate.der;
    for (port, host) in [(http, "shop.example"), (http, "127.0.0.1"), (other, "nobody.example")] {
        let reply = clear(port, get(host, &certificate)).await;
        assert_eq!((reply.status, reply.field("content-type")), (200, Some("application/pkix-cert")), "{host}");
        assert_eq!(reply.body, authority);
        let reply = clear(port, get(host, &list)).await;
        assert_eq!((reply.status, reply.field("content-type")), (200, Some("application/pkix-crl")), "{host}");
        assert_eq!(reply.field("cache-control"), Some("public, max-age=300"));
        assert_eq!(reply.field("content-length"), Some(reply.body.len().to_string().as_str()));
    }
    assert_eq!(clear(http, get("shop.example", "/index.html")).await.status, 403);
}

#[tokio::test]
async fn nothing_but_the_very_path_in_clear_and_a_readable_host_leads_to_a_document() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let [list, _] = paths(&world.store).await;
    let upper = list.to_uppercase();
    let double = list.replacen('/', "//", 1);
    let dotted = format!("/x/..{list}");
    let encoded = list.replacen("crl", "%63rl", 1);
    for path in [&upper, &double, &dotted, &encoded, &format!("{list}/"), &list[..list.len() - 1].to_owned()] {
        let status = clear(http, get("shop.example", path)).await.status;
        assert!(status == 403 || status == 400, "{path}: {status}");
    }
    let secured = exchange(world.connect(https, "shop.example").await.unwrap(), get("shop.example", &list)).await;
    assert_eq!(secured.status, 404, "over https it is a page of the site, which has none");
    assert_eq!(clear(http, format!("GET {list} HTTP/1.1\r\nConnection: close\r\n\r\n")).await.status, 400);
}

#[tokio::test]
async fn whoever_has_the_newest_list_is_told_so_until_a_revocation() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    world.secured_site("Bookshop", "shop.example", http, https).await;
    let [list, _] = paths(&world.store).await;
    let first = clear(http, get("shop.example", &list)).await;
    let (tag, modified) = (first.field("etag").unwrap(), first.field("last-modified").unwrap());
    let asked = |method: &str, fields: &str| {
        format!("{method} {list} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n")
    };
    let known = format!("If-None-Match: \"other\", {tag}\r\n");
    let weak = format!("If-None-Match: \"other\"\r\nIf-None-Match: W/{tag}\r\n");
    for fields in [&known, &weak, "If-None-Match: *\r\n", &format!("If-Modified-Since: {modified}\r\n")] {
        let reply = clear(http, asked("GET", fields)).await;
        assert_eq!((reply.status, reply.body.len(), reply.field("etag")), (304, 0, Some(tag)), "{fields}");
    }
    let head = clear(http, asked("HEAD", "")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), first.field("content-length"));
    let post = clear(http, asked("POST", "Content-Length: 0\r\n")).await;
    assert_eq!((post.status, post.field("allow")), (405, Some("GET, HEAD")));

    let issued = world.store.list_issued(&IssuedFilter::default(), tester().now, 0, 1).await.unwrap();
    world.store.revoke_issued(issued[0].id, Reason::KeyCompromise, &tester()).await.unwrap();
    let next = clear(http, asked("GET", &known)).await;
    assert_eq!(next.status, 200, "in force when the write returned");
    assert_ne!(next.body, first.body);
}
