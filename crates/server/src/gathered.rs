//! Gathers small writes into one TLS record and one system call.
//!
//! HTTP/2 writes each frame by itself: head and body of a small answer would be sealed and sent apart.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose writes wait for a flush, or for enough of them.
#[derive(Debug)]
pub(crate) struct Gathered<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How many of them are written already.
    written: usize,
}

impl<S> Gathered<S> {
    /// Bytes that wait at most: four full TLS records (RFC 8446 §5.1).
    const ENOUGH: usize = 4 * Self::LARGE;

    /// What fills a record by itself is not copied, and no connection keeps more memory than this for the next time.
    const LARGE: usize = 16 * 1024;

    pub(crate) fn new(stream: S) -> Self {
        Self { stream, waiting: Vec::new(), written: 0 }
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Writes all that waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.waiting.len() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting[self.written..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += sent;
        }
        self.waiting.clear();
        self.waiting.shrink_to(Self::LARGE);
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let is_large = buf.len() >= Self::LARGE;
        if is_large || this.waiting.len() + buf.len() > Self::ENOUGH {
            ready!(this.poll_send(cx))?;
        }
        if is_large {
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        }
        this.waiting.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn small_writes_leave_together_and_in_order_with_the_flush() {
        let (near, mut far) = duplex(1024);
        let mut gathered = Gathered::new(near);
        gathered.write_all(b"head ").await.unwrap();
        gathered.write_all(b"body").await.unwrap();
        assert_eq!(gathered.waiting, b"head body", "nothing has left yet");
        gathered.flush().await.unwrap();
        let mut read = [0; 32];
        let len = far.read(&mut read).await.unwrap();
        assert_eq!(&read[..len], b"head body");
    }

    #[tokio::test]
    async fn any_sizes_arrive_whole_through_a_narrow_stream() {
        let (near, mut far) = duplex(1000);
        let sizes = [1, 70_000, 10, 65_536, 65_535, 2, 200_000, 0, 3];
        let sent: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|i| (i % 251) as u8).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move {
            let mut gathered = Gathered::new(near);
            let mut rest = sent.as_slice();
            for size in sizes {
                let (now, later) = rest.split_at(size);
                gathered.write_all(now).await.unwrap();
                rest = later;
            }
            gathered.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        sending.await.unwrap();
        assert!(read == expected);
    }
}
