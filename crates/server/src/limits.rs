//! What one connection and all of them together may take.

use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::places::Places;

/// Bytes of an answer that wait for one HTTP/2 stream to take them, and bytes of a file that are read at once: what a
/// stream that is asked for and never read costs.
pub(crate) const CHUNK: usize = 16 * 1024;

/// Limits on everything a stranger can send, hold or leave open. Each phase of a connection ends by itself.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at the same time, over all ports. Further ones wait in the kernel's queue.
    ///
    /// Also files that are being sent at the same time: one for each connection, if all send one. HTTP/2 can ask for
    /// more; there is a 503 for those.
    pub connections: usize,
    /// How many of these one address may take: an IPv4 address, or an IPv6 network of 64 bits. Its further connections
    /// are closed at once, so that the other addresses find places. A trusted proxy is no such address; the visitors that
    /// it names by the PROXY protocol are.
    pub from_one_address: usize,
    /// From the TCP connection to the end of the TLS handshake, or in plain HTTP to the end of the header of the PROXY
    /// protocol, where a trusted proxy speaks that.
    pub handshake: Duration,
    /// From the end of the handshake to the whole head of the first request.
    pub first_request: Duration,
    /// The longest time in which not one byte goes either way: a silent client, half a body, a reader that stopped.
    /// Also how long a connection is kept for the next request; on HTTP/2 nothing but requests, bodies and answers
    /// counts, and a file whose reader stopped is closed even if others on its connection go on.
    pub idle: Duration,
    /// How long the connections of a port that is closed may finish the requests they are at.
    pub closing: Duration,
    /// Bytes of a request's head in HTTP/1.
    pub head_bytes: usize,
    /// Header fields of a request in HTTP/1.
    pub head_fields: usize,
    /// Bytes of a request's header list in HTTP/2 (RFC 9113 §6.5.2).
    pub header_list: u32,
    /// Requests under way at the same time on one HTTP/2 connection.
    pub streams: u32,
    /// Streams a client may reset before they were answered, and streams that Siteward may reset for a client's
    /// errors, before an HTTP/2 connection is ended.
    pub resets: usize,
    /// Kinds of requests that each thread tells apart for the traffic pages between two writes, a few seconds apart:
    /// what comes beyond is counted with less detail, then not at all. 0 counts nothing.
    pub kinds: usize,
    /// Bytes of a request's body that may wait unread, for each HTTP/2 stream and connection.
    pub window: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            from_one_address: 2_500,
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            closing: Duration::from_secs(30),
            head_bytes: 32 * 1024,
            head_fields: 100,
            header_list: 16 * 1024,
            streams: 100, // no fewer, says RFC 9113 §6.5.2; many clients count on as many before they are told
            resets: 64,
            kinds: 4_096,
            window: 64 * 1024,
        }
    }
}

impl Limits {
    /// The defaults, with no more connections than this process may have descriptors for: one for each connection,
    /// one for a file it reads. The process's own (soft) limit is first raised to what the system allows it.
    pub fn of_this_process() -> Self {
        let defaults = Self::default();
        let Some(files) = raise_open_files() else { return defaults };
        let spare = 64 + Self::of_console().connections as u64; // the database, listeners, logs; and the console
        let fitting = usize::try_from(files.saturating_sub(spare) / 2).unwrap_or(usize::MAX).max(4);
        let connections = defaults.connections.min(fitting);
        Self { connections, from_one_address: connections / 4, ..defaults }
    }

    /// For the console: few connections, which [`Limits::of_this_process`] leaves descriptors for.
    pub fn of_console() -> Self {
        Self { connections: 256, from_one_address: 64, ..Self::default() }
    }

    /// The connections, or the files they send.
    pub(crate) fn places(&self) -> Places {
        Places::new(self.connections, self.from_one_address)
    }

    /// Applies what HTTP itself can limit.
    pub(crate) fn apply(&self, builder: &mut Builder<TokioExecutor>) {
        // hyper's clock for a head starts when the last answer ends, so it also counts the time in between.
        builder.http1().header_read_timeout(self.idle + self.first_request);
        // A client may end its side once it has asked, and still read the answer.
        builder.http1().half_close(true);
        builder.http1().max_buf_size(self.head_bytes).max_headers(self.head_fields);
        // No keep-alive PINGs: a client that answers them with its window closed would never be idle.
        builder
            .http2()
            .max_concurrent_streams(self.streams)
            .max_header_list_size(self.header_list)
            .max_pending_accept_reset_streams(self.resets)
            .max_local_error_reset_streams(self.resets)
            .initial_stream_window_size(self.window)
            .initial_connection_window_size(self.window)
            .max_send_buf_size(CHUNK);
    }
}

/// Raises this process's limit of open files as far as it may, and tells it; `None` where there is none.
fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            limit.current
        }
    }
}
