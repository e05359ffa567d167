//! Whose certificate a visitor is shown.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, HandshakeKind, NamedGroup, RootCertStore};
use siteward_core::binding::Protocol;
use siteward_core::key::KeyKind;
use siteward_core::ledger::Author;
use siteward_core::site::SiteState;
use siteward_core::status::Reporter;
use siteward_core::store::Store;
use siteward_core::testing::tester;
use siteward_core::vault::MASTER_KEY_FILE;
use siteward_server::{Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::world::{World, alert, clear, connect, exchange, free_port, get, place};

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn each_site_on_one_port_shows_its_own_certificate_and_content() {
    let world = World::start().await;
    let https = free_port();
    for (name, host) in [("Bookshop", "shop.example"), ("Maps", "maps.example")] {
        world.secured_site(name, host, free_port(), https).await;
    }
    for (name, host) in [("Bookshop", "shop.example"), ("Maps", "maps.example"), ("Bookshop", "Shop.Example")] {
        let reply = exchange(world.connect(https, host).await.unwrap(), get(host, "/")).await;
        assert_eq!((reply.status, reply.text()), (200, format!("content of {name}").as_str()));
    }
}

#[tokio::test]
async fn a_wildcard_binding_shows_its_certificate_to_every_name_under_it() {
    let world = World::start().await;
    let https = free_port();
    let site = world.site("Shops", "", free_port()).await;
    let certificate = world.certificate("*.shop.example").await;
    world.bind(site, place(Protocol::Https, https, "*.shop.example"), Some(certificate)).await;
    assert_eq!(shown(&world.connect(https, "www.shop.example").await.unwrap()), world.leaf(certificate).await);
    let error = world.connect(https, "shop.example").await.unwrap_err();
    assert_eq!(alert(&error), AlertDescription::UnrecognisedName);
}

#[tokio::test]
async fn a_name_that_no_site_has_is_unrecognized() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let error = world.connect(https, "other.example").await.unwrap_err();
    assert_eq!(alert(&error), AlertDescription::UnrecognisedName);
}

#[tokio::test]
async fn a_client_without_server_name_reaches_only_a_binding_without_host_name() {
    let world = World::start().await;
    let https = free_port();
    let site = world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let mut silent = world.visitor(rustls::ALL_VERSIONS).await;
    silent.enable_sni = false;
    let silent = Arc::new(silent);
    let error = connect(silent.clone(), https, "shop.example").await.unwrap_err();
    assert_eq!(alert(&error), AlertDescription::UnrecognisedName);

    let certificate = world.certificate("shop.example").await;
    world.bind(site, place(Protocol::Https, https, ""), Some(certificate)).await;
    let stream = connect(silent, https, "shop.example").await.unwrap();
    assert_eq!(shown(&stream), world.leaf(certificate).await);
    assert_eq!(exchange(stream, get("127.0.0.1", "/")).await.status, 200);
}

#[tokio::test]
async fn an_expired_or_future_certificate_closes_its_site_and_no_other_is_shown_instead() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Neighbour", "neighbour.example", free_port(), https).await;
    let any = world.certificate("shop.example").await;
    let neighbour = world.store.table().sites().next().unwrap().id;
    world.bind(neighbour, place(Protocol::Https, https, ""), Some(any)).await;

    let days = time::Duration::days;
    for (host, shift) in [("past.example", -days(300)), ("future.example", days(30))] {
        let then = Author { now: tester().now + shift, ..tester() };
        let certificate = world.certificate_made(host, KeyKind::EcdsaP256, &then).await;
        let site = world.site(host, host, free_port()).await;
        world.bind(site, place(Protocol::Https, https, host), Some(certificate)).await;
        let error = world.connect(https, host).await.unwrap_err();
        assert_eq!(alert(&error), AlertDescription::InternalError, "{host}");
    }
    assert!(world.connect(https, "neighbour.example").await.is_ok());
}

#[tokio::test]
async fn a_certificate_whose_key_cannot_be_read_closes_its_site_over_tls_and_nothing_else() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    world.secured_site("Bookshop", "shop.example", http, https).await;
    world.site("Maps", "maps.example", http).await;
    let folder = world.test.folder;
    world.server.shutdown(Duration::ZERO).await;
    drop(world.store);
    std::fs::write(folder.path().join(MASTER_KEY_FILE), "0".repeat(64)).unwrap();

    let store = Store::open(folder.path()).await.unwrap();
    let (reporter, status) = Reporter::new();
    let _server = Server::start(store.clone(), reporter, Limits::default());
    status.reached(store.table().revision()).await;
    let visitor = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let error = connect(visitor, https, "shop.example").await.unwrap_err();
    assert_eq!(alert(&error), AlertDescription::InternalError);
    assert_eq!(clear(http, get("maps.example", "/")).await.text(), "content of Maps");
}

#[tokio::test]
async fn a_stopped_site_is_closed_over_tls() {
    let world = World::start().await;
    let https = free_port();
    let site = world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    world.store.update_site_state(site, world.version(site), SiteState::Stopped, &tester()).await.unwrap();
    let error = world.connect(https, "shop.example").await.unwrap_err();
    assert_eq!(alert(&error), AlertDescription::InternalError);
}

