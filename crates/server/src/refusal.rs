//! What a visitor is shown who does not get what they came for. No page names Siteward, or a site that is not theirs.

use std::fmt::{self, Write};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use siteward_core::certificate::Fingerprint;
use siteward_core::path::BadPath;
use siteward_core::ssl::{Redirect, Refusal};

use crate::answer::{Answer, Body};
use crate::asked::BadHost;

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
    fn status(&self) -> StatusCode {
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

    /// The digit after the dot in `403.4`, or 0.
    pub(crate) fn substatus(&self) -> u8 {
        match self {
            Self::Refuse { refusal, .. } => refusal.substatus(),
            _ => 0,
        }
    }

    /// The page, or the redirect.
    pub(crate) fn into_answer(self) -> Answer {
        let page = self.page();
        let mut answer = Response::new(Body::from(Bytes::from(page)));
        *answer.status_mut() = self.status();
        let length = http_body::Body::size_hint(answer.body()).exact().unwrap_or_default();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        match self {
            Self::Redirect { location, .. } => _ = headers.insert(LOCATION, location),
            Self::Method => _ = headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD")),
            _ => {}
        }
        answer
    }

    fn page(&self) -> String {
        match self {
            Self::BadHost(error) => plain("This request cannot be answered", &error.to_string(), "400 Bad request"),
            Self::BadPath => plain("This request cannot be answered", &BadPath.to_string(), "400 Bad request"),
            Self::Redirect { how, location } => moved(*how, &String::from_utf8_lossy(location.as_bytes())),
            Self::Refuse { refusal: Refusal::SslRequired, host, address } => {
                secure_channel(host.as_deref(), address.as_deref())
            }
            Self::Refuse { refusal, host, .. } => not_met(*refusal, host.as_deref()),
            Self::NoSite => {
                plain("There is no site at this address", "Check the spelling of the host name.", "404 Not found")
            }
            Self::NoPage => plain(
                "There is no page at this address",
                "It may have moved, or the address may be misspelt.",
                "404 Not found",
            ),
            Self::Method => {
                plain("This cannot be sent here", "Pages at this address can only be read.", "405 Method not allowed")
            }
            Self::Misdirected => plain(
                "This page belongs to another connection",
                "Open the address again, in a new window if need be.",
                "421 Misdirected request",
            ),
            Self::Unreadable => plain("This page cannot be read", "Try again later.", "500 Internal server error"),
            Self::Stopped => plain("This site is closed for now", "Try again later.", "503 Service unavailable"),
            Self::Busy => plain("Too much is being sent", "Try again in a moment.", "503 Service unavailable"),
        }
    }
}

/// The 403.4 page, in the visitor's browser all that is left of the site: it must need no other file.
fn secure_channel(host: Option<&str>, address: Option<&str>) -> String {
    let mut main = of_site(host);
    main += "<h1>This page needs a secure connection</h1>\n\
             <p>It must be viewed over a secure channel. You came over http://, where others on the way can read along.\n\
             Type https:// at the beginning of the address";
    main += &match address {
        Some(address) => {
            let address = Escaped(address);
            format!(
                ", or follow this link:</p>\n<p class=\"go\"><a href=\"{address}\">{address}</a></p>\n\
                 <p>Did you use a bookmark or a link? Change http:// to https:// there too.</p>\n"
            )
        }
        None => ".</p>\n".to_owned(),
    };
    document("Use https:// for this page", &main, &code(Refusal::SslRequired))
}

/// The page of every other refusal: it came over https, and something else is missing.
fn not_met(refusal: Refusal, host: Option<&str>) -> String {
    let (title, sentence) = match refusal {
        Refusal::SslRequired => {
            ("This page needs a secure connection", "Type https:// at the beginning of the address.")
        }
        Refusal::TlsTooOld => (
            "This page needs a newer kind of secure connection",
            "It is shown over TLS 1.3 only. A current browser or program can do that.",
        ),
        Refusal::CipherTooWeak => (
            "This page needs stronger encryption",
            "It is shown over 256-bit encryption only, with AES-256 or ChaCha20. A current browser or program can do that.",
        ),
        Refusal::NotPostQuantum => (
            "This page needs stronger encryption",
            "It is shown only where the keys are agreed on with ML-KEM, which is safe from quantum computers. \
             A current browser or program can do that.",
        ),
        Refusal::CertificateRequired => (
            "This page needs a client certificate",
            "Your browser has sent none. Install the one you were given, close the browser, and open the page again.",
        ),
        Refusal::CertificateNotAllowed => (
            "Your client certificate does not open this page",
            "It is genuine, but its holder is not among those who may see this page.",
        ),
        Refusal::CertificateRevoked => {
            ("Your client certificate has been revoked", "Ask those who issued it for a new one.")
        }
        Refusal::CertificateUntrusted => (
            "Your client certificate is not trusted here",
            "It was not issued for this site, or it is damaged. Choose another one, or ask for one.",
        ),
        Refusal::CertificateOutOfDate => (
            "Your client certificate is out of date",
            "It has expired, or is not valid yet. Look at the clock of your computer, or ask for a new one.",
        ),
    };
    let main = format!("{}<h1>{title}</h1>\n<p>{sentence}</p>\n", of_site(host));
    document(title, &main, &code(refusal))
}

