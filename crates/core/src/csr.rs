//! PKCS#10 certificate requests (RFC 2986).

use crate::key::PrivateKey;
use crate::subject::Subject;

/// The two armours a request can be saved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Armour {
    /// `BEGIN CERTIFICATE REQUEST` (RFC 7468 §7).
    Standard,
    /// `BEGIN NEW CERTIFICATE REQUEST`, as IIS writes it.
    New,
}

/// A signed request could not be made.
#[derive(Debug, thiserror::Error)]
#[error("The certificate request could not be made: {0}")]
pub struct CsrError(pub String);

/// Signs a request for `subject` with `key`; DER. Asks for the alternative names, key usage and serverAuth.
///
/// # Errors
/// [`CsrError`] where the library refuses a value.
pub fn sign(subject: &Subject, key: &PrivateKey) -> Result<Vec<u8>, CsrError> {
    let _ = (subject, key);
    todo!()
}

/// The request as text.
pub fn to_pem(der: &[u8], armour: Armour) -> String {
    let _ = (der, armour);
    todo!()
}
