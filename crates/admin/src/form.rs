//! What every form has in common: how it is read, and how it comes back when it is refused.

use std::collections::BTreeSet;
use std::fmt::Display;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use siteward_core::host::HostPattern;
use siteward_core::ledger::Revision;
use siteward_core::site::Site;
use siteward_core::store::StoreError;
use time::OffsetDateTime;

use crate::error::Failure;
use crate::format;

/// The posted fields. Text fields are `String` with `#[serde(default)]`, so that every body can be read and answered.
pub(crate) struct Fields<T>(pub(crate) T);

/// The fields in the address, after the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

/// The ids in the path. What is no id is nothing that exists.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match axum_extra::extract::Form::from_request(request, state).await {
            Ok(axum_extra::extract::Form(fields)) => Ok(Self(fields)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Failure::TooLarge),
            Err(_) => Err(Failure::Malformed),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let asked = Query::from_request_parts(parts, state).await;
        asked.map(|Query(fields)| Self(fields)).map_err(|_| Failure::NotFound)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(ids)| Self(ids)).map_err(|_| Failure::NotFound)
    }
}

/// What is wrong with a form: sentences beside fields, or somebody else's change meanwhile. A fresh form has none.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    fields: Vec<(&'static str, String)>,
    conflict: Option<Conflict>,
}

/// Somebody else saved since the form was opened.
#[derive(Debug)]
pub(crate) struct Conflict {
    /// Who.
    pub(crate) by: String,
    /// When, as in `2 minutes ago`.
    pub(crate) ago: String,
    /// Setting, what is saved now, what was typed here: only where these differ.
    pub(crate) rows: Vec<(&'static str, String, String)>,
}

impl Errors {
    /// One sentence beside one field.
    pub(crate) fn one(field: &'static str, sentence: impl Display) -> Self {
        let mut errors = Self::default();
        errors.add(field, sentence);
        errors
    }

    /// Puts a sentence beside a field; an empty field name stands for the whole form.
    pub(crate) fn add(&mut self, field: &'static str, sentence: impl Display) {
        self.fields.push((field, sentence.to_string()));
    }

    /// The same with what stands beside `from` put beside `to`, for a form that asks for it there.
    pub(crate) fn at(mut self, from: &str, to: &'static str) -> Self {
        self.fields.iter_mut().filter(|(field, _)| *field == from).for_each(|(field, _)| *field = to);
        self
    }

    /// The same for a page without the fields that the sentences would stand beside, other than `confirmed`.
    pub(crate) fn without_fields(mut self) -> Self {
        self.fields.iter_mut().filter(|(field, _)| *field != "confirmed").for_each(|(field, _)| *field = "");
        self
    }

    /// The value, or its error beside the field.
    pub(crate) fn check<T, E: Display>(&mut self, field: &'static str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// `value` where every field could be read.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.fields.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// The first sentence beside this field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.all(field).next()
    }

    /// Every sentence beside this field.
    pub(crate) fn all<'a>(&'a self, field: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(name, _)| *name == field).map(|(_, sentence)| sentence.as_str())
    }

    /// Every sentence with its field, in the order of the form.
    pub(crate) fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// What somebody else saved meanwhile.
    pub(crate) fn conflict(&self) -> Option<&Conflict> {
        self.conflict.as_ref()
    }

    /// Shows in the comparison, where there is one, the settings that somebody else changed since the form was opened
    /// with `was`, unless they were changed to what is typed here.
    pub(crate) fn compare(&mut self, labels: &[&'static str], was: &[String], saved: &[String], typed: Vec<String>) {
        let Some(conflict) = &mut self.conflict else { return };
        for (index, ((label, saved), typed)) in labels.iter().zip(saved).zip(typed).enumerate() {
            if was.get(index) != Some(saved) && *saved != typed {
                conflict.rows.push((label, saved.clone(), typed));
            }
        }
    }

    /// What the page's title begins with.
    pub(crate) fn title(&self) -> &'static str {
        if self.status().is_success() { "" } else { "Error: " }
    }

    /// `3 answers need another look`, unless there is no answer to look at.
    pub(crate) fn heading(&self) -> String {
        let fields: BTreeSet<&str> =
            self.fields.iter().map(|(field, _)| *field).filter(|own| !own.is_empty()).collect();
        match fields.len() {
            0 => "Nothing was changed".into(),
            1 => "1 answer needs another look".into(),
            n => format!("{n} answers need another look"),
        }
    }

    /// 200 for a fresh form, 422 for answers to look at again, 409 for a conflict.
    pub(crate) fn status(&self) -> StatusCode {
        match (&self.conflict, self.fields.is_empty()) {
            (Some(_), _) => StatusCode::CONFLICT,
            (None, false) => StatusCode::UNPROCESSABLE_ENTITY,
            (None, true) => StatusCode::OK,
        }
    }
}

/// The version to save on: the newest where nobody touched the form's own settings since it was opened with `was`.
pub(crate) fn version(site: &Site, opened: Revision, was: &[String], saved: &[String]) -> Revision {
    if was == saved { site.version } else { opened }
}

/// Why a form was not saved.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Answers to look at again.
    Answers(Errors),
    /// The store said no.
    Store(StoreError),
}

