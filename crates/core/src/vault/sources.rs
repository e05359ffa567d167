//! Where master keys come from, and where a new one is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Ring;
use super::master_key::MasterKey;

/// The environment variable with the master key.
pub const MASTER_KEY_VARIABLE: &str = "SITEWARD_MASTER_KEY";

/// The name of the systemd credential with the master key.
pub const CREDENTIAL: &str = "siteward-master-key";

/// The file with the master key, in the data directory: 64 hexadecimal digits, mode 0600.
pub const MASTER_KEY_FILE: &str = "master.key";

/// The file with the key that is about to replace the master key, beside it.
pub const NEXT_KEY_FILE: &str = "master.key.next";

/// Longer than any file with a key, in bytes.
const LONGEST: u64 = 4096;

/// Where a key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Environment,
    Credential,
    File,
    Next,
}

/// The places where a master key may be.
pub(super) struct Sources {
    pub(super) environment: Option<Zeroizing<String>>,
    pub(super) credential: Option<PathBuf>,
    pub(super) folder: PathBuf,
}

impl Origin {
    /// Whether Siteward can't write there.
    pub(super) fn is_outside(self) -> bool {
        matches!(self, Self::Environment | Self::Credential)
    }
}

impl Sources {
    pub(super) fn of_this_process(folder: &Path) -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        Self {
            environment: std::env::var(MASTER_KEY_VARIABLE).ok().map(Zeroizing::new),
            credential: credentials.map(|folder| Path::new(&folder).join(CREDENTIAL)),
            folder: folder.to_owned(),
        }
    }

    /// Tells of a key file that others may read.
    pub(super) fn warn_of_readers(&self) {
        let path = self.folder.join(MASTER_KEY_FILE);
        if fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
            tracing::warn!("others may read the master key {}: make it 0600", path.display());
        }
    }

    /// Every key there is, in the order of the documentation: environment, credential, file, and the next one.
    pub(super) fn read(&self) -> Ring {
        let mut ring = Ring::default();
        // Before the file: a key that moves from the one to the other meanwhile is not missed.
        let next = self.folder.join(NEXT_KEY_FILE);
        let next_text = read(&next);
        if let Some(text) = &self.environment {
            ring.add(Origin::Environment, MASTER_KEY_VARIABLE, Ok(text.clone()));
        }
        if let Some(path) = &self.credential {
            ring.add(Origin::Credential, &path.display().to_string(), read(path));
        }
        let path = self.folder.join(MASTER_KEY_FILE);
        ring.add(Origin::File, &path.display().to_string(), read(&path));
        ring.add(Origin::Next, &next.display().to_string(), next_text);
        ring
    }

    /// Why `ring` does not open what it should, as a sentence that says what to do.
    pub(super) fn trouble(&self, ring: &Ring) -> String {
        let file = self.folder.join(MASTER_KEY_FILE);
        let why = match (ring.complaints.first(), ring.keys.first()) {
            (Some(complaint), _) => complaint.clone(),
            (None, Some((origin, _))) => {
                let named = match origin {
                    Origin::Environment => MASTER_KEY_VARIABLE.to_owned(),
                    Origin::Credential => format!("the credential {CREDENTIAL}"),
                    Origin::File | Origin::Next => file.display().to_string(),
                };
                format!("The master key in {named} is not the one this database was sealed with.")
            }
            (None, None) => format!("The master key {} can't be read: it is not there.", file.display()),
        };
        format!(
            "{why} Put it back from your backup; until then every site with an https binding stays closed. \
             Siteward notices by itself when it is back."
        )
    }

    /// Writes a new key to the file `name`, whole or not at all: half a master key would lock everything up for good.
    /// It belongs to the owner of the data directory, whoever runs this.
    pub(super) fn write(&self, name: &str) -> io::Result<()> {
        let text = MasterKey::generate().ok_or_else(|| io::Error::other("no random numbers"))?;
        let (path, half) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        let (owner, own) = (fs::metadata(&self.folder)?, file.metadata()?);
        if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&half, &path)?;
        self.sync_folder()
    }

    /// Makes the next key the master key.
    pub(super) fn put_in_place(&self) -> io::Result<()> {
        fs::rename(self.folder.join(NEXT_KEY_FILE), self.folder.join(MASTER_KEY_FILE))?;
        self.sync_folder()
    }

    pub(super) fn remove_next(&self) -> io::Result<()> {
        fs::remove_file(self.folder.join(NEXT_KEY_FILE))?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

impl Ring {
    fn add(&mut self, origin: Origin, place: &str, text: io::Result<Zeroizing<String>>) {
        match text.map(|text| MasterKey::parse(&text)) {
            Ok(Some(key)) => self.keys.push((origin, Arc::new(key))),
            Ok(None) => {
                self.complaints.push(format!("The master key {place} is damaged: it must be 64 hexadecimal digits."))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.complaints.push(format!("The master key {place} can't be read: {error}.")),
        }
    }
}

/// Reads a file with a key, without leaving copies behind.
fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1)); // growing would leave a copy behind
    match io::Read::read_to_string(&mut io::Read::take(file, LONGEST), &mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => text.clear(), // no text is no key
        read => drop(read?),
    }
    Ok(text)
}
