//! Small files that were read a moment ago, kept so that a busy page does not wait for the disk at every request.

use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use siteward_core::ledger::Revision;
use siteward_core::path::UrlPath;
use siteward_core::site::{Site, SiteId};

use super::file::InMemory;

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
    file: InMemory,
    since: Instant,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Recent {
    /// How long a file on disk may be newer than what is served, or twice as long: nobody sees it, and a file that is
    /// asked for ten thousand times a second is read ten times.
    const MOMENT: Duration = Duration::from_millis(100);

    /// Bytes of all files kept.
    const BYTES: u64 = 64 * 1024 * 1024;

    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(10_000, Self::BYTES, ByBytes))
    }

    /// The file, unless its moment is over. Then it gets another one first: whoever finds it old reads it anew, alone,
    /// and the others have the old one meanwhile.
    pub(super) fn find(&self, key: &Key) -> Option<InMemory> {
        let kept = self.0.get(key)?;
        if kept.since.elapsed() < Self::MOMENT {
            return Some(kept.file);
        }
        self.0.insert(key.clone(), Kept { since: Instant::now(), ..kept });
        None
    }

    /// Keeps a file that was just read, and gives it back; with the bytes of before, if it reads as before.
    pub(super) fn keep(&self, key: Key, file: InMemory) -> InMemory {
        let file = match self.0.get(&key) {
            Some(before) => file.sharing(before.file),
            None => file,
        };
        self.0.insert(key, Kept { file: file.clone(), since: Instant::now() });
        file
    }

    /// Drops what is there no longer.
    pub(super) fn forget(&self, key: &Key) {
        self.0.remove(key);
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
        overhead + (key.path.relative().len() + kept.file.bytes.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Described;
    use super::*;
    use bytes::Bytes;
    use std::time::SystemTime;

    fn key() -> Key {
        Key { site: 1, version: 1, path: UrlPath::parse("/a.txt").unwrap() }
    }

    async fn file(bytes: &'static [u8]) -> InMemory {
        let described = Described::new("a.txt".into(), SystemTime::UNIX_EPOCH, bytes.len() as u64).await.unwrap();
        InMemory::new(described, Bytes::copy_from_slice(bytes))
    }

    #[tokio::test]
    async fn one_reader_at_a_time_reads_an_old_file_anew() {
        let recent = Recent::new();
        recent.0.insert(key(), Kept { file: file(b"old").await, since: Instant::now() - 2 * Recent::MOMENT });
        assert!(recent.find(&key()).is_none(), "the first finds it old");
        assert_eq!(recent.find(&key()).unwrap().bytes, "old", "the others need not wait");
        recent.keep(key(), file(b"new").await);
        assert_eq!(recent.find(&key()).unwrap().bytes, "new");
        recent.forget(&key());
        assert!(recent.find(&key()).is_none());
    }

    #[tokio::test]
    async fn a_file_that_reads_as_before_takes_no_memory_again() {
        let recent = Recent::new();
        let first = recent.keep(key(), file(b"same").await);
        let second = recent.keep(key(), file(b"same").await);
        assert_eq!(second.bytes.as_ptr(), first.bytes.as_ptr());
        assert_eq!(recent.keep(key(), file(b"else").await).bytes, "else");
    }

    #[tokio::test]
    async fn a_changed_site_finds_nothing_of_before() {
        let recent = Recent::new();
        recent.keep(key(), file(b"old").await);
        assert!(recent.find(&Key { version: 2, ..key() }).is_none());
    }
}
