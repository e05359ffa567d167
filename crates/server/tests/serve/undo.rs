//! Changes and their undoing, as connections that are open meanwhile see them.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use siteward_core::binding::{BindingId, Protocol};
use siteward_core::exemption::ExemptionDraft;
use siteward_core::site::{SiteId, SiteState};
use siteward_core::ssl::{HstsDraft, HstsOrder, RequireSsl, RulePath, Settings, Strength, TlsVersion};
use siteward_core::store::{RuleDraft, SiteEdit};
use siteward_core::testing::tester;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::world::{World, connect, free_port, local, place};

const SHOP: &str = "shop.example";
const MAPS: &str = "maps.example";

/// A connection that stays open, and the host that it asks for.
struct Kept {
    host: &'static str,
    scheme: &'static str,
    client: Client,
}

enum Client {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
    let (client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Client::Http1(client)
}

impl Kept {
    async fn all(world: &World, http: u16, https: u16) -> Vec<Self> {
        let mut kept = Vec::new();
        for host in [SHOP, MAPS] {
            let client = http1(TcpStream::connect(local(http)).await.unwrap()).await;
            kept.push(Self { host, scheme: "http", client });
            let client = http1(world.connect(https, host).await.unwrap()).await;
            kept.push(Self { host, scheme: "https", client });
            let mut visitor = world.visitor(rustls::ALL_VERSIONS).await;
            visitor.alpn_protocols = vec![b"h2".to_vec()];
            let stream = TokioIo::new(connect(visitor, https, host).await.unwrap());
            let (client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            kept.push(Self { host, scheme: "https", client: Client::Http2(client) });
        }
        kept
    }

    /// What a request for the first page gets on this very connection.
    async fn ask(&mut self) -> StatusCode {
        let uri = format!("{}://{}/", self.scheme, self.host);
        let answer = match &mut self.client {
            Client::Http1(client) => {
                client.ready().await.expect("the connection is open");
                client.send_request(Request::get("/").header("host", self.host).body(Empty::new()).unwrap()).await
            }
            Client::Http2(client) => client.send_request(Request::get(uri).body(Empty::new()).unwrap()).await,
        };
        let answer = answer.expect("an answer on the same connection");
        let status = answer.status();
        answer.into_body().collect().await.unwrap();
        status
    }
}

/// A change, and whom it refuses in clear: where it holds, only those of [`SHOP`].
#[derive(Debug, Clone, Copy)]
enum Change {
    RequireSsl,
    Stricter,
    Rule,
    Hsts,
    Exemption,
    NeighbourBound,
    NeighbourUnbound,
    NeighbourRenamed,
}

const CHANGES: [Change; 8] = [
    Change::RequireSsl,
    Change::Stricter,
    Change::Rule,
    Change::Hsts,
    Change::Exemption,
    Change::NeighbourBound,
    Change::NeighbourUnbound,
    Change::NeighbourRenamed,
];

async fn make(world: &World, change: Change, [shop, maps]: [SiteId; 2], (http, spare): (u16, BindingId)) {
    let (store, by) = (&world.store, &tester());
    let (ours, theirs) = (world.version(shop), world.version(maps));
    match change {
        Change::RequireSsl => store.update_ssl(shop, ours, RequireSsl::Refuse, by).await.unwrap(),
        Change::Stricter => {
            let settings = Settings {
                min_tls: Some(TlsVersion::Tls13),
                strength: Some(Strength::Bits256),
                ..RequireSsl::Off.into()
            };
            // What was agreed on before meets it already: TLS 1.3 with AES-256 is what both sides prefer.
            store.update_ssl(shop, ours, settings, by).await.unwrap();
        }
        Change::Rule => {
            let (path, settings) = (RulePath::parse("/vault").unwrap(), RequireSsl::Refuse.into());
            store
                .create_rule(shop, ours, RuleDraft { path, settings, reason: String::new() }, by)
                .await
                .map(drop)
                .unwrap();
        }
        Change::Hsts => {
            let draft = HstsDraft { order: HstsOrder::Fixed(300), subdomains: false, preload: false };
            store.update_hsts(shop, ours, draft, by).await.unwrap();
        }
        Change::Exemption => {
            let draft = ExemptionDraft::file("fileauth.txt", "2026").unwrap();
            store.create_exemption(shop, draft, by).await.map(drop).unwrap();
        }
        Change::NeighbourBound => _ = world.bind(maps, place(Protocol::Http, http, "new.maps.example"), None).await,
        Change::NeighbourUnbound => store.delete_binding(maps, spare, theirs, by).await.unwrap(),
        Change::NeighbourRenamed => {
            let folder = world.folder(maps).display().to_string();
            let edit = SiteEdit { name: "Atlas".into(), folder };
            store.update_site(maps, theirs, edit, by).await.unwrap();
        }
    }
    world.taken_up().await;
}

#[tokio::test]
async fn neither_a_change_nor_its_undoing_ends_a_connection_whose_requests_are_still_allowed() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let shop = world.secured_site("Bookshop", SHOP, http, https).await;
    let maps = world.secured_site("Maps", MAPS, http, https).await;
    let spare = world.bind(maps, place(Protocol::Http, http, "old.maps.example"), None).await;
    let mut kept = Kept::all(&world, http, https).await;
    for change in CHANGES {
        make(&world, change, [shop, maps], (http, spare)).await;
        let revision = world.store.table().revision();
        for (step, undone) in [("made", false), ("undone", true)] {
            for own in &mut kept {
                let refused =
                    matches!(change, Change::RequireSsl) && !undone && own.host == SHOP && own.scheme == "http";
                let expected = if refused { StatusCode::FORBIDDEN } else { StatusCode::OK };
                assert_eq!(own.ask().await, expected, "{change:?} {step}: {} {}", own.scheme, own.host);
            }
            if !undone {
                world.store.undo(revision, false, &tester()).await.unwrap();
                world.taken_up().await;
            }
        }
    }
}

#[tokio::test]
async fn a_neighbour_s_connections_outlive_a_site_that_is_stopped_deleted_and_brought_back() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let shop = world.secured_site("Bookshop", SHOP, http, https).await;
    world.secured_site("Maps", MAPS, http, https).await;
    let mut kept = Kept::all(&world, http, https).await;
    kept.retain(|own| own.host == MAPS);
    let by = tester();
    for delete in [false, true] {
        match delete {
            true => world.store.delete_site(shop, world.version(shop), &by).await.unwrap(),
            false => {
                world.store.update_site_state(shop, world.version(shop), SiteState::Stopped, &by).await.unwrap();
            }
        }
        world.taken_up().await;
        let revision = world.store.table().revision();
        world.connect(https, SHOP).await.unwrap_err();
        for own in &mut kept {
            assert_eq!(own.ask().await, StatusCode::OK);
        }
        world.store.undo(revision, false, &by).await.unwrap();
        world.taken_up().await;
        for own in &mut kept {
            assert_eq!(own.ask().await, StatusCode::OK);
        }
        let mut back = http1(world.connect(https, SHOP).await.unwrap()).await;
        let Client::Http1(client) = &mut back else { panic!("over HTTP/1.1") };
        let request = Request::get("/").header("host", SHOP).body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), StatusCode::OK);
    }
}
