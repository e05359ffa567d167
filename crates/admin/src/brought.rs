//! What was brought to a page: files, dropped or chosen, and pasted text. It may hold private keys, so it is wiped on
//! drop and never sent back where it may.

use axum::extract::{FromRequest, Multipart, Request};
use siteward_core::chain::X509;
use siteward_core::intake::{self, IntakeError, MAX_CERTIFICATES, MAX_FILES};
use zeroize::Zeroizing;

use crate::BODY_LIMIT;
use crate::error::Failure;

/// What pasted text is called where files have names.
const PASTED: &str = "the pasted text";

/// Files with their names, and pasted text: the fields `reply` and `text` of the macro `bring`; and what else the form asks.
#[derive(Default)]
pub(crate) struct Brought {
    files: Vec<(String, Zeroizing<Vec<u8>>)>,
    text: Zeroizing<String>,
    answers: Vec<(String, Zeroizing<String>)>,
}

impl Brought {
    /// Nothing where it is too large.
    pub(crate) async fn receive(request: Request) -> Result<Option<Self>, Failure> {
        Self::receive_within(BODY_LIMIT, request).await
    }

    /// The same with another limit, in bytes, which the route has too.
    pub(crate) async fn receive_within(limit: usize, request: Request) -> Result<Option<Self>, Failure> {
        let Some(request) = crate::fitting(limit, request).await else { return Ok(None) };
        let multipart = Multipart::from_request(request, &()).await.map_err(|_| Failure::Malformed)?;
        match Self::collect(multipart).await {
            Err(Failure::TooLarge) => Ok(None),
            brought => brought.map(Some),
        }
    }

    async fn collect(mut multipart: Multipart) -> Result<Self, Failure> {
        let mut brought = Self::default();
        while let Some(field) = multipart.next_field().await? {
            let file = field.file_name().unwrap_or_default().to_owned();
            match field.name() {
                // A file input that was left empty arrives as an empty file without a name.
                Some("reply") => {
                    let content = Zeroizing::new(field.bytes().await?.to_vec());
                    if !content.is_empty() || !file.is_empty() {
                        brought.files.push((file, content));
                    }
                }
                Some("text") => brought.text = String::from_utf8_lossy(&field.bytes().await?).into_owned().into(),
                Some(name) => {
                    let name = name.to_owned();
                    brought.answers.push((name, String::from_utf8_lossy(&field.bytes().await?).into_owned().into()));
                }
                None => {}
            }
        }
        Ok(brought)
    }

    /// One file, for tests.
    #[cfg(test)]
    pub(crate) fn of(content: &[u8]) -> Self {
        Self { files: vec![("file".into(), Zeroizing::new(content.to_vec()))], ..Self::default() }
    }

    /// Whether a file that is not blank is among it.
    pub(crate) fn has_files(&self) -> bool {
        self.files.iter().any(|(_, content)| !content.trim_ascii().is_empty())
    }

    /// The field that what is wrong with it belongs to.
    pub(crate) fn field(&self) -> &'static str {
        if !self.has_files() && !self.text.trim().is_empty() { "text" } else { "reply" }
    }

    /// The pasted text again, to be kept in a form that comes back; nothing where it may hold a private key in any form.
    pub(crate) fn text(&self) -> String {
        use IntakeError::{Base64, Empty, NothingFound, Request, Truncated, WebPage};
        let harmless = match intake::read(self.text.as_bytes()) {
            Ok(_) => true,
            Err(error) => matches!(error, Base64 | Empty | NothingFound | Request | Truncated | WebPage),
        };
        if harmless && !self.text.contains("PRIVATE KEY") { self.text.to_string() } else { String::new() }
    }

    /// What was answered to another field of the form; empty where it was not asked.
    pub(crate) fn answer(&self, name: &str) -> &str {
        self.answers.iter().find(|(own, _)| own == name).map_or("", |(_, answer)| answer)
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.files.iter().map(|(_, content)| content.len()).sum::<usize>()
    }

    /// The names of its files, in words.
    pub(crate) fn names(&self) -> String {
        let text = (!self.text.trim().is_empty()).then(|| PASTED.to_owned());
        let files = self.files.iter().map(|(name, _)| name.clone()).filter(|name| !name.is_empty());
        crate::format::list(&files.chain(text).collect::<Vec<_>>())
    }

    /// What is not blank, each with its name.
    ///
    /// # Errors
    /// `Empty`, `TooMany`.
    pub(crate) fn parts(&self) -> Result<Vec<(&str, &[u8])>, IntakeError> {
        let files = self.files.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
        let text = [(PASTED, self.text.as_bytes())];
        let parts: Vec<_> = files.chain(text).filter(|(_, content)| !content.trim_ascii().is_empty()).collect();
        match parts.len() {
            0 => Err(IntakeError::Empty),
            1..=MAX_FILES => Ok(parts),
            _ => Err(IntakeError::TooMany),
        }
    }

    /// Every certificate in it, where there is to be nothing else.
    ///
    /// # Errors
    /// As [`intake::read`].
    pub(crate) fn certificates(&self) -> Result<Vec<X509>, IntakeError> {
        let mut certificates = Vec::new();
        for (_, content) in self.parts()? {
            certificates.extend(intake::read(content)?);
        }
        if certificates.len() > MAX_CERTIFICATES { Err(IntakeError::TooMany) } else { Ok(certificates) }
    }
}
