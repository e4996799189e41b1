//! Cuts one long text into several messages.

mod cut;
mod fence;

use self::{cut::Cutter, fence::Block};
use super::unit::TextUnit;

/// The required shape of the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Maximum length of a piece, in `unit`s. 0 counts as 1.
    pub limit: usize,
    /// The unit of the limit.
    pub unit: TextUnit,
    /// Where to prefer a cut.
    pub mode: ChunkMode,
    /// Whether the text is Markdown: then code blocks are kept whole, or are closed and opened again.
    pub markdown: bool,
}

/// Where to prefer a cut: the `chunkMode` of the official plugins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkMode {
    /// As late as possible, at the best place in the last quarter of a piece: the end of a paragraph, or else of a
    /// line, or else of a sentence; or else the last space in the second half. In a code block, at the last end of a
    /// line in the second half, or after a blank line if there is one in the last quarter.
    #[default]
    Length,
    /// At the last end of a paragraph, or else of a line, however early; or else as `Length`.
    Newline,
}

/// Cuts a text into pieces that are not longer than the limit. A text that fits is returned unchanged as the only
/// piece.
///
/// At a cut, the white space around it is dropped, except no-break spaces and the indent of the next line. In a code
/// block, only the line break at the cut is dropped, if there is one. A piece that is only white space is left out, so
/// a blank text has no pieces.
///
/// A grapheme cluster is cut only if it does not fit into a piece alone, and then between characters. A character that
/// is longer than the limit becomes a piece that is too long. No other piece is too long.
///
/// With `markdown`, a piece that ends in a fenced code block ends with a closing fence of the same kind, and the next
/// piece begins with the first line of the block. A block whose fences would take more than half of the limit is cut
/// like other text. A block that the text itself does not close stays open in the last piece. A cut inside a line does
/// not turn other text into a fence, unless the line leaves no other choice.
pub fn split(text: &str, shape: Shape) -> Vec<String> {
    if shape.unit.prefix(text, shape.limit) == text.len() {
        return if text.trim().is_empty() { Vec::new() } else { vec![text.to_owned()] };
    }
    let mut blocks = if shape.markdown { Block::all(text) } else { Vec::new() };
    blocks.retain(|block| block.overhead(text, shape.unit) <= shape.limit / 2);
    let cutter = Cutter { text, blocks: &blocks, shape };

    let mut pieces = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let reopened = cutter.block_around(start).map(|block| block.opening);
        let room = shape.limit - reopened.map_or(0, |opening| shape.unit.length(opening) + 1);
        let cut = cutter.cut(start, room);
        let body = text.get(start..cut.end).unwrap_or_default();
        let closed = cutter.block_around(cut.next).map(|block| block.closing);
        start = cut.next;
        if reopened.is_none() && closed.is_none() && body.trim().is_empty() {
            continue;
        }
        let lines = reopened.into_iter().chain([body]).chain(closed);
        pieces.push(lines.collect::<Vec<_>>().join("\n"));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;

    const PLAIN: Shape =
        Shape { limit: 20, unit: TextUnit::Scalar, mode: ChunkMode::Length, markdown: false };
    const MARKDOWN: Shape = Shape { limit: 40, markdown: true, ..PLAIN };

    #[test]
    fn a_text_that_fits_is_left_alone_and_a_blank_one_is_none() {
        for (text, pieces) in [
            (" short \n", vec![" short \n"]),
            ("```\nopen", vec!["```\nopen"]),
            ("", vec![]),
            (" \n\t\u{3000}\u{a0}", vec![]),
            ("                              \n          ", vec![]),
        ] {
            assert_eq!(split(text, Shape { markdown: true, ..PLAIN }), pieces, "{text:?}");
        }
    }

    #[test]
    fn a_piece_ends_at_the_best_place_near_its_end() {
        for (text, pieces) in [
            ("Above, two lines\n\nb\nc d below", vec!["Above, two lines", "b\nc d below"]),
            ("Above, a line b\nc d below", vec!["Above, a line b", "c d below"]),
            ("Early\n\nand late enough words", vec!["Early\n\nand late", "enough words"]),
            ("It is a full stop. And more of it", vec!["It is a full stop.", "And more of it"]),
            ("It is (a full stop.) And more", vec!["It is (a full stop.)", "And more"]),
            ("v1.2 is out of everything", vec!["v1.2 is out of", "everything"]),
            (
                "一二三四五六七八九十一二三四五。一二三四五六",
                vec!["一二三四五六七八九十一二三四五。", "一二三四五六"],
            ),
            ("a_word_that_is_longer_than_any", vec!["a_word_that_is_longe", "r_than_any"]),
            ("two words_that_are_longer_than_any", vec!["two words_that_are_l", "onger_than_any"]),
            ("Eleven char\nand words go on", vec!["Eleven char\nand", "words go on"]),
            ("Eleven end. And words go on", vec!["Eleven end. And", "words go on"]),
            ("exactly to the limit", vec!["exactly to the limit"]),
            ("exactly to the limit and on", vec!["exactly to the limit", "and on"]),
            ("exactly to the line,\nand on", vec!["exactly to the line,", "and on"]),
        ] {
            assert_eq!(split(text, PLAIN), pieces, "{text:?}");
        }
    }

    #[test]
    fn by_newline_the_last_paragraph_or_line_ends_a_piece_however_early() {
        for (text, pieces) in [
            ("One\n\ntwo\nthree four five six", vec!["One", "two", "three four five six"]),
            ("One\ntwo\nthree four five six", vec!["One\ntwo", "three four five six"]),
            ("One\n \n\ntwo three four five six", vec!["One", "two three four five", "six"]),
            ("\n\nOne two three four five six", vec!["One two three four", "five six"]),
        ] {
            assert_eq!(split(text, Shape { mode: ChunkMode::Newline, ..PLAIN }), pieces, "{text:?}");
        }
    }

    #[test]
    fn white_space_is_dropped_where_a_cut_is_and_nowhere_else() {
        for (text, pieces) in [
            ("- the first item  \r\n\r\n  - an item below", vec!["- the first item", "  - an item below"]),
            ("  indented line\n    and a next one", vec!["  indented line", "    and a next one"]),
            ("trailing space, long               \n", vec!["trailing space, long"]),
            ("                              late", vec!["late"]),
            ("breaks a word, but\u{a0}not\u{a0}here", vec!["breaks a word,", "but\u{a0}not\u{a0}here"]),
        ] {
            assert_eq!(split(text, PLAIN), pieces, "{text:?}");
        }
    }

    #[test]
    fn what_a_reader_takes_for_one_character_is_not_torn() {
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        let accents = format!("a{}", "\u{301}".repeat(9));
        for (limit, unit, text, pieces) in [
            (12, TextUnit::Utf16, format!("ab{family}"), vec!["ab".to_owned(), family.to_owned()]),
            (7, TextUnit::Utf16, "🇩🇪🇫🇷🇮🇹".into(), vec!["🇩🇪".into(), "🇫🇷".into(), "🇮🇹".into()]),
            (
                4,
                TextUnit::Scalar,
                format!("a{accents}"),
                vec!["a".into(), accents[..7].into(), "\u{301}".repeat(4), "\u{301}\u{301}".into()],
            ),
            (3, TextUnit::Scalar, "a\r\nb\r\nc".into(), vec!["a".into(), "b".into(), "c".into()]),
            (3, TextUnit::Scalar, "ab \u{301}cd".into(), vec!["ab".into(), " \u{301}c".into(), "d".into()]),
            (2, TextUnit::Byte, "aé漢b".into(), vec!["a".into(), "é".into(), "漢".into(), "b".into()]),
            (1, TextUnit::Utf16, "👋a".into(), vec!["👋".into(), "a".into()]),
            (0, TextUnit::Byte, "a b".into(), vec!["a".into(), "b".into()]),
        ] {
            assert_eq!(split(&text, Shape { limit, unit, ..PLAIN }), pieces, "{text:?}");
        }
    }

    #[test]
    fn a_code_block_that_is_cut_is_closed_and_opened_again() {
        for (text, pieces) in [
            (
                "```rust\nlet first = 1;\nlet second = 2;\nlet third = 3;\n```\nDone.",
                vec![
                    "```rust\nlet first = 1;\n```",
                    "```rust\nlet second = 2;\n```",
                    "```rust\nlet third = 3;\n```\nDone.",
                ],
            ),
            (
                "  ~~~~ sh\n  a first command\n~~~\n\n  a second command\n~~~~",
                vec!["  ~~~~ sh\n  a first command\n~~~\n\n  ~~~~", "  ~~~~ sh\n  a second command\n~~~~"],
            ),
            (
                "Some words before the code:\n```\nit begins in the next piece\n```",
                vec!["Some words before the code:", "```\nit begins in the next piece\n```"],
            ),
            (
                "```\na_line_without_any_space_that_is_too_long\n```",
                vec!["```\na_line_without_any_space_that_is\n```", "```\n_too_long\n```"],
            ),
            (
                "```\na line of code with    spaces that is too long\n```",
                vec!["```\na line of code with    spaces \n```", "```\nthat is too long\n```"],
            ),
            (
                "```\r\nthe first line of code\r\nthe second line of code\r\n```",
                vec!["```\r\nthe first line of code\n```", "```\nthe second line of code\r\n```"],
            ),
            (
                "```\nthe text leaves this open\nin its last piece",
                vec!["```\nthe text leaves this open\n```", "```\nin its last piece"],
            ),
            (
                "```\nand the words in this line, fits\nand these\n```",
                vec!["```\nand the words in this line, fits\n```", "```\nand these\n```"],
            ),
            (
                "```\nwords and words and words words\n``````",
                vec!["```\nwords and words and words \n```", "```\nwords\n``````"],
            ),
            (
                "```\nsome lines of code, it fits\n```          \nand more",
                vec!["```\nsome lines of code, it fits\n```", "and more"],
            ),
            (
                "Words that come before it:\n```abcdefghijk\nlet it = 1;\n```",
                vec!["Words that come before it:", "```abcdefghijk\nlet it = 1;\n```"],
            ),
            (
                "Words that come before it, very exactly     \n```\nlet it = 1;\n```",
                vec!["Words that come before it, very exactly", "```\nlet it = 1;\n```"],
            ),
            (
                "```a very long description of the code\na line of code\n```",
                vec!["```a very long description of the code", "a line of code\n```"],
            ),
        ] {
            assert_eq!(split(text, MARKDOWN), pieces, "{text:?}");
        }
    }

    #[test]
    fn a_cut_makes_no_fence_of_what_was_none() {
        for (text, pieces) in [
            (
                "Words and words and words, a word, ~~~~~~~ x",
                vec!["Words and words and words, a", "word, ~~~~~~~ x"],
            ),
            (
                "```\nwords and words and some words ````\n```",
                vec!["```\nwords and words and some \n```", "```\nwords ````\n```"],
            ),
            (
                "```\nand_not_the_end_of_the_code_here````\n```",
                vec!["```\nand_not_the_end_of_the_code_her\n```", "```\ne````\n```"],
            ),
            (
                "````\n```\n```\n```\n```\n```\n```\n```\n```\n````",
                vec!["````\n```\n```\n```\n```\n```\n```\n```\n````", "````\n```\n````"],
            ),
            (
                "The first line.\n```words and words and words ` words",
                vec!["The first line.", "```words and words and words ` words"],
            ),
            (
                "Some words:\n````\n``` ``` ``` ``` ``` ``` ```\n````",
                vec!["Some words:", "````\n``` ``` ``` ``` ``` ``` ```\n````"],
            ),
            (
                "````\nsome code\n``` ``` ``` ``` ``` ``` ```\n````",
                vec!["````\nsome code\n````", "````\n``` ``` ``` ``` ``` ``` ```\n````"],
            ),
        ] {
            assert_eq!(split(text, MARKDOWN), pieces, "{text:?}");
        }
    }

    #[test]
    fn no_code_block_is_opened_for_nothing() {
        let newline = Shape { mode: ChunkMode::Newline, ..MARKDOWN };
        let text = "```\n\na_line_that_is_so_long_that_it_has_to_be_cut\n```";
        let pieces = ["```\n\na_line_that_is_so_long_that_it_\n```", "```\nhas_to_be_cut\n```"];
        assert_eq!(split(text, newline), pieces);
    }

    /// Returns true if a code block is open at the end. Reads lines as a renderer would.
    fn ends_open(text: &str) -> bool {
        let mut open: Option<(char, usize)> = None;
        for line in text.lines() {
            let indent = line.chars().take_while(|&c| c == ' ').count();
            let line = &line[indent..];
            let mark = line.chars().next().unwrap_or_default();
            let run = line.chars().take_while(|&c| c == mark).count();
            if indent > 3 || run < 3 || !"`~".contains(mark) {
                continue;
            }
            let info = &line[run..];
            match open {
                None if mark == '~' || !info.contains('`') => open = Some((mark, run)),
                Some(fence) if fence.0 == mark && run >= fence.1 && info.trim().is_empty() => open = None,
                _ => {}
            }
        }
        open.is_some()
    }

    /// Returns true if the pieces, without the fences added at cuts, give the text from this byte on.
    fn is_whole(text: &str, at: usize, pieces: &[String], opened: Option<&str>) -> bool {
        let rest = &text[at..];
        let Some((piece, pieces)) = pieces.split_first() else { return rest.trim().is_empty() };
        let piece = match opened {
            None => piece,
            Some(fence) => match piece.strip_prefix(fence).and_then(|piece| piece.strip_prefix('\n')) {
                Some(piece) => piece,
                None => return false,
            },
        };
        let gap = rest.len() - rest.trim_start().len();
        let starts = (0..=gap).filter(|&skipped| rest.is_char_boundary(skipped));
        let mut starts =
            starts.filter(|&skipped| opened.is_none() || ["", "\n", "\r\n"].contains(&&rest[..skipped]));
        starts.any(|skipped| {
            let matches = |body: &str| rest[skipped..].starts_with(body);
            let next = |body: &str| at + skipped + body.len();
            if matches(piece) && is_whole(text, next(piece), pieces, None) {
                return true;
            }
            let Some((body, closing)) = piece.rsplit_once('\n') else { return false };
            let mut openings = text.lines().map(str::trim_ascii_end).filter(|line| line.starts_with(closing));
            matches(body) && openings.any(|opening| is_whole(text, next(body), pieces, Some(opening)))
        })
    }

    /// Returns the first cluster that a cut goes through.
    fn torn<'a>(text: &'a str, pieces: &[String]) -> Option<&'a str> {
        let mut at = 0;
        for piece in pieces {
            at += text[at..].find(piece.as_str())? + piece.len();
            let mut before = 0;
            for cluster in text.graphemes(true) {
                if before < at && at < before + cluster.len() {
                    return Some(cluster);
                }
                before += cluster.len();
            }
        }
        None
    }

    fn shape(limit: std::ops::Range<usize>) -> impl Strategy<Value = Shape> {
        let unit = prop::sample::select(vec![TextUnit::Utf16, TextUnit::Scalar, TextUnit::Byte]);
        let mode = prop::sample::select(vec![ChunkMode::Length, ChunkMode::Newline]);
        (limit, unit, mode, any::<bool>()).prop_map(|(limit, unit, mode, markdown)| Shape {
            limit,
            unit,
            mode,
            markdown,
        })
    }

    fn any_text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            4 => "[a-z]{1,9}",
            4 => "[ \n]",
            1 => "\\PC{1,3}",
            1 => any::<char>().prop_map(String::from),
            2 => prop::sample::select(vec![
                "\n\n", "\r\n", " \n ", "     ", "```", "~~~", "`", "~~~~\n", "\n```rust\n", "\n```\n", "\n   ```", ". ", "。",
                "\u{301}", "\u{200d}", "🇩", "👨\u{200d}👩\u{200d}👧", "👍🏽", "क\u{94d}त", "\u{600}", "\u{a0}", "\u{3000}",
            ]).prop_map(str::to_owned),
        ];
        prop::collection::vec(token, 0..80).prop_map(|tokens| tokens.concat())
    }

    /// Returns lines of prose and of code with fences between them, matching or not.
    fn markdown() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            12 => "[a-z]{1,12}[.!,]? ",
            1 => prop::sample::select(vec![
                "``` ", "~~~ ", "```x``` ", "`", "a```", "  ", "    ", "👍🏽 ", "é漢字", "e\u{301}", "🇩🇪",
            ]).prop_map(str::to_owned),
        ];
        let words = prop::collection::vec(word, 1..20).prop_map(|words| words.concat());
        let fence = ("[ ]{0,3}", "`{3,4}|~{3,4}", "|sh|c ?")
            .prop_map(|(indent, marks, info)| indent + &marks + &info);
        let line = prop_oneof![
            4 => words.clone().prop_map(|words| format!("x{words}")),
            1 => words.clone().prop_map(|words| format!("```y`{words}")),
            1 => words.prop_map(|words| format!("    ``` {words}")),
            1 => Just(String::new()),
            3 => fence,
        ];
        prop::collection::vec(line, 0..40).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn no_piece_is_too_long_or_blank(text in any_text(), shape in shape(1..60)) {
            for piece in split(&text, shape) {
                let fits = shape.unit.length(&piece) <= shape.limit;
                prop_assert!(fits || piece.chars().count() == 1, "{:?}", piece);
                prop_assert!(!piece.trim().is_empty());
            }
        }

        #[test]
        fn nothing_but_white_space_is_lost(text in any_text(), shape in shape(1..60)) {
            let pieces = split(&text, shape);
            prop_assert!(is_whole(&text, 0, &pieces, None), "{:?}", pieces);
        }

        #[test]
        fn no_cluster_is_torn_that_could_be_whole(text in any_text(), shape in shape(1..60)) {
            let pieces = split(&text, Shape { markdown: false, ..shape });
            if let Some(cluster) = torn(&text, &pieces) {
                prop_assert!(shape.unit.length(cluster) > shape.limit, "{:?} {:?}", cluster, pieces);
            }
        }

        #[test]
        fn every_piece_closes_its_code_blocks(text in markdown(), shape in shape(48..200)) {
            let pieces = split(&text, Shape { markdown: true, ..shape });
            for (index, piece) in pieces.iter().enumerate() {
                let open = index + 1 == pieces.len() && ends_open(text.trim_end());
                prop_assert_eq!(ends_open(piece), open, "{:?} {:?}", piece, pieces);
                prop_assert!(shape.unit.length(piece) <= shape.limit);
            }
            prop_assert!(is_whole(&text, 0, &pieces, None), "{:?}", pieces);
        }
    }
}
