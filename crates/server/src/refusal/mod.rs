//! What a visitor is shown who does not get what they came for, in their language. No page names Siteward, or a site that
//! is not theirs.
//!
//! `language` is which language, `texts` what is said in each, `page` how it looks.

mod language;
mod page;
mod texts;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, VARY,
};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body as _;
use siteward_core::path::BadPath;
use siteward_core::refused::Reference;
use siteward_core::ssl::{Redirect, Refusal};

use crate::answer::{Answer, Body};
use crate::asked::BadHost;
use crate::content::OwnPage;

pub(crate) use language::Language;

/// What a page says beside why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// In which language.
    pub(crate) language: Language,
    /// Under which somebody can be told more.
    pub(crate) reference: Option<Reference>,
}

/// Why a request is not answered with content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denial {
    /// 400: the request can't be understood without guessing.
    BadHost(BadHost),
    /// 400: the same, because of its path.
    BadPath,
    /// 301 or 308: the same page over https.
    Redirect {
        /// Which of them.
        how: Redirect,
        /// The address.
        location: HeaderValue,
    },
    /// 403 with a substatus.
    Refuse {
        /// The SSL setting that was not met.
        refusal: Refusal,
        /// The host the visitor asked for, if it is the site's own.
        host: Option<String>,
        /// The same page over https, if the site has an https address.
        address: Option<String>,
    },
    /// 404: no site answers to this host name here.
    NoSite,
    /// 404: the site has no such page.
    NoPage,
    /// 405: only GET and HEAD read files.
    Method,
    /// 421: the connection was made for another site (RFC 9110 §15.5.20).
    Misdirected,
    /// 500: the site's folder or file can't be read.
    Unreadable,
    /// 503: the site is stopped, or locked; which of the two is nobody's business.
    Stopped,
    /// 503: too many files are being sent.
    Busy,
}

impl From<BadHost> for Denial {
    fn from(error: BadHost) -> Self {
        Self::BadHost(error)
    }
}

impl From<BadPath> for Denial {
    fn from(_: BadPath) -> Self {
        Self::BadPath
    }
}

impl Denial {
    /// The status code.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadHost(_) | Self::BadPath => StatusCode::BAD_REQUEST,
            Self::Redirect { how: Redirect::Moved, .. } => StatusCode::MOVED_PERMANENTLY,
            Self::Redirect { how: Redirect::Permanent, .. } => StatusCode::PERMANENT_REDIRECT,
            Self::Refuse { .. } => StatusCode::FORBIDDEN,
            Self::NoSite | Self::NoPage => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Stopped | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The digit after the dot in `403.4`, or 0. A redirect stands for a refusal, and has its.
    pub(crate) fn substatus(&self) -> u8 {
        match self {
            Self::Refuse { refusal, .. } => refusal.substatus(),
            Self::Redirect { .. } => Refusal::SslRequired.substatus(),
            _ => 0,
        }
    }

    /// The built-in page, or the redirect with its own.
    pub(crate) fn into_answer(self, told: Told) -> Answer {
        let texts = told.language.texts();
        let page = page::of(&self, texts, told.reference);
        let mut answer =
            self.respond(Bytes::from(page).into(), Some(HeaderValue::from_static("text/html; charset=utf-8")));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(texts.tag));
        headers.insert(VARY, HeaderValue::from_static("accept-language"));
        headers.insert(CONTENT_SECURITY_POLICY, page::POLICY.clone());
        answer
    }

    /// The site's own page.
    pub(crate) fn into_own_page(self, page: OwnPage) -> Answer {
        self.respond(page.body, page.media_type)
    }

    fn respond(self, body: Body, media_type: Option<HeaderValue>) -> Answer {
        let length = body.size_hint().exact();
        let mut answer = Response::new(body);
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        headers.extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(media_type.map(|media_type| (CONTENT_TYPE, media_type)));
        match self {
            Self::Redirect { location, .. } => _ = headers.insert(LOCATION, location),
            Self::Method => _ = headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD")),
            _ => {}
        }
        answer
    }
}

#[cfg(test)]
mod tests;
