//! A site's files: found in its folder, answered as HTTP wants it.

mod folder;
mod opened;

use std::io;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, IF_RANGE, LOCATION, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Empty;
use siteward_core::site::Site;
use tower_http::services::ServeDir;

use crate::answer::{Answer, Body};
use crate::path::{UrlPath, encode};
use crate::refusal::Denial;
use folder::Found;
use opened::{OneFile, Opened};

/// Answers a GET or HEAD for `path` from the folder of `site`.
///
/// # Errors
/// [`Denial::NoPage`] for what is not there or must not be seen, [`Denial::Unreadable`] where the folder or the disk fails.
pub(crate) async fn answer(site: &Site, path: UrlPath, request: &Parts) -> Result<Answer, Denial> {
    if path.is_hidden() {
        return Err(Denial::NoPage);
    }
    let folder = site.folder.clone();
    let found = tokio::task::spawn_blocking(move || folder::find(&folder, path)).await;
    match found.map_err(io::Error::other).flatten() {
        Ok(Found::File(opened)) => Ok(file(opened, request).await),
        Ok(Found::Folder { relative }) => Ok(with_slash(&relative, request)),
        Ok(Found::Nothing) => Err(Denial::NoPage),
        Err(error) => {
            let folder = site.folder.display();
            tracing::warn!(site = site.name, %folder, %error, "a site's folder cannot be read");
            Err(Denial::Unreadable)
        }
    }
}

/// Leaves ETag, ranges, conditions and media types to `ServeDir`, over the one file that was opened already.
async fn file(opened: Opened, request: &Parts) -> Answer {
    let opened = OneFile::new(opened);
    let mut fields = request.headers.clone();
    if let Some(condition) = fields.remove(IF_RANGE) {
        // `ServeDir` does not know it: a part is only for whoever has the same version (RFC 9110 §13.1.5).
        let current = serve(&opened, &Method::HEAD, HeaderMap::new()).await;
        if current.headers().get(ETAG) != Some(&condition) {
            fields.remove(RANGE);
        }
    }
    let answer = serve(&opened, &request.method, fields).await;
    match opened.whole() {
        Some(bytes) if answer.status() == StatusCode::OK && request.method == Method::GET => {
            answer.map(|_| Body::from(bytes))
        }
        _ => answer,
    }
}

async fn serve(opened: &OneFile, method: &Method, fields: HeaderMap) -> Answer {
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method.clone();
    *request.headers_mut() = fields;
    let mut service = ServeDir::with_backend(opened.name(), opened.clone())
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

/// A folder asked for without its slash: relative links on its page would lead elsewhere.
fn with_slash(relative: &str, request: &Parts) -> Answer {
    let query = request.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let Ok(location) = HeaderValue::try_from(format!("/{}/{query}", encode(relative))) else {
        return Denial::BadPath.into_answer();
    };
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
