//! The people who may sign in, and the links that invite more of them.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::ledger::UserId;
use siteward_core::peer::Peer;
use siteward_core::store::{Invitation, NewUser, User};

use crate::App;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal, address};
use crate::password;
use crate::session::{self, Session, now};
use crate::shell::{Saved, Shell};

#[derive(Template, WebTemplate)]
#[template(path = "people/team.html")]
struct TeamPage {
    shell: Shell,
    people: Vec<User>,
    invitations: Vec<Invitation>,
    me: UserId,
    /// Who looks may export private keys, and so allow others to.
    may_export_keys: bool,
    errors: Errors,
}

/// Everybody who may sign in, and the open invitations.
pub(crate) async fn list(session: Session) -> Answer {
    Ok(team_page(&session, Errors::default()).await?.into_response())
}

async fn team_page(session: &Session, errors: Errors) -> Result<TeamPage, Failure> {
    Ok(TeamPage {
        shell: session.shell("/team").await?,
        people: session.store().list_users().await?,
        invitations: session.store().list_invitations(session.now).await?,
        me: session.user.id,
        may_export_keys: session.user.may_export_keys,
        errors,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeysForm {
    /// Empty for no longer.
    allow: String,
    /// The password of who is signed in.
    own: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "people/keys.html")]
struct KeysPage {
    shell: Shell,
    person: User,
    errors: Errors,
}

async fn keys_page(session: &Session, id: UserId, errors: Errors) -> Result<KeysPage, Failure> {
    Ok(KeysPage { shell: session.shell("/team").await?, person: person(session, id).await?, errors })
}

/// Asks for one's own password before somebody is allowed to export private keys.
pub(crate) async fn confirm_may_export(session: Session, At(id): At<UserId>) -> Answer {
    Ok(keys_page(&session, id, Errors::default()).await?.into_response())
}

/// Allows somebody to export private keys, or no longer. Who allows it is made sure of again: a stolen session must not
/// make itself an accomplice.
pub(crate) async fn update_may_export(
    session: Session,
    State(app): State<App>,
    At(id): At<UserId>,
    Extension(peer): Extension<Peer>,
    Fields(form): Fields<KeysForm>,
) -> Answer {
    let allow = !form.allow.is_empty();
    if allow && let Err(unproven) = session.prove(&app, peer, form.own).await? {
        return unproven.answer("own", async |errors| keys_page(&session, id, errors).await).await;
    }
    match session.store().update_may_export(id, allow, &session.author()).await {
        Ok(()) => Ok(session.saved("/team", Saved::MayExport).await),
        Err(refusal) => {
            let page = team_page(&session, Refusal::from(refusal).errors(session.now)?).await?;
            Ok((page.errors.status(), page).into_response())
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct InviteForm {
    #[serde(default)]
    note: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "people/invite.html")]
struct InvitePage {
    shell: Shell,
    form: InviteForm,
    errors: Errors,
}

#[derive(Template, WebTemplate)]
#[template(path = "people/invited.html")]
struct InvitedPage {
    shell: Shell,
    note: String,
    link: String,
}

/// The form that invites somebody.
pub(crate) async fn new(session: Session) -> Answer {
    let shell = session.shell("/team").await?;
    Ok(InvitePage { shell, form: InviteForm::default(), errors: Errors::default() }.into_response())
}

/// Invites somebody. The link is on the answer itself and nowhere else: only its digest is stored.
pub(crate) async fn invite(session: Session, uri: Uri, headers: HeaderMap, Fields(form): Fields<InviteForm>) -> Answer {
    let note = form.note.trim();
    if note.is_empty() || note.chars().count() > 100 || note.chars().any(char::is_control) {
        let errors = Errors::one("note", "Enter for whom it is, in 1 to 100 characters.");
        let shell = session.shell("/team").await?;
        return Ok((errors.status(), InvitePage { shell, form, errors }).into_response());
    }
    let token = session.store().create_invitation(note, &session.author()).await?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or(host).ok_or(Failure::Malformed)?;
    let link = format!("https://{host}/join/{token}");
    let shell = session.shell("/team").await?;
    Ok(InvitedPage { shell, note: note.to_owned(), link }.into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "people/withdraw.html")]
struct WithdrawPage {
    shell: Shell,
    invitation: Invitation,
}

/// Asks before an invitation is withdrawn.
pub(crate) async fn confirm_withdraw(session: Session, At(id): At<i64>) -> Answer {
    let open = session.store().list_invitations(session.now).await?;
    let invitation = open.into_iter().find(|invitation| invitation.id == id).ok_or(Failure::NotFound)?;
    Ok(WithdrawPage { shell: session.shell("/team").await?, invitation }.into_response())
}

/// Withdraws an invitation.
pub(crate) async fn withdraw(session: Session, At(id): At<i64>) -> Answer {
    session.store().withdraw_invitation(id, &session.author()).await?;
    Ok(session.saved("/team", Saved::InvitationWithdrawn).await)
}

#[derive(Template, WebTemplate)]
#[template(path = "people/remove.html")]
struct RemovePage {
    shell: Shell,
    person: User,
    errors: Errors,
}

async fn person(session: &Session, id: UserId) -> Result<User, Failure> {
    let people = session.store().list_users().await?;
    people.into_iter().find(|person| person.id == id).ok_or(Failure::NotFound)
}

/// Asks before a person is removed.
pub(crate) async fn confirm_delete(session: Session, At(id): At<UserId>) -> Answer {
    let person = person(&session, id).await?;
    let shell = session.shell("/team").await?;
    Ok(RemovePage { shell, person, errors: Errors::default() }.into_response())
}

/// Removes a person.
pub(crate) async fn delete(session: Session, State(app): State<App>, At(id): At<UserId>) -> Answer {
    match session.store().delete_user(id, &session.author()).await {
        Ok(()) => {
            app.staging.wipe_others(id, "");
            Ok(session.saved("/team", Saved::PersonRemoved).await)
        }
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            let (person, shell) = (person(&session, id).await?, session.shell("/team").await?);
            Ok((errors.status(), RemovePage { shell, person, errors }).into_response())
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct JoinForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    password: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "people/join.html")]
struct JoinPage {
    form: JoinForm,
    errors: Errors,
    /// The very first person, who comes by the set-up link.
    first: bool,
    invitation: Invitation,
}

impl JoinForm {
    fn check(&self) -> Result<(), Errors> {
        let mut errors = Errors::default();
        if self.name.trim().is_empty() {
            errors.add("name", "Enter your name, as the ledger is to show it.");
        }
        if !is_mail(self.mail.trim()) {
            errors.add("mail", "Enter an e-mail address, such as inga@alderfinch.example.");
        }
        let password = errors.check("password", password::check_new(&self.password));
        errors.or(password)
    }
}

/// One `@` with something on both sides, nothing that breaks a line, at most 254 bytes (RFC 5321 §4.5.3.1.3).
fn is_mail(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    text.len() <= 254
        && !text.contains(odd)
        && text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// The page behind an invitation or set-up link.
pub(crate) async fn join(State(app): State<App>, At(token): At<String>) -> Answer {
    let page = join_page(&app, &token, JoinForm::default(), Errors::default()).await?;
    Ok(page.into_response())
}

async fn join_page(app: &App, token: &str, form: JoinForm, errors: Errors) -> Result<JoinPage, Failure> {
    let store = &app.console.store;
    let invitation = store.find_invitation(token, now()).await?;
    let first = store.list_users().await?.is_empty();
    Ok(JoinPage { form, errors, first, invitation })
}

/// Adds the person who was invited, and signs them in.
pub(crate) async fn create(State(app): State<App>, At(token): At<String>, Fields(form): Fields<JoinForm>) -> Answer {
    // An old link is turned away before a password is hashed for it.
    app.console.store.find_invitation(&token, now()).await?;
    match add(&app, &token, &form).await? {
        Ok(user) => {
            let cookie = session::cookie(&app.console.store, user).await?;
            Ok((cookie, Redirect::to(&address("/", &[("saved", Saved::Joined.code())]))).into_response())
        }
        Err(refusal) => {
            let errors = refusal.errors(now())?;
            let page = join_page(&app, &token, form, errors).await?;
            Ok((page.errors.status(), page).into_response())
        }
    }
}

async fn add(app: &App, token: &str, form: &JoinForm) -> Result<Result<UserId, Refusal>, Failure> {
    if let Err(errors) = form.check() {
        return Ok(Err(errors.into()));
    }
    let password_hash = app.passwords.hash(form.password.clone()).await?;
    let new = NewUser { name: form.name.trim().to_owned(), mail: form.mail.trim().to_owned(), password_hash };
    Ok(app.console.store.create_user(token, new, now()).await.map_err(Refusal::from))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Browser, MAIL, NAME, PASSWORD};

    async fn link(browser: &mut Browser) -> String {
        let page = browser.post("/team/invite", &[("note", "Owen Clarke")]).await;
        assert_eq!(page.status, 200);
        let (_, link) = page.html.split_once("https://console.test").expect("the link stands on the page");
        link.split('<').next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn somebody_invited_joins_by_a_link_that_works_once() {
        let mut browser = Browser::signed_in().await;
        let link = link(&mut browser).await;
        assert!(browser.get("/team").await.html.contains("Owen Clarke"), "the invitation is open");

        let mut owen = browser.clone();
        owen.forget();
        assert!(owen.get(&link).await.html.contains(&format!("{NAME} invited you.")));
        let form = [("name", "Owen Clarke"), ("mail", "owen@alderfinch.example"), ("password", PASSWORD)];
        let page = owen.submit(&link, &form).await;
        assert!(page.html.contains("You are signed in."));
        assert!(owen.get("/activity").await.html.contains("<b>Owen Clarke</b> joined the team"));

        let again = owen.post(&link, &form).await;
        assert_eq!(again.status, 422);
        assert!(again.html.contains("This link has been used or has expired."));
    }

    #[tokio::test]
    async fn what_cannot_be_used_to_join_is_said_beside_its_field() {
        let mut browser = Browser::signed_in().await;
        let link = link(&mut browser).await;
        browser.forget();
        let long = "x".repeat(1025);
        for (name, mail, password, field) in [
            ("", "a@b.example", PASSWORD, "name"),
            ("two\nlines", "a@b.example", PASSWORD, "name"),
            ("Owen", "no address", PASSWORD, "mail"),
            ("Owen", "a@b@c", PASSWORD, "mail"),
            ("Owen", MAIL, PASSWORD, "mail"),
            ("Owen", "a@b.example", "too short", "password"),
            ("Owen", "a@b.example", &long, "password"),
        ] {
            let page = browser.post(&link, &[("name", name), ("mail", mail), ("password", password)]).await;
            assert_eq!(page.status, 422, "{field}");
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{field}: {}", page.html);
            assert!(!page.html.contains(password), "a password is never sent back");
        }
    }

    #[tokio::test]
    async fn the_first_person_sets_siteward_up() {
        let mut browser = Browser::stranger().await;
        assert!(browser.get("/sign-in").await.html.contains("Nobody can sign in yet."));
        let token = browser.store.create_invitation("set-up", &siteward_core::testing::tester()).await.unwrap();
        assert!(browser.get(&format!("/join/{token}")).await.html.contains("<h1>Set up Siteward</h1>"));
        let page = browser.get("/join/wrong").await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Ask for a new one."));
    }

    #[tokio::test]
    async fn the_last_person_stays_and_another_may_go() {
        let mut browser = Browser::signed_in().await;
        let me = browser.store.list_users().await.unwrap()[0].id;
        let page = browser.post(&format!("/team/{me}/remove"), &[]).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Nobody could sign in any more."));

        let link = link(&mut browser).await;
        let mut owen = browser.clone();
        owen.forget();
        owen.submit(&link, &[("name", "Owen"), ("mail", "owen@x.example"), ("password", PASSWORD)]).await;
        assert!(owen.get(&format!("/team/{me}/remove")).await.html.contains(&format!("Remove {NAME}?")));
        let page = owen.post(&format!("/team/{me}/remove"), &[]).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Nobody else may export private keys"), "{}", page.html);
        let people = browser.store.list_users().await.unwrap();
        let owen_s = people.iter().find(|person| person.id != me).unwrap().id;
        browser.submit(&format!("/team/{owen_s}/keys"), &[("allow", "yes"), ("own", PASSWORD)]).await;
        owen.submit(&format!("/team/{me}/remove"), &[]).await;
        assert_eq!(browser.get("/").await.status, 303, "their sessions have ended");
        assert_eq!(owen.get("/team/999/remove").await.status, 404);
    }

    #[tokio::test]
    async fn a_withdrawn_invitation_is_worth_nothing() {
        let mut browser = Browser::signed_in().await;
        let link = link(&mut browser).await;
        let id = browser.store.list_invitations(time::OffsetDateTime::now_utc()).await.unwrap()[0].id;
        let path = format!("/team/invitations/{id}/withdraw");
        assert!(browser.get("/team").await.html.contains(&format!(r#"href="{path}""#)));
        assert!(browser.get(&path).await.html.contains("Withdraw the invitation for Owen Clarke?"));
        let page = browser.submit(&path, &[]).await;
        assert!(page.html.contains("Invitation withdrawn.") && !page.html.contains("Open invitations"));
        assert_eq!(browser.get(&link).await.status, 422);
        assert_eq!((browser.get(&path).await.status, browser.post(&path, &[]).await.status), (404, 404));
    }

    #[tokio::test]
    async fn an_invitation_says_for_whom() {
        let mut browser = Browser::signed_in().await;
        let long = "x".repeat(101);
        for note in ["", "  ", "two\nlines", &long] {
            assert_eq!(browser.post("/team/invite", &[("note", note)]).await.status, 422, "{note:?}");
        }
    }
}