impl From<Errors> for Refusal {
    fn from(errors: Errors) -> Self {
        Self::Answers(errors)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    /// What the form shows when it comes back.
    ///
    /// # Errors
    /// What no form can mend.
    pub(crate) fn errors(self, now: OffsetDateTime) -> Result<Errors, Failure> {
        match self {
            Self::Answers(errors) => Ok(errors),
            Self::Store(StoreError::Stale { by, at }) => {
                let conflict = Conflict { by, ago: format::ago(&at, &now), rows: Vec::new() };
                Ok(Errors { fields: Vec::new(), conflict: Some(conflict) })
            }
            Self::Store(error @ (StoreError::Gone | StoreError::Database(_) | StoreError::Internal(_))) => {
                Err(error.into())
            }
            Self::Store(error) => Ok(Errors::one(field_of(&error), error)),
        }
    }
}

/// The most host names that one form adds.
const MAX_HOSTS: usize = 100;

/// The host names typed into the field `host`, one on each line: each once; every name where none is given.
pub(crate) fn hosts(text: &str, errors: &mut Errors) -> Option<Vec<HostPattern>> {
    let mut hosts = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let host = HostPattern::parse(line).map_err(|error| format!("“{line}”: {error}"));
        let host = errors.check("host", host)?;
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.len() > MAX_HOSTS {
        errors.add("host", format!("Enter at most {MAX_HOSTS} host names here; add the others as bindings."));
    }
    if hosts.is_empty() {
        hosts.push(HostPattern::Any);
    }
    Some(hosts)
}

/// The field that a refusal of the store belongs to. Forms name their fields so that this holds for all of them.
fn field_of(error: &StoreError) -> &'static str {
    match error {
        StoreError::Name | StoreError::NameTaken(_) => "name",
        StoreError::Folder(_) => "folder",
        StoreError::PlaceTaken { .. } => "host",
        StoreError::PortSpeaks { .. } => "port",
        StoreError::CertificateNeeded => "certificate",
        StoreError::Doubtful(_) | StoreError::Unchecked(_) => "confirmed",
        StoreError::RuleTaken(_) => "path",
        StoreError::RuleEmpty | StoreError::TrialOfNothing => "ssl",
        StoreError::Reason => "reason",
        StoreError::PageTaken(_) => "shown",
        StoreError::TrustListGone | StoreError::NoTrustList | StoreError::NoTrustListAt(_) => "trust",
        StoreError::NotTrustable(_) | StoreError::CaListed(_) | StoreError::TrustListFull | StoreError::Crl(_) => {
            "reply"
        }
        StoreError::AllowRules => "rules",
        StoreError::HstsMaxAge => "age",
        StoreError::Preload(_) => "preload",
        StoreError::MailTaken => "mail",
        StoreError::NoRoot(_) | StoreError::RootTrusted(_) => "reply",
        StoreError::Note => "note",
        StoreError::OwnerGone => "owner",
        StoreError::Install(_) | StoreError::OtherRequest { .. } | StoreError::AlreadyInstalled(_) => "reply",
        _ => "",
    }
}

/// An address with its query, encoded; fields without a value are left out.
pub(crate) fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let query: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let first = if path.contains('?') { '&' } else { '?' };
    if query.is_empty() { path.to_owned() } else { format!("{path}{first}{}", query.join("&")) }
}

/// Percent-encoded but for the unreserved characters (RFC 3986 §2.3).
fn encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn a_fresh_form_has_nothing_to_complain_of() {
        assert_eq!(Errors::default().status(), StatusCode::OK);
        assert_eq!(Errors::default().title(), "");
    }

    #[test]
    fn a_refused_form_names_its_fields_and_counts_them() {
        let mut errors = Errors::one("port", "Enter a port from 1 to 65535.");
        assert_eq!(errors.heading(), "1 answer needs another look");
        errors.add("folder", "It is a file.");
        errors.add("folder", "It is full.");
        assert_eq!(errors.heading(), "2 answers need another look", "one for each field");
        assert_eq!(errors.all("folder").collect::<Vec<_>>(), ["It is a file.", "It is full."]);
        assert_eq!(Errors::one("", "It is in use.").heading(), "Nothing was changed");
        assert_eq!(errors.of("folder"), Some("It is a file."));
        assert_eq!(errors.of("name"), None);
        assert_eq!(errors.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn a_conflict_shows_only_what_somebody_else_changed_to_something_else() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::hours(1);
        let stale = StoreError::Stale { by: "Tomas Reyes".into(), at: now - Duration::minutes(2) };
        let mut errors = Refusal::from(stale).errors(now).unwrap();
        let texts = |texts: [&str; 3]| texts.map(String::from).to_vec();
        let (was, saved) = (texts(["Store", "/srv", "Off"]), texts(["Shop", "/srv", "Refuse"]));
        errors.compare(&["Name", "Folder", "SSL"], &was, &saved, texts(["Bookshop", "/srv/shop", "Refuse"]));
        assert_eq!(errors.status(), StatusCode::CONFLICT);
        let conflict = errors.conflict().unwrap();
        assert_eq!(conflict.ago, "2 minutes ago");
        assert_eq!(conflict.rows, [("Name", "Shop".to_owned(), "Bookshop".to_owned())]);
    }

    #[test]
    fn what_is_gone_is_no_matter_of_the_form() {
        let refusal = Refusal::from(StoreError::Gone);
        assert!(matches!(refusal.errors(OffsetDateTime::UNIX_EPOCH), Err(Failure::NotFound)));
    }

    #[test]
    fn an_address_is_encoded_and_leaves_out_what_is_empty() {
        assert_eq!(address("/sites", &[("f", ""), ("page", "")]), "/sites");
        assert_eq!(
            address("/sites", &[("f", "days<30 & ü"), ("page", "2")]),
            "/sites?f=days%3C30%20%26%20%C3%BC&page=2"
        );
    }
}
