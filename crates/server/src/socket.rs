//! One accepted TCP connection, with its place among all connections and its own idle deadline.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};

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
    idle: Duration,
    last_progress: Instant,
    deadline: Pin<Box<Sleep>>,
    /// Gives its place to the next connection when dropped.
    _place: OwnedSemaphorePermit,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, ends: Ends, idle: Duration, place: OwnedSemaphorePermit) -> Self {
        let now = Instant::now();
        Self { stream, ends, idle, last_progress: now, deadline: Box::pin(sleep_until(now + idle)), _place: place }
    }

    /// Passes on what the connection gave; while it gives nothing, watches the deadline.
    fn watch<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.last_progress = Instant::now();
            return outcome;
        }
        // The timer is only moved when it fires: that is once in a while, progress is all the time.
        loop {
            ready!(self.deadline.as_mut().poll(cx));
            let due = self.last_progress + self.idle;
            if due <= Instant::now() {
                tracing::debug!(remote = %self.ends.remote, "a connection was idle for too long");
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.deadline.as_mut().reset(due);
        }
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
