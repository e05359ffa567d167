//! How a page looks. In the visitor's browser it is all that is left of the site: it must need no other file.

use std::fmt::{self, Write};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use siteward_core::certificate::Fingerprint;
use siteward_core::refused::Reference;
use siteward_core::ssl::{Redirect, Refusal};

use super::Denial;
use super::texts::Texts;

const STYLE: &str = include_str!("../../../../static/visitor.css");

/// Bytes of a page with addresses of usual lengths: room for it is made once.
const USUAL: usize = 4 * 1024;

/// Nothing but the page's own style, named by its digest, so that no byte a visitor sends can become active.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Fingerprint::of(STYLE.as_bytes()).0);
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
});

/// The page for a denial.
pub(super) fn of(denial: &Denial, texts: &Texts, reference: Option<Reference>) -> String {
    let mut page = String::with_capacity(USUAL);
    // Nothing can fail here: a text takes whatever is written to it.
    _ = write(&mut page, denial, texts, reference);
    page
}

fn write(page: &mut String, denial: &Denial, texts: &Texts, reference: Option<Reference>) -> fmt::Result {
    let text = texts.of(denial);
    let title = if denial.needs_https() { texts.secure_channel.title } else { text.heading };
    write!(
        page,
        "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        tag = texts.tag
    )?;
    if let Denial::Refuse { host: Some(host), .. } = denial {
        writeln!(page, "<p class=\"site\">{}</p>", Escaped(host))?;
    }
    writeln!(page, "<h1>{}</h1>", text.heading)?;
    match denial {
        Denial::Refuse { refusal: Refusal::SslRequired, address: Some(address), .. } => {
            writeln!(page, "<p>{}</p>", texts.secure_channel.before_link)?;
            write_link(page, address)?;
            writeln!(page, "<p>{}</p>", texts.secure_channel.after_link)?;
        }
        Denial::Redirect { location, .. } => {
            writeln!(page, "<p>{}</p>", text.sentence)?;
            write_link(page, &String::from_utf8_lossy(location.as_bytes()))?;
        }
        _ => writeln!(page, "<p>{}</p>", text.sentence)?,
    }
    let language = if texts.tag == "en" { "" } else { " lang=\"en\"" };
    write!(page, "<footer><p{language}>{}</p>", Code(denial))?;
    if let Some(reference) = reference {
        write!(page, "<p>{} <b>{reference}</b></p>", texts.reference)?;
    }
    page.write_str("</footer>\n</main>\n</body>\n</html>\n")
}

fn write_link(page: &mut String, address: &str) -> fmt::Result {
    let address = Escaped(address);
    writeln!(page, "<p class=\"go\"><a href=\"{address}\">{address}</a></p>")
}

impl Denial {
    /// Whether https:// is all that is missing.
    fn needs_https(&self) -> bool {
        matches!(self, Self::Redirect { .. } | Self::Refuse { refusal: Refusal::SslRequired, .. })
    }
}

/// `403.4 SSL required`: in every language the same, so that it can be searched for.
struct Code<'a>(&'a Denial);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Denial::Refuse { refusal, .. } => {
                return write!(f, "403.{} {}", refusal.substatus(), refusal.reason());
            }
            Denial::BadHost(_) | Denial::BadPath => "400 Bad request",
            Denial::Redirect { how: Redirect::Moved, .. } => "301 Moved permanently",
            Denial::Redirect { how: Redirect::Permanent, .. } => "308 Permanent redirect",
            Denial::NoSite | Denial::NoPage => "404 Not found",
            Denial::Method => "405 Method not allowed",
            Denial::Misdirected => "421 Misdirected request",
            Denial::Unreadable => "500 Internal server error",
            Denial::Stopped | Denial::Busy => "503 Service unavailable",
        })
    }
}

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
