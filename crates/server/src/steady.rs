//! Ends an HTTP/2 connection that serves nobody, however busy it keeps itself with PING or SETTINGS frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::patience::Patience;

/// A stream that, once it speaks HTTP/2, must send something for the sake of a request from time to time.
#[derive(Debug)]
pub(crate) struct Steady<S> {
    stream: S,
    frames: Frames,
    patience: Patience,
}

/// Where in what we send the next byte stands.
#[derive(Debug)]
enum Frames {
    /// Nothing is sent yet.
    Begin,
    /// An HTTP/1 answer: the socket's own deadline is enough.
    Http1,
    /// In a frame's header (RFC 9113 §4.1), of which so much is known.
    Header { bytes: [u8; Frames::HEADER], known: usize },
    /// In a frame's payload, with so many bytes to come.
    Payload { left: usize },
}

impl<S> Steady<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, frames: Frames::Begin, patience: Patience::new(limit) }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.frames, Frames::Begin | Frames::Http1) {
            return Poll::Pending;
        }
        self.patience.poll_end(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Frames {
    const HEADER: usize = 9;
    const FRESH: Self = Self::Header { bytes: [0; Self::HEADER], known: 0 };

    /// Follows what is sent; tells whether a frame in it belongs to a request.
    fn follow(&mut self, mut sent: &[u8]) -> bool {
        let mut serves = false;
        while let Some(&first) = sent.first() {
            match self {
                // A server's first frame is a short SETTINGS, so its length begins with a zero (RFC 9113 §3.4).
                Self::Begin => *self = if first == 0 { Self::FRESH } else { Self::Http1 },
                Self::Http1 => return true,
                Self::Header { bytes, known } => {
                    bytes[*known] = first;
                    *known += 1;
                    sent = &sent[1..];
                    if *known == Self::HEADER {
                        serves |= belongs_to_a_request(bytes[3]);
                        *self = Self::payload(u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize);
                    }
                }
                Self::Payload { left } => {
                    let (here, rest) = sent.split_at(sent.len().min(*left));
                    sent = rest;
                    *self = Self::payload(*left - here.len());
                }
            }
        }
        serves
    }

    fn payload(left: usize) -> Self {
        if left == 0 { Self::FRESH } else { Self::Payload { left } }
    }
}

/// DATA and HEADERS are an answer; a WINDOW_UPDATE takes up a request's body (RFC 9113 §6). Everything else a client
/// can have for nothing.
fn belongs_to_a_request(kind: u8) -> bool {
    matches!(kind, 0 | 1 | 8)
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // First, because there is always something to read from a client that sends without end.
        if let Poll::Ready(ended) = this.poll_patience(cx) {
            return Poll::Ready(ended);
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Steady<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        if this.frames.follow(&buf[..sent]) {
            this.patience.renew();
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], &vec![1; payload]].concat()
    }

    #[test]
    fn only_frames_of_a_request_count_however_the_writes_are_cut() {
        let (settings, ping, data) = (frame(4, 18), frame(6, 8), frame(0, 300));
        let idle = [settings.clone(), ping.clone(), frame(4, 0), ping.clone()].concat();
        let busy = [idle.clone(), data, ping].concat();
        for size in [1, 2, 9, 10, 1000] {
            let mut frames = Frames::Begin;
            assert!(!idle.chunks(size).any(|part| frames.follow(part)), "{size}");
            let mut frames = Frames::Begin;
            assert_eq!(busy.chunks(size).filter(|part| frames.follow(part)).count(), 1, "{size}");
        }
    }
}
