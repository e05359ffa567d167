//! Who is signed in: the cookie, signing in and out.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{Extension, FromRequestParts, OptionalFromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;
use siteward_core::ledger::{Author, Revision, Undo, UserId};
use siteward_core::peer::Peer;
use siteward_core::store::{ChangeFilter, Store, Theme, User};
use siteward_core::table::SiteTable;
use time::{Duration, OffsetDateTime};

use crate::error::{Answer, Failure};
use crate::form::{Asked, Errors, Fields, address};
use crate::shell::{self, Saved};
use crate::{App, Console, format};

/// Bound to this host and to TLS by its prefix (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-siteward";

/// A signed-in person at work. The first argument of every handler behind the door.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The console being worked on.
    pub(crate) console: Console,
    /// Who.
    pub(crate) user: User,
    /// When: one time for everything that comes of this request.
    pub(crate) now: OffsetDateTime,
    /// The path and query asked for.
    pub(crate) here: String,
    /// The host name by which the console is reached, without its port.
    pub(crate) host: String,
    pub(crate) token: String,
}

/// Why it is not sure that the person at work is who signed in.
pub(crate) enum Unproven {
    /// After too many attempts: how long to wait.
    TooMany(std::time::Duration),
    /// It is not their password.
    Wrong,
}

impl Unproven {
    /// The page with the sentence beside `field`.
    pub(crate) async fn answer<P: IntoResponse>(
        self,
        field: &'static str,
        page: impl AsyncFnOnce(Errors) -> Result<P, Failure>,
    ) -> Answer {
        match self {
            Self::TooMany(wait) => {
                let (headers, sentence) = too_many(wait);
                let page = page(Errors::one(field, sentence)).await?;
                Ok((StatusCode::TOO_MANY_REQUESTS, headers, page).into_response())
            }
            Self::Wrong => {
                let page = page(Errors::one(field, "This is not your password.")).await?;
                Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
            }
        }
    }
}

/// The one clock of this crate.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

impl Session {
    /// Everything that is stored.
    pub(crate) fn store(&self) -> &Store {
        &self.console.store
    }

    /// Every site.
    pub(crate) fn table(&self) -> std::sync::Arc<SiteTable> {
        self.console.store.table()
    }

    /// Makes sure by their own password of who is signed in, for what a session alone is not enough for. Guessing it is
    /// limited as at the door.
    pub(crate) async fn prove(&self, app: &App, peer: Peer, own: String) -> Result<Result<(), Unproven>, Failure> {
        if let Err(wait) = app.throttle.check(&self.user.mail, peer.0.ip()) {
            return Ok(Err(Unproven::TooMany(wait)));
        }
        let fits = app.passwords.verify(own, Some(self.user.password_hash.clone())).await?;
        Ok(if fits { Ok(()) } else { Err(Unproven::Wrong) })
    }

    /// The author of what is saved now.
    pub(crate) fn author(&self) -> Author {
        Author { user: Some(self.user.id), name: self.user.name.clone(), now: self.now }
    }

    /// Leads from a saved form to the page that shows what came of it, once the server has taken it up and fresh clients
    /// are back from where it counts.
    pub(crate) async fn saved(&self, path: &str, what: Saved) -> Response {
        let revision = self.table().revision();
        self.console.status.reached(revision).await;
        self.console.status.tried(revision).await;
        let change = self.undoable().await.map(|revision| revision.to_string()).unwrap_or_default();
        Redirect::to(&address(path, &[(shell::SAVED, what.code()), (shell::CHANGE, &change)])).into_response()
    }

    /// The change that this request made, where it can be undone. The note of what was saved is due without it, too.
    async fn undoable(&self) -> Option<Revision> {
        let own = ChangeFilter { author: Some(self.user.name.clone()), ..ChangeFilter::default() };
        let newest = self.store().list_changes(&own, 1).await.ok()?.pop()?;
        let is_of_now = (self.now - newest.at).abs() < Duration::milliseconds(1);
        (is_of_now && Undo::of(&newest).is_ok()).then_some(newest.revision)
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let session = <Self as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await?;
        session.ok_or(if parts.method.is_safe() { Failure::SignedOut { next: here } } else { Failure::SessionEnded })
    }
}

