//! Whose word about a visitor is believed: a trusted proxy's, as the listener's settings say, and nobody else's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};
use siteward_core::proxies::{Proxies, Speech, Told, forwarded, x_forwarded};
use siteward_core::sites::Sites;
use siteward_core::table::SiteTable;

use crate::complaints::Complaints;
use crate::socket::{Ends, Socket};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The trusted proxies of a listener, where the other end of a connection is one of them.
pub(crate) fn trusted<'a>(table: &'a SiteTable, ends: &Ends) -> Option<&'a Proxies> {
    let proxies = table.proxies_at(ends.local.ip(), ends.local.port())?;
    proxies.networks.includes(ends.remote.ip()).then_some(proxies)
}

/// Reads what trusted proxies say at the beginning of their connections.
#[derive(Debug, Clone)]
pub(crate) struct Announcements {
    sites: Sites,
    complaints: Arc<Complaints<IpAddr>>,
}

impl Announcements {
    pub(crate) fn new(sites: Sites) -> Self {
        Self { sites, complaints: Arc::new(Complaints::new()) }
    }

    /// The header of the PROXY protocol, on connections that must begin with one. From then on the connection takes its
    /// place as the visitor's, who may have no more of them than anybody.
    ///
    /// # Errors
    /// There is no header, or a broken one, or the visitor has too many connections: the connection is to be closed.
    pub(crate) async fn read(&self, socket: &mut Socket) -> io::Result<Option<Told>> {
        let ends = socket.ends;
        let is_due = trusted(&self.sites.table(), &ends).is_some_and(|own| own.speech == Speech::ProxyProtocol);
        if !is_due {
            return Ok(None);
        }
        let told = socket.read_header().await.inspect_err(|error| {
            if error.kind() == io::ErrorKind::InvalidData && self.complaints.due(ends.remote.ip()) {
                tracing::warn!(proxy = %ends.remote, local = %ends.local, "{error}");
            }
        })?;
        match told.client {
            Some(client) if !socket.count_for(client.ip()) => {
                let crowd = format!("{} has too many connections", client.ip());
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, crowd))
            }
            _ => Ok(Some(told)),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// The other end of the connection, or whom a trusted proxy names; port 0 where it names none.
    pub(crate) client: SocketAddr,
    /// The trusted proxy that the request came from, whatever it says.
    pub(crate) proxy: Option<SocketAddr>,
    /// Whether the visitor came over TLS to a trusted proxy that says so or otherwise.
    pub(crate) is_https: Option<bool>,
}

impl Visitor {
    /// Whoever sent a request with these header fields on a connection that was `announced`. What was announced counts
    /// no longer than its proxy is trusted.
    pub(crate) fn of(table: &SiteTable, ends: &Ends, announced: Option<Told>, headers: &HeaderMap) -> Self {
        let Some(proxies) = trusted(table, ends) else {
            return Self { client: ends.remote, proxy: None, is_https: None };
        };
        let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let is_proxy = |ip| proxies.networks.includes(ip);
        let told = match proxies.speech {
            Speech::ProxyProtocol => announced.unwrap_or_default(),
            // What follows on a header of the PROXY protocol is the visitor's own, whatever is believed by now.
            _ if announced.is_some() => Told::default(),
            Speech::XForwarded => x_forwarded(values(X_FORWARDED_FOR), values(X_FORWARDED_PROTO), is_proxy),
            Speech::Forwarded => forwarded(values(FORWARDED), is_proxy),
        };
        Self { client: told.client.unwrap_or(ends.remote), proxy: Some(ends.remote), is_https: told.is_https }
    }

    /// Whose share of what each address may have at a time is taken: nobody's where a proxy does not name the visitor.
    pub(crate) fn sharer(&self) -> Option<IpAddr> {
        (self.proxy != Some(self.client)).then(|| self.client.ip())
    }
}
