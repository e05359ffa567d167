//! One accepted TCP connection, with its place among all connections and its own idle deadline.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use siteward_core::proxies::{Header, MAX_HEADER, Told};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
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
    place: Place,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, ends: Ends, idle: Duration, place: Place) -> Self {
        Self { stream, ends, patience: Patience::new(idle), place }
    }

    /// Takes the place of this connection as one of `address` from now on; false if that has its share.
    pub(crate) fn count_for(&mut self, address: IpAddr) -> bool {
        self.place.count_for(address)
    }

    /// Reads the header of the PROXY protocol that the connection begins with, and not one byte more: what follows it
    /// is the visitor's.
    ///
    /// # Errors
    /// `InvalidData` for no header or a broken one, `UnexpectedEof` where the connection ends instead.
    pub(crate) async fn read_header(&mut self) -> io::Result<Told> {
        let (mut bytes, mut known) = (vec![0; MAX_HEADER], 0);
        loop {
            let waiting = self.stream.peek(&mut bytes[known..]).await?;
            if waiting == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let header = Header::read(&bytes[..known + waiting]);
            let header = header.map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))?;
            let end = header.map_or(known + waiting, |header| header.length);
            self.stream.read_exact(&mut bytes[known..end]).await?;
            match header {
                Some(header) => return Ok(header.told),
                None => known = end,
            }
        }
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
