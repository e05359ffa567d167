//! Where a rule stands: a folder or a file of a site, or all of it.

use std::fmt;

use super::spelling;
use crate::path::UrlPath;

/// The path of a folder or file as rules name it: read like a visitor's, without its first slash; empty for the site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RulePath(String);

/// Why a rule can't stand at a path as typed. Each message is a sentence for the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// It can't be read as a path, or holds a name that no file system tells from another.
    #[error("Enter a folder or file as in an address, such as /account or /catalogue/print.")]
    Unreadable,
    /// It names the site itself.
    #[error("Enter a folder or a file. What holds for the whole site is set above.")]
    WholeSite,
    /// Longer than [`RulePath::MAX_BYTES`] or deeper than [`RulePath::MAX_DEPTH`].
    #[error("Enter a shorter path: at most 1,000 characters and 30 folders.")]
    TooLong,
}

impl RulePath {
    /// The longest path of a rule, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 1_000;

    /// The most folders within each other.
    pub const MAX_DEPTH: usize = 30;

    /// Where what is set holds for the whole site.
    pub fn site() -> Self {
        Self::default()
    }

    /// Reads a folder or file as typed, with or without slashes around it, percent-encoded as in an address.
    ///
    /// # Errors
    /// [`BadPlace`].
    pub fn parse(text: &str) -> Result<Self, BadPlace> {
        if text.contains(['?', '#']) {
            return Err(BadPlace::Unreadable); // in an address, the path ends there
        }
        let path = UrlPath::parse(&format!("/{}", text.trim())).map_err(|_| BadPlace::Unreadable)?;
        match path.relative() {
            "" => Err(BadPlace::WholeSite),
            path if path.len() > Self::MAX_BYTES || path.split('/').count() > Self::MAX_DEPTH => Err(BadPlace::TooLong),
            path if path.split('/').any(|name| spelling::common(name).is_empty()) => Err(BadPlace::Unreadable),
            path => Ok(Self(path.to_owned())),
        }
    }

    /// Reads what [`RulePath::as_str`] gave.
    ///
    /// # Errors
    /// [`BadPlace`] for what it never gives.
    pub fn stored(text: &str) -> Result<Self, BadPlace> {
        let path = if text.is_empty() { Self::site() } else { Self::parse(&crate::path::encode(text))? };
        if path.0 == text { Ok(path) } else { Err(BadPlace::Unreadable) }
    }

    /// As stored: decoded, without its first slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the whole site.
    pub fn is_site(&self) -> bool {
        self.0.is_empty()
    }
}

/// `/catalogue/print`
impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}
