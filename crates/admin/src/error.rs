//! Failures that no form can mend, and the pages that tell of them.

use std::hash::{BuildHasher, Hasher, RandomState};

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use siteward_core::store::StoreError;

/// What every handler returns.
pub(crate) type Answer = Result<Response, Failure>;

/// Why a request gets no page of its own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is nothing at this address, or no longer.
    NotFound,
    /// A form of another site was sent here.
    CrossOrigin,
    /// The body is over the limit.
    TooLarge,
    /// It took longer than a request may.
    Slow,
    /// The form can't be read at all.
    Malformed,
    /// Nobody is signed in; where to go on after signing in.
    SignedOut {
        /// A path of this console.
        next: String,
    },
    /// Nobody is signed in any more where a form was sent from.
    SessionEnded,
    /// Refused with a sentence that belongs to no field.
    Refused(String),
    /// Somebody else changed the thing meanwhile, and there is no form to compare with.
    Stale(String),
    /// Our fault. The cause goes to the log, never to the page.
    Internal(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Gone => Self::NotFound,
            StoreError::Stale { .. } | StoreError::ChangedSince { .. } | StoreError::Undone { .. } => {
                Self::Stale(error.to_string())
            }
            StoreError::Database(_) | StoreError::Internal(_) => Self::Internal(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<MultipartError> for Failure {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "errors/show.html")]
struct ErrorPage {
    title: &'static str,
    sentence: String,
    sign_in: bool,
}

impl Failure {
    fn page(self) -> (StatusCode, ErrorPage) {
        let sign_in = matches!(self, Self::SessionEnded);
        let (status, title, sentence) = match self {
            Self::NotFound | Self::SignedOut { .. } => (
                StatusCode::NOT_FOUND,
                "There is nothing here",
                "The address is mistyped, or what stood here was deleted.".into(),
            ),
            Self::SessionEnded => (
                StatusCode::UNAUTHORIZED,
                "Your session has ended",
                "Nothing was changed. Sign in in another tab, then load this page again: your browser offers to send \
                 what you typed once more."
                    .into(),
            ),
            Self::CrossOrigin => (
                StatusCode::FORBIDDEN,
                "This form came from another site",
                "Nothing was changed. Open the console and start there.".into(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "That is too large",
                "A form or file may have at most 2 MiB. Nothing was changed.".into(),
            ),
            Self::Slow => (
                StatusCode::SERVICE_UNAVAILABLE,
                "That took too long",
                "It may have been saved or not: Activity tells. Try again in a moment.".into(),
            ),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "The form arrived incomplete",
                "Nothing was changed. Go back, load the page anew and send the form again.".into(),
            ),
            Self::Refused(sentence) => (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed", sentence),
            Self::Stale(sentence) => (StatusCode::CONFLICT, "Nothing was changed", sentence),
            Self::Internal(cause) => {
                let reference = format!("{:016x}", RandomState::new().build_hasher().finish());
                tracing::error!(reference, cause, "the console failed");
                let sentence = format!("It is not your fault. The log says more under {reference}.");
                (StatusCode::INTERNAL_SERVER_ERROR, "Siteward failed here", sentence)
            }
        };
        (status, ErrorPage { title, sentence, sign_in })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::SignedOut { next } => Redirect::to(&crate::session::sign_in_address(&next)).into_response(),
            other => other.page().into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_database_keeps_its_cause_off_the_page() {
        let (status, page) = Failure::from(StoreError::Internal("row 7 of keys".into())).page();
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let html = page.render().unwrap();
        assert!(!html.contains("row 7"), "{html}");
        assert!(html.contains("The log says more under"));
    }

    #[test]
    fn a_refusal_is_escaped() {
        let (_, page) = Failure::Refused("<script>".into()).page();
        assert!(page.render().unwrap().contains("&#60;script&#62;"));
    }
}
