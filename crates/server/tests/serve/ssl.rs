//! What places demand of a connection, over real ones.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CipherSuite, ClientConfig, HandshakeKind, NamedGroup, SupportedProtocolVersion};
use siteward_core::binding::Protocol;
use siteward_core::site::SiteId;
use siteward_core::ssl::{ClientCertificates, KeyExchange, RequireSsl, RulePath, Settings, Strength, TlsVersion};
use siteward_core::store::RuleDraft;
use siteward_core::testing::tester;

use crate::client_certificates::trust_list;
use crate::world::{World, alert, clear, connect, exchange, free_port, get, place};

pub(crate) const HOST: &str = "shop.example";

fn at_least(version: TlsVersion) -> Settings {
    Settings { min_tls: Some(version), ..Settings::default() }
}

fn bits(strength: Strength) -> Settings {
    Settings { strength: Some(strength), ..Settings::default() }
}

fn keys(key_exchange: KeyExchange) -> Settings {
    Settings { key_exchange: Some(key_exchange), ..Settings::default() }
}

pub(crate) async fn rule(world: &World, site: SiteId, path: &str, settings: Settings) {
    let draft = RuleDraft { path: RulePath::parse(path).unwrap(), settings, reason: String::new() };
    world.store.create_rule(site, world.version(site), draft, &tester()).await.unwrap();
}

pub(crate) async fn whole_site(world: &World, site: SiteId, settings: Settings) {
    world.store.update_ssl(site, world.version(site), settings, &tester()).await.unwrap();
}

/// A site over https alone, with a file in `/vault/` beside its first page.
async fn secured(world: &World) -> (SiteId, u16) {
    let https = free_port();
    let site = world.secured_site("Bookshop", HOST, free_port(), https).await;
    std::fs::create_dir(world.folder(site).join("vault")).unwrap();
    std::fs::write(world.folder(site).join("vault/x.txt"), "content of the vault").unwrap();
    (site, https)
}

fn only(suites: &[CipherSuite]) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suites.contains(&suite.suite()));
    provider
}

fn with_128_bits() -> CryptoProvider {
    only(&[CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256])
}

fn on_curves() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    provider
}

async fn visitor(
    world: &World,
    provider: CryptoProvider,
    version: &'static SupportedProtocolVersion,
    alpn: &[u8],
) -> Arc<ClientConfig> {
    let mut visitor = world.visitor_with(provider, &[version]).await;
    visitor.alpn_protocols = vec![alpn.to_vec()];
    Arc::new(visitor)
}

/// Connects, asks for one path over the protocol that was agreed on, and tells the status, the page, and how the
/// handshake went.
pub(crate) async fn ask(visitor: &Arc<ClientConfig>, port: u16, path: &str) -> (u16, String, HandshakeKind) {
    let stream = connect(visitor.clone(), port, HOST).await.unwrap();
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let mut stream = stream;
        let reply = exchange(&mut stream, get(HOST, path)).await;
        return (reply.status, reply.text().to_owned(), stream.get_ref().1.handshake_kind().unwrap());
    }
    let kind = stream.get_ref().1.handshake_kind().unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("https://{HOST}{path}")).body(Empty::<Bytes>::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap(), kind)
}

#[tokio::test]
async fn a_folder_that_requires_ssl_is_refused_in_clear_in_every_spelling_and_its_neighbours_are_served() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    for folder in ["account", "help"] {
        std::fs::create_dir(world.folder(site).join(folder)).unwrap();
        std::fs::write(world.folder(site).join(folder).join("index.html"), format!("content of {folder}")).unwrap();
    }
    std::os::unix::fs::symlink("account", world.folder(site).join("ACCOUNT")).unwrap();
    rule(&world, site, "/account", RequireSsl::Refuse.into()).await;
    for target in
        ["/account", "/account/", "//account//", "/./account/", "/%61ccount/index.html", "/ACCOUNT/", "/account./"]
    {
        let reply = clear(http, get(HOST, target)).await;
        assert_eq!(reply.status, 403, "{target}");
        assert!(reply.text().contains("403.4 SSL required"), "{target}");
    }
    for (target, content) in [("/", "content of Bookshop"), ("/help/", "content of help")] {
        assert_eq!(clear(http, get(HOST, target)).await.text(), content);
    }
    let secure = exchange(world.connect(https, HOST).await.unwrap(), get(HOST, "/account/")).await;
    assert_eq!(secure.text(), "content of account");
}

