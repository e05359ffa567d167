//! Elements of BER (X.690), of which DER is the strict form. What is read is never written again, so what will be
//! fingerprinted or proven by a signature stays as it came.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]` around other elements.
pub(super) const CONTEXT_0: u8 = 0xa0;

const CONSTRUCTED: u8 = 0x20;
const INDEFINITE: u8 = 0x80;

/// How deep elements of indefinite length may lie in each other; real ones need about ten.
const MAX_DEPTH: usize = 32;

/// One tag with its content.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    /// The identifier octet: class, form and number.
    pub(super) tag: u8,
    /// From the tag on to the last byte that belongs to it.
    pub(super) whole: &'a [u8],
    /// Without the marks that end an indefinite length.
    pub(super) content: &'a [u8],
}

impl<'a> Element<'a> {
    /// The first one in `bytes`, and what follows it.
    pub(super) fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        Self::split_within(bytes, MAX_DEPTH)
    }

    /// The only one in `bytes`.
    pub(super) fn only(bytes: &'a [u8]) -> Option<Self> {
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
    pub(super) fn children(&self) -> Option<Vec<Self>> {
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
    pub(super) fn tagged(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }
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
        assert_eq!(children[0].children().unwrap()[0].content, [5]);
        assert_eq!(children[1].content, [0, 0]);
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
}
