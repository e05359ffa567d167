//! One visitor's connection, and how each of its requests is answered.

mod denied;

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{EXPECT, HeaderName, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use siteward_core::host::HostName;
use siteward_core::proxies::Told;
use siteward_core::sites::Sites;
use siteward_core::traffic::{self as core, Class, Facts, NO_SITE, Shown, Way as Came};
use time::OffsetDateTime;
use tokio::time::timeout;
use tower::Service;

use crate::access_log::{Line, Logged};
use crate::answer::{Answer, Body};
use crate::client::Client;
use crate::content::Content;
use crate::documents;
use crate::guard::{Admitted, Learnt, Shaken, Way, admit};
use crate::proxied::Visitor;
use crate::references::References;
use crate::refusal::Denial;
use crate::socket::Ends;
use crate::traffic::{self, Traffic};
use crate::validation;
use denied::Denied;

/// Bytes of an unwanted body that are read nevertheless, and how long that may take.
const SWALLOWED: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// What all visitors share.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) sites: Sites,
    pub(crate) content: Content,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) references: Arc<References>,
}

/// A visitor's connection.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    served: Arc<Served>,
    ends: Ends,
    /// What a trusted proxy said at the beginning of the connection.
    announced: Option<Told>,
    tls: Option<Tls>,
    /// What the handshake asked for, where it did.
    server_name: Option<HostName>,
    /// It is none of our own clients, which nothing tells of.
    is_visitor: bool,
}

/// What a TLS handshake came to.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// For the guard.
    pub(crate) shaken: Shaken,
    /// Who showed a certificate.
    pub(crate) client: Option<Arc<Client>>,
    /// For the traffic.
    pub(crate) way: Came,
}

impl Tls {
    /// What is known of the client's certificate, for the traffic: of nobody who was not asked, and of nothing that came
    /// and was not looked at.
    fn shown(&self, learnt: &Learnt) -> Shown {
        match learnt.certificate {
            _ if !self.shaken.policy.ask_certificate => Shown::Unknown,
            Some(certificate) => certificate.into(),
            None if self.client.is_none() => Shown::None,
            None => Shown::Unknown,
        }
    }
}

impl Visit {
    /// In plain HTTP.
    pub(crate) fn new(served: Arc<Served>, ends: Ends) -> Self {
        let is_visitor = !served.traffic.own.has(&ends);
        Self { served, ends, announced: None, tls: None, server_name: None, is_visitor }
    }

    /// The same connection, with what a trusted proxy said of it.
    pub(crate) fn announced(self, announced: Option<Told>) -> Self {
        Self { announced, ..self }
    }

    /// The same connection, secured, by a handshake that asked for `server_name`.
    pub(crate) fn over(self, tls: Tls, server_name: Option<HostName>) -> Self {
        Self { tls: Some(tls), server_name, ..self }
    }