#[tokio::test]
async fn redirects_are_308_or_301_as_the_owner_chose_and_only_reading_gets_301() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    rule(&world, site, "/old", RequireSsl::RedirectMoved.into()).await;
    rule(&world, site, "/new", RequireSsl::Redirect.into()).await;
    for (method, path, status) in
        [("GET", "/old/x?y", 301), ("HEAD", "/old", 301), ("POST", "/old", 308), ("GET", "/new/x?y", 308)]
    {
        let request = get(HOST, path).replacen("GET", method, 1);
        let reply = clear(http, request).await;
        let address = format!("https://{HOST}:{https}{path}");
        assert_eq!((reply.status, reply.field("location")), (status, Some(address.as_str())), "{method} {path}");
    }
}

#[tokio::test]
async fn a_weaker_connection_gets_403_5_over_http1_and_http2_fresh_and_resumed() {
    let world = World::start().await;
    for (settings, weak, version, said) in [
        (at_least(TlsVersion::Tls13), aws_lc_rs::default_provider as fn() -> _, &TLS12, "TLS 1.3 only"),
        (bits(Strength::Bits256), with_128_bits, &TLS12, "256-bit encryption"),
        (bits(Strength::Bits256), with_128_bits, &TLS13, "256-bit encryption"),
        (keys(KeyExchange::PostQuantum), on_curves, &TLS12, "ML-KEM"),
        (keys(KeyExchange::PostQuantum), on_curves, &TLS13, "ML-KEM"),
    ] {
        let (site, https) = secured(&world).await;
        rule(&world, site, "/vault", settings).await;
        world.taken_up().await;
        for alpn in [&b"http/1.1"[..], b"h2"] {
            let (strong, weak) =
                (visitor(&world, aws_lc_rs::default_provider(), &TLS13, alpn), visitor(&world, weak(), version, alpn));
            let (strong, weak) = (strong.await, weak.await);
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let (status, page, how) = ask(&weak, https, "/vault/x.txt").await;
                assert_eq!((status, how), (403, kind), "{settings:?}");
                assert!(page.contains("403.5 Stronger encryption required") && page.contains(said), "{page}");
            }
            assert_eq!(ask(&weak, https, "/").await.1, "content of Bookshop", "{settings:?}");
            assert_eq!(ask(&strong, https, "/vault/x.txt").await.1, "content of the vault", "{settings:?}");
        }
        world.store.delete_site(site, world.version(site), &tester()).await.unwrap();
    }
}

#[tokio::test]
async fn a_browser_that_puts_128_bit_first_gets_256_and_keeps_its_connection_when_a_folder_asks_for_it() {
    let world = World::start().await;
    let (site, https) = secured(&world).await;
    let mut browser = aws_lc_rs::default_provider();
    browser.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
    let browser = visitor(&world, browser, &TLS13, b"http/1.1").await;
    let stream = connect(browser, https, HOST).await.unwrap();
    let agreed = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(agreed, CipherSuite::TLS13_AES_256_GCM_SHA384, "the server's order counts");

    rule(&world, site, "/vault", bits(Strength::Bits256)).await;
    assert_eq!(exchange(stream, get(HOST, "/vault/x.txt")).await.text(), "content of the vault");
}

