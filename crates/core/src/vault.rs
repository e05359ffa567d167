//! Seals private keys at rest under a master key that is not in the database.
//!
//! A sealed text names the key it is sealed with, so that two keys can be in use while one replaces the other: the vault
//! keeps a ring of all master keys it finds, and looks again when it meets a text under a key it does not know.

mod master_key;
mod sources;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

pub(crate) use master_key::KeyId;
use master_key::MasterKey;
pub use sources::{CREDENTIAL, MASTER_KEY_FILE, MASTER_KEY_VARIABLE, NEXT_KEY_FILE};
use sources::{Origin, Sources};

/// How long a key that was looked for in vain is not looked for again.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a check says, and the row it is sealed for.
const CHECK: (&[u8], &[u8]) = (b"siteward", b"siteward vault check");

/// The master keys at hand.
pub struct Vault {
    sources: Sources,
    ring: ArcSwap<Ring>,
    /// The key last looked for in vain, and when.
    missed: Mutex<Option<(Option<KeyId>, Instant)>>,
}

/// The keys of one reading of the sources.
#[derive(Default)]
struct Ring {
    keys: Vec<(Origin, Arc<MasterKey>)>,
    /// Sentences about sources that are there and can't be read.
    complaints: Vec<String>,
}

/// Something could not be sealed or unsealed; a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VaultError(pub String);

/// What became of the new key when a rotation had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is where the old key was, or there is nothing to settle.
    InPlace,
    /// The environment or a credential has another key: a person must put the new one there.
    Waiting,
}

impl Vault {
    /// The vault of `data_dir`, with the keys of this process's environment and credentials.
    pub(crate) fn new(data_dir: &Path) -> Self {
        let sources = Sources::of_this_process(data_dir);
        sources.warn_of_readers();
        Self::with(sources)
    }

    fn with(sources: Sources) -> Self {
        let ring = ArcSwap::from_pointee(sources.read());
        Self { sources, ring, missed: Mutex::new(None) }
    }

    /// The key for a database in which nothing was ever sealed; made where no source has one.
    ///
    /// # Errors
    /// Where it can't be written, or a source is there and can't be read.
    pub(crate) fn first_key(&self) -> io::Result<KeyId> {
        let ring = self.ring.load();
        if let Some((_, key)) = ring.keys.first() {
            return Ok(key.id());
        }
        if let Some(complaint) = ring.complaints.first() {
            return Err(io::Error::other(complaint.clone()));
        }
        self.sources.write(MASTER_KEY_FILE)?;
        let ring = self.look_again();
        let key = ring.keys.first().ok_or_else(|| io::Error::other("the new master key can't be read"))?;
        Ok(key.1.id())
    }

