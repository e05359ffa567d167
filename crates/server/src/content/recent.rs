//! Small files that were read a moment ago, kept so that a busy page does not wait for the disk at every request.

use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};

use super::file::File;
use crate::path::UrlPath;

/// Files by where they were found.
#[derive(Debug)]
pub(super) struct Recent(Cache<Key, Kept, ByBytes>);

/// A path of a site as it stands: a changed site has a new version, so nothing of its old folder is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    site: SiteId,
    version: Revision,
    pub(super) path: UrlPath,
}

#[derive(Debug, Clone)]
struct Kept {
    file: File,
    since: Instant,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Recent {
    /// How long a file on disk may be newer than what is served: nobody sees it, and a file that is asked for ten
    /// thousand times a second is read ten times.
    const MOMENT: Duration = Duration::from_millis(100);

    /// Bytes of all files kept.
    const BYTES: u64 = 64 * 1024 * 1024;

    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(10_000, Self::BYTES, ByBytes))
    }

    pub(super) fn find(&self, key: &Key) -> Option<File> {
        self.0.get(key).filter(|kept| kept.since.elapsed() < Self::MOMENT).map(|kept| kept.file)
    }

    /// Keeps a file whose bytes are in memory. One that is read as it is sent is not worth keeping.
    pub(super) fn keep(&self, key: Key, file: File) {
        if file.whole().is_some() {
            self.0.insert(key, Kept { file, since: Instant::now() });
        }
    }
}

impl Key {
    pub(super) fn new(site: &Site, path: UrlPath) -> Self {
        Self { site: site.id, version: site.version, path }
    }
}

impl Weighter<Key, Kept> for ByBytes {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let overhead = 1_024; // head, key and bookkeeping
        overhead + (key.path.relative().len() + kept.file.whole().map_or(0, |bytes| bytes.len())) as u64
    }
}