impl OptionalFromRequestParts<App> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Failure> {
        let jar = CookieJar::from_headers(&parts.headers);
        let Some(token) = jar.get(COOKIE).map(|cookie| cookie.value().to_owned()) else { return Ok(None) };
        let now = now();
        let Some(user) = app.console.store.find_session(&token, now).await? else { return Ok(None) };
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let host = host(parts).unwrap_or_default();
        let host = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(host, |(name, _)| name);
        let host = host.to_owned();
        Ok(Some(Self { console: app.console.clone(), user, now, here, host, token }))
    }
}

/// By which host name and port the console is reached: HTTP/2's authority, HTTP/1's Host.
fn host(parts: &Parts) -> Option<&str> {
    let header = || parts.headers.get(header::HOST)?.to_str().ok();
    parts.uri.authority().map(|authority| authority.as_str()).or_else(header)
}

/// A cookie with a new session of this person. The store tells when it ends: a session that is used goes on.
pub(crate) async fn cookie(store: &Store, user: UserId) -> Result<CookieJar, Failure> {
    let token = store.create_session(user, now()).await?;
    let cookie = Cookie::build((COOKIE, token)).path("/").secure(true).http_only(true).same_site(SameSite::Lax);
    Ok(CookieJar::new().add(cookie))
}

/// Where to sign in, to go on to `next` afterwards.
pub(crate) fn sign_in_address(next: &str) -> String {
    match next {
        "/" => "/sign-in".into(),
        next => address("/sign-in", &[("next", next)]),
    }
}

/// `next` where it is a path of this console, otherwise the overview: nobody is sent elsewhere by a link.
fn local(next: &str) -> &str {
    let elsewhere = next.starts_with("//") || next.contains('\\') || next.chars().any(char::is_control);
    if next.starts_with('/') && !elsewhere { next } else { "/" }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct SignIn {
    #[serde(default)]
    mail: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "people/sign_in.html")]
struct SignInPage {
    form: SignIn,
    errors: Errors,
    /// Nobody can sign in yet: the set-up link is the way.
    nobody: bool,
}

/// The page to sign in on.
pub(crate) async fn new(session: Option<Session>, State(app): State<App>, Asked(form): Asked<SignIn>) -> Answer {
    if session.is_some() {
        return Ok(Redirect::to(local(&form.next)).into_response());
    }
    let nobody = app.console.store.list_users().await?.is_empty();
    let form = SignIn { next: form.next, ..SignIn::default() };
    Ok(SignInPage { form, errors: Errors::default(), nobody }.into_response())
}

/// Signs in.
pub(crate) async fn create(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    Fields(form): Fields<SignIn>,
) -> Answer {
    if let Err(wait) = app.throttle.check(form.mail.trim(), peer.ip()) {
        let (headers, sentence) = too_many(wait);
        let errors = Errors::one("mail", sentence);
        return Ok((StatusCode::TOO_MANY_REQUESTS, headers, SignInPage { form, errors, nobody: false }).into_response());
    }
    let user = app.console.store.find_user(form.mail.trim()).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let fits = app.passwords.verify(form.password.clone(), hash).await?;
    match user.filter(|_| fits) {
        Some(user) => {
            let cookie = cookie(&app.console.store, user.id).await?;
            Ok((cookie, Redirect::to(local(&form.next))).into_response())
        }
        None => {
            let errors = Errors::one("mail", "This e-mail address and password do not belong together.");
            Ok((errors.status(), SignInPage { form, errors, nobody: false }).into_response())
        }
    }
}

/// How too many attempts are answered, and when the next one is welcome.
pub(crate) fn too_many(wait: std::time::Duration) -> (impl IntoResponseParts, String) {
    let seconds = wait.as_secs() + 1;
    let sentence = format!("Too many attempts. Try again in {}.", format::count(seconds, "second", "seconds"));
    ([(header::RETRY_AFTER, seconds.to_string())], sentence)
}

