//! The stylesheet, icons, fonts and the one script, compiled in.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::error::{Answer, Failure};
use crate::form::At;

#[derive(RustEmbed)]
#[folder = "../../static"]
struct Static;

/// A file, by its name. A browser asks again each time and mostly hears 304, so a new version never meets old style.
pub(crate) async fn show(At(path): At<String>, headers: HeaderMap) -> Answer {
    let file = Static::get(&path).ok_or(Failure::NotFound)?;
    let content_type = content_type(&path).ok_or(Failure::NotFound)?;
    let digest: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = HeaderValue::try_from(format!("\"{digest}\"")).map_err(|error| Failure::Internal(error.to_string()))?;

    let fresh = headers.get(header::IF_NONE_MATCH) == Some(&etag);
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(file.data.into_owned()))
    };
    response.headers_mut().insert(header::ETAG, etag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

fn content_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "woff2" => Some("font/woff2"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, header};

    use crate::testing::Browser;

    #[tokio::test]
    async fn a_file_is_sent_once_and_then_only_confirmed() {
        let mut browser = Browser::stranger().await;
        let first = browser.get("/assets/siteward.css").await;
        assert_eq!((first.status, first.headers["content-type"].to_str().unwrap()), (200, "text/css; charset=utf-8"));
        let again = Request::get("/assets/siteward.css").header(header::IF_NONE_MATCH, &first.headers["etag"]);
        let again = browser.send(again, Body::empty()).await;
        assert_eq!((again.status, again.html.as_str()), (304, ""));
    }

    #[tokio::test]
    async fn nothing_but_the_files_is_there() {
        let mut browser = Browser::stranger().await;
        for path in
            ["/assets/", "/assets/no.css", "/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/assets/fonts"]
        {
            assert_eq!(browser.get(path).await.status, 404, "{path}");
        }
        assert_eq!(browser.get("/assets/fonts/LICENSE.txt").await.status, 200);
    }

    /// The names of all icons that a text asks for, by the macro or in a state.
    fn icons(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                icons(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let asked = text.split("icon(\"").skip(1).filter_map(|rest| rest.split_once("\")"));
            found.extend(asked.map(|(name, _)| name.to_owned()));
        }
    }

    /// Whatever a template or a state names is there, and nothing else.
    #[tokio::test]
    async fn every_icon_has_its_own_id_and_is_used() {
        let mut browser = Browser::stranger().await;
        let sprite = browser.get("/assets/icons.svg").await.html;
        let mut asked = std::collections::BTreeSet::from(
            ["ok", "warn", "bad", "redirect", "closed", "run", "stop", "wait"].map(String::from),
        );
        icons(std::path::Path::new("../../templates"), &mut asked);
        let there: Vec<&str> =
            sprite.split("id=\"i-").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
        assert_eq!(there.len(), asked.len(), "{there:?} {asked:?}");
        for name in asked {
            assert_eq!(there.iter().filter(|own| **own == name).count(), 1, "{name}");
        }
    }
}
