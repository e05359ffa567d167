//! Seals private keys at rest under a master key that is not in the database.
//!
//! AES-256-GCM-SIV (RFC 8452): a repeated nonce reveals only that two texts are equal. The id of the key pair is the
//! associated data, so a sealed key that is moved to another row does not open.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// The file with the master key, in the data directory: 64 hexadecimal digits, mode 0600.
pub const MASTER_KEY_FILE: &str = "master.key";

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;

/// The sealing key, or why there is none.
pub enum Vault {
    /// Keys can be sealed and unsealed.
    Open(Box<RandomizedNonceKey>),
    /// They can't, for this reason: a sentence that says what to do.
    Closed(String),
}

/// Something could not be sealed or unsealed; a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VaultError(pub String);

impl Vault {
    /// Reads the master key of `data_dir`.
    ///
    /// `check` is a text sealed earlier under the right key: with it, a missing or different key closes the vault.
    /// Without it nothing was ever sealed, and a missing key is made.
    ///
    /// # Errors
    /// Where a new master key can't be written.
    pub fn open(data_dir: &Path, check: Option<&[u8]>) -> io::Result<Self> {
        let path = data_dir.join(MASTER_KEY_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && check.is_none() => create(&path)?,
            Err(error) => {
                return Ok(Self::Closed(format!(
                    "The master key {} can't be read: {error}. Put it back from your backup and restart Siteward; until then sites with a certificate stay closed.",
                    path.display()
                )));
            }
        };
        if fs::metadata(&path)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!("others may read the master key {}: make it 0600", path.display());
        }
        let Some(key) = parse(&text) else {
            return Ok(Self::Closed(format!(
                "The master key {} is damaged: it must be 64 hexadecimal digits. Put it back from your backup and restart Siteward; until then sites with a certificate stay closed.",
                path.display()
            )));
        };
        let vault = Self::Open(Box::new(key));
        match check {
            Some(sealed) if vault.unseal(sealed, CHECK).is_err() => Ok(Self::Closed(format!(
                "The master key {} is not the one this database was sealed with. Put the right one back from your backup and restart Siteward; until then sites with a certificate stay closed.",
                path.display()
            ))),
            _ => Ok(vault),
        }
    }

    /// The text that tells the right master key later on.
    ///
    /// # Errors
    /// Where the vault is closed.
    pub fn check(&self) -> Result<Vec<u8>, VaultError> {
        self.seal(b"siteward", CHECK)
    }

    /// Seals `secret` for the row `identity`.
    ///
    /// # Errors
    /// Where the vault is closed.
    pub fn seal(&self, secret: &[u8], identity: &[u8]) -> Result<Vec<u8>, VaultError> {
        let room = secret.len() + AES_256_GCM_SIV.tag_len(); // growing would leave a copy behind
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        text.extend_from_slice(secret);
        let nonce = self
            .key()?
            .seal_in_place_append_tag(Aad::from(identity), &mut *text)
            .map_err(|_| VaultError("The key could not be sealed.".into()))?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what [`Vault::seal`] made for the row `identity`.
    ///
    /// # Errors
    /// Where the vault is closed, or `sealed` is damaged, of another row, or under another master key.
    pub fn unseal(&self, sealed: &[u8], identity: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let damaged = || VaultError("The private key can't be unsealed: its record is damaged or destroyed.".into());
        let key = self.key()?;
        let (&version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        if version != VERSION {
            return Err(damaged());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut text = Zeroizing::new(text.to_vec());
        let len = key.open_in_place(nonce, Aad::from(identity), &mut text).map_err(|_| damaged())?.len();
        text.truncate(len);
        Ok(text)
    }

    /// Why the vault is closed, as a sentence.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Open(_) => None,
            Self::Closed(why) => Some(why),
        }
    }

    fn key(&self) -> Result<&RandomizedNonceKey, VaultError> {
        match self {
            Self::Open(key) => Ok(key),
            Self::Closed(why) => Err(VaultError(why.clone())),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.trouble().is_none() { "Vault::Open([secret])" } else { "Vault::Closed" })
    }
}

const CHECK: &[u8] = b"siteward vault check";

fn create(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| io::Error::other("no random numbers"))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LEN + 1));
    for byte in bytes.iter() {
        fmt::Write::write_fmt(&mut *text, format_args!("{byte:02x}")).map_err(io::Error::other)?;
    }
    text.push('\n');
    // Whole or not at all: half a master key would lock everything up for good.
    let half = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&half, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())?;
    Ok(text)
}

fn parse(text: &str) -> Option<RandomizedNonceKey> {
    let digits = text.trim_end();
    if digits.len() != 2 * KEY_LEN || !digits.is_ascii() {
        return None;
    }
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()?;
    }
    RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_first_start_makes_a_master_key_that_only_its_owner_reads() {
        let folder = folder();
        assert!(Vault::open(folder.path(), None).unwrap().trouble().is_none());
        let mode = fs::metadata(folder.path().join(MASTER_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_sealed_opens_again_after_a_restart_and_for_its_own_row_only() {
        let folder = folder();
        let vault = Vault::open(folder.path(), None).unwrap();
        let (sealed, check) = (vault.seal(b"secret", b"row 1").unwrap(), vault.check().unwrap());
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        let again = Vault::open(folder.path(), Some(&check)).unwrap();
        assert_eq!(again.unseal(&sealed, b"row 1").unwrap().as_slice(), b"secret");
        assert!(again.unseal(&sealed, b"row 2").is_err());
        for cut in 0..sealed.len() {
            assert!(again.unseal(&sealed[..cut], b"row 1").is_err());
        }
    }

    #[test]
    fn a_missing_damaged_or_other_master_key_closes_the_vault_and_says_so() {
        let folder = folder();
        let check = Vault::open(folder.path(), None).unwrap().check().unwrap();
        let path = folder.path().join(MASTER_KEY_FILE);
        for (content, words) in
            [(Some("00".repeat(32)), "not the one"), (Some("äh".repeat(20)), "damaged"), (None, "can't be read")]
        {
            match content {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let vault = Vault::open(folder.path(), Some(&check)).unwrap();
            assert!(vault.trouble().unwrap().contains(words), "{:?}", vault.trouble());
            assert!(vault.seal(b"x", b"y").is_err());
            assert!(path.exists() == (words != "can't be read"), "no new key is made over an old database");
        }
    }
}
