//! The console: pages and forms by which a team runs its sites.
//!
//! A page is a file: its page structs, its forms, its handlers, its tests. Every handler behind the door takes a
//! [`session::Session`] first; every form goes load → parse → act → 303, and comes back with 422 where it is refused.

mod assets;
mod error;
mod form;
mod format;
mod overview;
mod password;
mod session;
mod shell;
mod team;
#[cfg(test)]
mod testing;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use siteward_core::status::Status;
use siteward_core::store::Store;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::timeout::TimeoutLayer;

use error::Failure;
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

/// The state of every handler.
#[derive(Debug, Clone)]
struct App {
    console: Console,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
}

/// The largest body a form or file may have, in bytes.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// How long a request may take, from its head to the head of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; \
     script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The console's site map. Serve it over TLS only: its cookie is for nothing else.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(overview::show))
        // People
        .route("/sign-in", get(session::new).post(session::create))
        .route("/sign-out", post(session::delete))
        .route("/join/{token}", get(team::join).post(team::create))
        .route("/me/theme", post(session::update_theme))
        .route("/team", get(team::list))
        .route("/team/invite", get(team::new).post(team::invite))
        .route("/team/{id}/remove", get(team::confirm_delete).post(team::delete))
        // Files
        .route("/assets/{*path}", get(assets::show))
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::NotFound })
        .with_state(App { console, passwords: Arc::default(), throttle: Arc::default() })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(CsrfLayer::new().with_rejection_response(|_: ProtectionError| Failure::CrossOrigin.into_response()))
        .layer(from_fn(security_headers))
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
