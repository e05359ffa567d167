//! Host names as visitors send them and as bindings name them.

use std::borrow::Borrow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A DNS host name: lower case, A-labels only, without a trailing dot, at most 253 bytes (RFC 1123 §2.1, RFC 5891).
///
/// Two spellings of one name (`Shop.Example.`, `shop.example`) are one value, so policy can't be evaded by spelling.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Arc<str>);

/// Why a text is not a host name. Each message is a sentence for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// Nothing but white space.
    #[error("Enter a host name, such as shop.example.")]
    Empty,
    /// A scheme, path, port or user before or after the name.
    #[error("Enter only the host name, without http://, a port or a path.")]
    NotOnlyAName,
    /// White space or control characters inside.
    #[error("A host name has no spaces or control characters.")]
    Space,
    /// Longer than 253 bytes as A-labels.
    #[error("A host name has at most 253 characters.")]
    TooLong,
    /// A label over 63 bytes, or an empty one (`a..b`).
    #[error("Between two dots there must be 1 to 63 characters.")]
    Label,
    /// A character outside letters, digits and inner hyphens; an underscore; invalid Unicode.
    #[error("A host name has only letters, digits and hyphens, and no hyphen at either end of a part.")]
    Character,
    /// An IP address where a name is needed.
    #[error("This is an IP address. Enter a host name, or leave it empty and choose the address of the binding.")]
    IpAddress,
    /// A star anywhere but as the whole first label of a name with at least two more.
    #[error("A star stands alone before the first dot of a name with at least two parts, as in *.shop.example.")]
    Star,
}

impl HostName {
    /// The longest host name in bytes, without the trailing dot (RFC 1035 §2.3.4).
    pub const MAX_LEN: usize = 253;

    /// Reads a host name in either form (`bücher.example` or `xn--bcher-kva.example`), any case, with or without a
    /// trailing dot.
    ///
    /// # Errors
    /// The first [`HostNameError`] that applies.
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return Err(HostNameError::Empty);
        }
        if text.len() > 4 * Self::MAX_LEN {
            return Err(HostNameError::TooLong);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(HostNameError::Space);
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() {
            return Err(HostNameError::IpAddress);
        }
        if text.contains(['/', ':', '@', '?', '#']) {
            return Err(HostNameError::NotOnlyAName);
        }
        if text.contains('*') {
            return Err(HostNameError::Star);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let ascii = to_ascii(text)?;
        if ascii.len() > Self::MAX_LEN {
            return Err(HostNameError::TooLong);
        }
        ascii.split('.').try_for_each(check_label)?;
        if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err(HostNameError::IpAddress); // "1.2.3" and "0x7f.1" style numbers are addresses to browsers
        }
        Ok(Self(ascii.into()))
    }

    /// The name in A-labels (ASCII).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as people write it: U-labels where they round-trip, otherwise the A-labels.
    pub fn unicode(&self) -> String {
        match idna::domain_to_unicode(&self.0) {
            (unicode, Ok(())) => unicode,
            _ => self.0.to_string(),
        }
    }

    /// The name without its first label (`www.shop.example` → `shop.example`), which is what a wildcard covers.
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }
}

fn to_ascii(text: &str) -> Result<String, HostNameError> {
    if text.is_ascii() && !text.to_ascii_lowercase().contains("xn--") {
        return Ok(text.to_ascii_lowercase());
    }
    let ascii = idna::domain_to_ascii_strict(text).map_err(|_| HostNameError::Character)?;
    if ascii.is_empty() { Err(HostNameError::Character) } else { Ok(ascii) }
}

fn check_label(label: &str) -> Result<(), HostNameError> {
    if label.is_empty() || label.len() > 63 {
        return Err(HostNameError::Label);
    }
    let allowed = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !allowed || label.starts_with('-') || label.ends_with('-') {
        return Err(HostNameError::Character);
    }
    Ok(())
}

