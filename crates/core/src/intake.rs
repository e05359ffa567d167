//! Reads whatever a certificate came as: what a CA sent back, or a certificate together with its key.
//!
//! Three steps: `piece` tells apart what lies in a file, by its bytes alone; [`read`] takes the certificates of a
//! reply from that; [`open`] also decrypts and proves the keys.

mod archive;
pub(crate) mod ber;
mod cipher;
mod error;
mod key;
mod legacy_pem;
pub(crate) mod oid;
mod pair;
pub(crate) mod password;
pub(crate) mod pem;
mod pfx;
pub(crate) mod piece;
mod pkcs7;
mod scheme;

use std::collections::HashSet;

pub use self::error::IntakeError;
pub use self::pair::{Pair, PairError};
use self::password::Work;
use self::piece::Piece;
use crate::chain::X509;
use crate::key::PrivateKey;

/// The most bytes one file may have: 1 MiB.
pub const MAX_REPLY: usize = 1024 * 1024;

/// The most certificates, with keys, that are read at once.
pub const MAX_CERTIFICATES: usize = 100;

/// The most files that are read at once, and the most in an archive.
pub const MAX_FILES: usize = 50;

/// What was found in several files. Nothing is known yet of what belongs together.
#[derive(Debug)]
pub struct Found {
    /// In the order found, with duplicates.
    pub certificates: Vec<X509>,
    /// The name of the file that each of these came in.
    pub files: Vec<String>,
    /// In the order found, each once.
    pub keys: Vec<PrivateKey>,
    /// What was left out.
    pub notes: Vec<Note>,
}

/// A file, or a certificate in it, that was left out while others held something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its name as given; a stranger chose it.
    pub file: String,
    /// Why.
    pub reason: IntakeError,
}

impl Note {
    fn new(file: &str, reason: IntakeError) -> Self {
        Self { file: file.to_string(), reason }
    }
}

/// Every certificate in a CA's reply, in the order found: PEM with or without text around it, CRLF or BOM; DER; PKCS#7
/// in PEM, DER or BER; and ZIP archives of these.
///
/// # Errors
/// [`IntakeError`] by name. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<X509>, IntakeError> {
    let mut pieces = Vec::new();
    piece::gather("", bytes, &mut pieces)?;
    let mut certificates = Vec::new();
    let mut notes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Certificate(certificate) => certificates.push(*certificate),
            Piece::Key(_) | Piece::EncryptedKey(_) | Piece::LegacyKey(_) => return Err(IntakeError::PrivateKey),
            Piece::Pfx(_) => return Err(IntakeError::Pkcs12),
            Piece::Nothing(note) => notes.push(note),
        }
    }
    if certificates.is_empty() { Err(nothing(notes)) } else { Ok(certificates) }
}

/// Every certificate and every private key in `files`, named and in whatever form: as [`read`], also PFX (PKCS#12) and
/// keys as PKCS#8, PKCS#1 and SEC 1, encrypted or not. Hashing the password may take
/// seconds: call it where blocking is allowed.
///
/// # Errors
/// [`IntakeError`] by name; [`IntakeError::PasswordNeeded`] only where something is encrypted and `password` is missing
/// or empty. Never panics, whatever the bytes.
pub fn open(files: &[(&str, &[u8])], password: Option<&str>) -> Result<Found, IntakeError> {
    open_within(Work::new(), files, password)
}

/// The same with another budget of hashing.
pub(crate) fn open_within(
    mut work: Work,
    files: &[(&str, &[u8])],
    password: Option<&str>,
) -> Result<Found, IntakeError> {
    if files.len() > MAX_FILES {
        return Err(IntakeError::TooMany);
    }
    let mut pieces = Vec::new();
    let mut ends = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        piece::gather(name, bytes, &mut pieces)?;
        ends.push((name, pieces.len()));
    }
    let mut found = Found { certificates: Vec::new(), files: Vec::new(), keys: Vec::new(), notes: Vec::new() };
    let mut count = 0;
    for (index, piece) in pieces.into_iter().enumerate() {
        let file = ends.iter().find(|(_, end)| index < *end).map_or("", |(name, _)| name);
        let pieces = in_clear(piece, password.unwrap_or_default(), &mut work)?;
        count += pieces.len();
        if count > MAX_CERTIFICATES {
            return Err(IntakeError::TooMany);
        }
        for piece in pieces {
            found.take(file, piece)?;
        }
    }
    let mut seen = HashSet::new();
    found.keys.retain(|key| seen.insert(key.id()));
    if found.certificates.is_empty() && found.keys.is_empty() { Err(nothing(found.notes)) } else { Ok(found) }
}

impl Found {
    /// Takes up a piece of `file` in clear.
    fn take(&mut self, file: &str, piece: Piece) -> Result<(), IntakeError> {
        match piece {
            Piece::Certificate(certificate) => {
                self.certificates.push(*certificate);
                self.files.push(file.to_string());
            }
            Piece::Key(der) => self.keys.push(key::read(&der)?),
            Piece::Nothing(note) if note.file.is_empty() => self.notes.push(Note::new(file, note.reason)),
            Piece::Nothing(note) => self.notes.push(note),
            Piece::EncryptedKey(_) | Piece::LegacyKey(_) | Piece::Pfx(_) => {}
        }
        Ok(())
    }
}

/// The same piece, or what is in it, with what was encrypted decrypted.
fn in_clear(piece: Piece, password: &str, work: &mut Work) -> Result<Vec<Piece>, IntakeError> {
    Ok(match piece {
        Piece::EncryptedKey(der) => vec![Piece::Key(key::decrypt(&der, password, work)?)],
        Piece::LegacyKey(key) => vec![Piece::Key(key.decrypt(password)?)],
        Piece::Pfx(der) => {
            let mut inside = Vec::new();
            pfx::open(&der, password, work, &mut inside)?;
            inside
        }
        other => vec![other],
    })
}

/// The most telling reason why there is nothing.
fn nothing(mut notes: Vec<Note>) -> IntakeError {
    let request = notes.iter().position(|note| note.reason == IntakeError::Request);
    if notes.is_empty() { IntakeError::NothingFound } else { notes.swap_remove(request.unwrap_or(0)).reason }
}

#[cfg(test)]
mod tests;
