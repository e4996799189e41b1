//! Texts that a person has to judge.

use unicode_segmentation::UnicodeSegmentation as _;

use super::super::{
    character::{Class, MARKS},
    unit::TextUnit,
};

/// With nothing hidden: what is invisible, changes the direction, or looks like an ordinary space stands there by its
/// number. Line feeds and tabs stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut marks = 0;
    for character in text.chars() {
        let class = Class::of(character);
        marks = if class == Class::Mark { marks + 1 } else { 0 };
        match class {
            Class::Plain => shown.push(character),
            Class::Space if matches!(character, ' ' | '\n' | '\t') => shown.push(character),
            Class::Mark if marks <= MARKS => shown.push(character),
            Class::Space | Class::Mark | Class::Hidden => shown.extend(character.escape_unicode()),
        }
    }
    shown
}

/// At most so many units, both ends of it kept.
pub fn abridge(text: &str, limit: usize, unit: TextUnit) -> String {
    if unit.length(text) <= limit {
        return text.to_owned();
    }
    let total = text.chars().count();
    let marker = |left_out: usize| format!("\n… {left_out} characters left out …\n");
    // No longer than with the largest number.
    let room = limit.saturating_sub(unit.length(&marker(total)));
    if room < 2 {
        let ellipsis = "…";
        let head = take(text.graphemes(true), limit.saturating_sub(unit.length(ellipsis)), unit);
        let short = format!("{}{ellipsis}", text.get(..head).unwrap_or_default());
        return if unit.length(&short) <= limit { short } else { String::new() };
    }
    let head = take(text.graphemes(true), room.div_ceil(2), unit);
    let tail = text.len() - take(text.graphemes(true).rev(), room / 2, unit);
    let (head, tail) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    let left_out = total - head.chars().count() - tail.chars().count();
    format!("{head}{}{tail}", marker(left_out))
}

/// How many bytes the clusters have that fit.
fn take<'a>(clusters: impl Iterator<Item = &'a str>, limit: usize, unit: TextUnit) -> usize {
    let (mut length, mut bytes) = (0, 0);
    for cluster in clusters {
        length += unit.length(cluster);
        if length > limit {
            break;
        }
        bytes += cluster.len();
    }
    bytes
}

/// As a block of code in Markdown, which nothing in it can end.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_hides() {
        for (text, shown) in [
            ("rm -rf\n\tx", "rm -rf\n\tx"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200b}\u{a0}b", "a\\u{200b}\\u{a0}b"),
            ("a\r\nb\u{1b}", "a\\u{d}\nb\\u{1b}"),
            ("Zoë 漢字 🙂", "Zoë 漢字 🙂"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn both_ends_of_a_long_text_are_kept() {
        let text = format!("begin {} end", "x".repeat(1000));
        let short = abridge(&text, 100, TextUnit::Utf16);
        assert!(
            short.starts_with("begin") && short.ends_with("end") && short.contains("characters left out"),
            "{short}"
        );
        assert_eq!(abridge("short", 100, TextUnit::Byte), "short");
        assert_eq!(abridge("longer", 3, TextUnit::Scalar), "lo…");
        assert_eq!(abridge("longer", 0, TextUnit::Scalar), "");
    }

    #[test]
    fn code_ends_where_its_fence_does() {
        assert_eq!(fenced("a"), "```\na\n```");
        assert_eq!(fenced("a ```` b"), "`````\na ```` b\n`````");
    }

    proptest! {
        #[test]
        fn an_abridged_text_fits(text in any::<String>(), limit in 0..80_usize) {
            for unit in [TextUnit::Utf16, TextUnit::Scalar, TextUnit::Byte] {
                prop_assert!(unit.length(&abridge(&text, limit, unit)) <= limit);
            }
        }

        #[test]
        fn what_is_visible_stays_so(text in any::<String>()) {
            let shown = visible(&text);
            prop_assert_eq!(visible(&shown), shown.clone());
            prop_assert!(!shown.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t')));
        }
    }
}
