//! What the team adds to a certificate: its friendly name, who looks after it, a note.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::certificate::CertificateId;
use siteward_core::ledger::{Revision, UserId};
use siteward_core::store::{Certificate, CertificateEdit, StoreError};

use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EditForm {
    version: Revision,
    /// What the form was opened with.
    was: Vec<String>,
    name: String,
    /// A person's id, or empty.
    owner: String,
    note: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/edit.html")]
struct EditPage {
    shell: Shell,
    form: EditForm,
    errors: Errors,
    certificate: Certificate,
    /// The team: id and name.
    people: Vec<(String, String)>,
}

impl EditForm {
    fn of(certificate: &Certificate) -> Self {
        Self {
            version: certificate.version,
            was: texts(certificate),
            name: certificate.friendly_name.clone(),
            owner: certificate.owner.as_ref().map(|(id, _)| id.to_string()).unwrap_or_default(),
            note: certificate.note.clone(),
        }
    }

    fn parse(&self) -> Result<CertificateEdit, Errors> {
        let owner = match self.owner.as_str() {
            "" => None,
            id => Some(id.parse::<UserId>().map_err(|_| Errors::one("owner", StoreError::OwnerGone))?),
        };
        Ok(CertificateEdit { friendly_name: self.name.clone(), owner, note: self.note.clone() })
    }
}

/// The settings as shown in a comparison.
fn texts(certificate: &Certificate) -> Vec<String> {
    let owner = certificate.owner.as_ref().map_or("Nobody", |(_, name)| name);
    vec![certificate.friendly_name.clone(), owner.to_owned(), certificate.note.clone()]
}

async fn page(
    session: &Session,
    id: CertificateId,
    form: Option<EditForm>,
    errors: Errors,
) -> Result<EditPage, Failure> {
    let certificate = session.store().find_certificate(id).await?;
    let people = session.store().list_users().await?;
    Ok(EditPage {
        shell: session.shell("/certificates").await?,
        form: form.unwrap_or_else(|| EditForm::of(&certificate)),
        errors,
        certificate,
        people: people.into_iter().map(|person| (person.id.to_string(), person.name)).collect(),
    })
}

/// The form.
pub(crate) async fn edit(session: Session, At(id): At<CertificateId>) -> Answer {
    Ok(page(&session, id, None, Errors::default()).await?.into_response())
}

/// Saves it, unless somebody else did meanwhile.
pub(crate) async fn update(session: Session, At(id): At<CertificateId>, Fields(form): Fields<EditForm>) -> Answer {
    match save(&session, id, &form).await {
        Ok(()) => Ok(session.saved(&format!("/certificates/{id}"), Saved::CertificateEdited).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            let mut page = page(&session, id, Some(form), errors).await?;
            page.compare();
            Ok((page.errors.status(), page).into_response())
        }
    }
}

async fn save(session: &Session, id: CertificateId, form: &EditForm) -> Result<(), Refusal> {
    let edit = form.parse()?;
    Ok(session.store().update_certificate(id, form.version, edit, &session.author()).await?)
}

impl EditPage {
    /// Shows what somebody else saved; saving again replaces it knowingly.
    fn compare(&mut self) {
        if self.errors.conflict().is_none() {
            return;
        }
        let one_kind = |text: &String| text.replace("\r\n", "\n");
        let was: Vec<String> = self.form.was.iter().map(one_kind).collect();
        let owner = self.people.iter().find(|(id, _)| *id == self.form.owner);
        let owner = owner.map_or("Nobody".into(), |(_, name)| name.clone());
        let typed = vec![self.form.name.clone(), owner, one_kind(&self.form.note)];
        let saved = texts(&self.certificate);
        self.errors.compare(&["Friendly name", "Owner", "Note"], &was, &saved, typed);
        self.form.version = self.certificate.version;
        self.form.was = saved;
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Browser, NAME};

    #[tokio::test]
    async fn name_owner_and_note_are_saved_and_shown() {
        let mut browser = Browser::signed_in().await;
        browser.https_site("Bookshop", "shop.example", "off").await;
        let form = browser.get("/certificates/1/edit").await;
        assert!(form.html.contains(r#"value="shop.example""#) && form.html.contains(NAME), "{}", form.html);
        let me = browser.store.list_users().await.unwrap()[0].id.to_string();
        let fields = [("version", "0"), ("name", "Shop 2026"), ("owner", &me), ("note", "Ordered by\r\n<b>Ada</b>")];
        let page = browser.submit("/certificates/1/edit", &fields).await;
        for text in ["Certificate saved.", "Shop 2026, issued by", NAME, "Ordered by<br>&#60;b&#62;Ada"] {
            assert!(page.html.contains(text), "no {text:?} in {}", page.html);
        }
        let log = browser.get("/activity").await.html;
        for text in ["edited the certificate Shop 2026", "<ins>Shop 2026</ins>", "Owner"] {
            assert!(log.contains(text), "no {text:?} in {log}");
        }
    }

    #[tokio::test]
    async fn an_old_page_overwrites_nothing_and_shows_what_is_saved() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let edit = |name, version| [("version", version), ("was", "shop.example"), ("name", name), ("note", "")];
        assert_eq!(browser.post("/certificates/1/edit", &edit("First", "0")).await.status, 303);
        let late = browser.post("/certificates/1/edit", &edit("Second", "0")).await;
        assert_eq!(late.status, 409);
        assert!(late.html.contains("<td>First</td><td><ins>Second</ins></td>"), "{}", late.html);
        let version = browser.store.find_certificate(1).await.unwrap().version.to_string();
        assert!(late.html.contains(&format!(r#"name="version" value="{version}""#)), "{}", late.html);
        assert_eq!(browser.post("/certificates/1/edit", &edit("Second", &version)).await.status, 303);
    }

    #[tokio::test]
    async fn what_cannot_be_saved_comes_back_with_a_sentence_beside_it() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let long = "x".repeat(2001);
        for (field, value) in [("name", ""), ("name", "a\nb"), ("owner", "99"), ("owner", "x"), ("note", &long)] {
            let mut fields = vec![("version", "0"), ("name", "Shop"), ("owner", ""), ("note", "")];
            fields.iter_mut().filter(|(own, _)| *own == field).for_each(|(_, own)| *own = value);
            let page = browser.post("/certificates/1/edit", &fields).await;
            assert_eq!(page.status, 422, "{field}");
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{field}: {}", page.html);
        }
        assert_eq!(browser.post("/certificates/9/edit", &[("name", "Shop")]).await.status, 404);
    }
}
