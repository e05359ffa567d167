//! What a site lets CAs find over plain HTTP: listed, added, removed.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::exemption::{BadExemption, ExemptionDraft, ExemptionId, ExemptionKind};
use siteward_core::site::{Site, SiteId};
use siteward_core::store::StoreError;
use time::{Duration, OffsetDateTime};

use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head};

/// How long a token may be answered.
const MAX_HOURS: i64 = 7 * 24;

#[derive(Debug, Deserialize)]
pub(crate) struct ExemptionForm {
    #[serde(default)]
    kind: String,
    /// Of an ACME client: the token, a dot and the thumbprint.
    #[serde(default)]
    authorization: String,
    #[serde(default)]
    hours: String,
    /// Of a file.
    #[serde(default)]
    name: String,
    #[serde(default)]
    content: String,
}

impl Default for ExemptionForm {
    fn default() -> Self {
        let empty = String::new;
        Self { kind: empty(), authorization: empty(), hours: "24".into(), name: empty(), content: empty() }
    }
}

impl ExemptionForm {
    fn parse(&self, now: OffsetDateTime) -> Result<ExemptionDraft, Errors> {
        let mut errors = Errors::default();
        let draft = match ExemptionKind::parse(&self.kind) {
            Some(ExemptionKind::Acme) => {
                let hours = self.hours.trim().parse().ok().filter(|hours| (1..=MAX_HOURS).contains(hours));
                let hours = errors.check("hours", hours.ok_or(format!("Enter 1 to {MAX_HOURS} hours.")));
                let until = now + Duration::hours(hours.unwrap_or(1));
                errors.check("authorization", ExemptionDraft::acme(&self.authorization, until))
            }
            // Browsers send line breaks as CR LF; the CA compares with what it gave.
            _ => match ExemptionDraft::file(&self.name, &self.content.replace("\r\n", "\n")) {
                Err(error @ BadExemption::Content) => errors.check("content", Err(error)),
                file => errors.check("name", file),
            },
        };
        errors.or(draft)
    }

    /// Where it is said that something of this name is there already.
    fn field(&self) -> &'static str {
        if ExemptionKind::parse(&self.kind) == Some(ExemptionKind::Acme) { "authorization" } else { "name" }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/exemptions.html")]
struct ExemptionsPage {
    shell: Shell,
    head: Head,
    rows: Vec<Row>,
    form: ExemptionForm,
    errors: Errors,
    /// Nothing listens for plain HTTP, so no CA finds anything there.
    no_http: bool,
}

struct Row {
    id: ExemptionId,
    path: String,
    /// When it ends, for a machine and for people; nothing where it stays.
    ends: Option<OffsetDateTime>,
    ended: bool,
}

async fn page(session: &Session, site: &Site, form: ExemptionForm, errors: Errors) -> Result<ExemptionsPage, Failure> {
    let rows = site.exemptions.list().iter().map(|exemption| Row {
        id: exemption.id,
        path: exemption.path(),
        ends: exemption.ends_at,
        ended: !exemption.is_live(session.now),
    });
    Ok(ExemptionsPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/ssl").await?,
        rows: rows.collect(),
        form,
        errors,
        no_http: !site::speaks_http(site),
    })
}

/// What CAs find, and the forms that add to it.
pub(crate) async fn list(session: Session, At(id): At<SiteId>) -> Answer {
    let site = site::find(&session, id)?;
    Ok(page(&session, &site, ExemptionForm::default(), Errors::default()).await?.into_response())
}

/// Adds one.
pub(crate) async fn create(session: Session, At(id): At<SiteId>, Fields(form): Fields<ExemptionForm>) -> Answer {
    let added = async {
        let draft = form.parse(session.now)?;
        Ok::<_, Refusal>(session.store().create_exemption(id, draft, &session.author()).await?)
    };
    match added.await {
        Ok(_) => Ok(session.saved(&format!("/sites/{id}/ssl/exemptions"), Saved::ExemptionAdded).await),
        Err(refusal) => {
            let errors = match refusal {
                Refusal::Store(error @ StoreError::ExemptionTaken) => Errors::one(form.field(), error),
                refusal => refusal.errors(session.now)?,
            };
            let site = site::find(&session, id)?;
            Ok((errors.status(), page(&session, &site, form, errors).await?).into_response())
        }
    }
}

/// Removes one.
pub(crate) async fn delete(session: Session, At((id, exemption)): At<(SiteId, ExemptionId)>) -> Answer {
    session.store().delete_exemption(id, exemption, &session.author()).await?;
    Ok(session.saved(&format!("/sites/{id}/ssl/exemptions"), Saved::ExemptionRemoved).await)
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    const KEY_AUTHORIZATION: &str = "token.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

    #[tokio::test]
    async fn a_token_and_a_file_are_added_listed_and_removed() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        let path = format!("/sites/{id}/ssl/exemptions");
        assert!(browser.get(&path).await.html.contains("Nothing is exempt"));
        let token = [("kind", "acme"), ("authorization", KEY_AUTHORIZATION), ("hours", "2")];
        let page = browser.submit(&path, &token).await;
        assert!(page.html.contains("/.well-known/acme-challenge/token"), "{}", page.html);
        let file = [("kind", "file"), ("name", "fileauth.txt"), ("content", "one\r\ntwo")];
        let page = browser.submit(&path, &file).await;
        assert!(page.html.contains("/.well-known/pki-validation/fileauth.txt"), "{}", page.html);
        let list = browser.store.table().site(id).unwrap().exemptions.list().to_vec();
        assert_eq!(&*list[1].content, "one\ntwo");

        let page = browser.post(&path, &file).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("There already is one with this name."), "{}", page.html);
        let page = browser.submit(&format!("{path}/{}/delete", list[0].id), &[]).await;
        assert!(page.html.contains("Exemption removed.") && !page.html.contains("challenge/token"), "{}", page.html);
        assert_eq!(browser.post(&format!("{path}/{}/delete", list[0].id), &[]).await.status, 404);
        let history = browser.get(&format!("/sites/{id}/history")).await.html;
        assert!(history.contains("/.well-known/pki-validation/fileauth.txt"), "{history}");
    }

    #[tokio::test]
    async fn what_no_ca_looks_for_comes_back_with_a_sentence_beside_its_field() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        let path = format!("/sites/{id}/ssl/exemptions");
        for (fields, error) in [
            ([("kind", "acme"), ("authorization", "<token>"), ("hours", "2")], "authorization-e"),
            ([("kind", "acme"), ("authorization", KEY_AUTHORIZATION), ("hours", "169")], "hours-e"),
            ([("kind", "file"), ("name", "../x"), ("content", "x")], "name-e"),
            ([("kind", "file"), ("name", "<x>.txt"), ("content", "x")], "name-e"),
            ([("kind", "file"), ("name", "x.txt"), ("content", "")], "content-e"),
        ] {
            let page = browser.post(&path, &fields).await;
            assert_eq!(page.status, 422, "{fields:?}");
            assert!(page.html.contains(&format!(r#"id="{error}""#)), "{fields:?}: {}", page.html);
            assert!(!page.html.contains("<token>") && !page.html.contains("<x>"));
        }
        assert!(browser.store.table().site(id).unwrap().exemptions.list().is_empty());
    }
}
