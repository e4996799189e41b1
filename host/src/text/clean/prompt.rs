//! Texts that a person has to judge.

use crate::text::{
    character::{Class, MARKS},
    grapheme,
    unit::TextUnit,
};

/// Returns the text with everything hidden made visible: a character that is invisible, changes the writing direction,
/// or looks like an ordinary space is replaced by its number, such as `\u{202e}`.
///
/// Line feeds and tabs stay, as do the letters of all scripts and emoji, but not the characters that join emoji. A
/// combining mark is also replaced if there is no letter before it, or if the letter already has four marks. The text
/// may itself contain text that looks like such a number.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // How many more marks the last letter may have.
    let mut room = 0_usize;
    for character in text.chars() {
        let class = Class::of(character);
        let stays = match class {
            Class::Plain => true,
            Class::Mark => room > 0,
            Class::Space => matches!(character, ' ' | '\n' | '\t'),
            Class::Hidden => false,
        };
        if stays {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
        room = match class {
            Class::Plain => MARKS,
            Class::Mark => room.saturating_sub(1),
            Class::Space | Class::Hidden => 0,
        };
    }
    shown
}

/// Returns the beginning and the end of a long text, with a line between them that counts the characters left out: at
/// most `limit` units in all. If that line would take more than half of the limit, `…` replaces it. If that does not
/// fit either, only the beginning is returned. No grapheme cluster is torn.
pub fn abridge(text: &str, limit: usize, unit: TextUnit) -> String {
    if unit.prefix(text, limit) == text.len() {
        return text.to_owned();
    }
    let line = |count: usize| format!("\n… {count} characters left out …\n");
    let longest = unit.length(&line(text.chars().count()));
    let ellipsis = unit.length("…");
    let (room, counted) = match limit.checked_sub(longest).filter(|room| *room >= longest) {
        Some(room) => (room, true),
        None => (limit.saturating_sub(ellipsis), false),
    };
    let head = grapheme::floor(text, unit.prefix(text, room.div_ceil(2)));
    let tail = grapheme::ceil(text, unit.suffix(text, room / 2));
    let between = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
    let (beginning, ending) = (between(0, head), between(tail, text.len()));
    if counted {
        format!("{beginning}{}{ending}", line(between(head, tail).chars().count()))
    } else if ellipsis <= limit {
        format!("{beginning}…{ending}")
    } else {
        between(0, grapheme::floor(text, unit.prefix(text, limit))).to_owned()
    }
}

