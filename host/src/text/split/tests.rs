use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use super::*;

const PLAIN: Shape = Shape { limit: 20, unit: TextUnit::Scalar, mode: ChunkMode::Length, markdown: false };
const MARKDOWN: Shape = Shape { limit: 40, markdown: true, ..PLAIN };

#[test]
fn a_text_is_cut_where_a_reader_would() {
    for (text, pieces) in [
        ("short", vec!["short"]),
        ("", vec![]),
        (" \n\t ", vec![]),
        ("one two three four five six", vec!["one two three four", "five six"]),
        ("It is so. And this is not so.", vec!["It is so. And this", "is not so."]),
        ("It is really so. And this is", vec!["It is really so.", "And this is"]),
        ("a line of it\nand another one", vec!["a line of it", "and another one"]),
        ("one two three\n\nfour\nfive six", vec!["one two three", "four\nfive six"]),
        ("exactly twenty long.\nnext", vec!["exactly twenty long.", "next"]),
        ("nospacesatallinthisoneverylongword", vec!["nospacesatallinthiso", "neverylongword"]),
        ("first line of text\n  - indented", vec!["first line of text", "  - indented"]),
        (
            "这是第一句话，它比较长一些。这是第二句话，也长。",
            vec!["这是第一句话，它比较长一些。", "这是第二句话，也长。"],
        ),
    ] {
        assert_eq!(split(text, PLAIN), pieces, "{text:?}");
    }
    let early = Shape { mode: ChunkMode::Newline, ..PLAIN };
    assert_eq!(split("a\n\nb c d e f g h i j k l m n", early), ["a", "b c d e f g h i j k", "l m n"]);
    assert_eq!(split("a\nb c d e f g h i j k l m n", early)[0], "a");
}

#[test]
fn a_code_block_that_is_cut_is_closed_and_opened_again() {
    let text = "Look:\n```rust\nlet one = 1;\nlet two = 2;\nlet three = 3;\n```\ndone";
    assert_eq!(
        split(text, MARKDOWN),
        ["Look:\n```rust\nlet one = 1;\n```", "```rust\nlet two = 2;\nlet three = 3;\n```", "done"]
    );
    let tildes = "~~~~\nsome longer code here\n```\nmore code behind it\n~~~~";
    assert_eq!(
        split(tildes, MARKDOWN),
        ["~~~~\nsome longer code here\n```\n~~~~", "~~~~\nmore code behind it\n~~~~"]
    );
    let before = "some words before the block\n```rust\nlet one = 1;\n```";
    assert_eq!(split(before, MARKDOWN), ["some words before the block", "```rust\nlet one = 1;\n```"]);
    // Too little room for fences: cut as any text.
    let long = format!("```{}\ncode and more code\n```", "x".repeat(30));
    assert!(split(&long, MARKDOWN).iter().all(|piece| piece.chars().count() <= 40));
}

#[test]
fn what_a_reader_takes_for_one_character_is_not_torn() {
    let family = "👨‍👩‍👧‍👦";
    for (unit, limit) in [(TextUnit::Utf16, 12), (TextUnit::Scalar, 8), (TextUnit::Byte, 26)] {
        let pieces = split(&family.repeat(5), Shape { limit, unit, ..PLAIN });
        assert_eq!(pieces, [family; 5], "{unit:?}");
    }
    // One that is longer than a piece is cut all the same.
    let zalgo = format!("e{}", "\u{301}".repeat(100));
    let pieces = split(&zalgo, PLAIN);
    assert!(pieces.iter().all(|piece| piece.chars().count() <= 20) && pieces.concat() == zalgo);
    assert_eq!(split("🙂🙂", Shape { limit: 1, unit: TextUnit::Byte, ..PLAIN }), ["🙂", "🙂"]);
}

#[test]
fn a_large_text_takes_little_time() {
    for text in ["word ".repeat(20_000), "x".repeat(100_000), "```\n".repeat(25_000), "\n".repeat(100_000)] {
        let pieces = split(&text, Shape { limit: 4096, markdown: true, ..PLAIN });
        assert!(pieces.len() < 100);
    }
}

fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("\n\n".to_owned()),
        Just("\n```rust\n".to_owned()),
        Just("\n```\n".to_owned()),
        Just("\n~~~~\n".to_owned()),
        Just("👨‍👩‍👧🙂é\u{301}".to_owned()),
        "[a-z]{1,12}",
        "[a-z. ]{1,30}",
        any::<String>().prop_map(|text| text.chars().take(10).collect()),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn shapes() -> impl Strategy<Value = Shape> {
    let unit = prop_oneof![Just(TextUnit::Utf16), Just(TextUnit::Scalar), Just(TextUnit::Byte)];
    let mode = prop_oneof![Just(ChunkMode::Length), Just(ChunkMode::Newline)];
    (4..120_usize, unit, mode, any::<bool>()).prop_map(|(limit, unit, mode, markdown)| Shape {
        limit,
        unit,
        mode,
        markdown,
    })
}

/// Nothing but what can be seen, and no fences.
fn ink(text: &str, shape: Shape) -> String {
    let fence =
        |line: &&str| shape.markdown && (line.trim().starts_with("```") || line.trim().starts_with("~~~"));
    text.lines().filter(|line| !fence(line)).flat_map(str::chars).filter(|it| !it.is_whitespace()).collect()
}

proptest! {
    #[test]
    fn no_piece_is_too_long_or_blank(text in texts(), shape in shapes()) {
        for piece in split(&text, shape) {
            prop_assert!(shape.unit.length(&piece) <= shape.limit, "{piece:?}");
            prop_assert!(!piece.trim().is_empty());
        }
    }

    #[test]
    fn nothing_is_lost_but_white_space(text in texts(), shape in shapes()) {
        let plain = Shape { markdown: false, ..shape };
        prop_assert_eq!(ink(&split(&text, plain).concat(), plain), ink(&text, plain));
        // With room for fences, they are all that is added.
        let roomy = Shape { limit: shape.limit.max(40), markdown: true, ..shape };
        prop_assert_eq!(ink(&split(&text, roomy).join("\n"), roomy), ink(&text, roomy));
    }

    #[test]
    fn no_cluster_is_torn_that_would_fit(text in texts(), shape in shapes()) {
        let whole: std::collections::HashSet<&str> = text.graphemes(true).collect();
        let longest = whole.iter().map(|cluster| shape.unit.length(cluster)).max().unwrap_or_default();
        let shape = Shape { markdown: false, limit: shape.limit.max(longest), ..shape };
        for piece in split(&text, shape) {
            for cluster in piece.graphemes(true) {
                // A mark may stand on a space, which is dropped at a cut.
                let known = whole.contains(cluster) || whole.iter().any(|other| other.trim_start() == cluster);
                prop_assert!(known, "{cluster:?}");
            }
        }
    }

    #[test]
    fn every_piece_closes_what_it_opens(code in prop::collection::vec("[a-z ;]{0,30}", 1..30), shape in shapes()) {
        let shape = Shape { limit: shape.limit.max(40), markdown: true, ..shape };
        let text = format!("words before\n```rust\n{}\n```\nwords behind", code.join("\n"));
        for piece in split(&text, shape) {
            prop_assert_eq!(piece.lines().filter(|line| line.starts_with("```")).count() % 2, 0, "{}", piece);
        }
    }
}
