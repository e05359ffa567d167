//! Makes a TLS connection out of an accepted one, and tells the service behind it what was agreed.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum_server::accept::Accept;
use rustls::ServerConfig;
use tokio::time::timeout;

use crate::gathered::Gathered;
use crate::handshake::{Hello, Secured};
use crate::limits::Limits;
use crate::resolver::{Resolved, Resolver};
use crate::socket::Socket;
use crate::steady::Steady;
use crate::visit::{Tls, Visit};

type Accepted<S> = Pin<Box<dyn Future<Output = io::Result<(Steady<Gathered<Secured>>, S)>> + Send>>;

/// For the ports of sites: the certificate follows from the server name.
#[derive(Debug, Clone)]
pub(crate) struct SiteAcceptor {
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) limits: Limits,
}

/// For the console: one certificate, whatever the server name.
#[derive(Debug, Clone)]
pub(crate) struct ConsoleAcceptor {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) limits: Limits,
}

impl Accept<Socket, Visit> for SiteAcceptor {
    type Stream = Steady<Gathered<Secured>>;
    type Service = Visit;
    type Future = Accepted<Visit>;

    fn accept(&self, socket: Socket, visit: Visit) -> Self::Future {
        let resolver = self.resolver.clone();
        within(&self.limits, async move {
            let hello = Hello::read(socket).await?;
            let server_name = hello.server_name();
            let Resolved { config, site } = match resolver.resolve(&hello.socket().ends, server_name.as_deref()).await {
                Ok(resolved) => resolved,
                Err(alert) => return hello.refuse(alert).await.map(|stream| (stream, visit)),
            };
            let stream = hello.accept(config).await?;
            let visit = visit.over(Tls { site, version: version(&stream) });
            Ok((stream, visit))
        })
    }
}

impl<S: Send + 'static> Accept<Socket, S> for ConsoleAcceptor {
    type Stream = Steady<Gathered<Secured>>;
    type Service = S;
    type Future = Accepted<S>;

    fn accept(&self, socket: Socket, service: S) -> Self::Future {
        let config = self.config.clone();
        within(&self.limits, async move {
            let stream = Hello::read(socket).await?.accept(config).await?;
            Ok((stream, service))
        })
    }
}

/// One deadline over the whole handshake, whichever side is slow.
fn within<S: Send + 'static>(
    limits: &Limits,
    handshake: impl Future<Output = io::Result<(Secured, S)>> + Send + 'static,
) -> Accepted<S> {
    let Limits { handshake: limit, idle, .. } = *limits;
    Box::pin(async move {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
        let (stream, service) = timeout(limit, handshake).await.map_err(late).flatten()?;
        Ok((Steady::new(Gathered::new(stream), idle), service))
    })
}

fn version(stream: &Secured) -> &'static str {
    stream.get_ref().1.protocol_version().and_then(|version| version.as_str()).unwrap_or("-")
}
