//! A listening socket: lets in as many connections as there are places for, and survives a lack of descriptors.

use std::io;
use std::time::Duration;

use axum_server::{AddrListener, Address};
use siteward_core::sites::Sites;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::complaints::Complaints;
use crate::places::{Place, Places};
use crate::proxied::trusted;
use crate::socket::{Ends, Socket};

/// An open port. Dropping it closes the port and tells so by `closed`.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    places: Places,
    idle: Duration,
    /// Who tells which addresses are trusted proxies; nobody at the console.
    sites: Option<Sites>,
    _closed: oneshot::Sender<()>,
}

impl Door {
    /// Lets connections in through `listener`, each on one of `places`; the receiver ends when the port is closed.
    pub(crate) fn new(
        listener: TcpListener,
        places: Places,
        idle: Duration,
        sites: Option<Sites>,
    ) -> (Self, oneshot::Receiver<()>) {
        let (closed, is_closed) = oneshot::channel();
        (Self { listener, places, idle, sites, _closed: closed }, is_closed)
    }

    /// Waits for a place; `None` if the address has its share. A trusted proxy has all the places it needs.
    async fn place(&self, ends: &Ends) -> Option<Place> {
        match &self.sites {
            Some(sites) if trusted(&sites.table(), ends).is_some() => self.places.wait_for_nobody().await,
            _ => self.places.wait(ends.remote.ip()).await,
        }
    }
}

impl Address for Ends {
    type Stream = Socket;
    type Listener = Door;
}

impl AddrListener<Socket, Ends> for Door {
    /// A door is made from a socket that is open already.
    async fn bind_to(_: Ends) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Accepts one connection and waits for a place for it; meanwhile all others stay in the kernel's queue. (Waiting
    /// first would let an idle port keep a place that a busy one needs.) Whoever has their share of the places is sent
    /// away at once.
    ///
    /// # Errors
    /// The machine lacks something, mostly descriptors; axum-server then tries again after 50 ms.
    async fn accept_stream(&self) -> io::Result<(Socket, Ends)> {
        loop {
            let (stream, remote) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if concerns_one_client(&error) => continue,
                Err(error) => return Err(error),
            };
            // Both fail only for a client that has gone already.
            let Ok(ends) = Ends::of(&stream, remote) else { continue };
            let Ok(()) = stream.set_nodelay(true) else { continue };
            let Some(place) = self.place(&ends).await else {
                tracing::debug!(remote = %ends.remote, "an address has too many connections");
                continue;
            };
            return Ok((Socket::new(stream, ends, self.idle, place), ends));
        }
    }

    fn get_local_addr(&self) -> io::Result<Ends> {
        let local = self.listener.local_addr()?;
        Ok(Ends { local, remote: local })
    }
}

fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// What becomes of errors that end a connection before its first request.
pub(crate) fn log_accept_errors() -> impl Fn(Option<&Ends>, &io::Error) + Send + Sync + 'static {
    let complaints = Complaints::new();
    move |ends, error| match ends {
        Some(ends) => tracing::debug!(remote = %ends.remote, local = %ends.local, %error, "a connection ended early"),
        None if complaints.due(()) => tracing::warn!(%error, "no connection can be accepted for the moment"),
        None => {}
    }
}
