//! Certificates in PKCS#7, as `.p7b` and `.p7c` files hold them (RFC 5652 §5.1, RFC 2315).
//!
//! Typed decoders are too strict for this: CAs sort the set as they like, mix in old kinds of certificates, and use
//! indefinite lengths. The signature, where there is one, is not looked at: each certificate proves itself.

use super::IntakeError;
use super::ber::{CONTEXT_0, Element, OID, SEQUENCE};
use super::oid;

/// The certificates inside, each as it was signed; revocation lists and attribute certificates are left out.
pub(super) fn certificates<'a>(content_info: &Element<'a>) -> Result<Vec<Element<'a>>, IntakeError> {
    let [kind, content] = content_info.children().ok_or(IntakeError::Damaged)?[..] else {
        return Err(IntakeError::Damaged);
    };
    if kind.tag != OID || kind.content != oid::SIGNED_DATA {
        return Err(IntakeError::Pkcs7);
    }
    let signed_data = content.tagged(CONTEXT_0).and_then(|content| Element::only(content.content));
    let parts = signed_data.and_then(|data| data.tagged(SEQUENCE)?.children()).ok_or(IntakeError::Damaged)?;
    let Some(set) = parts.iter().find(|part| part.tag == CONTEXT_0) else {
        return Err(IntakeError::Pkcs7);
    };
    let mut certificates = set.children().ok_or(IntakeError::Damaged)?;
    certificates.retain(|choice| choice.tag == SEQUENCE);
    if certificates.is_empty() { Err(IntakeError::Pkcs7) } else { Ok(certificates) }
}
