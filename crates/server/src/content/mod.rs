//! A site's files: found in its folder, answered as HTTP wants it.

mod file;
mod folder;
mod recent;

use std::io;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use siteward_core::site::Site;

use crate::answer::{Answer, Body};
use crate::path::{UrlPath, encode};
use crate::refusal::Denial;
use file::File;
use folder::Found;
use recent::{Key, Recent};

/// Answers from the folders of sites.
#[derive(Debug)]
pub(crate) struct Content {
    recent: Recent,
}

impl Content {
    pub(crate) fn new() -> Self {
        Self { recent: Recent::new() }
    }

    /// Answers a GET or HEAD for `path` from the folder of `site`.
    ///
    /// # Errors
    /// [`Denial::NoPage`] for what is not there or must not be seen, [`Denial::Unreadable`] where the folder or the
    /// disk fails.
    pub(crate) async fn answer(&self, site: &Site, path: UrlPath, request: &Parts) -> Result<Answer, Denial> {
        if path.is_hidden() {
            return Err(Denial::NoPage);
        }
        let key = Key::new(site, path);
        if let Some(file) = self.recent.find(&key) {
            return Ok(file.answer(request).await);
        }
        let (folder, path) = (site.folder.clone(), key.path.clone());
        let found = tokio::task::spawn_blocking(move || folder::find(&folder, path)).await;
        let found = found.map_err(io::Error::other).flatten();
        if !matches!(found, Ok(Found::File(_))) {
            self.recent.forget(&key);
        }
        match found {
            Ok(Found::File(opened)) => {
                let file = File::new(opened).await;
                let answer = file.answer(request).await;
                self.recent.keep(key, file);
                Ok(answer)
            }
            Ok(Found::Folder { relative }) => Ok(with_slash(&relative, request)),
            Ok(Found::Nothing) => Err(Denial::NoPage),
            Err(error) => {
                let folder = site.folder.display();
                tracing::warn!(site = site.name, %folder, %error, "a site's folder cannot be read");
                Err(Denial::Unreadable)
            }
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
