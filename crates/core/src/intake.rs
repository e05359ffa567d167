//! Reads whatever a CA's reply came as.

mod ber;
mod error;
pub(crate) mod pem;
mod piece;
mod pkcs7;

pub use self::error::IntakeError;
use self::piece::Piece;
use crate::chain::X509;

/// The most bytes a reply may have: 1 MiB.
pub const MAX_REPLY: usize = 1024 * 1024;

/// The most certificates a reply may hold.
pub const MAX_CERTIFICATES: usize = 100;

/// Every certificate in `bytes`, in the order found: PEM with or without text around it, CRLF or BOM; DER; PKCS#7 in
/// either.
///
/// # Errors
/// [`IntakeError`] by name. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<X509>, IntakeError> {
    let mut certificates = Vec::new();
    let mut instead = IntakeError::NothingFound;
    for piece in piece::pieces(bytes)? {
        match piece {
            Piece::Certificate(certificate) => certificates.push(certificate),
            Piece::Request => instead = IntakeError::Request,
            Piece::Key => return Err(IntakeError::PrivateKey),
            Piece::Pfx => return Err(IntakeError::Pkcs12),
        }
    }
    if certificates.is_empty() { Err(instead) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests;
