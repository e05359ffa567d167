//! A file that was found, in the form `ServeDir` reads from.

use std::fs::File;
use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs;

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
    Disk(File),
}

/// A file system that holds one file, whatever name it is asked for.
#[derive(Debug, Clone)]
pub(super) struct OneFile(Arc<Opened>);

/// One reading of it.
#[derive(Debug)]
pub(super) struct Reading {
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
pub(super) struct Facts {
    modified: SystemTime,
    len: u64,
}

impl OneFile {
    pub(super) fn new(opened: Opened) -> Self {
        Self(Arc::new(opened))
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// All its bytes, where they are at hand.
    pub(super) fn whole(&self) -> Option<Bytes> {
        match &self.0.source {
            Source::Memory(bytes) => Some(bytes.clone()),
            Source::Disk(_) => None,
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
