//! The console: pages and forms by which a team runs its sites.
//!
//! A page is a file: its page structs, its forms, its handlers, its tests. Every handler behind the door takes a
//! [`session::Session`] first; every form goes load → parse → act → 303, and comes back with 422 where it is refused.

mod activity;
mod assets;
mod authorities;
mod bindings;
mod brought;
mod certificates;
mod error;
mod form;
mod format;
mod inspect;
mod install;
mod issued;
mod listeners;
mod me;
mod next;
mod overview;
mod pager;
mod pages;
mod password;
mod receipts;
mod requests;
mod roots;
mod search;
mod session;
mod shell;
mod site;
mod sites;
mod ssl;
mod team;
#[cfg(test)]
mod testing;
mod throttle;
mod traffic;
mod trust_lists;
mod why;
mod words;

use std::any::Any;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use siteward_core::binding::Protocol;
use siteward_core::status::Status;
use siteward_core::store::Store;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use error::Failure;
use install::staged::Staging;
use password::Passwords;
use throttle::Throttle;

/// What the console shows and changes.
#[derive(Debug, Clone)]
pub struct Console {
    /// Everything that is stored.
    pub store: Store,
    /// What the server reports.
    pub status: Status,
    /// What forms propose.
    pub proposed: Ports,
}

/// The ports that forms propose: 80 and 443 where they can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// For http.
    pub http: u16,
    /// For https.
    pub https: u16,
}

impl Ports {
    /// The one for this protocol.
    fn of(self, protocol: Protocol) -> u16 {
        match protocol {
            Protocol::Http => self.http,
            Protocol::Https => self.https,
        }
    }
}

/// The state of every handler.
#[derive(Debug, Clone)]
struct App {
    console: Console,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
    staging: Arc<Staging>,
}

/// The largest body a form or file may have, in bytes.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// The limit where a revocation list is brought, which may be larger than any other file.
const LARGE_LISTS: DefaultBodyLimit = DefaultBodyLimit::max(trust_lists::source::MAX_UPLOAD);

/// The most of an oversize body that is read, only so that its sender gets to see the refusal, in bytes.
const SWALLOWED: usize = 64 * 1024 * 1024;

