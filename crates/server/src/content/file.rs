//! A file that was found: HTTP's conditions, ranges and media types over it.

use std::future::{Ready, ready};
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Empty;
use siteward_core::refused::Reference;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs;

use super::own_page::{self, OwnPage};
use crate::answer::{Answer, Body};

/// A small file, all of it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct InMemory {
    described: Arc<Described>,
    pub(super) bytes: Bytes,
    /// Where it asks for a reference: looked for once, where it is shown instead of a built-in page.
    asks: Arc<OnceLock<Box<[usize]>>>,
}

impl InMemory {
    pub(super) fn new(described: Described, bytes: Bytes) -> Self {
        Self { described: Arc::new(described), bytes, asks: Arc::default() }
    }

    /// The same file with what is known of `before`, if it reads as that: answers that nobody takes all hold the same bytes.
    pub(super) fn sharing(self, before: Self) -> Self {
        if self.bytes != before.bytes {
            return self;
        }
        Self { described: self.described, ..before }
    }

    /// What is shown instead of a built-in page.
    pub(super) fn own_page(&self, reference: Option<Reference>) -> OwnPage {
        let asks = self.asks.get_or_init(|| own_page::asks(&self.bytes));
        OwnPage { media_type: self.media_type(), body: own_page::telling(&self.bytes, asks, reference) }
    }

    /// What its name says it is.
    fn media_type(&self) -> Option<HeaderValue> {
        self.described.head.get(CONTENT_TYPE).cloned()
    }

    /// Answers a GET or HEAD with these fields.
    ///
    /// # Errors
    /// Those of [`Described::answer`].
    pub(super) async fn answer(&self, fields: &HeaderMap) -> io::Result<Answer> {
        let (head, range) = self.described.answer(fields).await?;
        let range =
            usize::try_from(range.start).unwrap_or(usize::MAX)..usize::try_from(range.end).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(range).ok_or(io::ErrorKind::InvalidData)?;
        Ok(head.map(|()| Body::from(self.bytes.slice_ref(bytes))))
    }
}

/// What HTTP says of a regular file below a site's folder.
#[derive(Debug)]
pub(super) struct Described {
    file: OneFile,
    /// The head of its whole answer.
    head: HeaderMap,
}

/// The head of an answer, and the bytes of the file that follow it.
pub(super) type Head = (Response<()>, Range<u64>);

/// Fields that ask for something else than the whole file (RFC 9110 §13.1, §14.2).
const CONDITIONS: [HeaderName; 6] = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];

impl Described {
    /// A file of this name, which tells its media type, and length in bytes.
    pub(super) async fn new(name: String, modified: SystemTime, len: u64) -> io::Result<Self> {
        let file = OneFile { name, facts: Facts { modified, len } };
        let (mut parts, ()) = file.head(HeaderMap::new()).await?.into_parts();
        parts.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Ok(Self { file, head: parts.headers })
    }

    /// In bytes.
    pub(super) fn len(&self) -> u64 {
        self.file.facts.len
    }

    /// Answers a GET or HEAD with these fields. Whoever wants less than the whole file is left to `ServeDir`.
    ///
    /// # Errors
    /// None that a file's name, age and length can cause.
    pub(super) async fn answer(&self, fields: &HeaderMap) -> io::Result<Head> {
        let mut conditions: HeaderMap =
            CONDITIONS.iter().filter_map(|name| Some((name.clone(), fields.get(name)?.clone()))).collect();
        // `ServeDir` does not know If-Range: a part is only for whoever has the same version (RFC 9110 §13.1.5).
        if conditions.remove(IF_RANGE).is_some_and(|version| self.head.get(ETAG) != Some(&version)) {
            conditions.remove(RANGE);
        }
        if conditions.is_empty() {
            let mut whole = Response::new(());
            whole.headers_mut().clone_from(&self.head);
            return Ok((whole, 0..self.len()));
        }
        let head = self.file.head(conditions).await?;
        let range = match head.status() {
            StatusCode::OK => 0..self.len(),
            StatusCode::PARTIAL_CONTENT => part(&head).ok_or(io::ErrorKind::InvalidData)?,
            _ => 0..0,
        };
        Ok((head, range))
    }
}

/// The part that a 206 announces (RFC 9110 §14.4).
fn part(head: &Response<()>) -> Option<Range<u64>> {
    let (range, _) = head.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1)
}

/// A file system that holds one file, whatever name it is asked for. `ServeDir` is asked for heads only, and so reads
/// nothing of it.
#[derive(Debug, Clone)]
struct OneFile {
    name: String,
    facts: Facts,
}

/// What `ServeDir` asks about a file.
#[derive(Debug, Clone, Copy)]
struct Facts {
    modified: SystemTime,
    len: u64,
}

impl OneFile {
    async fn head(&self, fields: HeaderMap) -> io::Result<Response<()>> {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::HEAD;
        *request.headers_mut() = fields;
        let mut service = ServeDir::with_backend(&self.name, self.clone())
            .append_index_html_on_directories(false)
            .ignore_multi_range_requests(true);
        Ok(service.try_call(request).await?.map(|_| ()))
    }
}

impl fs::Backend for OneFile {
    type File = Facts;
    type Metadata = Facts;
    type OpenFuture = Ready<io::Result<Facts>>;
    type MetadataFuture = Ready<io::Result<Facts>>;

    fn open(&self, _: PathBuf) -> Self::OpenFuture {
        ready(Ok(self.facts))
    }

    fn metadata(&self, _: PathBuf) -> Self::MetadataFuture {
        ready(Ok(self.facts))
    }
}

impl fs::File for Facts {
    type Metadata = Facts;
    type MetadataFuture<'a> = Ready<io::Result<Facts>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(*self))
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

impl AsyncRead for Facts {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl AsyncSeek for Facts {
    fn start_seek(self: Pin<&mut Self>, _: SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
