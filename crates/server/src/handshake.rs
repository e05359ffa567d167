//! The TLS handshake, one deadline over all of it.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use siteward_core::site::SiteId;
use tokio::io::AsyncWriteExt;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::socket::Socket;

/// A connection whose TLS is established.
pub(crate) type Secured = TlsStream<Socket>;

/// A client's first message, read and not yet answered.
pub(crate) struct Hello(StartHandshake<Socket>);

/// Why a client is turned away by name (RFC 8446 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Alert {
    /// No site has the name that was asked for.
    #[error("no site has the name that was asked for")]
    UnrecognizedName,
    /// The site is there, but closed.
    #[error("the site is closed")]
    InternalError(SiteId),
}

impl Alert {
    /// The site that the client asked for, where there is one.
    pub(crate) fn site(self) -> Option<SiteId> {
        match self {
            Self::UnrecognizedName => None,
            Self::InternalError(site) => Some(site),
        }
    }

    /// The fatal alert as a record in clear: nothing is negotiated yet (RFC 8446 §5.1, §6).
    fn record(self) -> [u8; 7] {
        let description = match self {
            Self::InternalError(_) => 80,
            Self::UnrecognizedName => 112,
        };
        [21, 3, 3, 0, 2, 2, description]
    }
}

impl Hello {
    /// Reads the client's first message.
    ///
    /// # Errors
    /// The client left, or sent something else; rustls has told it so.
    pub(crate) async fn read(socket: Socket) -> io::Result<Self> {
        LazyConfigAcceptor::new(Acceptor::default(), socket).await.map(Self)
    }

    pub(crate) fn server_name(&self) -> Option<String> {
        self.0.client_hello().server_name().map(str::to_owned)
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.0.io
    }

    /// Completes the handshake.
    ///
    /// # Errors
    /// The client left, or the two have no version, cipher or key exchange in common.
    pub(crate) async fn accept(self, config: Arc<ServerConfig>) -> io::Result<Secured> {
        self.0.into_stream(config).await
    }

    /// Turns the client away, and gives the error that ends the connection: it was turned away, or had left before.
    pub(crate) async fn refuse(mut self, alert: Alert) -> io::Error {
        let told = async {
            self.0.io.write_all(&alert.record()).await?;
            self.0.io.shutdown().await
        };
        told.await.err().unwrap_or_else(|| io::Error::new(io::ErrorKind::ConnectionRefused, alert))
    }
}
