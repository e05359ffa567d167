//! Siteward's own documents: revocation lists and certificates of its authorities. They belong to no site.
//!
//! Whoever checks a certificate must be able to fetch them in clear (RFC 5280 §8: a list over https could need itself),
//! so they are answered on every http port, whatever the host, at their very paths. They are signed, public, and never a
//! site's content, so no site's SSL settings concern them.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use siteward_core::document::{Document, ROOT};
use siteward_core::table::SiteTable;

use crate::answer::{Answer, Body};
use crate::asked;
use crate::guard::Way;

/// How long caches on the way may keep a document: a revocation is to be seen soon.
const FRESH: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The document that a request asks for, in plain HTTP with a readable host; `None` leaves it to the sites.
pub(crate) fn find<'a>(table: &'a SiteTable, way: &Way, request: &Parts) -> Option<&'a Document> {
    let path = request.uri.path();
    if way.tls.is_some() || !path.starts_with(ROOT) || asked::host(request).is_err() {
        return None;
    }
    table.document(path)
}

/// The answer to GET and HEAD, with its conditions (RFC 9110 §13.1); 405 to anything else.
pub(crate) fn answer(document: &Document, request: &Parts) -> Answer {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let tag = tag(document);
    let made_at = document.made_at.into();
    let is_known = match request.headers.contains_key(IF_NONE_MATCH) {
        true => is_held(request, &tag),
        false => modified_since(request).is_some_and(|since| made_at <= since),
    };
    let body = if is_known { Bytes::new() } else { Bytes::from_owner(document.body.clone()) };
    let length = body.len();
    let mut answer = Response::new(Body::from(body));
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, FRESH);
    headers.extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    headers.extend(HeaderValue::try_from(httpdate::fmt_http_date(made_at)).map(|date| (LAST_MODIFIED, date)));
    if is_known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return answer;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(document.kind.content_type()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}

/// Whether one of the tags that the client holds is this one, by the weak comparison (RFC 9110 §13.1.2): caches may have
/// weakened it.
fn is_held(request: &Parts, tag: &str) -> bool {
    let fields = request.headers.get_all(IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok());
    let mut held = fields.flat_map(|field| field.split(',')).map(str::trim);
    held.any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

fn modified_since(request: &Parts) -> Option<std::time::SystemTime> {
    httpdate::parse_http_date(request.headers.get(IF_MODIFIED_SINCE)?.to_str().ok()?).ok()
}

/// A strong validator: the digest of the bytes.
fn tag(document: &Document) -> String {
    let digits: String = document.digest.0[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}
