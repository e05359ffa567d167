//! What CAs look for in clear: the only answers that a site gives over plain HTTP although it requires SSL.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::path::UrlPath;

/// The row id of an exemption.
pub type ExemptionId = i64;

/// By whose rules a CA looks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExemptionKind {
    /// An ACME token (RFC 8555 §8.3).
    Acme,
    /// A file that shows control of a host name (CA/Browser Forum Baseline Requirements §3.2.2.4.18).
    File,
}

impl ExemptionKind {
    /// `acme` or `file`, as stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acme => "acme",
            Self::File => "file",
        }
    }

    /// Reads what [`ExemptionKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Acme, Self::File].into_iter().find(|kind| kind.as_str() == text)
    }

    /// The folder in which CAs look for it, relative to the site.
    fn folder(self) -> &'static str {
        match self {
            Self::Acme => ".well-known/acme-challenge/",
            Self::File => ".well-known/pki-validation/",
        }
    }
}

/// One answer to CAs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Row id.
    pub id: ExemptionId,
    /// By whose rules.
    pub kind: ExemptionKind,
    /// The last segment of its path.
    pub name: String,
    /// What is answered.
    pub content: Arc<str>,
    /// From then on it is not answered.
    pub ends_at: Option<OffsetDateTime>,
}

/// Why something is not answered to CAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadExemption {
    /// RFC 8555 §8.1.
    #[error("Paste the whole text that the ACME client shows: the token, a dot, and 43 more letters and digits.")]
    KeyAuthorization,
    /// The name of a file.
    #[error(
        "Enter the name as your CA gave it: at most 128 letters, digits, dots, hyphens and underscores, no dot first."
    )]
    Name,
    /// An empty file, or one that is too large.
    #[error("Enter what your CA wants to find in the file, at most 64 KiB.")]
    Content,
}

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptionDraft {
    pub(crate) kind: ExemptionKind,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) ends_at: Option<OffsetDateTime>,
}

impl ExemptionDraft {
    /// Bytes of a file.
    pub const MAX_CONTENT: usize = 64 * 1024;

    /// Characters of a name.
    const MAX_NAME: usize = 128;

    /// Base64url of a SHA-256 digest (RFC 7638 §3.1).
    const THUMBPRINT: usize = 43;

    /// An ACME token that is answered until `ends_at`, by its key authorization: the token, a dot and the thumbprint of
    /// the account's key.
    ///
    /// # Errors
    /// [`BadExemption::KeyAuthorization`].
    pub fn acme(key_authorization: &str, ends_at: OffsetDateTime) -> Result<Self, BadExemption> {
        let content = key_authorization.trim();
        let is_base64url =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let (token, thumbprint) = content.split_once('.').ok_or(BadExemption::KeyAuthorization)?;
        let fits = (1..=Self::MAX_NAME).contains(&token.len()) && thumbprint.len() == Self::THUMBPRINT;
        if !fits || !is_base64url(token) || !is_base64url(thumbprint) {
            return Err(BadExemption::KeyAuthorization);
        }
        let (name, content) = (token.to_owned(), content.to_owned());
        Ok(Self { kind: ExemptionKind::Acme, name, content, ends_at: Some(ends_at) })
    }

    /// What is to be answered at a path as [`Exemption::path`] gives it, under the checks of what is posted.
    pub(crate) fn at(path: &str, content: &str, ends_at: Option<OffsetDateTime>) -> Option<Self> {
        let name_in = |kind: ExemptionKind| path.strip_prefix('/')?.strip_prefix(kind.folder());
        match (name_in(ExemptionKind::Acme), name_in(ExemptionKind::File)) {
            (Some(name), _) => Self::acme(content, ends_at?).ok().filter(|draft| draft.name == name),
            (_, Some(name)) => Self::file(name, content).ok(),
            _ => None,
        }
    }

    /// A validation file, answered until it is removed.
    ///
    /// # Errors
    /// [`BadExemption::Name`], [`BadExemption::Content`].
    pub fn file(name: &str, content: &str) -> Result<Self, BadExemption> {
        let name = name.trim();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let fits = (1..=Self::MAX_NAME).contains(&name.len()) && !name.starts_with('.');
        if !fits || !name.bytes().all(allowed) {
            return Err(BadExemption::Name);
        }
        if content.trim().is_empty() || content.len() > Self::MAX_CONTENT {
            return Err(BadExemption::Content);
        }
        Ok(Self { kind: ExemptionKind::File, name: name.to_owned(), content: content.to_owned(), ends_at: None })
    }
}

