//! A file that was found: HTTP's conditions, ranges and media types over it.

use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Empty;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs;

use crate::answer::{Answer, Body};
use crate::refusal::Denial;

/// A regular file below a site's folder.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its own name, which tells its media type.
    pub(super) name: String,
    pub(super) modified: SystemTime,
    /// In bytes.
    pub(super) len: u64,
    pub(super) source: Source,
}

/// Where its bytes are.
#[derive(Debug)]
pub(super) enum Source {
    Memory(Bytes),
    /// Never read itself, only through duplicates: its position stays at the start.
    Disk(std::fs::File),
}

/// A file with the head of its whole answer. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct File {
    opened: OneFile,
    head: Arc<HeaderMap>,
}

/// Fields that ask for something else than the whole file (RFC 9110 §13.1, §14.2).
const CONDITIONS: [HeaderName; 6] = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];

impl File {
    pub(super) async fn new(opened: Opened) -> Self {
        let opened = OneFile(Arc::new(opened));
        let (mut parts, _) = opened.serve(&Method::HEAD, HeaderMap::new()).await.into_parts();
        parts.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self { opened, head: Arc::new(parts.headers) }
    }

    /// All its bytes, where they are at hand.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        match &self.opened.0.source {
            Source::Memory(bytes) => Some(bytes),
            Source::Disk(_) => None,
        }
    }

    /// Answers a GET or HEAD. Whoever wants less than the whole file is left to `ServeDir`.
    pub(super) async fn answer(&self, request: &Parts) -> Answer {
        let is_conditional = request.headers.keys().any(|name| CONDITIONS.contains(name));
        if let Some(bytes) = self.whole()
            && !is_conditional
        {
            let mut answer = Response::new(Body::from(bytes.clone()));
            *answer.headers_mut() = HeaderMap::clone(&self.head);
            return answer;
        }
        let mut fields = request.headers.clone();
        // `ServeDir` does not know If-Range: a part is only for whoever has the same version (RFC 9110 §13.1.5).
        if fields.remove(IF_RANGE).is_some_and(|version| self.head.get(ETAG) != Some(&version)) {
            fields.remove(RANGE);
        }
        self.opened.serve(&request.method, fields).await
    }
}

/// A file system that holds one file, whatever name it is asked for.
#[derive(Debug, Clone)]
struct OneFile(Arc<Opened>);

/// One reading of it.
#[derive(Debug)]
struct Reading {
    facts: Facts,
    bytes: Stream,
}

#[derive(Debug)]
enum Stream {
    Memory(Cursor<Bytes>),
    Disk(tokio::fs::File),
}

/// What `ServeDir` asks about a file.
#[derive(Debug, Clone, Copy)]
struct Facts {
    modified: SystemTime,
    len: u64,
}

impl OneFile {
    async fn serve(&self, method: &Method, fields: HeaderMap) -> Answer {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = method.clone();
        *request.headers_mut() = fields;
        let mut service = ServeDir::with_backend(&self.0.name, self.clone())
            .append_index_html_on_directories(false)
            .ignore_multi_range_requests(true);
        match service.try_call(request).await {
            Ok(answer) => answer.map(Body::File),
            Err(error) => {
                tracing::warn!(%error, "an opened file cannot be read");
                Denial::Unreadable.into_answer()
            }
        }
    }

    fn facts(&self) -> Facts {
        Facts { modified: self.0.modified, len: self.0.len }
    }

    fn read(&self) -> io::Result<Reading> {
        let bytes = match &self.0.source {
            Source::Memory(bytes) => Stream::Memory(Cursor::new(bytes.clone())),
            Source::Disk(file) => Stream::Disk(tokio::fs::File::from_std(file.try_clone()?)),
        };
        Ok(Reading { facts: self.facts(), bytes })
    }
}

impl fs::Backend for OneFile {
    type File = Reading;
    type Metadata = Facts;
    type OpenFuture = Ready<io::Result<Reading>>;
    type MetadataFuture = Ready<io::Result<Facts>>;

    fn open(&self, _: PathBuf) -> Self::OpenFuture {
        ready(self.read())
    }

    fn metadata(&self, _: PathBuf) -> Self::MetadataFuture {
        ready(Ok(self.facts()))
    }
}

impl fs::File for Reading {
    type Metadata = Facts;
    type MetadataFuture<'a> = Ready<io::Result<Facts>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.facts))
    }
}

impl fs::Metadata for Facts {
    fn is_dir(&self) -> bool {
        false
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.modified)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

impl AsyncRead for Reading {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().bytes {
            Stream::Memory(bytes) => Pin::new(bytes).poll_read(cx, buf),
            Stream::Disk(file) => Pin::new(file).poll_read(cx, buf),
        }
    }
}

impl AsyncSeek for Reading {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        match &mut self.get_mut().bytes {
            Stream::Memory(bytes) => Pin::new(bytes).start_seek(position),
            Stream::Disk(file) => Pin::new(file).start_seek(position),
        }
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.get_mut().bytes {
            Stream::Memory(bytes) => Pin::new(bytes).poll_complete(cx),
            Stream::Disk(file) => Pin::new(file).poll_complete(cx),
        }
    }
}