/// How long a request may take, from its head to the head of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; \
     script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The console's site map. Serve it over TLS only: its cookie is for nothing else.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/search", get(search::list))
        // Sites
        .route("/sites", get(sites::list))
        .route("/sites/new", get(sites::new).post(sites::create))
        .route("/sites/{id}", get(bindings::list))
        .route("/sites/{id}/bindings/new", get(bindings::new).post(bindings::create))
        .route("/sites/{id}/bindings/{binding}", get(bindings::edit).post(bindings::update))
        .route("/sites/{id}/bindings/{binding}/delete", get(bindings::confirm_delete).post(bindings::delete))
        .route("/sites/{id}/ssl", get(ssl::edit).post(ssl::update))
        .route("/sites/{id}/ssl/rules/new", get(ssl::rules::new).post(ssl::rules::create))
        .route("/sites/{id}/ssl/rules/{rule}", get(ssl::rules::edit).post(ssl::rules::update))
        .route("/sites/{id}/ssl/rules/{rule}/delete", get(ssl::rules::confirm_delete).post(ssl::rules::delete))
        .route("/sites/{id}/ssl/trials/{trial}", get(ssl::trials::show))
        .route("/sites/{id}/ssl/trials/{trial}/apply", get(ssl::trials::back).post(ssl::trials::apply))
        .route("/sites/{id}/ssl/trials/{trial}/end", post(ssl::trials::delete))
        .route("/sites/{id}/ssl/hsts", get(ssl::hsts::edit).post(ssl::hsts::update))
        .route("/sites/{id}/ssl/exemptions", get(ssl::exemptions::list).post(ssl::exemptions::create))
        .route("/sites/{id}/ssl/exemptions/{exemption}/delete", post(ssl::exemptions::delete))
        .route("/sites/{id}/content", get(site::edit).post(site::update))
        .route("/sites/{id}/pages", get(pages::list).post(pages::create))
        .route("/sites/{id}/pages/{page}", get(pages::edit).post(pages::update))
        .route("/sites/{id}/pages/{page}/delete", get(pages::back).post(pages::delete))
        .route("/sites/{id}/traffic", get(traffic::show).post(traffic::import))
        .route("/sites/{id}/traffic/leaks", post(traffic::delete_leaks))
        .route("/sites/{id}/history", get(site::history))
        .route("/sites/{id}/check", post(receipts::check))
        .route("/sites/{id}/start", post(site::start))
        .route("/sites/{id}/stop", get(site::confirm_stop).post(site::stop))
        .route("/sites/{id}/delete", get(site::confirm_delete).post(site::delete))
        // Ports
        .route("/listeners", get(listeners::list))
        .route("/listeners/{port}/{ip}", get(listeners::edit).post(listeners::update))
        // Refusals
        .route("/why", get(why::new))
        .route("/why/{reference}", get(why::show))
        // The ledger
        .route("/activity", get(activity::list))
        .route("/activity/{revision}", get(activity::undo::show))
        .route("/activity/{revision}/undo", get(activity::undo::confirm).post(activity::undo::update))
        // People
        .route("/sign-in", get(session::new).post(session::create))
        .route("/sign-out", post(session::delete))
        .route("/join/{token}", get(team::join).post(team::create))
        .route("/me/theme", post(session::update_theme))
        .route("/me/password", get(me::edit).post(me::update))
        .route("/team", get(team::list))
        .route("/team/invite", get(team::new).post(team::invite))
        .route("/team/invitations/{id}/withdraw", get(team::confirm_withdraw).post(team::withdraw))
        .route("/team/{id}/keys", get(team::confirm_may_export).post(team::update_may_export))
        .route("/team/{id}/remove", get(team::confirm_delete).post(team::delete))
        // Certificate requests
        .route("/requests", get(requests::list))
        .route("/requests/new", get(requests::wizard::new).post(requests::wizard::create))
        .route("/requests/{id}", get(requests::show))
        .route("/requests/{id}/download", get(requests::download))
        .route("/requests/{id}/withdraw", get(requests::confirm_delete).post(requests::delete))
        .route("/requests/{id}/sign", get(requests::back).post(requests::sign))
        // Certificates
        .route("/certificates", get(certificates::list::list))
        .route("/certificates/self-signed", get(certificates::self_signed::new).post(certificates::self_signed::create))
        .route("/certificates/{id}", get(certificates::show))
        .route("/certificates/{id}/edit", get(certificates::edit::edit).post(certificates::edit::update))
        .route("/certificates/{id}/renew", post(requests::wizard::renew))
        .route("/certificates/{id}/serve", post(certificates::serve_again))
        .route("/certificates/{id}/export", get(certificates::export::show).post(certificates::export::create))
        .route("/certificates/{id}/download", get(certificates::export::download))
        .route("/certificates/{id}/remove", get(certificates::confirm_delete).post(certificates::delete))
        .route("/install/{token}", get(install::show).post(install::update))
        .route("/inspect", get(inspect::new).post(inspect::show))
        // Authorities
        .route("/authorities", get(authorities::list))
        .route("/authorities/new", get(authorities::new::new).post(authorities::new::create))
        .route("/authorities/{id}", get(authorities::show))
        .route("/authorities/{id}/download", get(authorities::download))
        .route("/roots/new", get(roots::new).post(roots::create))
        .route("/roots/{id}/remove", get(roots::confirm_delete).post(roots::delete))
        .route("/authorities/{id}/trust", get(authorities::trust))
        .route("/authorities/{id}/server", get(authorities::server::new).post(authorities::server::create))
        .route("/authorities/{id}/client", get(authorities::client::new).post(authorities::client::create))
        .route("/authorities/{id}/request", get(authorities::request::new).post(authorities::request::create))
        .route("/authorities/{id}/address", get(authorities::edit::address).post(authorities::edit::update_address))
        .route("/authorities/{id}/renew", get(authorities::edit::confirm_renew).post(authorities::edit::renew))
        .route("/authorities/{id}/delete", get(authorities::edit::confirm_delete).post(authorities::edit::delete))
        .route("/issued", get(issued::list))
        .route("/issued/{id}", get(issued::show))
        .route("/issued/{id}/download", get(issued::download))
        .route("/issued/{id}/revoke", get(issued::confirm_revoke).post(issued::revoke))
        // Whose certificates of visitors are trusted
        .route("/trust-lists", get(trust_lists::list))
        .route("/trust-lists/new", get(trust_lists::edit::new).post(trust_lists::edit::create))
        .route("/trust-lists/explain", get(trust_lists::explain::new).post(trust_lists::explain::show))
        .route("/trust-lists/{id}", get(trust_lists::show))
        .route("/trust-lists/{id}/edit", get(trust_lists::edit::edit).post(trust_lists::edit::update))
        .route("/trust-lists/{id}/delete", get(trust_lists::edit::confirm_delete).post(trust_lists::edit::delete))
        .route("/trust-lists/{id}/rules", get(trust_lists::rules::edit).post(trust_lists::rules::update))
        .route("/trust-lists/{id}/cas/new", get(trust_lists::cas::new).post(trust_lists::cas::create))
        .route("/trust-lists/{id}/cas/own", get(trust_lists::cas::back).post(trust_lists::cas::create_own))
        .route("/trust-lists/{id}/cas/{ca}", get(trust_lists::source::edit).post(trust_lists::source::update))
        .route(
            "/trust-lists/{id}/cas/{ca}/remove",
            get(trust_lists::cas::confirm_delete).post(trust_lists::cas::delete),
        )
        // Files
        .route("/assets/{*path}", get(assets::show))
        .layer(from_fn(refuse_oversize))
        // These say by themselves that a delivery is too large.
        .route("/install", get(install::new).post(install::create))
        .route("/requests/{id}/reply", get(requests::back).post(install::create_for))
        .route(
            "/trust-lists/{id}/cas/{ca}/crl",
            get(trust_lists::source::back).post(trust_lists::source::upload).layer(LARGE_LISTS),
        )
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::NotFound })
        .with_state(App { console, passwords: Arc::default(), throttle: Arc::default(), staging: Arc::default() })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(deadline))
        .layer(CsrfLayer::new().with_rejection_response(|_: ProtectionError| Failure::CrossOrigin.into_response()))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(security_headers))
}

