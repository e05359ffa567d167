//! ZIP archives, as CAs send a certificate with its issuers. Only what was really unpacked is counted, since an archive may
//! lie about its sizes.

use std::io::{Cursor, Read};

use zeroize::Zeroizing;
use zip::ZipArchive;

use super::piece::{self, Piece};
use super::{IntakeError, MAX_FILES, MAX_REPLY, Note};

/// The most bytes of all files together.
const MAX_UNPACKED: u64 = 10 * 1024 * 1024;

/// Puts what the files in the archive hold to `pieces`. A file that holds nothing of use is noted.
pub(super) fn unpack(bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| IntakeError::Archive)?;
    if archive.len() > MAX_FILES {
        return Err(IntakeError::ArchiveTooLarge);
    }
    let mut left = MAX_UNPACKED;
    for i in 0..archive.len() {
        let file = archive.by_index(i).map_err(|_| IntakeError::Archive)?;
        if file.is_dir() {
            continue;
        }
        let name = file.name().map_err(|_| IntakeError::Archive)?.into_owned();
        let mut content = Zeroizing::new(Vec::new());
        file.take(left + 1).read_to_end(&mut content).map_err(|_| IntakeError::Archive)?;
        left = left.checked_sub(content.len() as u64).ok_or(IntakeError::ArchiveTooLarge)?;
        if content.len() > MAX_REPLY {
            pieces.push(Piece::Nothing(Note::new(&name, IntakeError::TooLarge)));
        } else {
            piece::in_file(&name, &content, pieces)?;
        }
    }
    Ok(())
}
