//! The path of a request, read once: policy and content see the same one.

use std::fmt::Write;

use crate::traffic::Folder;

/// A request's path below its site: percent-decoded once, without empty, `.` and `..` segments (RFC 3986 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UrlPath {
    /// The segments joined by slashes; empty for the root. No segment holds a slash, a backslash or a control character.
    segments: String,
    /// It ended in a slash (or a `.`), so it names a folder.
    is_folder: bool,
}

/// The path is not one that a browser would send; who sends it wants to get past something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The path of this address cannot be read.")]
pub struct BadPath;

impl UrlPath {
    /// Reads the path as it stands in the request, without its query.
    ///
    /// # Errors
    /// [`BadPath`] for what can't be read in one way only: a bad percent code, `..`, a slash or a backslash within a
    /// segment, control characters, what is not UTF-8, or no slash at the beginning.
    pub fn parse(raw: &str) -> Result<Self, BadPath> {
        let Some(rest) = raw.strip_prefix('/') else { return Err(BadPath) };
        let mut path = Self { segments: String::with_capacity(rest.len()), is_folder: true };
        for encoded in rest.split('/') {
            let segment = decode(encoded)?;
            path.is_folder = matches!(segment.as_str(), "" | ".");
            if path.is_folder {
                continue;
            }
            if segment == ".." || segment.contains(['/', '\\']) || segment.contains(char::is_control) {
                return Err(BadPath);
            }
            if !path.segments.is_empty() {
                path.segments.push('/');
            }
            path.segments.push_str(&segment);
        }
        Ok(path)
    }

    /// The path relative to the site's folder; empty for that folder itself.
    pub fn relative(&self) -> &str {
        &self.segments
    }

    /// The first folder on it.
    pub fn folder(&self) -> Folder {
        Folder::of(&self.segments, self.is_folder)
    }

    /// Whether it names a folder by its trailing slash.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Whether it leads to or through a name with a leading dot, such as `.git` or `.env`. Only `/.well-known`
    /// (RFC 8615) is for everybody.
    pub fn is_hidden(&self) -> bool {
        let mut segments = self.segments.split('/').enumerate();
        segments.any(|(i, segment)| segment.starts_with('.') && !(i == 0 && segment == ".well-known"))
    }
}

/// `relative` as it stands in an address, with everything but unreserved characters and slashes percent-encoded.
pub fn encode(relative: &str) -> String {
    let mut encoded = String::with_capacity(relative.len() + 1);
    for byte in relative.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

fn decode(segment: &str) -> Result<String, BadPath> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => hex_digit(rest.next())? << 4 | hex_digit(rest.next())?,
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).map_err(|_| BadPath)
}

fn hex_digit(byte: Option<u8>) -> Result<u8, BadPath> {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(BadPath)?;
    u8::try_from(digit).map_err(|_| BadPath)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(raw: &str) -> String {
        UrlPath::parse(raw).expect(raw).segments
    }

    #[test]
    fn a_path_is_decoded_once_and_loses_empty_and_dot_segments() {
        assert_eq!(relative("/"), "");
        assert_eq!(relative("//books///./atlas%20of%20maps.html"), "books/atlas of maps.html");
        assert_eq!(relative("/%62ooks/%C3%BC"), "books/ü");
        assert_eq!(relative("/%252e%252e/etc"), "%2e%2e/etc", "what was encoded twice stays encoded once");
        assert_eq!(relative("/.../a"), ".../a", "three dots are a name like any other");
    }

    #[test]
    fn a_trailing_slash_or_dot_names_a_folder() {
        for (raw, is_folder) in [("/", true), ("/a/", true), ("/a/.", true), ("/a/%2e", true), ("/a", false)] {
            assert_eq!(UrlPath::parse(raw).unwrap().is_folder(), is_folder, "{raw}");
        }
    }

    #[test]
    fn tricks_to_leave_the_folder_are_refused() {
        for raw in [
            "/..",
            "/../etc/passwd",
            "/a/../../etc/passwd",
            "/a/..",
            "/%2e%2e/etc/passwd",
            "/%2E%2e%2Fetc",
            "/.%2e/",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/..\\..\\windows",
            "/%00",
            "/a%00.html",
            "/a%0ab",
            "/a%0db",
            "/a%7f",
            "/a%c2%85",
            "/%ff",
            "/%c0%ae%c0%ae/",
            "/%",
            "/%2",
            "/%zz",
            "/%+f",
            "",
            "*",
            "a/b",
        ] {
            assert_eq!(UrlPath::parse(raw), Err(BadPath), "{raw:?}");
        }
    }

    #[test]
    fn names_with_a_leading_dot_are_hidden_but_for_the_well_known_folder() {
        for (raw, is_hidden) in [
            ("/.git/config", true),
            ("/a/.env", true),
            ("/%2eenv", true),
            ("/a/.well-known/x", true),
            ("/.well-known/.hidden", true),
            ("/.well-known/acme-challenge/token", false),
            ("/a.b/c", false),
        ] {
            assert_eq!(UrlPath::parse(raw).unwrap().is_hidden(), is_hidden, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_stays_below_the_folder(raw in "/(\\PC|%[0-9a-fA-F]{2}|%2e|\\.|/|\\\\){0,40}") {
            if let Ok(path) = UrlPath::parse(&raw) {
                for segment in path.relative().split('/') {
                    prop_assert!(!matches!(segment, "." | ".."));
                    prop_assert!(!segment.contains(['\\', '\0']));
                }
                prop_assert!(!path.relative().starts_with('/'));
            }
        }

        #[test]
        fn a_name_survives_being_written_into_an_address(name in "[^/\\\\\\p{Cc}]{1,30}") {
            prop_assume!(!matches!(name.as_str(), "." | ".."));
            let path = UrlPath::parse(&format!("/{}", encode(&name))).unwrap();
            prop_assert_eq!(path.relative(), name);
        }
    }
}
