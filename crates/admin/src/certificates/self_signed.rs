//! Certificates that their own key signs.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::certificate::{CertificateId, SubjectName};
use siteward_core::key::KeyKind;
use siteward_core::self_signed::MAX_DAYS;
use siteward_core::store::NewSelfSigned;
use siteward_core::subject::{Subject, SubjectAnswers};

use crate::error::{Answer, Failure};
use crate::form::{Errors, Fields, Refusal};
use crate::requests::wizard;
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SelfSignedForm {
    names: String,
    name: String,
    key: String,
    days: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/self_signed.html")]
struct NewPage {
    shell: Shell,
    form: SelfSignedForm,
    errors: Errors,
}

impl SelfSignedForm {
    fn parse(&self) -> Result<NewSelfSigned, Errors> {
        let mut errors = Errors::default();
        let names = errors.check("names", names(&self.names));
        let key = errors.check("key", KeyKind::parse(&self.key).ok_or("Choose a key."));
        let days = self.days.trim().parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
        let days = errors.check("days", days.ok_or(format!("Enter a number of days from 1 to {MAX_DAYS}.")));
        let first = names.as_ref().and_then(|names| names.first()).map(SubjectName::unicode).unwrap_or_default();
        let friendly_name = if self.name.trim().is_empty() { first } else { self.name.clone() };
        let new = || Some(NewSelfSigned { friendly_name, names: names?, key: key?, days: days? });
        let new = new();
        errors.or(new)
    }
}

/// The names as the wizard reads them, of which the first may be long.
fn names(text: &str) -> Result<Vec<SubjectName>, String> {
    let stand_in = SubjectAnswers { common_name: "name.invalid".into(), names: text.into(), ..Default::default() };
    let subject = Subject::parse(&stand_in)
        .map_err(|errors| errors.into_iter().map(|error| error.message).collect::<String>())?;
    let names: Vec<SubjectName> = subject.names.into_iter().skip(1).collect();
    if names.is_empty() { Err("Enter at least one name.".into()) } else { Ok(names) }
}

/// The form.
pub(crate) async fn new(session: Session) -> Answer {
    let form =
        SelfSignedForm { key: KeyKind::EcdsaP256.as_str().into(), days: "365".into(), ..SelfSignedForm::default() };
    Ok(page(&session, form, Errors::default()).await?.into_response())
}

async fn page(session: &Session, form: SelfSignedForm, errors: Errors) -> Result<NewPage, Failure> {
    Ok(NewPage { shell: session.shell("/certificates").await?, form, errors })
}

/// Makes it and installs it.
pub(crate) async fn create(session: Session, Fields(form): Fields<SelfSignedForm>) -> Answer {
    match make(&session, &form).await {
        Ok(id) => Ok(session.saved(&format!("/certificates/{id}"), Saved::CertificateInstalled).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            let page = page(&session, form, errors).await?;
            Ok((page.errors.status(), page).into_response())
        }
    }
}

async fn make(session: &Session, form: &SelfSignedForm) -> Result<CertificateId, Refusal> {
    let new = form.parse()?;
    Ok(session.store().create_self_signed(new, &session.author()).await?)
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    const FORM: [(&str, &str); 4] =
        [("names", "intranet\r\n*.intranet.example"), ("name", ""), ("key", "ecdsa-p256"), ("days", "30")];

    #[tokio::test]
    async fn a_self_signed_certificate_is_made_installed_and_says_who_will_be_warned() {
        let mut browser = Browser::signed_in().await;
        assert!(browser.get("/certificates/self-signed").await.html.contains("warns every visitor"));
        let page = browser.submit("/certificates/self-signed", &FORM).await;
        for text in ["Certificate installed.", "<h1>intranet</h1>", "signed by its own key", "*.intranet.example"] {
            assert!(page.html.contains(text), "no {text:?} in {}", page.html);
        }
        assert!(browser.get("/activity").await.html.contains("made a self-signed certificate, intranet"));
    }

    #[tokio::test]
    async fn what_cannot_be_made_comes_back_with_a_sentence_beside_it() {
        let mut browser = Browser::signed_in().await;
        let revision = browser.store.table().revision();
        for (field, value) in [
            ("names", ""),
            ("names", "two words"),
            ("key", "rsa-512"),
            ("days", "0"),
            ("days", "3651"),
            ("days", "a week"),
            ("name", "two\nlines"),
        ] {
            let mut form = FORM;
            form.iter_mut().filter(|(own, _)| *own == field).for_each(|(_, own)| *own = value);
            let page = browser.post("/certificates/self-signed", &form).await;
            assert_eq!(page.status, 422, "{field} {value:?}");
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{field} {value:?}: {}", page.html);
        }
        assert_eq!(browser.store.table().revision(), revision, "nothing was made");
    }
}
