//! In which language a visitor is spoken to.

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, HeaderValue};

use super::texts::{self, Texts};

/// A language that the built-in pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    #[default]
    English,
    German,
    French,
    Spanish,
    Japanese,
    Chinese,
}

/// Languages of one request that are looked at: more than any browser sends.
const LOOKED_AT: usize = 32;

/// What somebody thinks of a language, in thousandths (RFC 9110 §12.4.2).
type Quality = u16;

/// How good a language is to a visitor: the better quality first, then the one that was named earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(Quality, std::cmp::Reverse<usize>);

impl Language {
    /// Every language, English first: it is spoken to whoever asks for none of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Japanese, Self::Chinese];

    /// The language for a visitor who sent these fields.
    pub(crate) fn of(fields: &HeaderMap) -> Self {
        let texts = fields.get_all(ACCEPT_LANGUAGE).iter().filter_map(|field| HeaderValue::to_str(field).ok());
        Self::best(texts.flat_map(|text| text.split(',')))
    }

    /// The best of these ranges (RFC 9110 §12.5.4), each looked up as RFC 4647 §3.4 says: the tags of all languages here
    /// are one subtag long, so whatever follows the first subtag of a range is cut off in any case. `*` stands for what is
    /// not named. What can't be read is left out.
    pub(super) fn best<'a>(ranges: impl Iterator<Item = &'a str>) -> Self {
        let mut named = Self::ALL.map(|_| None::<Rank>);
        let mut others = None;
        for (place, element) in ranges.take(LOOKED_AT).enumerate() {
            let Some((range, quality)) = parse(element) else { continue };
            let rank = Some(Rank(quality, std::cmp::Reverse(place)));
            match Self::ALL.iter().position(|language| is_in(range, language.texts().tag)) {
                Some(index) => named[index] = named[index].max(rank),
                None if range == "*" => others = others.max(rank),
                None => {}
            }
        }
        let ranked = Self::ALL.into_iter().zip(named).filter_map(|(language, rank)| Some((rank.or(others)?, language)));
        let wanted = ranked.filter(|(Rank(quality, _), _)| *quality > 0);
        // Of equals, which only `*` makes, the first of all.
        wanted.reduce(|best, next| if next.0 > best.0 { next } else { best }).map_or(Self::default(), |(_, best)| best)
    }

    /// Everything that is said in it.
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &texts::en::TEXTS,
            Self::German => &texts::de::TEXTS,
            Self::French => &texts::fr::TEXTS,
            Self::Spanish => &texts::es::TEXTS,
            Self::Japanese => &texts::ja::TEXTS,
            Self::Chinese => &texts::zh::TEXTS,
        }
    }

    /// As in `lang` and `Content-Language`.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn tag(self) -> &'static str {
        self.texts().tag
    }
}

/// Whether a range is this language, or one of its regions and scripts.
fn is_in(range: &str, tag: &str) -> bool {
    range.split('-').next().is_some_and(|first| first.eq_ignore_ascii_case(tag))
}

/// `de-AT;q=0.8`: a range and its quality.
fn parse(element: &str) -> Option<(&str, Quality)> {
    let mut parts = element.split(';').map(|part| part.trim_matches([' ', '\t']));
    let range = parts.next().filter(|range| *range == "*" || range.split('-').all(is_subtag))?;
    let quality = match parts.next() {
        None => 1000,
        Some(weight) => thousandths(weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?)?,
    };
    parts.next().is_none().then_some((range, quality))
}

fn is_subtag(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `0.875`: at most three digits after the dot, and at most 1 (RFC 9110 §12.4.2).
fn thousandths(text: &str) -> Option<Quality> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(3);
    let quality = whole.bytes().chain(padded).fold(0, |sum, digit| sum * 10 + Quality::from(digit - b'0'));
    (quality <= 1000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn best(field: &str) -> &'static str {
        Language::best(field.split(',')).tag()
    }

    #[test]
    fn the_language_that_is_wanted_most_is_spoken() {
        for (field, tag) in [
            ("de", "de"),
            ("DE-at", "de"),
            ("zh-CN", "zh"),
            ("zh-Hans-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("ja,en-US;q=0.7,en;q=0.3", "ja"),
            ("it,fr-CA;q=0.5,en;q=0.3", "fr"),
            ("en;q=0.2, es ; q=0.25", "es"),
            ("fr;q=0.5,de;q=0.5", "fr"),
            ("it-IT, *;q=0.1", "en"),
            ("en;q=0, *;q=0.1", "de"),
            ("*, en;q=0.5", "de"),
            ("de;q=0, de-AT;q=0.4", "de"),
            ("de;q=0", "en"),
            ("it", "en"),
            ("", "en"),
            ("dex", "en"),
            ("fr;q=0.5,de;q=1.5", "fr"),
            ("fr;q=0.5,de;q=0.6000", "fr"),
            ("fr;q=0.5,de;level=1", "fr"),
            ("fr;q=0.5,d e", "fr"),
            ("fr;q=0.5,de-", "fr"),
        ] {
            assert_eq!(best(field), tag, "{field}");
        }
    }

    #[test]
    fn several_fields_are_one_list_and_what_no_browser_sends_is_not_looked_at() {
        let mut fields = HeaderMap::new();
        assert_eq!(Language::of(&fields), Language::English);
        for field in ["it", "es;q=0.1", "fr;q=0.2"] {
            fields.append(ACCEPT_LANGUAGE, HeaderValue::from_static(field));
        }
        assert_eq!(Language::of(&fields), Language::French);
        let long = format!("{}de", "it,".repeat(LOOKED_AT));
        assert_eq!(best(&long), "en");
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_answered_in_a_language_that_it_does_not_rule_out(
            field in "\\PC{0,200}|(([a-z]{2}(-[A-Za-z0-9]{1,9})?|\\*)(;q=[01](\\.[0-9]{0,4})?)?, ?){0,40}"
        ) {
            let chosen = best(&field);
            prop_assert!(Language::ALL.iter().any(|language| language.tag() == chosen));
        }

        #[test]
        fn with_different_qualities_the_highest_is_chosen_wherever_it_stands(
            order in Just(Language::ALL.to_vec()).prop_shuffle(),
            qualities in prop::collection::btree_set(1_u16..=1000, Language::ALL.len()),
        ) {
            let qualities: Vec<u16> = qualities.into_iter().collect();
            let ranges = order.iter().zip(&qualities).rev().map(|(language, quality)| {
                format!("{}-x;q={}.{:03}", language.tag(), quality / 1000, quality % 1000)
            });
            prop_assert_eq!(best(&ranges.collect::<Vec<_>>().join(",")), order[order.len() - 1].tag());
        }
    }
}
