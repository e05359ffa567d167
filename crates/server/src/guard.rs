//! Where a request is refused: every step between a request and a site's content, in order.

use std::cell::LazyCell;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderValue, Method};
use siteward_core::binding::Protocol;
use siteward_core::host::HostName;
use siteward_core::path::UrlPath;
use siteward_core::site::{Site, SiteId, SiteState};
use siteward_core::ssl::{ClientCertificate, Demands, Redirect, Refusal, TlsFacts, TlsPolicy, Transport, Verdict};
use siteward_core::table::SiteTable;
use siteward_core::traffic::Folder;
use siteward_core::trial::{Judged, TrialId, Would};
use time::OffsetDateTime;

use crate::asked;
use crate::client::Client;
use crate::refusal::Denial;

/// How a request came. Facts of its connection, and a trusted proxy's word: nothing a visitor writes into a request can
/// change them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    /// This machine's address and port.
    pub(crate) local: SocketAddr,
    /// The TLS handshake; `None` for plain HTTP.
    pub(crate) tls: Option<Shaken>,
    /// The client, where it showed a certificate at the handshake.
    pub(crate) client: Option<&'a Client>,
    /// Whether the visitor came over TLS to a trusted proxy, where that says so or otherwise.
    pub(crate) secured_to_proxy: Option<bool>,
}

impl Way<'_> {
    /// Whether others on the way could read it. A proxy's word that they could counts over Siteward's own TLS too.
    pub(crate) fn is_clear(&self) -> bool {
        !self.secured_to_proxy.unwrap_or(self.tls.is_some())
    }
}

/// A TLS handshake that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shaken {
    /// The site that the server name led to.
    pub(crate) site: SiteId,
    /// What the site's handshakes kept to at that time.
    pub(crate) policy: TlsPolicy,
    /// What was agreed on. What the client's certificate is worth is found out anew at each request.
    pub(crate) facts: TlsFacts,
}

/// A request that may have content: from which site, and what.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) site: Arc<Site>,
    pub(crate) path: UrlPath,
    /// What a CA looks for at this path; it is the content then.
    pub(crate) exempt: Option<Arc<str>>,
}

/// What was learnt of a request, whether it is admitted or not: for the access log and the traffic.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    pub(crate) host: Option<HostName>,
    pub(crate) site: Option<Arc<Site>>,
    pub(crate) folder: Folder,
    /// What the settings on trial would have made of it.
    pub(crate) trials: Vec<(TrialId, Would)>,
    /// What the client's certificate is worth; `None` where nobody looked at it.
    pub(crate) certificate: Option<ClientCertificate>,
}

/// Decides on one request, in this order:
/// 1. the host must be readable and the same wherever it is named, else 400;
/// 2. the path is read once, for policy and content alike, else 400;
/// 3. this machine's address and the host lead to a site, else 404; over TLS to the site of the handshake, else 421;
/// 4. the site is neither stopped nor locked, else 503;
/// 5. what the path demands of a connection is met, else 301, 308 or 403 with a substatus; 421 where a new handshake
///    of the visitor's may meet it. In clear only what a CA looks for at exactly this path is exempt, and that is no file of the site.
///    What settings on trial would say is learnt here, and changes nothing;
/// 6. the request reads, else 405.
pub(crate) fn admit(
    table: &SiteTable,
    way: &Way,
    request: &Parts,
    now: OffsetDateTime,
    learnt: &mut Learnt,
) -> Result<Admitted, Denial> {
    let host = asked::host(request)?;
    learnt.host.clone_from(&host);
    let path = UrlPath::parse(request.uri.path())?;
    learnt.folder = path.folder();

    let site = find_site(table, way, host.as_ref())?;
    learnt.site = Some(site.clone());
    if site.state == SiteState::Stopped || site.locked {
        return Err(Denial::Stopped);
    }

    let exempt = site.exemptions.find(&path, now).map(|exemption| exemption.content.clone());
    let is_exempt = way.is_clear() && exempt.is_some();
    let demands = site.rules.demands(&path);
    learnt.certificate = certificate(table, way, &demands, now);
    let verdict = demands.verdict(transport(way, learnt.certificate, request));
    let address = LazyCell::new(|| https_address(table, way, &site, host.as_ref(), request));
    if !is_exempt && !site.trials.is_empty() {
        // The handshake was about the CAs of these lists, unless they are others by now.
        let asks = |shaken: &Shaken| shaken.policy.ask_certificate && shaken.policy.trust == table.tls(&site).trust;
        let asked = way.tls.filter(asks).map(|_| site.rules.trust_lists());
        let transport = |demands: &Demands| transport(way, certificate(table, way, demands, now), request);
        let judged = Judged { path: &path, transport: &transport, asked, has_address: &|| address.is_some(), verdict };
        learnt.trials = site.trials.iter().filter_map(|trial| Some((trial.id, trial.would(&judged, now)?))).collect();
    }
    match verdict {
        Verdict::Go => {}
        _ if is_exempt => {}
        Verdict::Redirect(how) => return Err(redirect(how, &site, host.as_ref(), address.clone())),
        Verdict::Refuse(_) if can_be_cured(table, way, &site) => return Err(Denial::Misdirected),
        Verdict::Refuse(refusal) => return Err(refuse(refusal, &site, host.as_ref(), address.clone())),
    }

    if !reads(request) {
        return Err(Denial::Method);
    }
    Ok(Admitted { site, path, exempt })
}

