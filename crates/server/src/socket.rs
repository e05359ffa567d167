//! One accepted TCP connection, with its place among all connections and its own idle deadline.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::patience::Patience;
use crate::places::Place;

/// Both ends of a connection. IPv4 is never written as IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Ends {
    pub(crate) fn of(stream: &TcpStream, remote: SocketAddr) -> io::Result<Self> {
        Ok(Self { local: canonical(stream.local_addr()?), remote: canonical(remote) })
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A connection that fails with `TimedOut` once no byte went either way for too long, whoever waits for whom.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    pub(crate) ends: Ends,
    patience: Patience,
    /// Goes to the next connection when dropped.
    _place: Place,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, ends: Ends, idle: Duration, place: Place) -> Self {
        Self { stream, ends, patience: Patience::new(idle), _place: place }
    }

    /// Passes on what the connection gave; while it gives nothing, watches the deadline.
    fn watch<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.patience.renew();
            return outcome;
        }
        self.patience.poll_end(cx).map(|()| {
            tracing::debug!(remote = %self.ends.remote, "a connection was idle for too long");
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.watch(outcome, cx)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watch(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