/// Returns a text as a Markdown code block. Nothing in the text can end the block, because the fence is longer than any
/// run of backticks in the text.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let line_break = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}\n{text}{line_break}{fence}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;

    #[test]
    fn nothing_hides() {
        for (text, shown) in [
            ("rm -rf\n\t/tmp", "rm -rf\n\t/tmp"),
            ("Zoë, 漢字, नमस्ते, שָׁלוֹם, ﾀﾞ, 👍🏽, 🇩🇪, ❤", "Zoë, 漢字, नमस्ते, שָׁלוֹם, ﾀﾞ, 👍🏽, 🇩🇪, ❤"),
            ("a\u{202e}b\u{2066}c\u{61c}", "a\\u{202e}b\\u{2066}c\\u{61c}"),
            ("a\u{200b}b\u{ad}c\u{feff}", "a\\u{200b}b\\u{ad}c\\u{feff}"),
            ("a\u{a0}b\u{3000}c\u{2028}", "a\\u{a0}b\\u{3000}c\\u{2028}"),
            ("a\r\nb\u{1b}[2J\0", "a\\u{d}\nb\\u{1b}[2J\\u{0}"),
            ("\u{e0041}\u{e000}\u{fdd0}\u{10ffff}", "\\u{e0041}\\u{e000}\\u{fdd0}\\u{10ffff}"),
            ("\u{3164}\u{2800}\u{34f}", "\\u{3164}\\u{2800}\\u{34f}"),
            ("👩\u{200d}🔬❤\u{fe0f}", "👩\\u{200d}🔬❤\\u{fe0f}"),
            ("\u{301}a \u{301}", "\\u{301}a \\u{301}"),
            (
                "a\u{301}\u{301}\u{301}\u{301}\u{302}\u{303}b\u{301}",
                "a\u{301}\u{301}\u{301}\u{301}\\u{302}\\u{303}b\u{301}",
            ),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn both_ends_of_a_long_text_are_kept() {
        let long = format!("begin {} end", "x".repeat(990));
        let family = "👨\u{200d}👩\u{200d}👧";
        for (text, limit, unit, short) in [
            ("short", 5, TextUnit::Byte, "short".to_owned()),
            (
                &long,
                70,
                TextUnit::Scalar,
                format!("begin {}\n… 960 characters left out …\n{} end", "x".repeat(14), "x".repeat(16)),
            ),
            ("abcdefghij", 5, TextUnit::Scalar, "ab…ij".to_owned()),
            ("abcdefghij", 6, TextUnit::Utf16, "abc…ij".to_owned()),
            ("abcdefghij", 5, TextUnit::Byte, "a…j".to_owned()),
            ("abcdefghij", 3, TextUnit::Byte, "…".to_owned()),
            ("abcdefghij", 2, TextUnit::Byte, "ab".to_owned()),
            ("abcdefghij", 0, TextUnit::Byte, String::new()),
            (&format!("a{family}b{family}c"), 7, TextUnit::Scalar, "a…c".to_owned()),
        ] {
            assert_eq!(abridge(text, limit, unit), short, "{text:?} {limit}");
        }
    }

    #[test]
    fn code_ends_where_its_fence_does() {
        for (text, block) in [
            ("a", "```\na\n```"),
            ("a\n", "```\na\n```"),
            ("", "```\n```"),
            ("~~~\n```\n", "````\n~~~\n```\n````"),
            ("a ````` b `", "``````\na ````` b `\n``````"),
        ] {
            assert_eq!(fenced(text), block, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_visible_stays_as_it_is(text in "(\\PC|.|[\u{200b}-\u{202f}a\u{301}\u{fe0f}\n\t ]){0,40}") {
            let shown = visible(&text);
            prop_assert!(shown.chars().all(|it| "\n\t ".contains(it) || matches!(Class::of(it), Class::Plain | Class::Mark)));
            prop_assert_eq!(visible(&shown), shown.clone());
            // Only numbers were added, and they can be converted back.
            let mut left = text.as_str();
            let mut shown = shown.as_str();
            while let Some(character) = left.chars().next() {
                let number = character.escape_unicode().to_string();
                let stands = shown.strip_prefix(character).or_else(|| shown.strip_prefix(&number));
                prop_assert!(stands.is_some());
                (left, shown) = (&left[character.len_utf8()..], stands.unwrap());
            }
            prop_assert!(shown.is_empty());
        }

        #[test]
        fn an_abridged_text_fits_and_has_both_ends(text in "(\\PC|[a👍🏽\u{301}\u{200d}🇩\r\n]){0,300}", limit in 0_usize..300) {
            for unit in [TextUnit::Utf16, TextUnit::Scalar, TextUnit::Byte] {
                let short = abridge(&text, limit, unit);
                prop_assert!(unit.length(&short) <= limit);
                if unit.length(&text) <= limit {
                    prop_assert_eq!(&short, &text);
                    continue;
                }
                let boundaries: Vec<_> = text.grapheme_indices(true).map(|(index, _)| index).chain([text.len()]).collect();
                let whole = boundaries.iter().flat_map(|&head| boundaries.iter().map(move |&tail| (head, tail)));
                let mut cuts = whole.filter(|(head, tail)| head <= tail);
                let is_cut = |(head, tail): (usize, usize)| {
                    let count = text[head..tail].chars().count();
                    [format!("\n… {count} characters left out …\n"), "…".to_owned(), String::new()]
                        .iter()
                        .any(|mark| short.strip_prefix(&text[..head]).and_then(|rest| rest.strip_suffix(&text[tail..])) == Some(mark))
                };
                prop_assert!(cuts.any(is_cut), "{:?}", short);
            }
        }

        #[test]
        fn nothing_ends_its_own_fence(text in "[a`~ \n]{0,60}") {
            let block = fenced(&text);
            let (fence, rest) = block.split_once('\n').unwrap();
            let body = rest.strip_suffix(fence).unwrap();
            prop_assert!(fence.len() >= 3 && !body.contains(fence));
            prop_assert_eq!(body.trim_end_matches('\n'), text.trim_end_matches('\n'));
            prop_assert!(body.is_empty() || body.ends_with('\n'));
        }
    }
}