impl Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The host name of a binding: exact, one wildcard label, or none (every name).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Any host name, or none at all.
    Any,
    /// `*.parent`: exactly one more label than `parent`.
    Wildcard(HostName),
    /// This name only.
    Exact(HostName),
}

impl HostPattern {
    /// Reads what a person types or what `HostPattern::to_string` wrote: empty, `*.shop.example` or a host name.
    ///
    /// # Errors
    /// As [`HostName::parse`]; a star elsewhere, or over a single label (`*.example`), is [`HostNameError::Star`].
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let Some(parent) = text.strip_prefix("*.") else {
            return HostName::parse(text).map(Self::Exact);
        };
        let parent = HostName::parse(parent)?;
        if parent.parent().is_none() {
            return Err(HostNameError::Star);
        }
        if parent.as_str().len() + 2 > HostName::MAX_LEN {
            return Err(HostNameError::TooLong);
        }
        Ok(Self::Wildcard(parent))
    }

    /// Whether a visitor's host name falls under this pattern.
    pub fn covers(&self, host: &HostName) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => name == host,
            Self::Wildcard(parent) => host.parent() == Some(parent.as_str()),
        }
    }

    /// As people write it: U-labels, and nothing for [`HostPattern::Any`].
    pub fn unicode(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Wildcard(parent) => format!("*.{}", parent.unicode()),
            Self::Exact(name) => name.unicode(),
        }
    }
}

/// The form that is stored and typed: empty, `*.shop.example`, `shop.example`.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
            Self::Exact(name) => write!(f, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> HostName {
        HostName::parse(text).expect(text)
    }

    #[test]
    fn one_name_in_several_spellings_is_one_value() {
        assert_eq!(name("Shop.Example."), name("shop.example"));
        assert_eq!(name("BÜCHER.example"), name("xn--bcher-kva.example"));
    }

    #[test]
    fn an_international_name_is_kept_as_a_label_and_shown_in_both_forms() {
        let host = name("bücher.example");
        assert_eq!(host.as_str(), "xn--bcher-kva.example");
        assert_eq!(host.unicode(), "bücher.example");
    }

    #[test]
    fn what_is_not_a_host_name_is_refused_by_name() {
        use HostNameError::*;
        let long = format!("{}.example", vec!["a".repeat(60); 5].join("."));
        for (text, error) in [
            ("", Empty),
            ("   ", Empty),
            ("shop example", Space),
            ("shop\u{0}.example", Space),
            ("shop_1.example", Character),
            ("_shop.example", Character),
            ("-shop.example", Character),
            ("shop-.example", Character),
            ("shop..example", Label),
            (".example", Label),
            (&format!("{}.example", "a".repeat(64)), Label),
            (&long, TooLong),
            ("https://shop.example", NotOnlyAName),
            ("shop.example:443", NotOnlyAName),
            ("me@shop.example", NotOnlyAName),
            ("127.0.0.1", IpAddress),
            ("[::1]", IpAddress),
            ("1.2.3", IpAddress),
            ("*.shop.example", Star),
            ("xn--a.example", Character),
            ("<script>.example", Character),
        ] {
            assert_eq!(HostName::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        let star = HostPattern::parse("*.Shop.example").unwrap();
        assert_eq!(star.to_string(), "*.shop.example");
        assert!(star.covers(&name("www.shop.example")));
        assert!(!star.covers(&name("shop.example")));
        assert!(!star.covers(&name("a.b.shop.example")));
    }

    #[test]
    fn a_star_stands_only_before_a_name_of_two_parts() {
        for text in ["*", "*.example", "w*.shop.example", "*.*.shop.example", "shop.*"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_is_stable(text in "\\PC{0,300}|[a-z.*-]{0,20}") {
            if let Ok(pattern) = HostPattern::parse(&text) {
                prop_assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern.clone()));
                prop_assert_eq!(HostPattern::parse(&pattern.unicode()), Ok(pattern));
            }
        }
    }
}
