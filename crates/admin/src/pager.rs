//! Long lists in pages: a range, a number to type, first, previous, next and last. Never a row of numbers.

use crate::form::address;
use crate::format::number;

/// The numbers of rows a page may have; the first is the one nobody chose.
const SIZES: [usize; 4] = [25, 50, 100, 200];

/// Which part of a list a page shows, for the macro `pager`.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    path: String,
    /// What else the address says.
    keep: Vec<(&'static str, String)>,
    total: usize,
    /// From 1.
    page: usize,
    /// One of [`SIZES`].
    per: usize,
}

impl Pager {
    /// The page asked for, as typed, or the nearest there is, of a list of `total` rows.
    pub(crate) fn new(path: impl Into<String>, total: usize, page: &str, per: &str) -> Self {
        let per = per.parse().ok().filter(|per| SIZES.contains(per)).unwrap_or(SIZES[0]);
        let pages = total.div_ceil(per).max(1);
        let page = page.trim().parse().unwrap_or(1).clamp(1, pages);
        Self { path: path.into(), keep: Vec::new(), total, page, per }
    }

    /// Keeps a field of the address while turning pages.
    pub(crate) fn keeping(mut self, name: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.keep.push((name, value.to_owned()));
        }
        self
    }

    /// How many rows come before this page.
    pub(crate) fn offset(&self) -> usize {
        (self.page - 1) * self.per
    }

    /// How many rows this page has at most.
    pub(crate) fn limit(&self) -> usize {
        self.per
    }

    /// [`Pager::offset`] and [`Pager::limit`], for the store.
    pub(crate) fn window(&self) -> (i64, i64) {
        let number = |rows| i64::try_from(rows).unwrap_or(i64::MAX);
        (number(self.offset()), number(self.limit()))
    }

    /// The list's address.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The fields to keep.
    pub(crate) fn keep(&self) -> &[(&'static str, String)] {
        &self.keep
    }

    /// This page's number.
    pub(crate) fn page(&self) -> usize {
        self.page
    }

    /// How many pages there are, at least 1.
    pub(crate) fn pages(&self) -> usize {
        self.total.div_ceil(self.per).max(1)
    }

    /// Whether the list is longer than the shortest page.
    pub(crate) fn is_needed(&self) -> bool {
        self.total > SIZES[0]
    }

    /// `26–50 of 1,203`; nothing for an empty list.
    pub(crate) fn range(&self) -> String {
        if self.total == 0 {
            return String::new();
        }
        let last = (self.offset() + self.per).min(self.total);
        format!("{}–{} of {}", number(self.offset() + 1), number(last), number(self.total))
    }

    /// Each number of rows, and whether it is chosen.
    pub(crate) fn choices(&self) -> Vec<(usize, bool)> {
        SIZES.map(|per| (per, per == self.per)).to_vec()
    }

    /// The other pages in reach: their names and addresses.
    pub(crate) fn links(&self) -> Vec<(&'static str, String)> {
        let mut links = Vec::new();
        if self.page > 1 {
            links.push(("First page", self.to(1)));
            links.push(("Previous page", self.to(self.page - 1)));
        }
        if self.page < self.pages() {
            links.push(("Next page", self.to(self.page + 1)));
            links.push(("Last page", self.to(self.pages())));
        }
        links
    }

    fn to(&self, page: usize) -> String {
        let (page, per) = (page.to_string(), self.per.to_string());
        let mut fields: Vec<(&str, &str)> = self.keep.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("per", if self.per == SIZES[0] { "" } else { &per }));
        fields.push(("page", &page));
        address(&self.path, &fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_there_is_the_nearest_one() {
        for (asked, page) in [("", 1), ("-5", 1), ("0", 1), ("2", 2), ("3", 3), ("99", 3), ("x", 1)] {
            assert_eq!(Pager::new("/sites", 60, asked, "").page(), page, "{asked:?}");
        }
        let empty = Pager::new("/sites", 0, "7", "");
        assert_eq!((empty.page(), empty.pages(), empty.range().as_str()), (1, 1, ""));
    }

    #[test]
    fn a_page_says_which_rows_it_shows_and_keeps_the_filter() {
        let pager = Pager::new("/sites", 1_203, "2", "50").keeping("f", "a b").keeping("view", "");
        assert_eq!((pager.offset(), pager.limit()), (50, 50));
        assert_eq!(pager.range(), "51–100 of 1,203");
        assert_eq!(pager.links()[2], ("Next page", "/sites?f=a%20b&per=50&page=3".to_owned()));
        assert_eq!(Pager::new("/sites", 1_203, "25", "50").range(), "1,201–1,203 of 1,203");
    }

    #[test]
    fn only_offered_numbers_of_rows_are_taken() {
        assert_eq!(Pager::new("/sites", 1_000_000, "1", "1000000").limit(), SIZES[0]);
        assert!(!Pager::new("/sites", SIZES[0], "", "").is_needed());
    }
}
