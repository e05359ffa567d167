//! One line for each answered request, written when its last byte has gone out.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Frame, SizeHint};
use siteward_core::host::HostName;
use siteward_core::refused::Reference;
use siteward_core::site::Site;
use siteward_core::ssl::TlsVersion;
use siteward_core::trial::Would;

use crate::answer::Body;

/// What is logged of a request. Never its query or its header fields: they may hold secrets.
///
/// What a stranger wrote is logged as a quoted text, so that no line break or colour can forge another line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) began: Instant,
    /// The visitor's address; port 0 where a trusted proxy named none.
    pub(crate) remote: SocketAddr,
    /// The trusted proxy that the request came from.
    pub(crate) proxy: Option<SocketAddr>,
    /// It says that the visitor came to it over TLS.
    pub(crate) is_proxied: bool,
    pub(crate) tls_version: Option<TlsVersion>,
    /// The subject of the client's certificate, where it was looked at.
    pub(crate) client: Option<Arc<str>>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) host: Option<HostName>,
    pub(crate) site: Option<Arc<Site>>,
    pub(crate) status: StatusCode,
    pub(crate) substatus: u8,
    /// What settings on trial would have made of it, where that is worse than what it got.
    pub(crate) would: Option<Would>,
    /// What stands on the page of a refusal.
    pub(crate) reference: Option<Reference>,
}

impl Line {
    /// Whether anybody listens.
    pub(crate) fn is_wanted() -> bool {
        tracing::enabled!(target: "siteward::access", tracing::Level::INFO)
    }

    fn write(&self, bytes: u64) {
        tracing::info!(
            target: "siteward::access",
            site = self.site.as_ref().map_or("-", |site| site.name.as_str()),
            remote = %Remote(self.remote),
            proxy = self.proxy.map(tracing::field::display),
            method = self.method.as_str(),
            host = self.host.as_ref().map_or("-", |host| host.as_str()),
            path = self.path.as_str(),
            "sc-status" = self.status.as_u16(),
            "sc-substatus" = self.substatus,
            bytes,
            ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "cs-client-subject" = self.client.as_deref().unwrap_or("-"),
            tls = self.tls_version.map_or(if self.is_proxied { "proxied" } else { "-" }, words),
            would = self.would.map(tracing::field::display),
            reference = self.reference.map(tracing::field::display),
        );
    }
}

/// An address, with its port where one is known.
struct Remote(SocketAddr);

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.port() {
            0 => self.0.ip().fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

fn words(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "TLSv1_2",
        TlsVersion::Tls13 => "TLSv1_3",
    }
}

/// A body that writes its request's line when it is dropped: sent, or given up.
pub(crate) struct Logged {
    body: Body,
    bytes: u64,
    line: Option<Line>,
}

impl Logged {
    pub(crate) fn new(body: Body, line: Option<Line>) -> Self {
        Self { body, bytes: 0, line }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.write(self.bytes);
        }
    }
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
