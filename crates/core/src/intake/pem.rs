//! PEM (RFC 7468), written strictly and read generously. It may hold a key, so whatever is copied from it is wiped.

use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

use super::IntakeError;

/// One block between a BEGIN and an END line.
pub(crate) struct Block<'a> {
    /// What the BEGIN line says it is.
    pub(crate) label: &'a str,
    body: &'a str,
}

impl Block<'_> {
    /// The bytes in it.
    pub(crate) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
        decode(self.body).ok_or(IntakeError::Base64)
    }

    /// The value of a header above the base64 (RFC 1421 §4.6).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let headers = lines(self.body).filter_map(|line| line.split_once(':'));
        headers.filter(|(own, _)| own.trim_start_matches(['>', ' ']) == name).map(|(_, value)| value.trim()).next()
    }
}

/// Writes one block in lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    std::mem::take(&mut *encode_secret(label, der))
}

/// The same for a key: no copy of it stays behind.
pub(crate) fn encode_secret(label: &str, der: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(BASE64_STANDARD.encode(der));
    let marks = 2 * (label.len() + "-----BEGIN -----\n".len());
    let mut pem = Zeroizing::new(String::with_capacity(text.len() + text.len().div_ceil(64) + marks));
    pem.push_str(&["-----BEGIN ", label, "-----\n"].concat());
    for (i, c) in text.chars().enumerate() {
        if i > 0 && i % 64 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem.push_str(&["\n-----END ", label, "-----\n"].concat());
    pem
}

/// Base64 with headers above it, and white space and the marks of a quoted mail anywhere in it.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut joined = Zeroizing::new(String::with_capacity(text.len()));
    for line in lines(text).filter(|line| !line.contains(':')) {
        joined.extend(line.chars().filter(|c| !c.is_whitespace() && *c != '>'));
    }
    BASE64_STANDARD.decode(joined.as_bytes()).ok().map(Zeroizing::new)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r'])
}

/// Every block in `text`, whatever stands around them and however the lines end. Each look goes on where the last one
/// ended, so the time is linear in the text.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block<'_>>, IntakeError> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("-----BEGIN ") {
        if before.contains("-----END ") {
            return Err(IntakeError::Truncated);
        }
        let (label, after) = after.split_once("-----").ok_or(IntakeError::Truncated)?;
        let (body, after) = after.split_once("-----END ").ok_or(IntakeError::Truncated)?;
        let after = after.strip_prefix(label).ok_or(IntakeError::Truncated)?;
        let after = after.strip_prefix("-----").ok_or(IntakeError::Truncated)?;
        blocks.push(Block { label, body });
        rest = after;
    }
    if rest.contains("-----END ") { Err(IntakeError::Truncated) } else { Ok(blocks) }
}