/// A binding answers only over its own protocol: a connection may be older than the table.
fn find_site(table: &SiteTable, way: &Way, host: Option<&HostName>) -> Result<Arc<Site>, Denial> {
    let spoken = if way.tls.is_some() { Protocol::Https } else { Protocol::Http };
    let found = table
        .find(way.local.ip(), way.local.port(), host)
        .filter(|found| found.binding.place.protocol == spoken)
        .map(|found| found.site);
    match (found, way.tls) {
        (Some(site), None) => Ok(site.clone()),
        (Some(site), Some(shaken)) if site.id == shaken.site => Ok(site.clone()),
        (_, Some(_)) => Err(Denial::Misdirected),
        (None, None) => Err(Denial::NoSite),
    }
}

/// Whether the visitor's own handshake kept to less, or asked for less, than the site's handshakes do by now. One that a
/// trusted proxy made tells nothing of the visitor, however often it is made anew.
fn can_be_cured(table: &SiteTable, way: &Way, site: &Site) -> bool {
    way.secured_to_proxy.is_none() && way.tls.is_some_and(|shaken| shaken.policy != table.tls(site))
}

/// What the client's certificate is worth here and now, where somebody looks at it.
fn certificate(table: &SiteTable, way: &Way, demands: &Demands, now: OffsetDateTime) -> Option<ClientCertificate> {
    way.tls.filter(|_| demands.looks_at_certificates())?;
    Some(way.client.map_or(ClientCertificate::None, |client| client.worth(table, demands.trust.value, now)))
}

/// How a request came, as the verdict asks for it.
pub(crate) fn transport(way: &Way, certificate: Option<ClientCertificate>, request: &Parts) -> Transport {
    match way.tls {
        _ if way.is_clear() => Transport::Clear {
            credentials: request.headers.contains_key(AUTHORIZATION) || request.headers.contains_key(COOKIE),
            reads: reads(request),
        },
        Some(Shaken { facts, .. }) => {
            Transport::Tls(TlsFacts { client: certificate.unwrap_or(ClientCertificate::None), ..facts })
        }
        None => Transport::Proxied,
    }
}

fn reads(request: &Parts) -> bool {
    matches!(request.method, Method::GET | Method::HEAD)
}

fn redirect(how: Redirect, site: &Site, host: Option<&HostName>, address: Option<String>) -> Denial {
    match address.and_then(|address| HeaderValue::try_from(address).ok()) {
        Some(location) => Denial::Redirect { how, location },
        None => refuse(Refusal::SslRequired, site, host, None),
    }
}

fn refuse(refusal: Refusal, site: &Site, host: Option<&HostName>, address: Option<String>) -> Denial {
    let own = host.filter(|host| site.hosts().iter().any(|pattern| pattern.covers(host)));
    Denial::Refuse { refusal, host: own.map(HostName::unicode), address }
}

/// The same page over https: the site's own address, the visitor's path and query byte for byte. The path was read
/// before, so it begins with a slash.
fn https_address(
    table: &SiteTable,
    way: &Way,
    site: &Site,
    host: Option<&HostName>,
    request: &Parts,
) -> Option<String> {
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    site.https_address(table, Some(way.local.ip()), host).map(|address| address + target)
}

#[cfg(test)]
mod tests;