    /// The key that is to replace `current`: one that an earlier attempt left, or a new one. It is on the disk.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn next_key(&self, current: KeyId) -> io::Result<KeyId> {
        if let Some(next) = self.look_again().next().filter(|next| *next != current) {
            return Ok(next);
        }
        self.sources.write(NEXT_KEY_FILE)?;
        self.look_again().next().ok_or_else(|| io::Error::other("the new master key can't be read"))
    }

    /// Puts the new key where the old one was, once everything is sealed under `current`. What was cut off is completed
    /// by the next call.
    ///
    /// # Errors
    /// Where the file can't be moved.
    pub(crate) fn settle(&self, current: KeyId) -> io::Result<Settled> {
        let ring = self.look_again();
        if ring.next() != Some(current) {
            return Ok(Settled::InPlace);
        }
        let mut outside = ring.keys.iter().filter(|(origin, _)| origin.is_outside()).peekable();
        if outside.peek().is_none() {
            self.sources.put_in_place()?;
        } else if outside.any(|(_, key)| key.id() == current) {
            self.sources.remove_next()?;
        } else {
            return Ok(Settled::Waiting);
        }
        Ok(Settled::InPlace)
    }

    /// Why the keys at hand do not open all of `checks`, as a sentence that says what to do. A key that opens none of
    /// them is no longer needed and wiped.
    pub(crate) fn trouble(&self, checks: &[Vec<u8>]) -> Option<String> {
        let ring = self.look_again();
        if !ring.opens(checks) {
            return Some(self.sources.trouble(&ring));
        }
        let needed = |key: &MasterKey| checks.iter().any(|check| opens(key, check));
        let keys = ring.keys.iter().filter(|(_, key)| needed(key)).cloned().collect();
        self.ring.store(Arc::new(Ring { keys, complaints: Vec::new() }));
        None
    }

    /// Whether the ring is made of the keys of `checks` and no other.
    pub(crate) fn fits(&self, checks: &[Vec<u8>]) -> bool {
        let ring = self.ring.load();
        let named = |check: &Vec<u8>| KeyId::of(check).is_some_and(|id| ring.keys.iter().any(|(_, k)| k.id() == id));
        checks.iter().all(named) && ring.keys.iter().all(|(_, k)| checks.iter().any(|c| KeyId::of(c) == Some(k.id())))
    }

    /// Whether the keys of all `checks` are at hand, so that a text that does not open is damaged.
    pub(crate) fn opens(&self, checks: &[Vec<u8>]) -> bool {
        self.ring.load().opens(checks)
    }

    /// A text by which `key` is known later on.
    ///
    /// # Errors
    /// Where the key is not at hand.
    pub(crate) fn check(&self, key: KeyId) -> Result<Vec<u8>, VaultError> {
        self.seal(CHECK.0, CHECK.1, key)
    }

    /// Which key opens `check`.
    pub(crate) fn key_of_check(&self, check: &[u8]) -> Option<KeyId> {
        let ring = self.ring.load();
        ring.keys.iter().find(|(_, key)| key.unseal(check, CHECK.1).is_some()).map(|(_, key)| key.id())
    }

    /// Seals `secret` for the row `identity` under `key`.
    ///
    /// # Errors
    /// Where the key is not at hand.
    pub(crate) fn seal(&self, secret: &[u8], identity: &[u8], key: KeyId) -> Result<Vec<u8>, VaultError> {
        let missing = || VaultError("The private key can't be sealed, because the master key is missing.".into());
        let key = self.find(Some(key), |ring| ring.find(key)).ok_or_else(missing)?;
        key.seal(secret, identity).ok_or_else(|| VaultError("The private key could not be sealed.".into()))
    }

    /// Opens what [`Vault::seal`] made for the row `identity`.
    ///
    /// # Errors
    /// Where `sealed` is damaged, of another row, or under a key that is not at hand.
    pub(crate) fn unseal(&self, sealed: &[u8], identity: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let damaged = || VaultError("The private key can't be unsealed: its record is damaged or destroyed.".into());
        if sealed.is_empty() {
            return Err(damaged());
        }
        let Some(id) = KeyId::of(sealed) else {
            let open = |ring: &Ring| ring.keys.iter().find_map(|(_, key)| key.unseal(sealed, identity));
            return self.find(None, open).ok_or_else(damaged);
        };
        let missing = || {
            VaultError(
                "The private key can't be unsealed, because its master key is missing. Put it back from your backup."
                    .into(),
            )
        };
        let key = self.find(Some(id), |ring| ring.find(id)).ok_or_else(missing)?;
        key.unseal(sealed, identity).ok_or_else(damaged)
    }

    /// What `pick` takes from the ring, if need be after another look at the sources. What was looked for in vain is
    /// not looked for again at once: nobody makes this read files for each handshake.
    fn find<T>(&self, id: Option<KeyId>, pick: impl Fn(&Ring) -> Option<T>) -> Option<T> {
        if let Some(found) = pick(&self.ring.load()) {
            return Some(found);
        }
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if missed.is_some_and(|(last, at)| last == id && at.elapsed() < PATIENCE) {
            return None;
        }
        // From this very reading: another thread may give up meanwhile what it does not know to be needed yet.
        let found = pick(&self.look_again());
        if found.is_none() {
            *missed = Some((id, Instant::now()));
        }
        found
    }

    /// What the sources have now. The ring keeps what it had: what is sealed under a key whose file just can't be read
    /// must not be lost by that. Only [`Vault::trouble`] tells which keys are no longer needed.
    fn look_again(&self) -> Ring {
        let now = self.sources.read();
        self.ring.rcu(|had| {
            let gone = had.keys.iter().filter(|(_, key)| now.find(key.id()).is_none());
            Ring { keys: now.keys.iter().chain(gone).cloned().collect(), complaints: Vec::new() }
        });
        now
    }
}

fn opens(key: &MasterKey, check: &[u8]) -> bool {
    key.unseal(check, CHECK.1).is_some_and(|text| *text == CHECK.0)
}

impl Ring {
    fn opens(&self, checks: &[Vec<u8>]) -> bool {
        checks.iter().all(|check| self.keys.iter().any(|(_, key)| opens(key, check)))
    }

    fn next(&self) -> Option<KeyId> {
        self.keys.iter().find(|(origin, _)| *origin == Origin::Next).map(|(_, key)| key.id())
    }

    fn find(&self, id: KeyId) -> Option<Arc<MasterKey>> {
        self.keys.iter().find(|(_, key)| key.id() == id).map(|(_, key)| key.clone())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([secret])")
    }
}

#[cfg(test)]
mod tests;
