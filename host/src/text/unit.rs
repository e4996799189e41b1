//! The length of a text depends on the unit that a platform counts.

use serde::Serialize;

/// The unit in which a platform limits a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TextUnit {
    /// UTF-16 code units.
    Utf16,
    /// Unicode scalar values.
    Scalar,
    /// Bytes of UTF-8.
    Byte,
}

impl TextUnit {
    /// Returns the length of a text in this unit.
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Utf16 => text.encode_utf16().count(),
            Self::Scalar => text.chars().count(),
            Self::Byte => text.len(),
        }
    }

    /// Returns the end, in bytes, of the longest beginning with at most `limit` units. Reads no further than that.
    pub(super) fn prefix(self, text: &str, limit: usize) -> usize {
        // In ASCII, each character has one byte and one unit.
        if text.as_bytes().get(..limit).is_some_and(<[u8]>::is_ascii) {
            return limit;
        }
        let mut left = limit;
        let fitting = text.chars().take_while(|&character| self.take(&mut left, character));
        fitting.map(char::len_utf8).sum()
    }

    /// Returns the start, in bytes, of the longest ending with at most `limit` units.
    pub(super) fn suffix(self, text: &str, limit: usize) -> usize {
        let mut left = limit;
        let fitting = text.chars().rev().take_while(|&character| self.take(&mut left, character));
        text.len() - fitting.map(char::len_utf8).sum::<usize>()
    }

    /// Returns true if there is room for another character. If so, subtracts its length from `left`.
    fn take(self, left: &mut usize, character: char) -> bool {
        let length = match self {
            Self::Utf16 => character.len_utf16(),
            Self::Scalar => 1,
            Self::Byte => character.len_utf8(),
        };
        left.checked_sub(length).inspect(|rest| *left = *rest).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNITS: [TextUnit; 3] = [TextUnit::Utf16, TextUnit::Scalar, TextUnit::Byte];

    #[test]
    fn platforms_count_differently() {
        let text = "aß👋";
        assert_eq!(TextUnit::Utf16.length(text), 4);
        assert_eq!(TextUnit::Scalar.length(text), 3);
        assert_eq!(TextUnit::Byte.length(text), 7);
    }

    #[test]
    fn a_character_fits_wholly_or_not_at_all() {
        for (unit, limit, prefix, suffix) in [
            (TextUnit::Utf16, 3, "aß", "ß👋"),
            (TextUnit::Utf16, 4, "aß👋", "aß👋"),
            (TextUnit::Scalar, 1, "a", "👋"),
            (TextUnit::Byte, 2, "a", ""),
            (TextUnit::Byte, 6, "aß", "ß👋"),
            (TextUnit::Byte, 0, "", ""),
        ] {
            let text = "aß👋";
            assert_eq!(&text[..unit.prefix(text, limit)], prefix, "{unit:?} {limit}");
            assert_eq!(&text[unit.suffix(text, limit)..], suffix, "{unit:?} {limit}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_is_as_long_as_it_can_be(text in "(\\PC|[a-z👋ß]){0,40}", limit in 0_usize..50) {
            for unit in UNITS {
                let (start, end) = (unit.suffix(&text, limit), unit.prefix(&text, limit));
                prop_assert!(unit.length(&text[..end]) <= limit && unit.length(&text[start..]) <= limit);
                if let Some(next) = text[end..].chars().next() {
                    prop_assert!(unit.length(&text[..end + next.len_utf8()]) > limit);
                }
                if let Some(previous) = text[..start].chars().next_back() {
                    prop_assert!(unit.length(&text[start - previous.len_utf8()..]) > limit);
                }
            }
        }
    }
}
