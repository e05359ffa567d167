//! Which names may be one to a file system. A rule on `/Account` must hold for `/account` where that reaches the same
//! folder, so rules are found by what all its spellings have in common.

use std::borrow::Cow;

use icu_normalizer::uts46::Uts46MapperBorrowed;

/// The common form of every spelling of a name.
///
/// It is coarser than any file system that Siteward can serve from: letters without case (ext4 and XFS with case
/// folding, FAT, NTFS, APFS), characters by what they mean and not how they are composed (APFS, ext4), without invisible
/// ones (ext4), without dots and spaces at the end (FAT), and without what follows a colon (NTFS streams). Empty
/// where nothing is left.
pub(super) fn common(name: &str) -> Cow<'_, str> {
    let stem = name.split(':').next().unwrap_or_default();
    if stem.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(trimmed(stem));
    }
    let folded = match stem.is_ascii() {
        true => stem.to_ascii_lowercase(),
        false => Uts46MapperBorrowed::new().map_normalize(stem.chars()).flat_map(undeviating).collect(),
    };
    Cow::Owned(trimmed(&folded).to_owned())
}

/// The four characters that host names may keep (UTS 46 §4, deviations), as file systems fold them.
fn undeviating(character: char) -> impl Iterator<Item = char> {
    let folded = match character {
        'ß' => [Some('s'), Some('s')],
        'ς' => [Some('σ'), None],
        '\u{200c}' | '\u{200d}' => [None, None],
        other => [Some(other), None],
    };
    folded.into_iter().flatten()
}

fn trimmed(name: &str) -> &str {
    name.trim_end_matches(['.', ' '])
}

/// Whether two names may be one to a file system.
pub fn is_one_name(one: &str, other: &str) -> bool {
    common(one) == common(other)
}

/// Whether FAT may have made this name up as the short one of another, such as `ACCOUN~1` of `accounting`.
pub(super) fn is_short_for_another(name: &str) -> bool {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let numbered = stem.rsplit_once('~').is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    numbered && stem.chars().count() <= 8 && extension.trim_end().chars().count() <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_name_have_one_form() {
        for (name, spellings) in [
            ("account", &["Account", "ACCOUNT", "account.", "account. .", "account::$DATA", "acc\u{ad}ount"][..]),
            ("straße", &["STRASSE", "Straße", "STRAẞE"]),
            ("caf\u{e9}", &["CAF\u{c9}", "cafe\u{301}"]),
            ("kelvin", &["\u{212a}elvin"]),
            ("σοφος", &["ΣΟΦΟΣ", "σοφος\u{200d}"]),
        ] {
            for spelling in spellings {
                assert_eq!(common(spelling), common(name), "{spelling:?}");
            }
        }
        for other in ["accounts", "a.ccount", ".account", "account~"] {
            assert_ne!(common(other), "account", "{other:?}");
        }
        assert_eq!(common("..."), "");
    }

    #[test]
    fn a_short_name_of_fat_is_told_from_others() {
        for name in ["ACCOUN~1", "accou~12.htm", "A~1.TXT"] {
            assert!(is_short_for_another(name), "{name}");
        }
        for name in ["account", "backup~", "a-long-name~1", "a~1.html", "~x"] {
            assert!(!is_short_for_another(name), "{name}");
        }
    }
}
