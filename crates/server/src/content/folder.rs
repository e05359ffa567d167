//! Finds what a path names below a site's folder, and never beside it.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use super::file::{Opened, Source};
use crate::path::UrlPath;

/// The page of a folder: the first of these that it has.
const DEFAULT_DOCUMENTS: [&str; 4] = ["index.html", "index.htm", "default.htm", "default.html"];

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

/// Looks `path` up below `folder`. Blocks.
///
/// The kernel resolves every step below the opened folder, symbolic links included, so that none leads out of it,
/// even if somebody swaps a folder for a link meanwhile.
///
/// # Errors
/// The folder itself can't be opened, or the disk fails.
pub(super) fn find(folder: &Path, path: UrlPath) -> io::Result<Found> {
    let root = Dir::open_ambient_dir(folder, ambient_authority())?;
    match find_below(&root, path) {
        Err(error) if means_nothing_there(&error) => Ok(Found::Nothing),
        found => found,
    }
}

fn find_below(root: &Dir, path: UrlPath) -> io::Result<Found> {
    let relative = path.relative();
    let (file, metadata) = open(root, if relative.is_empty() { "." } else { relative })?;
    if metadata.is_dir() {
        return match path.is_folder() {
            true => find_default_document(&Dir::from_std_file(file)),
            false => Ok(Found::Folder { relative: relative.to_owned() }),
        };
    }
    if path.is_folder() {
        return Ok(Found::Nothing);
    }
    read(relative, file, &metadata)
}

fn find_default_document(folder: &Dir) -> io::Result<Found> {
    for name in DEFAULT_DOCUMENTS {
        match open(folder, name) {
            Ok((file, metadata)) if metadata.is_file() => return read(name, file, &metadata),
            Ok(_) => {}
            Err(error) if means_nothing_there(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Found::Nothing)
}

/// Opens without waiting: a named pipe would otherwise hold a thread until somebody writes into it.
fn open(root: &Dir, relative: &str) -> io::Result<(std::fs::File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = root.open_with(relative, &options)?.into_std();
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn read(relative: &str, file: std::fs::File, metadata: &Metadata) -> io::Result<Found> {
    if !metadata.is_file() {
        return Ok(Found::Nothing);
    }
    let name = relative.rsplit('/').next().unwrap_or(relative).to_owned();
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
