//! What comes is counted: how it came, what it got, from whom, and why a handshake failed.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::{ClientConfig, RootCertStore};
use siteward_core::binding::Protocol;
use siteward_core::site::{SiteId, SiteState};
use siteward_core::ssl::{ClearCredentials, RequireSsl, Settings};
use siteward_core::store::Store;
use siteward_core::testing::{TestStore, tester};
use siteward_core::traffic::{Credentials, Failure, NO_SITE, Tally};
use siteward_server::Limits;

use crate::world::{World, clear, connect, exchange, free_port, get, place};

/// Ends serving, which writes what was counted.
pub(crate) async fn end(world: World) -> (TestStore, Store) {
    let World { test, store, server, .. } = world;
    server.shutdown(Duration::from_secs(5)).await;
    (test, store)
}

pub(crate) async fn tally(store: &Store, site: SiteId) -> Tally {
    let mut sum = Tally::default();
    for (_, _, tally) in store.list_traffic(site, 0).await.unwrap() {
        sum.add(&tally);
    }
    sum
}

pub(crate) fn classes(tally: &Tally) -> BTreeMap<String, u64> {
    let class = |(class, requests): (&siteward_core::traffic::Class, u64)| {
        (format!("{} {} {}", class.facts, class.answer, class.folder.as_str()), requests)
    };
    tally.classes().map(class).collect()
}

fn failures(tally: &Tally) -> Vec<(Failure, u64)> {
    tally.failures().collect()
}

#[tokio::test]
async fn each_request_is_counted_by_how_it_came_and_what_it_got() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    clear(http, get("shop.example", "/")).await;
    world.require_ssl(site, RequireSsl::Redirect).await;
    clear(http, get("shop.example", "/books/1")).await;
    let with_cookie = "GET /books/2 HTTP/1.1\r\nHost: shop.example\r\nCookie: session=hunter2\r\n\
                       User-Agent: curl/7.29.0\r\nConnection: close\r\n\r\n";
    clear(http, with_cookie).await;
    clear(http, with_cookie).await;
    clear(http, get("stranger.example", "/")).await;
    let secure = world.connect(https, "shop.example").await.unwrap();
    exchange(secure, get("shop.example", "/nothing/here")).await;
    let secure = world.connect(https, "shop.example").await.unwrap();
    exchange(secure, get("stranger.example", "/")).await;
    let mut old = aws_lc_rs::default_provider();
    old.cipher_suites = vec![cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384];
    old.kx_groups = vec![aws_lc_rs::kx_group::SECP256R1];
    let older = ClientConfig::builder_with_provider(old.into());
    let older = older.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let older = older.with_root_certificates(world.roots().await).with_no_client_auth();
    exchange(connect(older, https, "shop.example").await.unwrap(), get("shop.example", "/")).await;

    let (_test, store) = end(world).await;
    let counted = tally(&store, site).await;
    let expected = [
        ("clear cookie 1.1 403.4 /books/", 2),
        ("clear none 1.1 200 /", 1),
        ("clear none 1.1 308.4 /books/", 1),
        ("tls1.2 aes256 p256 1.1 200 /", 1),
        ("tls1.3 aes256 mlkem 1.1 404 /nothing/", 1),
        ("tls1.3 aes256 mlkem 1.1 421 /", 1),
    ];
    assert_eq!(classes(&counted), expected.map(|(class, requests)| (class.to_owned(), requests)).into());
    assert_eq!(tally(&store, NO_SITE).await.requests(), 1);

    let leaks = store.list_leaks(site).await.unwrap();
    let [leak] = leaks.as_slice() else { panic!("{leaks:?}") };
    assert_eq!((leak.credentials, leak.requests), (Credentials::Cookie, 2));
    assert_eq!((leak.agent.as_str(), leak.network.as_str()), ("curl/7.29", "127.0.0.0/24"));
}