fn of_site(host: Option<&str>) -> String {
    host.map_or_else(String::new, |host| format!("<p class=\"site\">{}</p>\n", Escaped(host)))
}

fn code(refusal: Refusal) -> String {
    format!("403.{} {}", refusal.substatus(), refusal.reason())
}

fn moved(how: Redirect, address: &str) -> String {
    let address = Escaped(address);
    let main =
        format!("<h1>This page has a secure address</h1>\n<p class=\"go\"><a href=\"{address}\">{address}</a></p>\n");
    let code = match how {
        Redirect::Moved => "301 Moved permanently",
        Redirect::Permanent => "308 Permanent redirect",
    };
    document("Use https:// for this page", &main, code)
}

fn plain(title: &str, sentence: &str, code: &str) -> String {
    let main = format!("<h1>{}</h1>\n<p>{}</p>\n", Escaped(title), Escaped(sentence));
    document(title, &main, code)
}

fn document(title: &str, main: &str, code: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{main}\
         <footer>{code}</footer>\n</main>\n</body>\n</html>\n"
    )
}

const STYLE: &str = include_str!("../../../static/visitor.css");

/// Nothing but the page's own style, named by its digest, so that no byte a visitor sends can become active.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Fingerprint::of(STYLE.as_bytes()).0);
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
});

/// Text inside an element or a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(host: Option<&str>, address: Option<&str>) -> Denial {
        Denial::Refuse {
            refusal: Refusal::SslRequired,
            host: host.map(str::to_owned),
            address: address.map(str::to_owned),
        }
    }

    #[test]
    fn the_403_4_page_says_what_to_type_and_links_there() {
        let page = refuse(Some("shop.example"), Some("https://shop.example/books/atlas?a=1&b=2")).page();
        assert!(page.contains("must be viewed over a secure channel"));
        assert!(page.contains("Type https:// at the beginning of the address"));
        assert!(page.contains("<p class=\"site\">shop.example</p>"));
        assert!(page.contains("<a href=\"https://shop.example/books/atlas?a=1&amp;b=2\">"));
        assert!(page.contains("403.4 SSL required"));
    }

    #[test]
    fn without_an_https_address_there_is_no_link() {
        let page = refuse(None, None).page();
        assert!(page.contains("Type https:// at the beginning of the address.</p>"));
        assert!(!page.contains("<a "));
    }

    #[test]
    fn what_a_visitor_sent_never_becomes_markup() {
        let page = refuse(Some("<b>"), Some("https://shop.example/\"><script>alert('1')</script>")).page();
        assert!(!page.contains("<script>"));
        assert!(!page.contains("<b>"));
        assert!(page.contains("https://shop.example/&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
    }

    #[test]
    fn every_refusal_has_a_page_with_its_code_and_its_site() {
        for &refusal in Refusal::ALL {
            let page = Denial::Refuse { refusal, host: Some("shop.example".into()), address: None }.page();
            assert!(page.contains(&format!("403.{} {}", refusal.substatus(), refusal.reason())), "{refusal:?}");
            assert!(page.contains("<p class=\"site\">shop.example</p>"), "{refusal:?}");
        }
    }

    #[test]
    fn every_page_is_whole_in_itself_uncached_and_without_a_product_name() {
        let to = HeaderValue::from_static("https://shop.example/");
        for denial in [
            Denial::BadHost(BadHost::Missing),
            Denial::BadPath,
            Denial::Redirect { how: Redirect::Permanent, location: to.clone() },
            Denial::Redirect { how: Redirect::Moved, location: to },
            refuse(None, None),
            Denial::NoSite,
            Denial::NoPage,
            Denial::Method,
            Denial::Misdirected,
            Denial::Unreadable,
            Denial::Stopped,
            Denial::Busy,
        ] {
            let status = denial.status();
            let page = denial.page();
            assert!(page.contains(status.as_str()), "{denial:?}");
            assert!(!page.to_lowercase().contains("siteward"), "{denial:?}");
            for needs_a_file in ["src=", "<link", "url(", "<script"] {
                assert!(!page.contains(needs_a_file), "{denial:?}");
            }
            let answer = denial.into_answer();
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
            assert_eq!(answer.headers()[CONTENT_LENGTH], page.len().to_string().as_str());
        }
    }
}
