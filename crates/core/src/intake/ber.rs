//! Elements of BER (X.690), of which DER is the strict form. What is read is never written again, so what will be
//! fingerprinted or proven by a signature stays as it came.

use std::borrow::Cow;

use zeroize::Zeroizing;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]` around other elements.
pub(crate) const CONTEXT_0: u8 = 0xa0;

const CONSTRUCTED: u8 = 0x20;
const INDEFINITE: u8 = 0x80;

/// How deep elements of indefinite length may lie in each other; real ones need about ten.
const MAX_DEPTH: usize = 32;

/// One tag with its content.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    /// The identifier octet: class, form and number.
    pub(crate) tag: u8,
    /// From the tag on to the last byte that belongs to it.
    pub(crate) whole: &'a [u8],
    /// Without the marks that end an indefinite length.
    pub(crate) content: &'a [u8],
}

impl<'a> Element<'a> {
    /// The first one in `bytes`, and what follows it.
    pub(crate) fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        Self::split_within(bytes, MAX_DEPTH)
    }

    /// The only one in `bytes`.
    pub(crate) fn only(bytes: &'a [u8]) -> Option<Self> {
        Self::split(bytes).filter(|(_, rest)| rest.is_empty()).map(|(element, _)| element)
    }

    fn split_within(bytes: &'a [u8], depth: usize) -> Option<(Self, &'a [u8])> {
        let (&[tag, first], after) = bytes.split_first_chunk::<2>()?;
        if tag & 0x1f == 0x1f {
            return None; // numbers above 30 occur in nothing that is read here
        }
        if first == INDEFINITE {
            return (tag & CONSTRUCTED != 0).then(|| Self::split_indefinite(tag, bytes, after, depth))?;
        }
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let header = 2 + usize::from(first - INDEFINITE);
                let digits = bytes.get(2..header)?;
                (header, digits.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
            }
            _ => return None,
        };
        let (whole, rest) = bytes.split_at_checked(header.checked_add(length)?)?;
        Some((Self { tag, whole, content: &whole[header..] }, rest))
    }

    /// The length of each element inside is needed to find the mark that ends this one (X.690 §8.1.3.6).
    fn split_indefinite(tag: u8, bytes: &'a [u8], after: &'a [u8], depth: usize) -> Option<(Self, &'a [u8])> {
        let mut rest = after;
        while !rest.starts_with(&[0, 0]) {
            (_, rest) = Self::split_within(rest, depth.checked_sub(1)?)?;
        }
        let content = &after[..after.len() - rest.len()];
        let (whole, rest) = bytes.split_at(2 + content.len() + 2);
        Some((Self { tag, whole, content }, rest))
    }

    /// The elements inside, or nothing where one of them is damaged.
    pub(crate) fn children(&self) -> Option<Vec<Self>> {
        let mut children = Vec::new();
        let mut rest = self.content;
        while !rest.is_empty() {
            let (child, after) = Self::split(rest)?;
            children.push(child);
            rest = after;
        }
        Some(children)
    }

    /// Itself where it has that tag.
    pub(crate) fn tagged(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }

    /// The bytes of an octet string, joined where they came in pieces (X.690 §8.7.3); an implicit tag may hide its own.
    pub(crate) fn octets(&self) -> Option<Cow<'a, [u8]>> {
        if self.tag & CONSTRUCTED == 0 {
            return Some(Cow::Borrowed(self.content));
        }
        let mut joined = Vec::with_capacity(self.content.len());
        for piece in self.children()? {
            joined.extend_from_slice(piece.tagged(OCTET_STRING)?.content);
        }
        Some(Cow::Owned(joined))
    }

    /// An integer that is not negative and fits.
    pub(crate) fn number(&self) -> Option<u64> {
        let content = self.tagged(INTEGER)?.content;
        let digits = content.iter().position(|&byte| byte != 0).map_or(&[][..], |start| &content[start..]);
        let negative = content.first().is_none_or(|&byte| byte >= 0x80);
        (!negative && digits.len() <= 8).then(|| digits.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

/// One DER element around `parts`. It may hold a key, so it is wiped and made in one piece.
pub(crate) fn encode(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().position(|&byte| byte != 0).unwrap_or(digits.len() - 1)..];
    let mut der = Zeroizing::new(Vec::with_capacity(2 + digits.len() + length));
    der.push(tag);
    if length >= usize::from(INDEFINITE) {
        der.push(INDEFINITE | digits.len() as u8);
    }
    der.extend_from_slice(digits);
    for part in parts {
        der.extend_from_slice(part);
    }
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_indefinite_length_ends_at_its_own_mark() {
        let bytes = [0x30, 0x80, 0x30, 0x80, 0x02, 0x01, 0x05, 0, 0, 0x04, 0x02, 0, 0, 0, 0, 0xff];
        let (element, rest) = Element::split(&bytes).unwrap();
        assert_eq!(rest, [0xff]);
        assert_eq!(element.whole.len(), bytes.len() - 1);
        let children = element.children().unwrap();
        assert_eq!(children[0].children().unwrap()[0].number(), Some(5));
        assert_eq!(children[1].content, [0, 0]);
    }

    #[test]
    fn an_octet_string_in_pieces_is_joined() {
        let bytes = [0x24, 0x80, 0x04, 0x02, 1, 2, 0x04, 0x01, 3, 0, 0];
        assert_eq!(*Element::only(&bytes).unwrap().octets().unwrap(), [1, 2, 3]);
        assert_eq!(*Element::only(&[0x04, 0x01, 9]).unwrap().octets().unwrap(), [9]);
        assert!(Element::only(&[0x24, 0x03, 0x02, 0x01, 9]).unwrap().octets().is_none());
    }

    #[test]
    fn a_length_beyond_the_end_or_a_bottomless_nesting_is_nothing() {
        for bytes in
            [&[][..], &[0x30], &[0x30, 0x05, 0], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x85, 0, 0, 0, 0, 0]]
        {
            assert!(Element::split(bytes).is_none(), "{bytes:02x?}");
        }
        assert!(Element::split(&[0x30, 0x80].repeat(100_000)).is_none());
        assert!(Element::split(&[0x04, 0x80, 0, 0]).is_none(), "only what holds elements can end at a mark");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 127, 128, 255, 256, 65_536] {
            let content = vec![7; length];
            let der = encode(OCTET_STRING, &[&content]);
            assert_eq!(Element::only(&der).unwrap().content, content, "{length}");
        }
    }
}
