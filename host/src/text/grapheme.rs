//! Places where a text may be cut without tearing what a reader sees as one character.
//!
//! These are the boundaries between the extended grapheme clusters of Unicode's annex 29: a letter with its accents, an
//! emoji with its skin tone, a flag, a line break of two characters.

use unicode_segmentation::GraphemeCursor;

/// Returns true if the text may be cut at this byte. The beginning of `text` must itself be a boundary.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    // An error would mean that a part of the text is missing, but all of it is here.
    text.is_char_boundary(at)
        && GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}

/// Returns the last boundary at or before `at`, or 0 if the first cluster reaches further.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (1..=at).rev().find(|&at| is_boundary(text, at)).unwrap_or(0)
}

/// Returns the first boundary at or after `at`.
pub(super) fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&at| is_boundary(text, at)).unwrap_or(text.len())
}

/// Returns the longest beginning of a text that has at most `limit` bytes and ends at a boundary. If the first cluster
/// alone is longer, it is cut between characters.
pub fn beginning(text: &str, limit: usize) -> &str {
    let room = text.floor_char_boundary(limit);
    let whole = floor(text, room);
    text.get(..if whole == 0 { room } else { whole }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;

    proptest! {
        #[test]
        fn boundaries_are_where_clusters_meet(
            text in "(\\PC|[a\u{301}🇩🇪👩\u{200d}🏽\u{fe0f}\r\nक\u{94d}त\u{600} ]){0,30}",
            at in 0_usize..60,
        ) {
            let mut boundaries: Vec<_> = text.grapheme_indices(true).map(|(index, _)| index).collect();
            boundaries.push(text.len());
            let at = at.min(text.len());
            prop_assert_eq!(is_boundary(&text, at), boundaries.contains(&at));
            prop_assert_eq!(Some(floor(&text, at)), boundaries.iter().rev().copied().find(|&b| b <= at));
            let cut = beginning(&text, at);
            let longest = boundaries.iter().rev().copied().find(|&b| b <= at && b > 0);
            prop_assert_eq!(cut.len(), longest.unwrap_or(text.floor_char_boundary(at)));
            prop_assert_eq!(Some(ceil(&text, at)), boundaries.iter().copied().find(|&b| b >= at));
        }
    }
}
