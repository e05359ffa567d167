//! The reference on a refusal page: short, easy to read out, and not to be guessed.

use std::fmt;

/// Ten characters of Crockford's base 32, which has no I, L, O and U: 50 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference(u64);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Reference {
    /// Characters of a reference.
    const LENGTH: usize = 10;

    /// Bytes of a text that is looked at.
    const LOOKED_AT: usize = 40;

    /// Of random bits, of which some are not needed.
    pub fn from_random(bits: u64) -> Self {
        Self(bits & ((1 << (5 * Self::LENGTH)) - 1))
    }

    /// Reads one as somebody types it: in upper or lower case, with hyphens and spaces anywhere, or with the letters O, I
    /// and L for the digits they are taken for.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut value, mut length) = (0, 0);
        if text.len() > Self::LOOKED_AT {
            return None;
        }
        for character in text.chars() {
            let character = match character.to_ascii_uppercase() {
                '-' | '–' | ' ' => continue,
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let digit = ALPHABET.iter().position(|own| char::from(*own) == character)?;
            value = value << 5 | digit as u64;
            length += 1;
            if length > Self::LENGTH {
                return None;
            }
        }
        (length == Self::LENGTH).then_some(Self(value))
    }
}

/// `7KQ2M-9XTPA`
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; Self::LENGTH + 1];
        let places = (0..Self::LENGTH).map(|place| if place < Self::LENGTH / 2 { place } else { place + 1 });
        for (index, place) in places.enumerate() {
            let shift = 5 * (Self::LENGTH - 1 - index);
            text[place] = ALPHABET[(self.0 >> shift & 31) as usize];
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reference_is_read_however_it_is_typed() {
        let reference = Reference::parse("7KQ2M-9XTPA").unwrap();
        assert_eq!(reference.to_string(), "7KQ2M-9XTPA");
        for typed in [" 7kq2m9xtpa ", "7KQ2M 9XTPA", "7 k q 2 m - 9 x t p a", "7KQ2M–9XTPA"] {
            assert_eq!(Reference::parse(typed), Some(reference), "{typed}");
        }
        assert_eq!(Reference::parse("oil00-00000"), Reference::parse("01100-00000"));
        for wrong in ["", "7KQ2M-9XTP", "7KQ2M-9XTPAA", "7KQ2M-9XTPU", "7KQ2M/9XTPA", "7KQ2M-9XTPÄ"] {
            assert_eq!(Reference::parse(wrong), None, "{wrong}");
        }
        let long = format!("7{}", "-".repeat(100_000));
        assert_eq!(Reference::parse(&long), None);
    }

    proptest! {
        #[test]
        fn every_reference_is_read_as_it_was_shown(bits in any::<u64>()) {
            let reference = Reference::from_random(bits);
            prop_assert_eq!(Reference::parse(&reference.to_string()), Some(reference));
            prop_assert_eq!(reference.to_string().len(), 11);
        }

        #[test]
        fn any_text_is_a_reference_or_none(text in "\\PC{0,60}|[0-9A-Za-z -]{8,14}") {
            if let Some(reference) = Reference::parse(&text) {
                prop_assert_eq!(Reference::parse(&reference.to_string()), Some(reference));
            }
        }
    }
}