    async fn answer(self, request: Parts) -> Response<Logged> {
        let began = Instant::now();
        let table = self.served.sites.table();
        let visitor = Visitor::of(&table, &self.ends, self.announced, &request.headers);
        let client = self.tls.as_ref().and_then(|tls| tls.client.as_deref());
        let tls = self.tls.as_ref().map(|tls| tls.shaken);
        let way = Way { local: self.ends.local, tls, client, secured_to_proxy: visitor.is_https };
        let mut learnt = Learnt::default();
        let now = OffsetDateTime::now_utc();
        let outcome = match documents::find(&table, &way, &request) {
            Some(document) => Ok(documents::answer(document, &request)),
            None => match admit(&table, &way, &request, now, &mut learnt) {
                Ok(Admitted { exempt: Some(content), .. }) => Ok(validation::answer(&content)),
                Ok(Admitted { site, path, exempt: None }) => {
                    self.served.content.answer(&site, path, &request, visitor.sharer()).await
                }
                Err(denial) => Err(denial),
            },
        };
        let substatus = outcome.as_ref().err().map_or(0, Denial::substatus);
        let (answer, reference) = match outcome {
            Ok(answer) => (answer, None),
            Err(denial) => {
                let remote = visitor.client.ip();
                let denied = Denied { table: &table, way: &way, request: &request, learnt: &learnt, remote, now };
                self.deny(denial, &denied).await
            }
        };
        let mut answer = finish(answer, &request.method);
        if !way.is_clear() {
            answer.headers_mut().extend(strict_transport_security(&learnt, now));
        }
        let got = core::Answer { status: answer.status().as_u16(), substatus };
        self.count(&request, self.came(&way, &request, &learnt), visitor.client.ip(), &learnt, got);
        if let Some(client) = client.filter(|_| self.is_counted()) {
            self.served.traffic.clients.keep(client, now);
        }
        let would = learnt.trials.iter().map(|(_, would)| *would).filter(|would| would.is_worse()).max();
        let line = (Line::is_wanted() && self.is_visitor).then(|| Line {
            began,
            remote: visitor.client,
            proxy: visitor.proxy,
            is_proxied: way.secured_to_proxy == Some(true),
            tls_version: way.tls.map(|shaken| shaken.facts.version),
            client: client.filter(|_| learnt.certificate.is_some()).map(|client| client.subject.clone()),
            path: request.uri.path().to_owned(),
            method: request.method,
            host: learnt.host,
            site: learnt.site,
            status: answer.status(),
            substatus,
            would,
            reference,
        });
        answer.map(|body| Logged::new(body, line))
    }

    /// How a request came, for the traffic.
    fn came(&self, way: &Way, request: &Parts, learnt: &Learnt) -> Came {
        match &self.tls {
            _ if way.is_clear() => Came::Clear(traffic::credentials(request)),
            Some(tls) => tls.way.showing(tls.shown(learnt)),
            None => Came::Proxied,
        }
    }

    fn is_counted(&self) -> bool {
        self.served.traffic.is_on() && self.is_visitor
    }

    fn count(&self, request: &Parts, way: Came, client: IpAddr, learnt: &Learnt, answer: core::Answer) {
        if !self.is_counted() {
            return;
        }
        let facts = Facts { way, http: traffic::http(request.version) };
        // What led to no site came over a connection that was made for one.
        let of_connection = self.tls.as_ref().map_or(NO_SITE, |tls| tls.shaken.site);
        let site = learnt.site.as_ref().map_or(of_connection, |site| site.id);
        let class = Class { facts, answer, folder: learnt.folder };
        self.served.traffic.count(request, client, site, class, &learnt.trials);
    }
}

/// Reads a body that nobody wants, within bounds: a connection that is closed with bytes unread takes the answer with
/// it (RFC 9112 §9.6). A client that waits for leave to send one is not given it.
async fn swallow(mut body: Incoming, request: &Parts) {
    if body.is_end_stream() || request.headers.contains_key(EXPECT) {
        return;
    }
    let mut left = SWALLOWED;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.checked_sub(frame.data_ref().map_or(0, Bytes::len))?;
        }
        Some(())
    };
    if !matches!(timeout(PATIENCE, reading).await, Ok(Some(()))) {
        tracing::debug!(path = request.uri.path(), "the rest of a request's body is left unread");
    }
}

/// What browsers are told to remember of a site: for a name only, and never in clear (RFC 6797 §7.2, §8.1.1).
fn strict_transport_security(learnt: &Learnt, now: OffsetDateTime) -> Option<(HeaderName, HeaderValue)> {
    learnt.host.as_ref()?;
    let site = learnt.site.as_deref()?;
    let field = site.hsts?.field(site, now)?;
    Some((STRICT_TRANSPORT_SECURITY, HeaderValue::try_from(field).ok()?))
}

/// What every answer has. One to HEAD has no body; HTTP/2 would send it.
fn finish(mut answer: Answer, method: &Method) -> Answer {
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    match *method {
        Method::HEAD => answer.map(|_| Body::empty()),
        _ => answer,
    }
}

impl Service<Request<Incoming>> for Visit {
    type Response = Response<Logged>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let visit = self.clone();
        Box::pin(async move {
            swallow(body, &parts).await;
            Ok(visit.answer(parts).await)
        })
    }
}
