//! The bytes of a file, read piece by piece as they are sent.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};

use crate::limits::CHUNK;
use crate::places::Place;

/// A body that reads `range` of a file. What lies behind it stays unsent, even if the file grows; a file that became
/// shorter fails.
///
/// Nobody asks a body anything while its client does not read, and an HTTP/2 stream can be left so for as long as its
/// connection lives. So the file is closed from outside, and whoever asks for more after that gets an error.
#[derive(Debug)]
pub(crate) struct Sending {
    open: Arc<Mutex<Open>>,
    range: Range<u64>,
    /// Bytes to read next: few at first, because many streams may be asked for and never read.
    chunk: usize,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    closing: AbortHandle,
}

#[derive(Debug)]
struct Open {
    /// The file, and its place among all that are sent; `None` once its reader has stopped.
    file: Option<Arc<(File, Place)>>,
    last_asked: Instant,
}

impl Sending {
    /// `file` is closed when nobody asked for more of it for so long.
    pub(super) fn new(file: File, range: Range<u64>, place: Place, idle: Duration) -> Self {
        let open = Open { file: Some(Arc::new((file, place))), last_asked: Instant::now() };
        let open = Arc::new(Mutex::new(open));
        let closing = tokio::spawn(close_when_idle(open.clone(), idle)).abort_handle();
        Self { open, range, chunk: CHUNK / 4, reading: None, closing }
    }

    fn read(&self) -> io::Result<JoinHandle<io::Result<Bytes>>> {
        let mut open = lock(&self.open);
        open.last_asked = Instant::now();
        let file = open.file.clone().ok_or(io::ErrorKind::TimedOut)?;
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let (at, len) = (self.range.start, left.min(self.chunk));
        Ok(tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; len];
            file.0.read_exact_at(&mut bytes, at)?;
            Ok(Bytes::from(bytes))
        }))
    }
}

async fn close_when_idle(open: Arc<Mutex<Open>>, idle: Duration) {
    loop {
        let due = lock(&open).last_asked + idle;
        if due <= Instant::now() {
            lock(&open).file = None;
            return;
        }
        sleep_until(due).await;
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.closing.abort();
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.range.is_empty() {
            return Poll::Ready(None);
        }
        let mut reading = match this.reading.take() {
            Some(reading) => reading,
            None => this.read()?,
        };
        let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
            this.reading = Some(reading);
            return Poll::Pending;
        };
        let bytes = read.map_err(io::Error::other).flatten()?;
        this.range.start += bytes.len() as u64;
        this.chunk = CHUNK.min(2 * this.chunk);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.range.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.range.end - self.range.start)
    }
}
