//! A site's own pages: files of its folder that visitors get instead of the built-in ones.

use crate::path::{UrlPath, encode};
use crate::traffic::Answer;

/// The row id of a page.
pub type PageId = i64;

/// One page of a site's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Row id.
    pub id: PageId,
    /// What it is shown for.
    pub draft: PageDraft,
}

/// A file, and what it is shown for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageDraft {
    /// The status; with the substatus 0, whatever the substatus is.
    pub answer: Answer,
    /// The file, below the site's folder.
    pub path: UrlPath,
}

/// Why there can be no such page. Each message is a sentence for the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    /// Not one of [`PageDraft::ANSWERS`].
    #[error("Choose what the page is shown for.")]
    Answer,
    /// No file of the folder that a visitor could ask for.
    #[error(
        "Enter a file of the content folder as in an address, such as /errors/403.html. No name in it begins with a dot."
    )]
    Path,
}

/// Shorthand for the list below.
const fn answer(status: u16, substatus: u8) -> Answer {
    Answer { status, substatus }
}

impl PageDraft {
    /// What a page can be shown for: everything that is answered on behalf of a site that is known. 421 is not: the
    /// visitor meant another site.
    pub const ANSWERS: [Answer; 12] = [
        answer(403, 0),
        answer(403, 4),
        answer(403, 5),
        answer(403, 7),
        answer(403, 12),
        answer(403, 13),
        answer(403, 16),
        answer(403, 17),
        answer(404, 0),
        answer(405, 0),
        answer(500, 0),
        answer(503, 0),
    ];

    /// Bytes of a path.
    const MAX_PATH: usize = 1_000;

    /// Reads a status such as `403.4`, and a file as typed.
    ///
    /// # Errors
    /// [`BadPage`].
    pub fn parse(status: &str, path: &str) -> Result<Self, BadPage> {
        Ok(Self { answer: Self::parse_answer(status)?, path: Self::parse_path(path)? })
    }

    /// Reads what a page is shown for, as it is displayed.
    ///
    /// # Errors
    /// [`BadPage::Answer`].
    pub fn parse_answer(text: &str) -> Result<Answer, BadPage> {
        Self::ANSWERS.into_iter().find(|answer| answer.to_string() == text).ok_or(BadPage::Answer)
    }

    /// Reads a file as typed, with or without its first slash, percent-encoded as in an address.
    ///
    /// # Errors
    /// [`BadPage::Path`].
    pub fn parse_path(text: &str) -> Result<UrlPath, BadPage> {
        let text = text.trim();
        let slash = if text.starts_with('/') { "" } else { "/" };
        if text.contains(['?', '#']) {
            return Err(BadPage::Path); // in an address, the path ends there
        }
        let path = UrlPath::parse(&format!("{slash}{text}")).map_err(|_| BadPage::Path)?;
        let fits = !path.is_folder() && !path.is_hidden() && path.relative().len() <= Self::MAX_PATH;
        if fits { Ok(path) } else { Err(BadPage::Path) }
    }

    /// Reads what [`UrlPath::relative`] gave.
    pub(crate) fn stored(status: u16, substatus: u8, relative: &str) -> Option<Self> {
        let answer = Self::ANSWERS.into_iter().find(|own| *own == answer(status, substatus))?;
        Some(Self { answer, path: Self::parse_path(&encode(relative)).ok()? })
    }

    /// The file as it stands in an address.
    pub fn address(&self) -> String {
        format!("/{}", encode(self.path.relative()))
    }
}

/// All pages of a site, one for each answer at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pages(Vec<Page>);

impl Pages {
    /// These, in the order of [`PageDraft::ANSWERS`].
    pub fn new(mut pages: Vec<Page>) -> Self {
        pages.sort_by_key(|page| page.draft.answer);
        Self(pages)
    }

    /// Every page.
    pub fn list(&self) -> &[Page] {
        &self.0
    }

    /// The file to show: the one for this very substatus, else the one for the whole status.
    pub fn find(&self, answer: Answer) -> Option<&UrlPath> {
        let of = |answer| self.0.iter().find(|page| page.draft.answer == answer).map(|page| &page.draft.path);
        of(answer).or_else(|| of(Answer { substatus: 0, ..answer }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pages(list: &[(&str, &str)]) -> Pages {
        let page =
            |(id, (status, path)): (i64, &(&str, &str))| Page { id, draft: PageDraft::parse(status, path).unwrap() };
        Pages::new((1..).zip(list).map(page).collect())
    }

    #[test]
    fn the_page_for_the_very_substatus_comes_before_that_of_the_whole_status() {
        let pages = pages(&[("403", "/refused.html"), ("404", "/none.html"), ("403.4", "/https.html")]);
        for (status, substatus, file) in [
            (403, 4, Some("https.html")),
            (403, 5, Some("refused.html")),
            (403, 0, Some("refused.html")),
            (404, 0, Some("none.html")),
            (405, 0, None),
            (421, 0, None),
        ] {
            assert_eq!(pages.find(answer(status, substatus)).map(UrlPath::relative), file, "{status}.{substatus}");
        }
        let order: Vec<String> = pages.list().iter().map(|page| page.draft.answer.to_string()).collect();
        assert_eq!(order, ["403", "403.4", "404"]);
    }

    #[test]
    fn a_page_is_a_file_that_visitors_may_see_for_an_answer_of_this_site() {
        for status in ["", "200", "308", "421", "400", "403.1", "403.0", "404.4", "403.4 "] {
            assert_eq!(PageDraft::parse(status, "/x.html"), Err(BadPage::Answer), "{status}");
        }
        for path in
            ["", "/", "errors/", "/../x.html", "/a/%2e%2e/x", "/.git/config", "/a\\b", "/%zz", "/x?y", "/x#y", "/%00"]
        {
            assert_eq!(PageDraft::parse("404", path), Err(BadPage::Path), "{path}");
        }
        assert_eq!(PageDraft::parse("404", &"x/".repeat(600)), Err(BadPage::Path));
        let draft = PageDraft::parse("404", " errors//not%20here.html ").unwrap();
        assert_eq!(draft.path.relative(), "errors/not here.html");
        assert_eq!(draft.address(), "/errors/not%20here.html");
    }

    proptest! {
        #[test]
        fn a_page_is_read_again_as_it_was_stored(path in "[a-z%0-9./ ü-]{0,30}", index in 0..PageDraft::ANSWERS.len()) {
            let answer = PageDraft::ANSWERS[index];
            if let Ok(draft) = PageDraft::parse(&answer.to_string(), &path) {
                let again = PageDraft::stored(answer.status, answer.substatus, draft.path.relative());
                prop_assert_eq!(again, Some(draft.clone()));
                prop_assert_eq!(PageDraft::parse(&answer.to_string(), &draft.address()), Ok(draft));
            }
        }
    }
}
