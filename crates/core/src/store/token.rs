//! Random tokens for links and cookies. Only their digests are stored: whoever reads the file can't use them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Result, StoreError};
use crate::certificate::Fingerprint;

/// A random token of 256 bits, for an address.
///
/// # Errors
/// `Internal` where the system has no random numbers.
pub fn random() -> Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreError::Internal("no random numbers".into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A random token for a link or a cookie, and its digest for the database.
pub(super) fn new_token() -> Result<(String, Vec<u8>)> {
    let token = random()?;
    let digest = digest(&token);
    Ok((token, digest))
}

pub(super) fn digest(token: &str) -> Vec<u8> {
    Fingerprint::of(token.as_bytes()).0.to_vec()
}