#[tokio::test]
async fn credentials_in_clear_are_told_of_whether_they_are_refused_or_redirected_and_a_redirect_of_content_is_no_leak()
{
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    std::fs::create_dir(world.folder(site).join("books")).unwrap();
    let with_cookie = "GET /books HTTP/1.1\r\nHost: shop.example\r\nCookie: session=hunter2\r\n\
                       User-Agent: curl/7.29.0\r\nConnection: close\r\n\r\n";
    assert_eq!(clear(http, with_cookie).await.status, 301, "a folder's address ends with a slash");
    for (require_ssl, clear_credentials, status) in [
        (RequireSsl::Redirect, None, 403),
        (RequireSsl::Redirect, Some(ClearCredentials::Redirect), 308),
        (RequireSsl::RedirectMoved, Some(ClearCredentials::Redirect), 301),
        (RequireSsl::Refuse, Some(ClearCredentials::Redirect), 403),
    ] {
        let settings = Settings { clear_credentials, ..require_ssl.into() };
        world.store.update_ssl(site, world.version(site), settings, &tester()).await.unwrap();
        assert_eq!(clear(http, with_cookie).await.status, status, "{settings:?}");
    }
    let (_test, store) = end(world).await;
    let leaks = store.list_leaks(site).await.unwrap();
    assert_eq!(leaks.iter().map(|leak| leak.requests).collect::<Vec<_>>(), [4]);
}

#[tokio::test]
async fn each_handshake_that_fails_is_counted_by_its_reason() {
    let world = World::with(Limits { handshake: Duration::from_millis(500), ..Limits::default() }).await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    let closed = world.site("Closed", "closed.example", http).await;
    let certificate = world.certificate("closed.example").await;
    world.bind(closed, place(Protocol::Https, https, "closed.example"), Some(certificate)).await;
    let version = world.version(closed);
    world.store.update_site_state(closed, version, SiteState::Stopped, &tester()).await.unwrap();

    world.connect(https, "stranger.example").await.unwrap_err();
    world.connect(https, "closed.example").await.unwrap_err();
    let provider = || ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let wary = provider().with_safe_default_protocol_versions().unwrap();
    let wary = wary.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    connect(wary, https, "shop.example").await.unwrap_err();
    let mut rsa_only = aws_lc_rs::default_provider();
    rsa_only.cipher_suites = vec![cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    let rsa_only = ClientConfig::builder_with_provider(rsa_only.into());
    let rsa_only = rsa_only.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let rsa_only = rsa_only.with_root_certificates(world.roots().await).with_no_client_auth();
    connect(rsa_only, https, "shop.example").await.unwrap_err();
    let mut rude = tokio::net::TcpStream::connect(crate::world::local(https)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut rude, b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.unwrap();
    let mut silent = tokio::net::TcpStream::connect(crate::world::local(https)).await.unwrap();
    for stream in [&mut rude, &mut silent] {
        tokio::io::AsyncReadExt::read_to_end(stream, &mut Vec::new()).await.unwrap(); // until the server closes
    }

    let (_test, store) = end(world).await;
    assert_eq!(failures(&tally(&store, site).await), [(Failure::NothingInCommon, 1), (Failure::Rejected, 1)]);
    assert_eq!(failures(&tally(&store, closed).await), [(Failure::Closed, 1)]);
    let unknown = [(Failure::UnknownName, 1), (Failure::Timeout, 1), (Failure::NotTls, 1)];
    assert_eq!(failures(&tally(&store, NO_SITE).await), unknown);
}

#[tokio::test]
async fn who_sends_nothing_but_new_kinds_is_counted_with_less_detail() {
    let world = World::with(Limits { kinds: 4, ..Limits::default() }).await;
    let http = free_port();
    let site = world.site("Bookshop", "shop.example", http).await;
    for number in 0..40 {
        clear(http, get("shop.example", &format!("/scan-{number}/"))).await;
    }
    let (_test, store) = end(world).await;
    let counted = tally(&store, site).await;
    assert_eq!(counted.requests(), 40);
    assert!(classes(&counted)["clear none 1.1 404 "] > 0, "{counted:?}");
}

#[tokio::test]
async fn nothing_is_counted_where_nothing_may_be_told_apart() {
    let world = World::with(Limits { kinds: 0, ..Limits::default() }).await;
    let http = free_port();
    let site = world.site("Bookshop", "shop.example", http).await;
    clear(http, get("shop.example", "/")).await;
    let (_test, store) = end(world).await;
    assert!(tally(&store, site).await.is_empty());
}
