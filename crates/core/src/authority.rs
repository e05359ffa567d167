//! Authorities: CAs that Siteward itself runs, for tests and private networks.

use time::OffsetDateTime;

use crate::certificate::SubjectName;
use crate::key::PrivateKey;

/// How long an authority's own certificate lasts: ten years, in days.
pub const AUTHORITY_DAYS: i64 = 3650;

/// How long a certificate issued by an authority lasts, in days.
pub const ISSUED_DAYS: i64 = 90;

/// A certificate could not be issued.
#[derive(Debug, thiserror::Error)]
#[error("The certificate could not be issued: {0}")]
pub struct IssueError(pub String);

/// Makes the self-signed certificate of an authority named `name`; DER. Path length 0, random serial, key identifiers.
///
/// # Errors
/// [`IssueError`].
pub fn create(name: &str, key: &PrivateKey, now: OffsetDateTime) -> Result<Vec<u8>, IssueError> {
    let _ = (name, key, now);
    todo!()
}

/// Issues a server certificate for what `csr` (DER) asks: its public key, subject and alternative names only; DER.
///
/// The request's own signature is verified first; unknown extensions are dropped. Valid from an hour ago for
/// [`ISSUED_DAYS`], but never longer than the authority.
///
/// # Errors
/// [`IssueError`] where the request can't be read or its signature does not hold.
pub fn sign_csr(csr: &[u8], authority: &[u8], key: &PrivateKey, now: OffsetDateTime) -> Result<Vec<u8>, IssueError> {
    let _ = (csr, authority, key, now);
    todo!()
}

/// Issues a server certificate for `names` and the key `subject_key`; DER. For the console itself.
///
/// # Errors
/// [`IssueError`].
pub fn issue(
    names: &[SubjectName],
    subject_key: &PrivateKey,
    authority: &[u8],
    key: &PrivateKey,
    now: OffsetDateTime,
) -> Result<Vec<u8>, IssueError> {
    let _ = (names, subject_key, authority, key, now);
    todo!()
}
