//! The console's own port, with places of its own: a crowd before the sites never keeps an administrator out.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::Handle;
use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use rustls::server::ResolvesServerCert;
use siteward_core::peer::Peer;
use siteward_core::ssl::TlsPolicy;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::{Service, service_fn};

use crate::acceptor::ConsoleAcceptor;
use crate::door::{Door, log_accept_errors};
use crate::limits::Limits;
use crate::socket::Ends;
use crate::tls::server_config;

/// The console's port, open.
#[derive(Debug)]
pub struct Console {
    handle: Handle<Ends>,
    serving: JoinHandle<io::Result<()>>,
}

/// Any error, as hyper takes it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves `router` on `listener`, always over TLS. Each request carries its [`Peer`] as an extension.
///
/// `certificate` is asked at every handshake, so what it answers can change at any time; sessions are never resumed.
///
/// # Errors
/// The listener can't be put under the runtime, or TLS can't be set up.
pub fn serve<R, B>(
    listener: std::net::TcpListener,
    certificate: Arc<dyn ResolvesServerCert>,
    router: R,
    limits: &Limits,
) -> io::Result<Console>
where
    R: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    R::Error: Into<BoxError>,
    R::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Buf + Send + 'static,
    B::Error: Into<BoxError>,
{
    listener.set_nonblocking(true)?;
    let config = server_config(TlsPolicy::default(), Vec::new(), certificate).map_err(io::Error::other)?;
    let (door, _) = Door::new(TcpListener::from_std(listener)?, limits.places(), limits.idle, None);

    let handle = Handle::new();
    let mut server = axum_server::Server::<Ends>::from_listener(door)
        .acceptor(ConsoleAcceptor { config: Arc::new(config), limits: limits.clone() })
        .handle(handle.clone())
        .first_request_timeout(limits.first_request)
        .accept_error_handler(log_accept_errors());
    limits.apply(server.http_builder());
    let visits = service_fn(move |ends: Ends| {
        let router = router.clone();
        std::future::ready(io::Result::Ok(WithPeer { router, peer: Peer(ends.remote) }))
    });
    Ok(Console { handle, serving: tokio::spawn(server.serve(visits)) })
}

impl Console {
    /// Stops accepting, lets running requests finish within `grace`, then cuts.
    ///
    /// # Errors
    /// Serving had failed before.
    pub async fn shutdown(self, grace: Duration) -> io::Result<()> {
        self.handle.graceful_shutdown(Some(grace));
        self.serving.await.map_err(io::Error::other)?
    }
}

/// Tells the router who asks.
#[derive(Debug, Clone)]
struct WithPeer<R> {
    router: R,
    peer: Peer,
}

impl<R: Service<Request<Incoming>>> Service<Request<Incoming>> for WithPeer<R> {
    type Response = R::Response;
    type Error = R::Error;
    type Future = R::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        self.router.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}
