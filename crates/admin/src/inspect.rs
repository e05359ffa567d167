//! Reads any request or certificate that is brought, and judges it. Nothing of it is kept.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartRejection;
use axum::response::{IntoResponse, Response};
use siteward_core::inspect::{self, Facts, Field, InspectError, Inspected, Kind};
use siteward_core::intake::{MAX_CERTIFICATES, MAX_REPLY};
use siteward_core::lint::{self, Finding, Profile, Severity};
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::Errors;
use crate::format;
use crate::session::Session;
use crate::shell::Shell;

/// What was brought, and by whose rules to judge it.
#[derive(Debug)]
struct Form {
    files: Vec<Vec<u8>>,
    text: String,
    profile: Profile,
}

impl Default for Form {
    fn default() -> Self {
        Self { files: Vec::new(), text: String::new(), profile: Profile::PublicCa }
    }
}

impl Form {
    async fn receive(multipart: Result<Multipart, MultipartRejection>) -> Result<Self, Failure> {
        let mut multipart = multipart.map_err(|_| Failure::Malformed)?;
        let mut form = Self::default();
        while let Some(field) = multipart.next_field().await? {
            match field.name() {
                Some("file") => form.files.push(field.bytes().await?.to_vec()),
                Some("text") => form.text = String::from_utf8_lossy(&field.bytes().await?).into_owned(),
                Some("profile") => {
                    let posted = field.bytes().await?;
                    let posted = std::str::from_utf8(&posted).ok().and_then(Profile::parse);
                    form.profile = posted.unwrap_or(Profile::PublicCa);
                }
                _ => {}
            }
        }
        Ok(form)
    }

    /// Everything in it. A file input that was left empty arrives as an empty file.
    fn read(&self) -> Result<Vec<Inspected>, InspectError> {
        let files = self.files.iter().map(Vec::as_slice);
        let parts: Vec<&[u8]> =
            files.chain([self.text.as_bytes()]).filter(|part| !part.trim_ascii().is_empty()).collect();
        if parts.is_empty() {
            return Err(InspectError::Empty);
        }
        if parts.iter().map(|part| part.len()).sum::<usize>() > MAX_REPLY {
            return Err(InspectError::TooLarge);
        }
        let mut all = Vec::new();
        for part in parts {
            all.extend(inspect::read(part)?);
        }
        if all.len() > MAX_CERTIFICATES { Err(InspectError::TooMany) } else { Ok(all) }
    }
}

/// One thing that was found, as it is shown.
pub(crate) struct Shown {
    title: String,
    /// Fields under their headings.
    pub(crate) sections: Vec<(&'static str, Vec<Field>)>,
    pub(crate) findings: Vec<Finding>,
    /// How many findings there are, in words.
    pub(crate) verdict: String,
}

impl Shown {
    /// `place` says which of several it is, and may be empty.
    pub(crate) fn new(inspected: Inspected, place: &str, profile: Profile, on: OffsetDateTime) -> Self {
        let Inspected { kind, summary, fields, facts } = inspected;
        let what = match kind {
            Kind::Request => "Request",
            Kind::Certificate if facts.is_ca => "CA certificate",
            Kind::Certificate => "Certificate",
        };
        let findings = lint::judge(&facts, profile, on);
        let mut sections: Vec<(&'static str, Vec<Field>)> = Vec::new();
        for field in fields {
            match sections.last_mut().filter(|(section, _)| *section == field.section) {
                Some((_, fields)) => fields.push(field),
                None => sections.push((field.section, vec![field])),
            }
        }
        Self {
            title: format!("{what}{place}: {summary}"),
            sections,
            verdict: verdict(&findings, &facts, profile, on),
            findings,
        }
    }
}

/// `5 refusals and 2 notes by the rules of public CAs of today, 22 November 2026.`
fn verdict(findings: &[Finding], facts: &Facts, profile: Profile, on: OffsetDateTime) -> String {
    let kinds = [(Severity::Refuse, "refusal"), (Severity::Warn, "warning"), (Severity::Note, "note")];
    let counted = kinds.into_iter().filter_map(|(severity, word)| {
        let count = findings.iter().filter(|finding| finding.severity == severity).count();
        (count > 0).then(|| format::count(count, word, &format!("{word}s")))
    });
    let found = match findings {
        [] => "Nothing against it".to_owned(),
        _ => format::list(&counted.collect::<Vec<_>>()),
    };
    let rules = match profile {
        Profile::PublicCa => "rules of public CAs",
        Profile::PrivateCa => "rules of browsers for any CA",
    };
    let day = match facts.validity {
        Some((issued, _)) => format!("the day it was issued, {}", format::date(&issued)),
        None => format!("today, {}", format::date(&on)),
    };
    let only = if facts.is_ca { " Of a CA only the key and the signature are judged." } else { "" };
    format!("{found} by the {rules} of {day}.{only}")
}

#[derive(Template, WebTemplate)]
#[template(path = "inspect/show.html")]
struct InspectPage {
    shell: Shell,
    errors: Errors,
    text: String,
    profile: Profile,
    found: Vec<Shown>,
}

impl InspectPage {
    async fn answer(session: &Session, form: Form, found: Vec<Shown>, errors: Errors) -> Result<Response, Failure> {
        let shell = session.shell("/certificates").await?;
        let page = Self { shell, text: form.text, profile: form.profile, found, errors };
        Ok((page.errors.status(), page).into_response())
    }
}

/// The form alone.
pub(crate) async fn new(session: Session) -> Answer {
    InspectPage::answer(&session, Form::default(), Vec::new(), Errors::default()).await
}

/// Shows what was brought. A private key is never sent back, not even to the one who pasted it.
pub(crate) async fn show(session: Session, multipart: Result<Multipart, MultipartRejection>) -> Answer {
    let form = Form::receive(multipart).await?;
    match form.read() {
        Ok(all) => {
            let count = all.len();
            let place = |index| if count > 1 { format!(" {} of {count}", index + 1) } else { String::new() };
            let shown = |(index, own)| Shown::new(own, &place(index), form.profile, session.now);
            let found = all.into_iter().enumerate().map(shown).collect();
            InspectPage::answer(&session, form, found, Errors::default()).await
        }
        Err(error) => {
            let text = if error == InspectError::PrivateKey { String::new() } else { form.text };
            InspectPage::answer(&session, Form { text, ..form }, Vec::new(), Errors::one("file", error)).await
        }
    }
}

/// The colour of a finding.
pub(crate) fn tone(severity: &Severity) -> &'static str {
    match severity {
        Severity::Refuse => "bad",
        Severity::Warn => "warn",
        Severity::Note => "",
    }
}

/// What its shape means, in a word.
pub(crate) fn word(severity: &Severity) -> &'static str {
    match severity {
        Severity::Refuse => "Refused",
        Severity::Warn => "Warning",
        Severity::Note => "Note",
    }
}

#[cfg(test)]
mod tests;