/// Signs out, also who is signed out already.
pub(crate) async fn delete(session: Option<Session>, State(app): State<App>) -> Answer {
    if let Some(session) = session {
        app.staging.wipe_session(&session.token);
        session.store().delete_session(&session.token).await?;
    }
    let gone = CookieJar::new().add(Cookie::build((COOKIE, "")).path("/").secure(true).max_age(Duration::ZERO));
    Ok((gone, Redirect::to("/sign-in")).into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct ThemeForm {
    #[serde(default)]
    theme: String,
    #[serde(default)]
    next: String,
}

/// Chooses the colours, and goes back to where the choice was made.
pub(crate) async fn update_theme(session: Session, Fields(form): Fields<ThemeForm>) -> Answer {
    let theme = Theme::parse(&form.theme).ok_or(Failure::Malformed)?;
    session.store().update_theme(session.user.id, theme).await?;
    Ok(Redirect::to(local(&form.next)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Browser, MAIL, PASSWORD};

    #[test]
    fn only_paths_of_this_console_are_gone_on_to() {
        assert_eq!(local("/sites/3?saved=x"), "/sites/3?saved=x");
        for next in ["", "sites", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb"] {
            assert_eq!(local(next), "/", "{next:?}");
        }
    }

    #[tokio::test]
    async fn a_stranger_is_asked_to_sign_in_and_then_goes_on() {
        let mut browser = Browser::signed_in().await;
        browser.forget();
        let page = browser.get("/team?x=1&y=%2F").await;
        assert_eq!((page.status, page.location.as_str()), (303, "/sign-in?next=%2Fteam%3Fx%3D1%26y%3D%252F"));
        let page = browser.get(&page.location).await;
        assert!(page.html.contains(r#"name="next" value="/team?x=1&#38;y=%2F""#), "{}", page.html);
        let page = browser.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD), ("next", "/team?x=1")]).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/team?x=1"));
        assert_eq!(browser.get("/team").await.status, 200);
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_address_get_one_answer() {
        let mut browser = Browser::signed_in().await;
        browser.forget();
        let wrong = browser.post("/sign-in", &[("mail", MAIL), ("password", "not the password")]).await;
        let unknown = browser.post("/sign-in", &[("mail", "x@y.example"), ("password", "not the password")]).await;
        assert_eq!((wrong.status, unknown.status), (422, 422));
        assert_eq!(wrong.html.replace(MAIL, ""), unknown.html.replace("x@y.example", ""));
        assert!(!wrong.html.contains("not the password"), "a password is never sent back");
    }

    #[tokio::test]
    async fn after_too_many_attempts_even_the_right_password_waits() {
        let mut browser = Browser::signed_in().await;
        browser.forget();
        for _ in 0..8 {
            browser.post("/sign-in", &[("mail", MAIL), ("password", "not the password")]).await;
        }
        let page = browser.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD)]).await;
        assert_eq!(page.status, 429);
        let wait: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=21).contains(&wait), "{wait}");
        assert!(page.html.contains("Too many attempts"));
    }

    #[tokio::test]
    async fn signing_out_ends_the_session_itself() {
        let mut browser = Browser::signed_in().await;
        let before = browser.clone();
        let page = browser.post("/sign-out", &[]).await;
        assert_eq!(page.location, "/sign-in");
        let mut stolen = before;
        assert_eq!(stolen.get("/team").await.status, 303);
    }

    #[tokio::test]
    async fn a_form_sent_after_the_session_ended_says_how_to_send_it_again() {
        let mut browser = Browser::signed_in().await;
        browser.forget();
        let page = browser.post("/team/invite", &[("note", "Owen Clarke")]).await;
        assert_eq!(page.status, 401);
        assert!(page.html.contains("Your session has ended"), "{}", page.html);
        assert!(page.html.contains(r#"<a class="btn primary" href="/sign-in" target="_blank">"#), "{}", page.html);
        assert_eq!(browser.post("/sign-out", &[]).await.location, "/sign-in", "who leaves has nothing to send again");
    }

    #[tokio::test]
    async fn the_cookie_is_for_this_host_over_tls_and_for_no_script() {
        let mut browser = Browser::signed_in().await;
        browser.forget();
        let page = browser.post("/sign-in", &[("mail", MAIL), ("password", PASSWORD)]).await;
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        for part in ["__Host-siteward=", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }

    #[tokio::test]
    async fn a_form_sent_from_another_site_changes_nothing() {
        let mut browser = Browser::signed_in().await;
        let page = browser.post_from("https://evil.example", "/me/theme", &[("theme", "dark")]).await;
        assert_eq!(page.status, 403);
        assert!(!browser.get("/").await.html.contains(r#"data-theme="dark""#));
    }

    #[tokio::test]
    async fn a_theme_is_kept_and_the_reader_stays_on_the_page() {
        let mut browser = Browser::signed_in().await;
        let page = browser.post("/me/theme", &[("theme", "dark"), ("next", "/team")]).await;
        assert_eq!(page.location, "/team");
        assert!(browser.get("/team").await.html.contains(r#"<html lang="en" data-theme="dark">"#));
    }
}
