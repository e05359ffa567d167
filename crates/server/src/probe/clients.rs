//! Fresh clients: each kind with its own TLS, and no memory of an earlier session.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use siteward_core::proxies::LOCAL_HEADER;
use siteward_core::receipt::Client;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::own::OwnClients;
use super::plan::Try;

/// The most of an answer that is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// How the clients name themselves, so that they can be told from visitors in logs.
pub(crate) const USER_AGENT: &str = "Siteward-Receipt";

/// One TLS configuration for each kind of client.
#[derive(Debug)]
pub(super) struct Clients {
    tls13: Arc<ClientConfig>,
    tls12: Arc<ClientConfig>,
    nameless: Arc<ClientConfig>,
    ecdsa: Arc<ClientConfig>,
    rsa: Arc<ClientConfig>,
}

/// Why a handshake was not completed.
#[derive(Debug)]
pub(super) enum Ended {
    /// This machine has no such address.
    NoSuchAddress,
    /// The connection could not be made, or broke.
    Connection(io::Error),
    /// The server ended it by name.
    Alert(AlertDescription),
    /// The client ended it.
    Client(rustls::Error),
}

impl Clients {
    pub(super) fn new() -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = |versions: &[&'static SupportedProtocolVersion], is_known: fn(SignatureScheme) -> bool| {
            let witness = Arc::new(Witness::new(&provider, is_known));
            let mut config = ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(versions)
                .expect("the provider has ciphers for both versions")
                .dangerous()
                .with_custom_certificate_verifier(witness)
                .with_no_client_auth();
            config.resumption = Resumption::disabled();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            config
        };
        let any = |_| true;
        let both = rustls::ALL_VERSIONS;
        let mut nameless = config(both, any);
        nameless.enable_sni = false;
        Self {
            tls13: Arc::new(config(&[&TLS13], any)),
            tls12: Arc::new(config(&[&TLS12], any)),
            nameless: Arc::new(nameless),
            ecdsa: Arc::new(config(both, is_ecdsa)),
            rsa: Arc::new(config(both, is_rsa)),
        }
    }

    /// Shakes hands over `stream` as `client`, which is not [`Client::Plain`].
    pub(super) async fn shake(
        &self,
        client: Client,
        stream: TcpStream,
        name: ServerName<'static>,
    ) -> Result<TlsStream<TcpStream>, Ended> {
        let config = match client {
            Client::Tls13 | Client::Plain => &self.tls13,
            Client::Tls12 => &self.tls12,
            Client::NoServerName => &self.nameless,
            Client::EcdsaOnly => &self.ecdsa,
            Client::RsaOnly => &self.rsa,
        };
        TlsConnector::from(config.clone()).connect(name, stream).await.map_err(Ended::from)
    }
}

fn is_ecdsa(scheme: SignatureScheme) -> bool {
    use SignatureScheme::*;
    matches!(scheme, ECDSA_NISTP256_SHA256 | ECDSA_NISTP384_SHA384 | ECDSA_NISTP521_SHA512)
}

fn is_rsa(scheme: SignatureScheme) -> bool {
    use SignatureScheme::*;
    let pss = matches!(scheme, RSA_PSS_SHA256 | RSA_PSS_SHA384 | RSA_PSS_SHA512);
    pss || matches!(scheme, RSA_PKCS1_SHA256 | RSA_PKCS1_SHA384 | RSA_PKCS1_SHA512)
}

/// Opens a connection to where a client is sent, an address of this machine, from the same one, and tells `own` of it.
pub(super) async fn connect(one: &Try, own: &OwnClients) -> Result<TcpStream, Ended> {
    use rustix::io::Errno;
    let absent = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::NETUNREACH].map(Errno::raw_os_error);
    let address = one.address;
    let connected = async {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(address.ip(), 0))?;
        own.add(socket.local_addr()?);
        let mut stream = socket.connect(address).await?;
        if one.announces {
            stream.write_all(&LOCAL_HEADER).await?;
        }
        Ok::<_, io::Error>(stream)
    };
    match connected.await {
        Ok(stream) => Ok(stream),
        Err(error) if error.raw_os_error().is_some_and(|code| absent.contains(&code)) => Err(Ended::NoSuchAddress),
        Err(error) => Err(Ended::Connection(error)),
    }
}

/// Asks for the first page of `host`; the answer, whose body is left out where it is large.
pub(super) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
) -> Result<Response<Bytes>, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/").header("host", host).header("user-agent", USER_AGENT);
    let request = request.header("connection", "close").body(Empty::<Bytes>::new()).unwrap_or_default();
    let answered = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER).collect().await;
        Ok(Response::from_parts(head, body.map(Collected::to_bytes).unwrap_or_default()))
    };
    tokio::select! {
        answer = answered => answer,
        Err(error) = connection => Err(error),
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => Self::Alert(*alert),
            Some(other) => Self::Client(other.clone()),
            None => Self::Connection(error),
        }
    }
}

/// Lets every chain pass, to be judged afterwards with reasons; proves that the server has the key of the certificate.
#[derive(Debug)]
struct Witness {
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Vec<SignatureScheme>,
}

impl Witness {
    fn new(provider: &CryptoProvider, is_known: fn(SignatureScheme) -> bool) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let schemes = algorithms.supported_schemes().into_iter().filter(|scheme| is_known(*scheme));
        Self { algorithms, schemes: schemes.collect() }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
