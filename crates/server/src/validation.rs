//! What a CA looks for to see who controls a host name, from memory.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response};

use crate::answer::{Answer, Body};

/// The text as text, whatever it is: nothing that is answered in clear here is to be run by a browser.
pub(crate) fn answer(content: &str) -> Answer {
    let body = Bytes::copy_from_slice(content.as_bytes());
    let length = body.len();
    let mut answer = Response::new(Body::from(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}