/// Connects, reads an answer (and with it the ticket) to the end, and tells how the handshake went.
async fn visit(visitor: &Arc<ClientConfig>, port: u16) -> (HandshakeKind, Vec<u8>) {
    let mut stream = connect(visitor.clone(), port, "shop.example").await.unwrap();
    let reply = exchange(&mut stream, get("shop.example", "/")).await;
    assert_eq!(reply.status, 200);
    (stream.get_ref().1.handshake_kind().unwrap(), shown(&stream))
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_by_the_next_handshake_also_to_a_client_with_an_old_session() {
    for version in [&TLS12, &TLS13] {
        let world = World::start().await;
        let https = free_port();
        let site = world.site("Bookshop", "shop.example", free_port()).await;
        let old = world.certificate("shop.example").await;
        let binding = world.bind(site, place(Protocol::Https, https, "shop.example"), Some(old)).await;
        let returning = Arc::new(world.visitor(&[version]).await);

        assert_eq!(visit(&returning, https).await, (HandshakeKind::Full, world.leaf(old).await));
        let (again, certificate) = visit(&returning, https).await;
        assert_eq!((again, certificate), (HandshakeKind::Resumed, world.leaf(old).await), "{version:?}");

        let new = world.certificate("shop.example").await;
        world.replace(site, binding, new).await;
        assert_eq!(visit(&returning, https).await, (HandshakeKind::Full, world.leaf(new).await), "{version:?}");
        assert_eq!(visit(&returning, https).await.0, HandshakeKind::Resumed, "{version:?}");
    }
}

/// A client that offers every server the session it won from any.
#[derive(Debug)]
pub(crate) struct Mixed(pub(crate) ClientSessionMemoryCache);

impl Mixed {
    fn name() -> ServerName<'static> {
        ServerName::try_from("any.example").unwrap()
    }
}

impl ClientSessionStore for Mixed {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

#[tokio::test]
async fn a_session_won_from_one_site_is_not_resumed_by_another_that_shares_its_certificate() {
    for version in [&TLS12, &TLS13] {
        let world = World::start().await;
        let https = free_port();
        let certificate = world.certificate("*.shop.example").await;
        for host in ["a.shop.example", "b.shop.example"] {
            let site = world.site(host, host, free_port()).await;
            world.bind(site, place(Protocol::Https, https, host), Some(certificate)).await;
        }
        let mut visitor = world.visitor(&[version]).await;
        visitor.resumption = Resumption::store(Arc::new(Mixed(ClientSessionMemoryCache::new(8))));
        let visitor = Arc::new(visitor);
        for (host, kind) in [
            ("a.shop.example", HandshakeKind::Full),
            ("a.shop.example", HandshakeKind::Resumed),
            ("b.shop.example", HandshakeKind::Full),
        ] {
            let mut stream = connect(visitor.clone(), https, host).await.unwrap();
            let reply = exchange(&mut stream, get(host, "/")).await;
            assert_eq!(reply.text(), format!("content of {host}"));
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind), "{version:?} {host}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_certificates_under_load_fails_no_request_and_drops_no_connection() {
    let world = World::start().await;
    let https = free_port();
    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let certificates = [world.certificate("shop.example").await, world.certificate("shop.example").await];
    let binding = world.bind(site, place(Protocol::Https, https, "shop.example"), Some(certificates[0])).await;
    world.secured_site("Maps", "maps.example", free_port(), https).await;
    let visitor = Arc::new(world.visitor(rustls::ALL_VERSIONS).await);
    let (stop, stopped) = tokio::sync::watch::channel(false);

    let mut load = tokio::task::JoinSet::new();
    for host in ["shop.example", "maps.example"] {
        let (visitor, stopped) = (visitor.clone(), stopped.clone());
        load.spawn(async move {
            let mut kept = connect(visitor.clone(), https, host).await.unwrap();
            let mut answered = 0;
            while !*stopped.borrow() {
                assert_eq!(ask(&mut kept, host).await, 200, "on a kept connection");
                let fresh = connect(visitor.clone(), https, host).await.unwrap();
                assert_eq!(exchange(fresh, get(host, "/")).await.status, 200, "on a new connection");
                answered += 1;
            }
            answered
        });
    }
    for round in 0..40 {
        let certificate = certificates[(round + 1) % 2];
        world.replace(site, binding, certificate).await;
        let stream = connect(visitor.clone(), https, "shop.example").await.unwrap();
        assert_eq!(shown(&stream), world.leaf(certificate).await, "the first handshake after round {round}");
    }
    stop.send(true).unwrap();
    assert!(load.join_all().await.into_iter().all(|answered| answered > 5));
}

/// Asks on a connection that is kept, and reads the whole answer.
async fn ask(stream: &mut TlsStream<TcpStream>, host: &str) -> u16 {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut answer, mut bytes) = (String::new(), [0; 1024]);
    while !answer.contains("content of ") {
        let read = stream.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the connection was dropped");
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_newest_protocols_are_agreed_on_and_older_clients_served() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let mut modern = world.visitor(&[&TLS13]).await;
    modern.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let stream = connect(modern, https, "shop.example").await.unwrap();
    let tls = stream.get_ref().1;
    assert_eq!(tls.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(tls.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
    assert!(connect(world.visitor(&[&TLS12]).await, https, "shop.example").await.is_ok());
}

#[tokio::test]
async fn rsa_and_other_curves_serve_as_well() {
    let world = World::start().await;
    let https = free_port();
    for (host, kind) in [("rsa.example", KeyKind::Rsa2048), ("p384.example", KeyKind::EcdsaP384)] {
        let site = world.site(host, host, free_port()).await;
        let certificate = world.certificate_made(host, kind, &tester()).await;
        world.bind(site, place(Protocol::Https, https, host), Some(certificate)).await;
        assert_eq!(shown(&world.connect(https, host).await.unwrap()), world.leaf(certificate).await);
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_ended() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let mut stream = TcpStream::connect(crate::world::local(https)).await.unwrap();
    stream.write_all(get("shop.example", "/").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}
