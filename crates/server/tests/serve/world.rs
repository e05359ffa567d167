//! A store and a server on ports of their own, and visitors who speak to it over real connections.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use siteward_core::binding::{BindingId, Place, Protocol};
use siteward_core::certificate::CertificateId;
use siteward_core::host::HostPattern;
use siteward_core::key::KeyKind;
use siteward_core::ledger::Author;
use siteward_core::site::SiteId;
use siteward_core::ssl::RequireSsl;
use siteward_core::status::{Reporter, Status};
use siteward_core::store::{BindingDraft, Folder, NewRequest, NewSite, Store};
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_core::testing::{TestStore, tester};
use siteward_server::{Limits, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Everything one test needs.
pub(crate) struct World {
    pub(crate) test: TestStore,
    pub(crate) store: Store,
    pub(crate) status: Status,
    pub(crate) server: Server,
    authority: i64,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

/// A port that nobody had a moment ago, and nobody here was given before.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut ports = std::iter::repeat_with(|| TcpListener::bind(local(0)).unwrap().local_addr().unwrap().port());
    ports.find(|port| GIVEN.lock().unwrap().insert(*port)).unwrap()
}

pub(crate) fn place(protocol: Protocol, port: u16, host: &str) -> Place {
    let port = NonZeroU16::new(port).unwrap();
    Place { protocol, ip: Some(Ipv4Addr::LOCALHOST.into()), port, host: HostPattern::parse(host).unwrap() }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let test = TestStore::open().await;
        let store = test.store.clone();
        // Made long ago, so that it can have issued what has expired since.
        let long_ago = Author { now: tester().now - time::Duration::days(400), ..tester() };
        let authority = store.create_authority("Test authority", KeyKind::EcdsaP256, &long_ago).await.unwrap();
        let (reporter, status) = Reporter::new();
        let server = Server::start(store.clone(), reporter, limits);
        Self { test, store, status, server, authority }
    }

    /// Waits until the server has taken up what was saved last.
    pub(crate) async fn taken_up(&self) {
        self.status.reached(self.store.table().revision()).await;
    }

    /// A site with one http binding, and a first page that tells its name.
    pub(crate) async fn site(&self, name: &str, host: &str, port: u16) -> SiteId {
        let bindings = vec![place(Protocol::Http, port, host)];
        let new = NewSite { name: name.into(), folder: Folder::Own, bindings, require_ssl: RequireSsl::Off };
        let id = self.store.create_site(new, &tester()).await.unwrap();
        std::fs::write(self.folder(id).join("index.html"), format!("content of {name}")).unwrap();
        self.taken_up().await;
        id
    }

    /// A site with an http and an https binding for `host`.
    pub(crate) async fn secured_site(&self, name: &str, host: &str, http: u16, https: u16) -> SiteId {
        let site = self.site(name, host, http).await;
        let certificate = self.certificate(host).await;
        self.bind(site, place(Protocol::Https, https, host), Some(certificate)).await;
        site
    }

    pub(crate) fn folder(&self, site: SiteId) -> PathBuf {
        self.store.table().site(site).unwrap().folder.clone()
    }

    pub(crate) async fn bind(&self, site: SiteId, place: Place, certificate: Option<CertificateId>) -> BindingId {
        let draft = BindingDraft { place, certificate, confirmed: true };
        let id = self.store.create_binding(site, draft, &tester()).await.unwrap();
        self.taken_up().await;
        id
    }

    pub(crate) async fn unbind(&self, site: SiteId, binding: BindingId) {
        self.store.delete_binding(site, binding, self.version(site), &tester()).await.unwrap();
        self.taken_up().await;
    }

    /// Makes `binding` serve another certificate.
    pub(crate) async fn replace(&self, site: SiteId, binding: BindingId, certificate: CertificateId) {
        let place =
            self.store.table().site(site).unwrap().bindings.iter().find(|b| b.id == binding).unwrap().place.clone();
        let draft = BindingDraft { place, certificate: Some(certificate), confirmed: true };
        self.store.update_binding(site, binding, self.version(site), draft, &tester()).await.unwrap();
    }

    pub(crate) async fn require_ssl(&self, site: SiteId, require_ssl: RequireSsl) {
        self.store.update_ssl(site, self.version(site), require_ssl, &tester()).await.unwrap();
    }

    pub(crate) fn version(&self, site: SiteId) -> i64 {
        self.store.table().site(site).unwrap().version
    }

    /// A certificate for `host`, valid now.
    pub(crate) async fn certificate(&self, host: &str) -> CertificateId {
        self.certificate_made(host, KeyKind::EcdsaP256, &tester()).await
    }

    pub(crate) async fn certificate_made(&self, host: &str, key: KeyKind, by: &Author) -> CertificateId {
        self.certificate_for(&[host], key, by).await
    }

    pub(crate) async fn certificate_for(&self, names: &[&str], key: KeyKind, by: &Author) -> CertificateId {
        let host = names[0].to_owned();
        let answers =
            SubjectAnswers { common_name: host.clone(), names: names.join("\n"), ..SubjectAnswers::default() };
        let subject = Subject::parse(&answers).unwrap();
        let new = NewRequest { site: None, friendly_name: host, subject, key };
        let request = self.store.create_request(new, by).await.unwrap();
        self.store.sign_request(request, self.authority, by).await.unwrap()
    }

    pub(crate) async fn leaf(&self, certificate: CertificateId) -> Vec<u8> {
        self.store.find_certificate(certificate).await.unwrap().chain[0].der.clone()
    }

    /// The test's authority alone.
    pub(crate) async fn roots(&self) -> RootCertStore {
        let authority = self.store.find_authority(self.authority).await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.certificate.der)).unwrap();
        roots
    }

    /// A visitor's TLS, with the test's authority trusted.
    pub(crate) async fn visitor(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        self.visitor_with(rustls::crypto::aws_lc_rs::default_provider(), versions).await
    }

    /// The same, with what it can do by itself.
    pub(crate) async fn visitor_with(
        &self,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let roots = self.roots().await;
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// A TLS connection to `port` that asks for `host`.
    pub(crate) async fn connect(&self, port: u16, host: &str) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.visitor(rustls::ALL_VERSIONS).await, port, host).await
    }
}

pub(crate) async fn connect(
    visitor: impl Into<Arc<ClientConfig>>,
    port: u16,
    host: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(local(port)).await?;
    TlsConnector::from(visitor.into()).connect(ServerName::try_from(host.to_owned()).unwrap(), stream).await
}

/// The alert that ended a handshake.
pub(crate) fn alert(error: &std::io::Error) -> rustls::AlertDescription {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("no alert: {error}"),
    }
}

/// Sends `request` as it is and reads until the server closes.
pub(crate) async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: impl AsRef<[u8]>) -> Reply {
    stream.write_all(request.as_ref()).await.unwrap();
    Reply::read(&mut stream).await
}

/// A request in clear.
pub(crate) async fn clear(port: u16, request: impl AsRef<[u8]>) -> Reply {
    exchange(TcpStream::connect(local(port)).await.unwrap(), request).await
}

/// A whole GET for `host`; the server closes after its answer.
pub(crate) fn get(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

impl Reply {
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
        read.expect("the server closes").expect("an orderly end");
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer, but {:?}", String::from_utf8_lossy(bytes));
        });
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header field that is there at most once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
