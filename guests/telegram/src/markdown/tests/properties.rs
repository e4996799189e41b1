//! Property tests of messages from arbitrary texts.

use proptest::prelude::*;

use super::{super::Piece, expectation, grammar, render};

/// Fragments of Markdown, and parts of characters.
const FRAGMENTS: [&str; 98] = [
    "*",
    "**",
    "***",
    "_",
    "__",
    "~~",
    "`",
    "``",
    "```\n",
    "```rust\n",
    "~~~",
    "[",
    "]",
    "](",
    ")",
    "(",
    "![",
    "<",
    ">",
    "](https://a.b/c?d&e)",
    "](http://localhost)",
    "](main.rs)",
    "](<x y>)",
    "](#a)",
    "](mailto:a@b.c)",
    "](tg://user?id=1)",
    "[a]",
    "[a]: https://a.b\n",
    "[^1]",
    "[^1]: ",
    "<b>",
    "</b>",
    "<br/>",
    "<!-- x -->",
    "<div>\n",
    "</pre>",
    "<https://a.b>",
    "<a@b.c>",
    "<c:d>",
    "&amp;",
    "&lt;",
    "&#10;",
    "&#32;",
    "&nbsp;",
    "&",
    "\"",
    "\\",
    "#",
    "# ",
    "## ",
    "===\n",
    "---\n",
    "***\n",
    "- ",
    "+ ",
    "1. ",
    "7) ",
    "- [ ] ",
    "- [x] ",
    "  ",
    "    ",
    "\t",
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    "\r\n",
    "> ",
    "> ",
    "> [!TIP]\n",
    "|",
    "|",
    "| a | b |\n|-|:-:|\n",
    "|-|-|\n",
    "\n|a|\n|-|\n",
    "a",
    "b",
    "word",
    "two words",
    "a longer line of some words",
    "snake_case",
    "x = 1;",
    "🙂",
    "👍🏽",
    "👩\u{200d}🔬",
    "🇩🇪",
    "🇩",
    "漢字",
    "שלום",
    "\u{202e}",
    "e\u{301}",
    "\u{301}",
    "\u{200d}",
    "\u{fe0f}",
    "\u{200b}",
    "\u{a0}",
    "\0",
];

/// Characters of several scalar values, at most 11 units long, that do not combine with each other.
const CHARACTERS: [&str; 10] = [
    "a",
    "e\u{301}",
    "漢",
    "👍🏽",
    "👩\u{200d}🔬",
    "👨\u{200d}👩\u{200d}👧\u{200d}👦",
    "🇩🇪",
    "1\u{fe0f}\u{20e3}",
    "ब\u{94d}",
    "ש\u{5b8}",
];

fn markdown() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..60).prop_map(|parts| parts.concat()),
        1 => any::<String>(),
        1 => "[*_`\\[\\](){}<>#+\\-|~!:\\\\ \n\ta-c0-9&;]{0,200}",
    ]
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..=20, 21_usize..=200, Just(1_024), Just(4_096)]
}

/// Checks the properties of one message.
fn check(piece: &Piece, limit: usize) -> Result<(), TestCaseError> {
    let message = grammar::parse(&piece.html);
    let message = message.map_err(|error| TestCaseError::fail(format!("{error}: {}", piece.html)))?;
    prop_assert_eq!(&message.text, &piece.text);
    prop_assert!(piece.text.encode_utf16().count() <= limit, "too long: {:?}", piece);
    prop_assert!(message.entities <= 100 && message.weight <= 9_000, "{:?}", message);
    prop_assert!(!piece.text.ends_with([' ', '\n', '\t']), "{:?}", piece);
    prop_assert!(!piece.text.starts_with('\n'), "{:?}", piece);
    let first = piece.text.lines().next().unwrap_or_default();
    prop_assert!(!first.trim_matches([' ', '\t']).is_empty(), "{:?}", piece);
    Ok(())
}

proptest! {
    #[test]
    fn every_message_is_what_telegram_takes(markdown in markdown(), limit in limit()) {
        for piece in render(&markdown, limit) {
            check(&piece, limit)?;
        }
    }

    #[test]
    fn all_text_is_there_once_and_in_order(markdown in markdown()) {
        let pieces = render(&markdown, usize::MAX);
        let seen = pieces.first().map_or("", |piece| &*piece.text);
        prop_assert!(pieces.len() <= 1, "{:?}", pieces);
        let filter = if pieces.is_empty() { expectation::visible } else { expectation::solid };
        prop_assert!(expectation::is_seen(&markdown, seen, filter), "{:?}", seen);
    }

    #[test]
    fn cutting_loses_nothing(markdown in markdown(), limit in 2_usize..=200) {
        let whole: String = render(&markdown, usize::MAX).into_iter().map(|piece| piece.text).collect();
        let cut: String = render(&markdown, limit).into_iter().map(|piece| piece.text).collect();
        prop_assert_eq!(expectation::visible(&whole), expectation::visible(&cut));
    }

    #[test]
    fn characters_stay_whole(
        characters in prop::collection::vec(prop::sample::select(&CHARACTERS[..]), 1..60),
        limit in 11_usize..30,
    ) {
        let mut left = &characters[..];
        for piece in render(&characters.concat(), limit) {
            let mut text = &*piece.text;
            while !text.is_empty() {
                let rest = left.first().and_then(|character| text.strip_prefix(character));
                prop_assert!(rest.is_some(), "{:?} is torn: {:?}", left.first(), piece);
                text = rest.unwrap();
                left = &left[1..];
            }
        }
        prop_assert!(left.is_empty());
    }
}
