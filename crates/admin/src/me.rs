//! What belongs to the person who is signed in: their password.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::peer::Peer;

use crate::App;
use crate::error::Answer;
use crate::form::{Errors, Fields};
use crate::password;
use crate::session::{Session, too_many};
use crate::shell::{Saved, Shell};

#[derive(Template, WebTemplate)]
#[template(path = "people/password.html")]
struct PasswordPage {
    shell: Shell,
    errors: Errors,
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
}

/// The form that changes one's own password.
pub(crate) async fn edit(session: Session) -> Answer {
    Ok(PasswordPage { shell: session.shell("/me").await?, errors: Errors::default() }.into_response())
}

/// Changes one's own password. Guessing the current one is limited as at the door.
pub(crate) async fn update(
    session: Session,
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    Fields(form): Fields<PasswordForm>,
) -> Answer {
    let shell = session.shell("/me").await?;
    if let Err(wait) = app.throttle.check(&session.user.mail, peer.ip()) {
        let (headers, sentence) = too_many(wait);
        let page = PasswordPage { shell, errors: Errors::one("current", sentence) };
        return Ok((StatusCode::TOO_MANY_REQUESTS, headers, page).into_response());
    }
    let mut errors = Errors::default();
    if !app.passwords.verify(form.current, Some(session.user.password_hash.clone())).await? {
        errors.add("current", "This is not your password.");
    }
    let password = errors.check("password", password::check_new(&form.password));
    if let Err(errors) = errors.or(password) {
        return Ok((errors.status(), PasswordPage { shell, errors }).into_response());
    }
    let hash = app.passwords.hash(form.password).await?;
    session.store().update_password(session.user.id, &hash, &session.token, &session.author()).await?;
    app.staging.wipe_others(session.user.id, &session.token);
    Ok(session.saved("/", Saved::PasswordChanged).await)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Browser, MAIL, PASSWORD};

    const NEW: &str = "another battery staple";

    #[tokio::test]
    async fn a_new_password_ends_every_other_session_and_signs_in_from_then_on() {
        let mut browser = Browser::signed_in().await;
        let mut elsewhere = browser.clone();
        elsewhere.forget();
        assert_eq!(elsewhere.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD)]).await.status, 303);
        assert!(browser.get("/").await.html.contains(r#"<a href="/me/password">Change password</a>"#));
        assert_eq!(browser.get("/me/password").await.status, 200);

        let page = browser.submit("/me/password", &[("current", PASSWORD), ("password", NEW)]).await;
        assert!(page.html.contains("Password changed."), "{}", page.html);
        assert_eq!(elsewhere.get("/team").await.status, 303, "the other session has ended");
        elsewhere.forget();
        assert_eq!(elsewhere.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD)]).await.status, 422);
        assert_eq!(elsewhere.post("/sign-in", &[("mail", MAIL), ("password", NEW)]).await.status, 303);
    }

    #[tokio::test]
    async fn a_wrong_or_weak_password_is_said_beside_its_field_and_nothing_changes() {
        let mut browser = Browser::signed_in().await;
        for (current, new, field) in [("not my password", NEW, "current"), (PASSWORD, "short", "password")] {
            let page = browser.post("/me/password", &[("current", current), ("password", new)]).await;
            assert_eq!(page.status, 422, "{field}");
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{field}: {}", page.html);
            assert!(!page.html.contains(current) && !page.html.contains(new), "a password is never sent back");
        }
        let unchanged = browser.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD)]).await;
        assert_eq!(unchanged.status, 303);
    }

    #[tokio::test]
    async fn guessing_the_current_password_is_limited() {
        let mut browser = Browser::signed_in().await;
        let guess = [("current", "not my password"), ("password", NEW)];
        for _ in 0..8 {
            browser.post("/me/password", &guess).await;
        }
        assert_eq!(browser.post("/me/password", &guess).await.status, 429);
    }
}
