//! A site's files: found in its folder, answered as HTTP wants it.

mod file;
mod folder;
mod own_data;
mod own_page;
mod recent;
mod sending;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use siteward_core::path::{UrlPath, encode};
use siteward_core::refused::Reference;
use siteward_core::site::{Site, SiteId};

use crate::answer::{Answer, Body};
use crate::complaints::Complaints;
use crate::limits::Limits;
use crate::places::Places;
use crate::refusal::Denial;
use file::{Described, InMemory};
use folder::{Found, Opened, Source};
use own_data::OwnData;
use recent::{Key, Recent};

pub(crate) use own_page::OwnPage;
pub(crate) use sending::Sending;

/// Answers from the folders of sites.
#[derive(Debug)]
pub(crate) struct Content {
    /// `None` where Siteward's own data can't be told from a site's: then nothing is served.
    own_data: Option<Arc<OwnData>>,
    recent: Recent,
    /// For files that are read as they are sent.
    sendings: Places,
    idle: Duration,
    complaints: Complaints<SiteId>,
    /// About sites' own pages.
    missed: Complaints<SiteId>,
}

impl Content {
    /// Serves nothing of `data_dir` but what is its sites'.
    pub(crate) fn new(data_dir: &Path, limits: &Limits) -> Self {
        let own_data = OwnData::at(data_dir)
            .inspect_err(|error| tracing::error!(%error, "no file is served: the data directory can't be opened"));
        Self {
            own_data: own_data.ok().map(Arc::new),
            recent: Recent::new(),
            sendings: limits.places(),
            idle: limits.idle,
            complaints: Complaints::new(),
            missed: Complaints::new(),
        }
    }

    /// Answers a GET or HEAD for `path`, whose sender is known as `sharer`, from the folder of `site`.
    ///
    /// # Errors
    /// [`Denial::NoPage`] for what is not there or must not be seen, [`Denial::Unreadable`] where the folder or the
    /// disk fails, [`Denial::Busy`] while too many large files are being sent.
    pub(crate) async fn answer(
        &self,
        site: &Site,
        path: UrlPath,
        request: &Parts,
        sharer: Option<IpAddr>,
    ) -> Result<Answer, Denial> {
        if path.is_hidden() {
            return Err(Denial::NoPage);
        }
        let key = Key::new(site, path);
        let answered = match self.recent.find(&key) {
            Some(file) => file.answer(&request.headers).await.map(Ok),
            None => self.answer_from_disk(site, key, request, sharer).await,
        };
        answered.unwrap_or_else(|error| {
            if self.complaints.due(site.id) {
                let folder = site.folder.display();
                tracing::warn!(site = site.name, %folder, %error, "a site's folder cannot be read");
            }
            Err(Denial::Unreadable)
        })
    }

    /// The file at `path` of `site`, to be shown instead of a built-in page, with the visitor's `reference` wherever it asks
    /// for it; nothing where it can't be read, or is not a small one. It is the site's word to those who get nothing else,
    /// so its rules are not asked.
    pub(crate) async fn own_page(&self, site: &Site, path: &UrlPath, reference: Option<Reference>) -> Option<OwnPage> {
        let key = Key::new(site, path.clone());
        let read = match self.recent.find(&key) {
            Some(file) => Ok(file),
            None => self.read_small(site, key).await,
        };
        match read {
            Ok(file) => Some(file.own_page(reference)),
            Err(cause) => {
                if self.missed.due(site.id) {
                    let (site, path) = (&site.name, path.relative());
                    tracing::warn!(site, path, %cause, "a site's own page cannot be shown; the built-in one is");
                }
                None
            }
        }
    }

    /// A file that is kept whole.
    async fn read_small(&self, site: &Site, key: Key) -> io::Result<InMemory> {
        let read = match self.find(site, key.path.clone()).await {
            Ok(Found::File(Opened { name, modified, len, source: Source::Memory(bytes) })) => {
                Ok(InMemory::new(Described::new(name, modified, len).await?, bytes))
            }
            Ok(Found::File(_)) => Err(io::Error::other("it is too large")),
            Ok(Found::Folder { .. } | Found::Nothing) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error),
        };
        match read {
            Ok(file) => Ok(self.recent.keep(key, file)),
            Err(error) => {
                self.recent.forget(&key);
                Err(error)
            }
        }
    }

    async fn answer_from_disk(
        &self,
        site: &Site,
        key: Key,
        request: &Parts,
        sharer: Option<IpAddr>,
    ) -> io::Result<Result<Answer, Denial>> {
        let found = self.find(site, key.path.clone()).await;
        if !matches!(found, Ok(Found::File(Opened { source: Source::Memory(_), .. }))) {
            self.recent.forget(&key);
        }
        let Opened { name, modified, len, source } = match found? {
            Found::File(opened) => opened,
            Found::Folder { relative } => return Ok(with_slash(&relative, request)),
            Found::Nothing => return Ok(Err(Denial::NoPage)),
        };
        let described = Described::new(name, modified, len).await?;
        let file = match source {
            Source::Memory(bytes) => {
                let file = self.recent.keep(key, InMemory::new(described, bytes));
                return file.answer(&request.headers).await.map(Ok);
            }
            Source::Disk(file) => file,
        };
        let (head, range) = described.answer(&request.headers).await?;
        if request.method == Method::HEAD || range.is_empty() {
            return Ok(Ok(head.map(|()| Body::empty())));
        }
        let Some(place) = self.sendings.take(sharer) else { return Ok(Err(Denial::Busy)) };
        Ok(Ok(head.map(|()| Body::File(Sending::new(file, range, place, self.idle)))))
    }

    async fn find(&self, site: &Site, path: UrlPath) -> io::Result<Found> {
        let own_data = self.own_data.clone().ok_or_else(|| io::Error::other("the data directory can't be opened"))?;
        let folder = site.folder.clone();
        tokio::task::spawn_blocking(move || folder::find(&own_data, &folder, &path)).await.map_err(io::Error::other)?
    }
}

/// A folder asked for without its slash: relative links on its page would lead elsewhere.
fn with_slash(relative: &str, request: &Parts) -> Result<Answer, Denial> {
    let query = request.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = HeaderValue::try_from(format!("/{}/{query}", encode(relative))).map_err(|_| Denial::BadPath)?;
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}
