//! Visitors: single connections over which requests go one after another, and the `curl` program.

use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use siteward_core::certificate::Fingerprint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a visitor was not answered.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A visitor that trusts one root, and remembers its TLS sessions as browsers do.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    config: Arc<ClientConfig>,
}

/// One connection, kept alive.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    /// Of the leaf that this connection's handshake showed.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl Visitor {
    /// A visitor that trusts the roots in `pem` and nothing else.
    pub(crate) fn trusting(pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(root.expect("a root in PEM")).expect("a root");
        }
        assert!(!roots.is_empty(), "no root in PEM");
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { config: Arc::new(config) }
    }

    /// The same visitor, but every handshake is its first.
    pub(crate) fn without_memory(self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::disabled();
        Self { config: Arc::new(config) }
    }

    /// Connects to a port of this machine and asks for `host` in the handshake.
    pub(crate) async fn connect(&self, port: u16, host: &str) -> Result<Connection, Failure> {
        let stream = open(port).await?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(self.config.clone()).connect(name, stream).await?;
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let fingerprint = leaf.map(|leaf| Fingerprint::of(leaf));
        Connection::over(stream, port, host, fingerprint).await
    }
}

impl Connection {
    /// Connects in plain HTTP.
    pub(crate) async fn in_clear(port: u16, host: &str) -> Result<Self, Failure> {
        Self::over(open(port).await?, port, host, None).await
    }

    async fn over<S>(stream: S, port: u16, host: &str, fingerprint: Option<Fingerprint>) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: format!("{host}:{port}"), fingerprint })
    }

    pub(crate) async fn fetch(&mut self, path: &str) -> Result<Response<Bytes>, Failure> {
        self.send(Request::get(path).body(Full::default())?).await
    }

    /// Whether the other side has not closed it.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends `request` with this connection's host, and reads the whole answer.
    pub(crate) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
        request.headers_mut().insert("host", self.authority.parse()?);
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

async fn open(port: u16) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Runs the `curl` program with `arguments`, resolving every name to this machine; what it printed.
pub(crate) fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--connect-to", "::127.0.0.1:"])
        .args(arguments)
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("an answer in UTF-8")
}
