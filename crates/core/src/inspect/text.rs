//! What a stranger wrote, made fit for a page or a log line.

use x509_parser::asn1_rs::{Any, Tag};

/// The most characters of one value that are shown.
const MAX_VALUE: usize = 500;

/// The most bytes of one value that are shown in hexadecimal.
const MAX_BYTES: usize = 32;

/// `text` on one line and of bounded length, with U+FFFD for what is not seen or changes how its neighbours are seen:
/// otherwise one value could pass for another.
pub(crate) fn shown(text: &str) -> String {
    let mut rest = text.chars();
    let mut shown: String = rest.by_ref().take(MAX_VALUE).map(|c| if deceives(c) { '\u{fffd}' } else { c }).collect();
    let left = rest.count();
    if left > 0 {
        shown.push_str(&format!("… ({left} more characters)"));
    }
    shown
}

/// At most this many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Control characters, line and paragraph separators, marks that turn the direction, characters without width.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(c, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}')
        || matches!(c, '\u{fff9}'..='\u{fffb}')
}

/// The text in a string of any ASN.1 type, or nothing where it is no string. Bytes that are no character of the type
/// become U+FFFD.
pub(crate) fn string(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::NumericString | Tag::Ia5String | Tag::VisibleString => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        // T.61 proper is written by nobody; programs put Latin-1 there.
        Tag::T61String | Tag::GeneralString | Tag::GraphicString => {
            Some(bytes.iter().copied().map(char::from).collect())
        }
        Tag::BmpString => Some(utf16(bytes)),
        Tag::UniversalString => Some(bytes.chunks(4).map(utf32).collect()),
        _ => None,
    }
}

/// What a type is called where it is not one of the everyday ones.
pub(super) fn unusual_type(value: &Any<'_>) -> Option<&'static str> {
    match value.tag() {
        Tag::T61String => Some("T61String"),
        Tag::BmpString => Some("BMPString"),
        Tag::UniversalString => Some("UniversalString"),
        Tag::GeneralString => Some("GeneralString"),
        Tag::GraphicString => Some("GraphicString"),
        _ => None,
    }
}

/// The text of a BMPString: UTF-16, big end first (X.690 §8.23.9).
fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks(2).map(|pair| pair.iter().fold(0, |unit, &b| unit << 8 | u16::from(b))).collect();
    String::from_utf16_lossy(&units)
}

fn utf32(bytes: &[u8]) -> char {
    let code = bytes.iter().fold(0, |code, &byte| code << 8 | u32::from(byte));
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A string as text, anything else in hexadecimal.
pub(super) fn any(value: &Any<'_>) -> String {
    string(value).unwrap_or_else(|| hex(value.data))
}

/// `9F:3A:8B`, shortened where it is long.
pub(super) fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().take(MAX_BYTES).map(|byte| format!("{byte:02X}")).collect();
    match bytes.len() {
        0 => "empty".into(),
        length if length > MAX_BYTES => format!("{}… ({length} bytes)", pairs.join(":")),
        _ => pairs.join(":"),
    }
}

/// A whole number: decimal where it is small, else hexadecimal.
pub(super) fn number(bytes: &[u8]) -> String {
    let digits = unsigned(bytes);
    match digits.len() {
        0..=8 => digits.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)).to_string(),
        _ => hex(digits),
    }
}

/// Without leading zero bytes.
pub(super) fn unsigned(bytes: &[u8]) -> &[u8] {
    bytes.iter().position(|&byte| byte != 0).map_or(&[], |start| &bytes[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, bytes: &[u8]) -> String {
        string(&Any::from_tag_and_data(Tag(u32::from(tag)), bytes)).unwrap()
    }

    #[test]
    fn nothing_that_deceives_the_eye_is_shown() {
        assert_eq!(shown("a\r\nadmin logged in"), "a\u{fffd}\u{fffd}admin logged in");
        assert_eq!(shown("a\u{202e}tset\0\u{200b}"), "a\u{fffd}tset\u{fffd}\u{fffd}");
        assert_eq!(shown("Zürich 東京 <b>"), "Zürich 東京 <b>");
    }

    #[test]
    fn long_text_and_bytes_are_shortened() {
        assert_eq!(shown(&"x".repeat(700)), format!("{}… (200 more characters)", "x".repeat(500)));
        assert!(hex(&[7; 1000]).ends_with(":07… (1000 bytes)"));
        assert_eq!(number(&[0, 1, 0, 1]), "65537");
        assert_eq!(number(&[1; 9]), "01:01:01:01:01:01:01:01:01");
    }

    #[test]
    fn every_string_type_becomes_text_and_what_is_broken_in_it_is_seen() {
        assert_eq!(read(12, "Zürich".as_bytes()), "Zürich");
        assert_eq!(read(12, b"a\xff"), "a\u{fffd}");
        assert_eq!(read(20, b"Z\xfcrich"), "Zürich");
        assert_eq!(read(30, b"\0Z\0\xfc\x67\x71\xd8\x3d\xde\x00"), "Zü東😀");
        assert_eq!(read(30, b"\0Z\xd8"), "Z\u{d8}");
        assert_eq!(read(28, b"\0\0\0Z\0\x01\xf6\0\xff\xff\xff\xff"), "Z😀\u{fffd}");
    }
}