/// Answers in place of a handler that panicked; the panic itself is in the log already.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Failure::Internal("a page panicked".into()).into_response()
}

/// Refuses a body that is too large.
async fn refuse_oversize(request: Request, next: Next) -> Response {
    match fitting(BODY_LIMIT, request).await {
        Some(request) => next.run(request).await,
        None => Failure::TooLarge.into_response(),
    }
}

/// The request, unless its body is too large. Such a body is read to its end: a browser that is cut off in the middle of
/// sending shows an error of its own (RFC 9112 §9.6). Who waits for leave to send is refused without being given it.
async fn fitting(limit: usize, request: Request) -> Option<Request> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_none_or(|length: usize| length <= limit) {
        return Some(request);
    }
    if !request.headers().contains_key(header::EXPECT) {
        let mut body = request.into_body();
        let mut left = SWALLOWED;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match left.checked_sub(frame.data_ref().map_or(0, |data| data.len())) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    }
    None
}

/// Ends what takes too long, such as a body that never comes.
async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::Slow.into_response(),
    }
}

/// Tells the browser what a page of the console may do, and not to keep it.
async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use siteward_core::ssl::RulePath;
    use tower::ServiceExt;

    use super::*;
    use crate::testing::Browser;

    #[tokio::test]
    async fn every_answer_carries_the_strict_policy_and_no_page_is_kept() {
        let mut browser = Browser::signed_in().await;
        for path in ["/", "/sites", "/nowhere", "/sign-in", "/assets/siteward.css"] {
            let page = browser.get(path).await;
            assert_eq!(page.headers["content-security-policy"], CONTENT_SECURITY_POLICY, "{path}");
            assert_eq!(page.headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(page.headers["referrer-policy"], "same-origin", "{path}");
            let cache = if path.starts_with("/assets") { "no-cache" } else { "no-store" };
            assert_eq!(page.headers["cache-control"], cache, "{path}");
        }
    }

    /// Every address behind the door that this method leads to, as the site map above says, with 1 for each id.
    fn addresses(method: &str) -> Vec<String> {
        let map = include_str!("lib.rs").split_once("Router::new()").unwrap().1.split_once(".with_state").unwrap().0;
        let routes = map.split(".route(\"").skip(1).map(|route| route.split_once('"').unwrap());
        let open = ["/sign-in", "/sign-out", "/join/", "/assets/"];
        let asked = routes.filter(|(path, rest)| {
            rest.contains(&format!("{method}(")) && !open.iter().any(|open| path.starts_with(open))
        });
        asked
            .map(|(path, _)| {
                path.replace("{id}", "1")
                    .replace("{binding}", "1")
                    .replace("{rule}", "2")
                    .replace("{trial}", "1")
                    .replace("{page}", "1")
                    .replace("{port}/{ip}", "80/all")
                    .replace("{ca}", "1")
            })
            .collect()
    }

    #[tokio::test]
    async fn no_page_has_a_style_attribute_or_a_script_of_its_own() {
        let mut browser = Browser::signed_in().await;
        browser.https_site("Shop", "shop.example", "refuse").await;
        browser.post("/sites/1/ssl/rules/new", &[("path", "/hooks"), ("ssl", "off")]).await;
        browser.post("/sites/1/ssl", &[("ssl", "redirect"), ("do", "report")]).await;
        browser.post("/sites/1/pages", &[("shown", "404"), ("file", "/none.html")]).await;
        let reference = browser.refused(1, "/", RulePath::site()).await;
        let pending = browser.request("spare.example", time::OffsetDateTime::now_utc()).await;
        browser.post("/team/invite", &[("note", "Owen Clarke")]).await;
        browser.post("/trust-lists/new", &[("name", "Partners"), ("stale", "closed")]).await;
        let ca = siteward_core::testing_ca::TestCa::new().root_pem();
        browser.bring("/trust-lists/1/cas/new", &[], &ca).await;
        browser.bring("/roots/new", &[], &siteward_core::testing_ca::TestCa::new().root_pem()).await;
        let invitation = browser.store.list_invitations(time::OffsetDateTime::now_utc()).await.unwrap()[0].id;
        let csr = browser.store.find_request(pending).await.unwrap().csr;
        let reply = siteward_core::testing_ca::TestCa::new().sign_now(&csr);
        let delivery = browser.bring("/install", &[("reply.cer", &reply)], "").await.location;
        let (mut seen, mut refused) = (0, Vec::new());
        let own = format!("/activity/{}", browser.store.table().revision());
        for path in addresses("get").into_iter().chain([
            format!("/requests/{pending}"),
            "/search?q=shop".into(),
            "/sites/1/ssl?path=/hooks/7".into(),
        ]) {
            let path = path.replace("/invitations/1/", &format!("/invitations/{invitation}/"));
            let path = path.replace("/install/{token}", &delivery).replace("/activity/{revision}", &own);
            let path = path.replace("{reference}", &reference);
            let page = browser.get(&path).await;
            if page.status == 303 || page.headers.contains_key(header::CONTENT_DISPOSITION) {
                continue;
            }
            if page.status == 422 {
                refused.push(path.clone());
            } else {
                assert_eq!(page.status, 200, "{path}");
            }
            for inline in [" style=", "<style", "javascript:", " onclick="] {
                assert!(!page.html.contains(inline), "{path} has {inline}");
            }
            let only = r#"<script src="/assets/console.js" defer></script>"#;
            assert_eq!(page.html.matches("<script").count(), page.html.matches(only).count(), "{path}");
            seen += 1;
        }
        assert_eq!(refused, ["/requests/1/withdraw"], "a request that has its certificate, and nothing else");
        assert!(seen >= 30, "only {seen} pages were seen");
    }

    #[tokio::test]
    async fn every_page_behind_the_door_asks_a_stranger_to_sign_in() {
        let mut browser = Browser::stranger().await;
        let (pages, forms) = (addresses("get"), addresses("post"));
        assert!(pages.len() >= 30 && forms.len() >= 20, "{pages:?} {forms:?}");
        for path in pages {
            let page = browser.get(&path).await;
            assert!(page.status == 303 && page.location.starts_with("/sign-in"), "{path}");
        }
        for path in forms {
            assert_eq!(browser.post(&path, &[]).await.status, 401, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_ends_with_a_sentence() {
        let never = Router::new().route("/", get(std::future::pending::<()>)).layer(from_fn(deadline));
        let response = never.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 503);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("That took too long"));
    }

    #[tokio::test]
    async fn a_page_that_panics_is_a_page_that_failed() {
        async fn broken() -> &'static str {
            panic!("by this test")
        }
        let broken = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(panicked));
        let response = broken.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("Siteward failed here"));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_with_a_sentence() {
        let mut browser = Browser::signed_in().await;
        let page = browser.post("/sites/new", &[("name", &"x".repeat(BODY_LIMIT))]).await;
        assert_eq!(page.status, 413);
        assert!(page.html.contains("A form or file may have at most 2 MiB."));
    }

    #[tokio::test]
    async fn a_body_that_is_no_form_is_refused_with_a_sentence() {
        let mut browser = Browser::signed_in().await;
        let request = Request::post("/sites/new").header(header::CONTENT_TYPE, "application/json");
        let page = browser.send(request, Body::from("{}")).await;
        assert_eq!(page.status, 400);
        assert!(page.html.contains("The form arrived incomplete"));
    }

    #[tokio::test]
    async fn a_wrong_address_or_method_is_a_page() {
        let mut browser = Browser::signed_in().await;
        assert!(browser.get("/nowhere").await.html.contains("There is nothing here"));
        assert_eq!(browser.get("/sign-out").await.status, 404);
    }
}
