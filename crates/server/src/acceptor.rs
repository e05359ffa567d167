//! Makes a connection to be served out of an accepted one: reads what a trusted proxy says of it, shakes hands where it is
//! TLS, and tells the service behind it what came of both.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum_server::accept::Accept;
use rustls::ServerConfig;
use siteward_core::host::HostName;
use siteward_core::site::SiteId;
use siteward_core::ssl::TlsPolicy;
use siteward_core::traffic::NO_SITE;
use tokio::time::timeout;

use crate::client::Client;
use crate::gathered::Gathered;
use crate::guard::Shaken;
use crate::handshake::{Hello, Secured};
use crate::limits::Limits;
use crate::proxied::Announcements;
use crate::resolver::Resolver;
use crate::socket::Socket;
use crate::steady::Steady;
use crate::tls::facts;
use crate::traffic::{self, Traffic, failure_of};
use crate::visit::{Tls, Visit};

type Accepting<S, T> = Pin<Box<dyn Future<Output = io::Result<(S, T)>> + Send>>;
type Accepted<S> = Accepting<Steady<Gathered<Secured>>, S>;

/// For the http ports of sites.
#[derive(Debug, Clone)]
pub(crate) struct PlainAcceptor {
    pub(crate) announcements: Announcements,
    pub(crate) limits: Limits,
}

/// For the https ports of sites: the certificate follows from the server name.
#[derive(Debug, Clone)]
pub(crate) struct SiteAcceptor {
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) announcements: Announcements,
    pub(crate) limits: Limits,
}

/// For the console: one certificate, whatever the server name.
#[derive(Debug, Clone)]
pub(crate) struct ConsoleAcceptor {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) limits: Limits,
}

impl Accept<Socket, Visit> for PlainAcceptor {
    type Stream = Socket;
    type Service = Visit;
    type Future = Accepting<Socket, Visit>;

    fn accept(&self, mut socket: Socket, visit: Visit) -> Self::Future {
        let Self { announcements, limits } = self.clone();
        Box::pin(async move {
            let told = within(&limits, announcements.read(&mut socket)).await?;
            Ok((socket, visit.announced(told)))
        })
    }
}

impl Accept<Socket, Visit> for SiteAcceptor {
    type Stream = Steady<Gathered<Secured>>;
    type Service = Visit;
    type Future = Accepted<Visit>;

    fn accept(&self, mut socket: Socket, visit: Visit) -> Self::Future {
        let Self { resolver, traffic, announcements, limits } = self.clone();
        Box::pin(async move {
            let (mut site, ends, mut is_visitor) = (NO_SITE, socket.ends, false);
            let secured = async {
                let told = announcements.read(&mut socket).await?;
                is_visitor = true; // what fails from now on is no proxy's fault
                let (stream, policy) = shake(&resolver, socket, &mut site).await?;
                Ok((told, stream, policy))
            };
            let (told, stream, policy) = within(&limits, secured).await.inspect_err(|error| {
                if is_visitor && !traffic.own.has(&ends) {
                    traffic.fail(site, failure_of(error));
                }
            })?;
            let (_, connection) = stream.get_ref();
            let shaken = Shaken { site, policy, facts: facts(connection)? };
            let server_name = connection.server_name().and_then(|name| HostName::parse(name).ok());
            let client = Client::of(connection).map(Arc::new);
            let tls = Tls { shaken, client, way: traffic::way(connection) };
            let visit = visit.announced(told).over(tls, server_name);
            Ok((steady(stream, &limits), visit))
        })
    }
}

impl<S: Send + 'static> Accept<Socket, S> for ConsoleAcceptor {
    type Stream = Steady<Gathered<Secured>>;
    type Service = S;
    type Future = Accepted<S>;

    fn accept(&self, socket: Socket, service: S) -> Self::Future {
        let (config, limits) = (self.config.clone(), self.limits.clone());
        Box::pin(async move {
            let handshake = async { Hello::read(socket).await?.accept(config).await };
            Ok((steady(within(&limits, handshake).await?, &limits), service))
        })
    }
}

/// Makes a connection out of a client's first message, and tells what it kept to; `site` is what that message led to, as
/// soon as it is known.
async fn shake(resolver: &Resolver, socket: Socket, site: &mut SiteId) -> io::Result<(Secured, TlsPolicy)> {
    let hello = Hello::read(socket).await?;
    let server_name = hello.server_name();
    match resolver.resolve(&hello.socket().ends, server_name.as_deref()).await {
        Ok(resolved) => {
            *site = resolved.site;
            Ok((hello.accept(resolved.config).await?, resolved.policy))
        }
        Err(alert) => {
            *site = alert.site().unwrap_or(NO_SITE);
            Err(hello.refuse(alert).await)
        }
    }
}

/// One deadline over all that comes before the first request, whichever side is slow.
async fn within<T>(limits: &Limits, beginning: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "a connection took too long to begin");
    timeout(limits.handshake, beginning).await.map_err(late).flatten()
}

fn steady(stream: Secured, limits: &Limits) -> Steady<Gathered<Secured>> {
    Steady::new(Gathered::new(stream), limits.idle)
}