#[tokio::test]
async fn a_site_that_is_strict_everywhere_is_so_at_the_handshake() {
    let world = World::start().await;
    let (site, https) = secured(&world).await;
    for (settings, weak, version, alert_sent) in [
        (at_least(TlsVersion::Tls13), aws_lc_rs::default_provider(), &TLS12, AlertDescription::ProtocolVersion),
        (bits(Strength::Bits256), with_128_bits(), &TLS13, AlertDescription::HandshakeFailure),
        (bits(Strength::Bits256), with_128_bits(), &TLS12, AlertDescription::HandshakeFailure),
        (keys(KeyExchange::PostQuantum), on_curves(), &TLS13, AlertDescription::HandshakeFailure),
        (keys(KeyExchange::PostQuantum), aws_lc_rs::default_provider(), &TLS12, AlertDescription::ProtocolVersion),
    ] {
        whole_site(&world, site, settings).await;
        let weak = visitor(&world, weak, version, b"http/1.1").await;
        let error = connect(weak, https, HOST).await.unwrap_err();
        assert_eq!(alert(&error), alert_sent, "{settings:?}");
        let strong = visitor(&world, aws_lc_rs::default_provider(), &TLS13, b"h2").await;
        assert_eq!(ask(&strong, https, "/vault/x.txt").await.1, "content of the vault", "{settings:?}");
    }
    let old = visitor(&world, aws_lc_rs::default_provider(), &TLS12, b"http/1.1").await;
    whole_site(&world, site, at_least(TlsVersion::Tls13)).await;
    rule(&world, site, "/vault", at_least(TlsVersion::Tls12)).await;
    assert_eq!(ask(&old, https, "/vault/x.txt").await.1, "content of the vault", "one folder is open to it");
    assert_eq!(ask(&old, https, "/").await.0, 403);
}

#[tokio::test]
async fn a_ticket_of_before_a_change_of_the_ssl_settings_is_worth_nothing_after_it() {
    for version in [&TLS12, &TLS13] {
        let world = World::start().await;
        let (site, https) = secured(&world).await;
        let returning = visitor(&world, aws_lc_rs::default_provider(), version, b"http/1.1").await;
        assert_eq!(ask(&returning, https, "/").await.2, HandshakeKind::Full);
        assert_eq!(ask(&returning, https, "/").await.2, HandshakeKind::Resumed);
        let (accepted, trust) = (Some(ClientCertificates::Accept), Some(trust_list(&world, "Partners").await));
        let accept = Settings { client_certificates: accepted, trust, ..Settings::default() };
        for settings in [bits(Strength::Bits256), accept, Settings::default(), RequireSsl::Refuse.into()] {
            whole_site(&world, site, settings).await;
            world.taken_up().await;
            assert_eq!(ask(&returning, https, "/").await.2, HandshakeKind::Full, "{version:?} {settings:?}");
            assert_eq!(ask(&returning, https, "/").await.2, HandshakeKind::Resumed, "{version:?} {settings:?}");
        }
    }
}

#[tokio::test]
async fn sites_of_one_port_and_one_certificate_keep_to_policies_of_their_own() {
    let world = World::start().await;
    let https = free_port();
    let certificate = world.certificate("*.shop.example").await;
    let mut sites = Vec::new();
    for host in ["a.shop.example", "b.shop.example"] {
        let site = world.site(host, host, free_port()).await;
        world.bind(site, place(Protocol::Https, https, host), Some(certificate)).await;
        sites.push(site);
    }
    whole_site(&world, sites[1], at_least(TlsVersion::Tls13)).await;
    let old = Arc::new(world.visitor(&[&TLS12]).await);
    let mut stream = connect(old.clone(), https, "a.shop.example").await.unwrap();
    let reply = exchange(&mut stream, get("b.shop.example", "/")).await;
    assert_eq!(reply.status, 421, "no way into the strict one through its neighbour");
    let error = connect(old, https, "b.shop.example").await.unwrap_err();
    assert_eq!(alert(&error), AlertDescription::ProtocolVersion);
}

#[tokio::test]
async fn a_required_client_certificate_is_missed_with_403_7_and_421_by_connections_that_were_never_asked() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    let before = world.connect(https, HOST).await.unwrap();
    let (required, trust) = (Some(ClientCertificates::Require), Some(trust_list(&world, "Partners").await));
    let require = Settings { client_certificates: required, trust, ..Settings::default() };
    rule(&world, site, "/partners", require).await;
    assert_eq!(exchange(before, get(HOST, "/partners/")).await.status, 421);
    let after = exchange(world.connect(https, HOST).await.unwrap(), get(HOST, "/partners/")).await;
    assert_eq!(after.status, 403);
    assert!(after.text().contains("403.7 Client certificate required"));
    let in_clear = clear(http, get(HOST, "/partners/")).await;
    assert!(in_clear.text().contains("403.4 SSL required"), "a certificate can't come in clear");
    assert_eq!(exchange(world.connect(https, HOST).await.unwrap(), get(HOST, "/")).await.status, 200);
}
