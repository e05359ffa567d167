//! A file that a site shows instead of a built-in page, with the visitor's reference in it.

use bytes::Bytes;
use http::HeaderValue;
use siteward_core::refused::Reference;

use crate::answer::{Body, Pieces};

/// A file that a site shows instead of a built-in page.
pub(crate) struct OwnPage {
    pub(crate) media_type: Option<HeaderValue>,
    pub(crate) body: Body,
}

/// What stands for the visitor's reference.
const REFERENCE: &[u8] = b"{reference}";

/// How often it is put into one page. What comes after is shown as it is written.
const MOST: usize = 8;

/// Where a page asks for the visitor's reference.
pub(super) fn asks(page: &[u8]) -> Box<[usize]> {
    let places = page.windows(REFERENCE.len()).enumerate().filter(|(_, own)| *own == REFERENCE);
    places.map(|(place, _)| place).take(MOST).collect()
}

/// The page with the reference at these places; a hyphen where there is none. A reference is made of capital letters, digits
/// and a hyphen, so that it means nothing in whatever the page is written in. All else is shared, and not copied for a visitor.
pub(super) fn telling(page: &Bytes, asks: &[usize], reference: Option<Reference>) -> Body {
    if asks.is_empty() {
        return page.clone().into();
    }
    let told = Bytes::from(reference.map_or_else(|| "-".to_owned(), |reference| reference.to_string()));
    let (mut pieces, mut from) = (Pieces::default(), 0);
    for &place in asks {
        pieces.push(page.slice(from..place));
        pieces.push(told.clone());
        from = place + REFERENCE.len();
    }
    pieces.push(page.slice(from..));
    Body::Pieces(pieces)
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    async fn told(page: &str) -> String {
        let page = Bytes::copy_from_slice(page.as_bytes());
        let body = telling(&page, &asks(&page), None);
        let promised = body.size_hint().exact();
        let is_over = body.is_end_stream();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!((promised, is_over), (Some(bytes.len() as u64), bytes.is_empty()), "{page:?}");
        String::from_utf8(bytes.into()).unwrap()
    }

    #[tokio::test]
    async fn a_page_tells_the_reference_at_the_first_places_that_ask_for_it() {
        for (page, shown) in [
            ("", ""),
            ("none", "none"),
            ("{reference}", "-"),
            ("{reference}{reference}", "--"),
            ("<b>{reference}</b>{reference", "<b>-</b>{reference"),
            ("{{reference}}", "{-}"),
        ] {
            assert_eq!(told(page).await, shown);
        }
        assert_eq!(told(&"{reference}".repeat(MOST + 1)).await, format!("{}{{reference}}", "-".repeat(MOST)));
    }

    #[tokio::test]
    async fn all_visitors_of_a_page_get_the_same_bytes_in_memory() {
        let page = Bytes::from("a".repeat(9) + "{reference}" + "b");
        let mut body = telling(&page, &asks(&page), Some(Reference::from_random(7)));
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(frame.unwrap().into_data().unwrap());
        }
        let shown = Reference::from_random(7).to_string();
        assert_eq!(frames, ["a".repeat(9), shown, "b".into()]);
        let ends = [frames[0].as_ptr(), frames[2].as_ptr()];
        assert_eq!(ends, [page.as_ptr(), page[page.len() - 1..].as_ptr()]);
    }
}
