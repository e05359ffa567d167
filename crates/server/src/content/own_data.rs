//! Siteward's own data, with the keys of all sites: no path, link or move makes it a site's content.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use siteward_core::store::SITES_FOLDER;

/// The data directory, known by itself and not by its name: whoever moves or mounts it elsewhere does not hide it.
#[derive(Debug)]
pub(super) struct OwnData {
    identity: Identity,
    /// Held open, so that no other directory gets its number.
    _directory: OwnedFd,
}

/// Device and inode number.
type Identity = (u64, u64);

/// Where a step has led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    Free,
    /// In the data directory, which is nobody's to see.
    Own,
    /// In its folder of sites, where each folder is a site's.
    Sites,
}

/// To pass through a directory, without leave to list it.
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl OwnData {
    /// # Errors
    /// The directory can't be opened.
    pub(super) fn at(data_dir: &Path) -> io::Result<Self> {
        let directory = openat(CWD, data_dir, STEP, Mode::empty())?;
        Ok(Self { identity: identity(&directory)?, _directory: directory })
    }

    /// Opens the folder of a site, whose path was stored without symbolic links.
    ///
    /// # Errors
    /// There is a symbolic link now, or one of the errors of [`OwnData::open_below`].
    pub(super) fn open_folder(&self, folder: &Path) -> io::Result<OwnedFd> {
        let below_root = folder.strip_prefix("/").map_err(io::Error::other)?;
        self.open_below(&File::open("/")?, below_root)
    }

    /// Opens a directory step by step from `start`, through no symbolic link.
    ///
    /// # Errors
    /// It leads into Siteward's own data, or a step is no directory.
    pub(super) fn open_below(&self, start: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
        let mut directory = openat(start, ".", STEP, Mode::empty())?;
        let mut ground = Ground::Free;
        for step in path.components() {
            let Component::Normal(name) = step else { continue };
            directory = openat(&directory, name, STEP, Mode::empty())?;
            ground = match ground {
                _ if identity(&directory)? == self.identity => Ground::Own,
                Ground::Own if name == SITES_FOLDER => Ground::Sites,
                Ground::Own => Ground::Own,
                Ground::Free | Ground::Sites => Ground::Free,
            };
        }
        match ground {
            Ground::Free => Ok(directory),
            Ground::Own | Ground::Sites => Err(io::Error::other("it leads into Siteward's own data")),
        }
    }
}

fn identity(directory: &OwnedFd) -> io::Result<Identity> {
    let stat = fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}