impl Exemption {
    /// Its path, with a slash at the beginning.
    pub fn path(&self) -> String {
        format!("/{}{}", self.kind.folder(), self.name)
    }

    /// Whether it is answered at `now`.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    fn is_at(&self, path: &str) -> bool {
        path.strip_prefix(self.kind.folder()) == Some(self.name.as_str())
    }
}

/// The exemptions of a site, a bounded list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exemptions(Vec<Exemption>);

impl Exemptions {
    /// How many a site may have.
    pub const MAX: usize = 50;

    /// These.
    pub fn new(list: Vec<Exemption>) -> Self {
        Self(list)
    }

    /// All, ended ones too.
    pub fn list(&self) -> &[Exemption] {
        &self.0
    }

    /// The one at exactly this path, as it was read, that has not ended at `now`.
    pub fn find(&self, path: &UrlPath, now: OffsetDateTime) -> Option<&Exemption> {
        let wanted = path.relative();
        if path.is_folder() || !wanted.starts_with(".well-known/") {
            return None;
        }
        self.0.iter().find(|exemption| exemption.is_at(wanted) && exemption.is_live(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    const THUMBPRINT: &str = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

    fn exemption(draft: ExemptionDraft) -> Exemption {
        let ExemptionDraft { kind, name, content, ends_at } = draft;
        Exemption { id: 1, kind, name, content: content.into(), ends_at }
    }

    #[test]
    fn exactly_the_path_of_a_live_token_or_file_is_exempt() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let token = ExemptionDraft::acme(&format!("tok-en_1.{THUMBPRINT}"), now + Duration::HOUR).unwrap();
        let file = ExemptionDraft::file("fileauth.txt", "2024-abc").unwrap();
        let exempt = Exemptions::new([token, file].map(exemption).to_vec());
        let found = |path: &str, now| exempt.find(&UrlPath::parse(path).unwrap(), now).map(Exemption::path);
        for (path, is_exempt) in [
            ("/.well-known/acme-challenge/tok-en_1", true),
            ("//.well-known/./acme-challenge/tok%2Den_1", true),
            ("/.well-known/pki-validation/fileauth.txt", true),
            ("/.well-known/acme-challenge/tok-en_1/", false),
            ("/.well-known/acme-challenge/tok-en_1/x", false),
            ("/.well-known/acme-challenge/tok-en_", false),
            ("/.well-known/acme-challenge/Tok-en_1", false),
            ("/.Well-known/acme-challenge/tok-en_1", false),
            ("/.well-known/acme-challenge/", false),
            ("/.well-known/acme-challenge/fileauth.txt", false),
            ("/.well-known/pki-validation/tok-en_1", false),
            ("/.well-known/pki-validation/fileauth.txt.", false),
            ("/x/.well-known/acme-challenge/tok-en_1", false),
            ("/tok-en_1", false),
        ] {
            assert_eq!(found(path, now).is_some(), is_exempt, "{path}");
        }
        let later = now + Duration::HOUR;
        assert_eq!(found("/.well-known/acme-challenge/tok-en_1", later), None, "it has ended");
        assert!(found("/.well-known/pki-validation/fileauth.txt", later).is_some());
    }

    #[test]
    fn what_is_no_token_and_no_file_is_refused() {
        let now = OffsetDateTime::UNIX_EPOCH;
        for text in ["", "token", "token.", &format!(".{THUMBPRINT}"), &format!("../x.{THUMBPRINT}")] {
            assert_eq!(ExemptionDraft::acme(text, now), Err(BadExemption::KeyAuthorization), "{text:?}");
        }
        for name in ["", ".htaccess", "a/b", "..", "a b", "ä.txt", &"a".repeat(129)] {
            assert_eq!(ExemptionDraft::file(name, "x"), Err(BadExemption::Name), "{name:?}");
        }
        for content in ["", " \n", &"a".repeat(ExemptionDraft::MAX_CONTENT + 1)] {
            assert_eq!(ExemptionDraft::file("a.txt", content), Err(BadExemption::Content));
        }
    }
}
