//! Roots that the team trusts beside the system's: added and removed. They are listed with the authorities.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use siteward_core::chain::X509;
use siteward_core::intake::IntakeError;
use siteward_core::store::{RootId, StoreError, TrustedRoot};

use crate::brought::Brought;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Template, WebTemplate)]
#[template(path = "roots/new.html")]
struct NewPage {
    shell: Shell,
    errors: Errors,
    text: String,
}

/// The form that trusts a root.
pub(crate) async fn new(session: Session) -> Answer {
    let shell = session.shell("/authorities").await?;
    Ok(NewPage { shell, errors: Errors::default(), text: String::new() }.into_response())
}

/// Trusts a root.
pub(crate) async fn create(session: Session, body: axum::extract::Request) -> Answer {
    let brought = Brought::receive(body).await?.ok_or(Failure::TooLarge)?;
    match trust(&session, &brought).await {
        Ok(_) => Ok(session.saved("/authorities", Saved::RootTrusted).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?.at("reply", brought.field());
            let shell = session.shell("/authorities").await?;
            Ok((errors.status(), NewPage { shell, errors, text: brought.text() }).into_response())
        }
    }
}

async fn trust(session: &Session, brought: &Brought) -> Result<RootId, Refusal> {
    let refuse = |error: IntakeError| Refusal::from(Errors::one("reply", error));
    let mut certificates = brought.certificates().map_err(refuse)?;
    certificates.sort_by_key(|own| !is_root(own));
    certificates.dedup();
    match certificates.iter().filter(|own| is_root(own)).count() {
        0 | 1 => {}
        n => return Err(Errors::one("reply", format!("There are {n} roots in this. Bring one at a time.")).into()),
    }
    let root = certificates.first().ok_or_else(|| refuse(IntakeError::NothingFound))?;
    Ok(session.store().create_root(root, &session.author()).await?)
}

fn is_root(certificate: &X509) -> bool {
    certificate.is_ca && certificate.is_self_signed
}

#[derive(Template, WebTemplate)]
#[template(path = "roots/remove.html")]
struct RemovePage {
    shell: Shell,
    root: TrustedRoot,
}

/// Asks before a root is removed.
pub(crate) async fn confirm_delete(session: Session, At(id): At<RootId>) -> Answer {
    let root = session.store().find_root(id).await?;
    let shell = session.shell("/authorities").await?;
    Ok(RemovePage { shell, root }.into_response())
}

/// No longer trusts a root.
pub(crate) async fn delete(session: Session, At(id): At<RootId>) -> Answer {
    session.store().delete_root(id, &session.author()).await.map_err(|error: StoreError| Failure::from(error))?;
    Ok(session.saved("/authorities", Saved::RootRemoved).await)
}

#[cfg(test)]
mod tests {
    use siteward_core::testing_ca::TestCa;

    use crate::testing::Browser;

    #[tokio::test]
    async fn a_root_is_trusted_listed_and_removed() {
        let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
        let page = browser.bring("/roots/new", &[], &ca.root_pem()).await;
        assert_eq!(
            (page.status, page.location.as_str()),
            (303, "/authorities?saved=root-trusted&change=3"),
            "{}",
            page.html
        );
        let page = browser.get(&page.location).await;
        assert!(page.html.contains("Root added.") && page.html.contains("Test Root CA"), "{}", page.html);
        let page = browser.bring("/roots/new", &[("root.der", ca.root_der())], "").await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Your team already trusts Test Root CA."), "{}", page.html);
        assert!(browser.get("/roots/1/remove").await.html.contains("Remove Test Root CA?"));
        assert!(browser.submit("/roots/1/remove", &[]).await.html.contains("Root removed."));
        assert_eq!(browser.post("/roots/1/remove", &[]).await.status, 404);
        assert!(browser.store.list_roots().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_no_single_root_comes_back_with_a_sentence() {
        let (mut browser, ca, other) = (Browser::signed_in().await, TestCa::new(), TestCa::new());
        let two = ca.root_pem() + &other.root_pem();
        for (file, text, sentence) in [
            (&b""[..], "", "This is empty."),
            (&b""[..], "Dear customer", "There is no certificate in this."),
            (ca.intermediate_der(), "", "Test Issuing CA is not a root"),
            (&b""[..], two.as_str(), "There are 2 roots in this."),
        ] {
            let page = browser.bring("/roots/new", &[("root.crt", file)], text).await;
            assert_eq!(page.status, 422);
            assert!(page.html.contains(sentence) && page.html.contains(text), "{}", page.html);
        }
        assert!(browser.store.list_roots().await.unwrap().is_empty());
    }
}
