//! Reads whatever a CA's reply came as.

use crate::chain::X509;

/// The most bytes a reply may have: 1 MiB.
pub const MAX_REPLY: usize = 1024 * 1024;

/// Why a reply can't be read. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Nothing but white space.
    #[error("The reply is empty. Paste the certificate the CA sent, with its BEGIN and END lines.")]
    Empty,
    /// Over [`MAX_REPLY`].
    #[error("The reply is larger than 1 MiB. A CA's reply is a few KiB; check that this is the right file.")]
    TooLarge,
    // The others are to be added by name: no certificate inside, a request instead, a private key inside, truncated,
    // bad base64, damaged DER, ...
}

/// Every certificate in `bytes`, in the order found: PEM with or without text around it, CRLF or BOM; or DER.
///
/// # Errors
/// [`IntakeError`] by name. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<X509>, IntakeError> {
    let _ = bytes;
    todo!()
}
