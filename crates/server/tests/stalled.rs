//! Alone in its process, because it counts what the whole process has open and holds.

#![expect(clippy::unwrap_used, reason = "what fails in a test fails the test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::key::KeyKind;
use siteward_core::ssl::RequireSsl;
use siteward_core::status::Reporter;
use siteward_core::store::{BindingDraft, Folder, NewRequest, NewSite};
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_core::testing::{TestStore, tester};
use siteward_server::{Limits, Server};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CONNECTIONS: usize = 10;
const STREAMS: usize = 100;

/// Files that may be sent at the same time.
const FILES: usize = 600;

/// The bytes that each file has: more than is read at once.
const LENGTH: usize = 1_000_000;

struct Shop {
    _test: TestStore,
    _server: Server,
    address: SocketAddr,
    visitor: Arc<ClientConfig>,
}

impl Shop {
    async fn open(limits: Limits) -> Self {
        let test = TestStore::open().await;
        let (reporter, status) = Reporter::new();
        let server = Server::start(test.store.clone(), reporter, limits);
        let free_port = || TcpListener::bind((ADDRESS, 0)).unwrap().local_addr().unwrap().port();
        let place = |protocol, port| Place {
            protocol,
            ip: Some(ADDRESS),
            port: NonZeroU16::new(port).unwrap(),
            host: HostPattern::parse("shop.example").unwrap(),
        };
        let port = free_port();
        let bindings = vec![place(Protocol::Http, free_port())];
        let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings, require_ssl: RequireSsl::Off };
        let site = test.store.create_site(new, &tester()).await.unwrap();
        let folder = test.store.table().site(site).unwrap().folder.clone();
        std::fs::write(folder.join("large.bin"), vec![b'x'; LENGTH]).unwrap();

        let authority = test.store.create_authority("Test authority", KeyKind::EcdsaP256, &tester()).await.unwrap();
        let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
        let subject = Subject::parse(&answers).unwrap();
        let new = NewRequest { site: None, friendly_name: "Shop".into(), subject, key: KeyKind::EcdsaP256 };
        let request = test.store.create_request(new, &tester()).await.unwrap();
        let certificate = Some(test.store.sign_request(request, authority, &tester()).await.unwrap());
        let draft = BindingDraft { place: place(Protocol::Https, port), certificate, confirmed: true };
        test.store.create_binding(site, draft, &tester()).await.unwrap();
        status.reached(test.store.table().revision()).await;

        let mut roots = RootCertStore::empty();
        let root = test.store.find_authority(authority).await.unwrap().certificate.der;
        roots.add(CertificateDer::from(root)).unwrap();
        let mut visitor = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        visitor.alpn_protocols = vec![b"h2".to_vec()];
        Self { _test: test, _server: server, address: (ADDRESS, port).into(), visitor: Arc::new(visitor) }
    }

    /// A client that takes one byte of each answer before it reads on, and sends PINGs all the time.
    async fn connect(&self) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("shop.example").unwrap();
        let stream = TlsConnector::from(self.visitor.clone()).connect(name, stream).await.unwrap();
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(1).timer(TokioTimer::new());
        builder.keep_alive_interval(Duration::from_millis(100)).keep_alive_while_idle(true);
        let (client, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        (client, tokio::spawn(connection))
    }
}

async fn ask(client: &mut SendRequest<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
    let request = Request::get("https://shop.example/large.bin").body(Empty::new()).unwrap();
    client.send_request(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_hold_few_files_and_little_memory_and_end_in_spite_of_pings() {
    let idle = Duration::from_secs(3);
    let limits = Limits { connections: FILES, from_one_address: FILES, idle, ..Limits::default() };
    let shop = Shop::open(limits).await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(shop.connect().await);
    }
    let (memory, files) = (memory(), open_files());

    let mut answers = Vec::new();
    for (client, _) in &mut clients {
        for _ in 0..STREAMS {
            answers.push(ask(client).await.unwrap());
        }
    }
    let count = |status| answers.iter().filter(|answer| answer.status() == status).count();
    assert_eq!(count(StatusCode::OK), FILES);
    assert_eq!(count(StatusCode::SERVICE_UNAVAILABLE), CONNECTIONS * STREAMS - FILES);
    let grown = self::memory().saturating_sub(memory);
    assert!(grown < 32 * 1024 * 1024, "by {grown} bytes");
    assert!(open_files() <= files + FILES + 10, "{} of {files}", open_files());

    for (_client, connection) in clients {
        let ended = tokio::time::timeout(4 * idle, connection).await;
        assert!(ended.is_ok(), "a connection outlives its answers");
    }
    assert!(open_files() <= files, "all files are closed");
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes of this process that are in memory, client and server together.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
