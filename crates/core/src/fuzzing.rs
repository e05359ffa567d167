//! What the fuzz targets in `fuzz/` call beside the public functions. It is built for them alone.

use crate::intake::password::Work;
use crate::intake::{self, Found, IntakeError, pem, piece};

/// Every block that `bytes` hold as PEM and that can be decoded: its label and its bytes.
///
/// # Errors
/// As [`intake::read`].
pub fn pem_blocks(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, IntakeError> {
    let text = piece::to_text(bytes);
    let decoded = |block: &pem::Block<'_>| Some((block.label.to_owned(), block.decode().ok()?.to_vec()));
    Ok(pem::blocks(&text)?.iter().filter_map(decoded).collect())
}

/// One block of PEM around `der`.
pub fn pem_encode(label: &str, der: &[u8]) -> String {
    pem::encode(label, der)
}

/// [`intake::open`] with a budget of so many rounds of hashing, so that a run is about reading and not about hashing.
///
/// # Errors
/// As [`intake::open`].
pub fn open_within(rounds: u64, files: &[(&str, &[u8])], password: Option<&str>) -> Result<Found, IntakeError> {
    intake::open_within(Work::of(rounds), files, password)
}
