//! Finds what a path names below a site's folder, and never beside it.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags, openat};
use siteward_core::path::UrlPath;
use siteward_core::site::DEFAULT_DOCUMENTS;

use super::own_data::OwnData;

/// Files up to this size, in bytes, are read at once; larger ones as they are sent.
const READ_AT_ONCE: u64 = 64 * 1024;

/// What a path names.
#[derive(Debug)]
pub(super) enum Found {
    File(Opened),
    /// A folder, but the path does not end in a slash.
    Folder {
        /// Below the site's folder.
        relative: String,
    },
    Nothing,
}

/// A regular file below a site's folder.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its own name, which tells its media type.
    pub(super) name: String,
    pub(super) modified: SystemTime,
    /// In bytes.
    pub(super) len: u64,
    pub(super) source: Source,
}

/// Where its bytes are.
#[derive(Debug)]
pub(super) enum Source {
    Memory(Bytes),
    Disk(File),
}

/// Looks `path` up below `folder`. Blocks.
///
/// Symbolic links are followed below the opened folder only, so that none leads out of it; what they come to is then
/// opened without following any, even if somebody swaps a folder for a link meanwhile, and never in Siteward's own data.
///
/// # Errors
/// The folder itself can't be opened, a step leads into Siteward's own data, or the disk fails.
pub(super) fn find(own_data: &OwnData, folder: &Path, path: &UrlPath) -> io::Result<Found> {
    let root = Root { own_data, dir: Dir::from_std_file(own_data.open_folder(folder)?.into()) };
    match root.find(path) {
        Err(error) if means_nothing_there(&error) => Ok(Found::Nothing),
        found => found,
    }
}

/// The folder of a site, open.
struct Root<'a> {
    own_data: &'a OwnData,
    dir: Dir,
}

impl Root<'_> {
    fn find(&self, path: &UrlPath) -> io::Result<Found> {
        let relative = Path::new(path.relative());
        let (file, metadata) = self.open(relative)?;
        match (metadata.is_dir(), path.is_folder()) {
            (true, true) => self.find_default_document(relative),
            (true, false) => Ok(Found::Folder { relative: path.relative().to_owned() }),
            (false, true) => Ok(Found::Nothing),
            (false, false) => read(relative, file, &metadata),
        }
    }

    fn find_default_document(&self, folder: &Path) -> io::Result<Found> {
        for name in DEFAULT_DOCUMENTS.map(|name| folder.join(name)) {
            match self.open(&name) {
                Ok((file, metadata)) if metadata.is_file() => return read(&name, file, &metadata),
                Ok(_) => {}
                Err(error) if means_nothing_there(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Found::Nothing)
    }

    /// Opens without waiting: a named pipe would otherwise hold a thread until somebody writes into it.
    fn open(&self, relative: &Path) -> io::Result<(File, Metadata)> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let real = self.dir.canonicalize(relative)?;
        let folder = self.own_data.open_below(&self.dir, real.parent().unwrap_or(Path::new("")))?;
        let name = real.file_name().unwrap_or(OsStr::new("."));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(folder, name, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }
}

fn read(path: &Path, file: File, metadata: &Metadata) -> io::Result<Found> {
    if !metadata.is_file() {
        return Ok(Found::Nothing);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (len, source) = match metadata.len() {
        len if len <= READ_AT_ONCE => {
            let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
            file.take(len).read_to_end(&mut bytes)?;
            (bytes.len() as u64, Source::Memory(Bytes::from(bytes)))
        }
        len => (len, Source::Disk(file)),
    };
    Ok(Found::File(Opened { name, modified: metadata.modified()?, len, source }))
}

/// Not there, not for this process to see, or on a way out of the folder.
fn means_nothing_there(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    let is_loop = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    let kinds = [InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied];
    is_loop || kinds.contains(&error.kind())
}
