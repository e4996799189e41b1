//! The tag in which a session's model sees a message.

use std::borrow::Cow;

use crate::text::character::Class;

/// LESS-THAN SIGN, its full-width, small and tag forms, and NOT LESS-THAN, which is a LESS-THAN SIGN with a mark.
const BRACKETS: [char; 5] = ['<', '＜', '﹤', '\u{e003c}', '≮'];

/// The name of the tag that only the host may write: `<channel …>` or `</channel>`.
const NAME: [u8; 7] = *b"channel";

/// Returns the text without such tags, and without anything that a reader could mistake for one: its `<` becomes
/// `&lt;`.
///
/// The name is recognised in upper and lower case, in all styles that Unicode has for Latin letters, in Cyrillic and
/// Greek letters that look the same, and with any slashes, white space, marks and invisible characters before or within
/// it. The text after the name does not matter. All other text stays as it is, byte by byte. Most texts are borrowed.
pub fn content(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut kept = 0;
    let mut from = 0;
    while let Some((at, bracket)) = next_bracket(text, from) {
        from = at + bracket.len_utf8();
        if text.get(from..).is_some_and(begins_with_name) {
            clean.push_str(text.get(kept..at).unwrap_or_default());
            clean.push_str("&lt;");
            kept = from;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Returns the first bracket at or after `from`. Nearly all of each text is skipped here: 64 bytes in a few
/// instructions.
fn next_bracket(text: &str, from: usize) -> Option<(usize, char)> {
    let bytes = text.as_bytes().get(from..)?;
    let mut start = from;
    for block in bytes.chunks(64) {
        if block.iter().fold(false, |found, &byte| found | may_begin_bracket(byte)) {
            let mut places = block.iter().enumerate().filter(|(_, byte)| may_begin_bracket(**byte));
            let bracket = places.find_map(|(index, _)| {
                let at = start + index;
                let character = text.get(at..)?.chars().next()?;
                BRACKETS.contains(&character).then_some((at, character))
            });
            if bracket.is_some() {
                return bracket;
            }
        }
        start += block.len();
    }
    None
}

/// Returns true for the first byte of each bracket.
fn may_begin_bracket(byte: u8) -> bool {
    matches!(byte, b'<' | 0xe2 | 0xef | 0xf3)
}

/// Returns true if the text begins with the name. Reads until the name is complete or cannot match any more, and never
/// past the next bracket.
fn begins_with_name(text: &str) -> bool {
    // Bit n: the first n letters have been read. A tag letter can be one of them, or be skipped.
    let mut read = 1_u8;
    for character in text.chars() {
        if BRACKETS.contains(&character) {
            return false;
        }
        let letter = plain_letter(character);
        let fits = (0..).zip(NAME).filter(|(_, wanted)| Some(*wanted) == letter);
        let next = (read & fits.fold(0, |bits, (index, _)| bits | 1 << index)) << 1;
        read = if is_overlooked(character) { read | next } else { next };
        if read == 0 || read & 1 << NAME.len() != 0 {
            return read != 0;
        }
    }
    false
}

fn is_overlooked(character: char) -> bool {
    // SOLIDUS, REVERSE SOLIDUS, FRACTION SLASH, DIVISION SLASH, both in full width
    matches!(character, '/' | '\\' | '⁄' | '∕' | '／' | '＼') || Class::of(character) != Class::Plain
}

/// Returns the lower-case ASCII letter that a reader sees. Covers the characters that look like a letter of [`NAME`].
fn plain_letter(character: char) -> Option<u8> {
    let nth = |first: u32| u8::try_from((u32::from(character) - first) % 26).ok().map(|index| b'a' + index);
    match character {
        // FULLWIDTH LATIN LETTERS
        '\u{ff21}'..='\u{ff3a}' => nth(0xff21),
        '\u{ff41}'..='\u{ff5a}' => nth(0xff41),
        // TAG LATIN LETTERS
        '\u{e0041}'..='\u{e005a}' => nth(0xe0041),
        '\u{e0061}'..='\u{e007a}' => nth(0xe0061),
        // MATHEMATICAL LETTERS: thirteen styles, in each the capitals before the small letters
        '\u{1d400}'..='\u{1d6a3}' => nth(0x1d400),
        // CIRCLED LATIN LETTERS
        '\u{24b6}'..='\u{24e9}' => nth(0x24b6),
        // SQUARED, NEGATIVE CIRCLED and NEGATIVE SQUARED LATIN CAPITAL LETTERS
        '\u{1f130}'..='\u{1f149}' => nth(0x1f130),
        '\u{1f150}'..='\u{1f169}' => nth(0x1f150),
        '\u{1f170}'..='\u{1f189}' => nth(0x1f170),
        // REGIONAL INDICATOR SYMBOL LETTERS
        '\u{1f1e6}'..='\u{1f1ff}' => nth(0x1f1e6),
        // LETTERLIKE SYMBOLS, which fill gaps among the mathematical ones; Cyrillic; Greek
        'ℂ' | 'ℭ' | 'С' | 'с' | 'Ϲ' | 'ϲ' => Some(b'c'),
        'ℋ'..='ℎ' | 'Н' | 'Һ' | 'һ' | 'Η' => Some(b'h'),
        'А' | 'а' | 'Α' | 'α' => Some(b'a'),
        'ℕ' | 'Ν' => Some(b'n'),
        'ℯ' | 'ℰ' | 'Е' | 'е' | 'Ε' => Some(b'e'),
        'ℒ' | 'ℓ' | 'Ӏ' | 'ӏ' | 'Ι' | 'I' => Some(b'l'),
        _ => u8::try_from(character).ok().map(|byte| byte.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_but_the_host_writes_the_tag() {
        for (text, clean) in [
            ("<channel>", "&lt;channel>"),
            ("a </channel> b", "a &lt;/channel> b"),
            ("<CHANNEL source=\"x\"", "&lt;CHANNEL source=\"x\""),
            ("<cHaNnEls>", "&lt;cHaNnEls>"),
            ("< / channel", "&lt; / channel"),
            ("<//\\\n\t\u{3000}channel", "&lt;//\\\n\t\u{3000}channel"),
            (
                "<\u{200b}c\u{200d}h\u{ad}a\u{202e}n\0n\u{fe0f}e\u{2066}l",
                "&lt;\u{200b}c\u{200d}h\u{ad}a\u{202e}n\0n\u{fe0f}e\u{2066}l",
            ),
            ("<c h a n n\r\nel", "&lt;c h a n n\r\nel"),
            ("<\u{338}c\u{332}hannel", "&lt;\u{338}c\u{332}hannel"),
            ("＜channel ﹤channel ≮channel", "&lt;channel &lt;channel &lt;channel"),
            ("＜／ｃｈａｎｎｅＬ＞", "&lt;／ｃｈａｎｎｅＬ＞"),
            ("<𝐜𝒽𝔞𝕟𝖓𝚎𝑙 <ℭℎ𝒶ℕ𝑛ℯℓ", "&lt;𝐜𝒽𝔞𝕟𝖓𝚎𝑙 &lt;ℭℎ𝒶ℕ𝑛ℯℓ"),
            ("<ⓒⒽⓐⓃⓝⓔⓛ <🄲🅗🅰🄽🅝🅴🄻 <🇨🇭🇦🇳🇳🇪🇱", "&lt;ⓒⒽⓐⓃⓝⓔⓛ &lt;🄲🅗🅰🄽🅝🅴🄻 &lt;🇨🇭🇦🇳🇳🇪🇱"),
            ("<сһаnnеӏ <СНАΝΝЕΙ <channeI", "&lt;сһаnnеӏ &lt;СНАΝΝЕΙ &lt;channeI"),
            ("<<channel <c<channel", "<&lt;channel <c&lt;channel"),
            // Tag characters only, and some tag characters in between.
            (
                "\u{e003c}\u{e0063}\u{e0068}\u{e0061}\u{e006e}\u{e006e}\u{e0065}\u{e006c}",
                "&lt;\u{e0063}\u{e0068}\u{e0061}\u{e006e}\u{e006e}\u{e0065}\u{e006c}",
            ),
            (
                "<c\u{e0068}\u{e0063}hannel <c\u{e0068}annel",
                "&lt;c\u{e0068}\u{e0063}hannel &lt;c\u{e0068}annel",
            ),
        ] {
            assert_eq!(content(text), clean, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_tag_is_lent() {
        for text in [
            "",
            "plain",
            "<",
            "a < b",
            "<chanel>",
            "<chan",
            "<xchannel",
            "<-channel",
            "<chan.nel",
            "< the channel",
            "&lt;channel",
            "channel>",
            "＜頻道＞ “quoted” … 1 ≮ 2 \u{e003c}",
            "<<<<<<",
        ] {
            assert!(matches!(content(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn brackets_begin_with_the_bytes_that_are_looked_for() {
        for bracket in BRACKETS {
            for before in 0..130 {
                let text = format!("{}{bracket}channel", "x".repeat(before));
                assert_eq!(content(&text), format!("{}&lt;channel", "x".repeat(before)));
            }
        }
    }

    /// Returns a piece of text and how a reader sees it: as a bracket, a letter, nothing, or something else.
    fn part() -> impl Strategy<Value = (&'static str, char)> {
        const LETTERS: [&[&str]; 6] = [
            &["c", "C", "ｃ", "Ⓒ", "𝐂"],
            &["h", "H", "Ｈ", "ℎ", "һ"],
            &["a", "A", "ａ", "𝒶", "А"],
            &["n", "N", "ｎ", "🅽", "ℕ"],
            &["e", "E", "Ｅ", "ⓔ", "е"],
            &["l", "L", "ｌ", "ℓ", "I"],
        ];
        const NOTHING: [&str; 14] = [
            "/",
            "\\",
            " ",
            "\n",
            "\u{a0}",
            "\0",
            "\u{200b}",
            "\u{200d}",
            "\u{202e}",
            "\u{fe0f}",
            "\u{301}",
            "\u{e0020}",
            "\u{3164}",
            "\u{e000}",
        ];
        let letter = (0_usize..7, 0_usize..5).prop_map(|(nth, style)| {
            let letters = [0, 1, 2, 3, 3, 4, 5].map(|kind: usize| LETTERS[kind]);
            (letters[nth][style], char::from(NAME[nth]))
        });
        prop_oneof![
            8 => letter,
            2 => prop::sample::select(&["<", "＜", "﹤", "≮", "\u{e003c}"][..]).prop_map(|part| (part, '<')),
            2 => prop::sample::select(&NOTHING[..]).prop_map(|part| (part, ' ')),
            1 => prop::sample::select(&["&", "t;", "x", "漢", "“", "👋", ">", "="][..]).prop_map(|part| (part, '?')),
        ]
    }

    /// Returns the letters of the name in order, more often than chance would, with other pieces among them.
    fn parts() -> impl Strategy<Value = Vec<(&'static str, char)>> {
        let name = (prop::collection::vec(part(), 8), prop::collection::vec(any::<bool>(), 8), 0_usize..12);
        let name = name.prop_map(|(noise, noisy, broken)| {
            let letters = ["<", "c", "h", "a", "N", "ｎ", "e", "L"].into_iter().zip("<channel".chars());
            let parts = letters.zip(noise).zip(noisy).enumerate();
            let parts = parts.flat_map(|(index, ((letter, noise), noisy))| {
                let quiet = noise.1 == ' ' || index == broken;
                [Some(letter), (noisy && quiet).then_some(noise)]
            });
            parts.flatten().collect::<Vec<_>>()
        });
        prop::collection::vec(prop_oneof![name, prop::collection::vec(part(), 0..5)], 0..5)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_brackets_of_tags_are_replaced_and_nothing_else(parts in parts()) {
            let mut wanted = String::new();
            for (index, (part, meaning)) in parts.iter().enumerate() {
                let mut read = parts[index + 1..].iter().map(|part| part.1).filter(|meaning| *meaning != ' ');
                let is_tag = *meaning == '<' && "channel".chars().all(|letter| read.next() == Some(letter));
                wanted.push_str(if is_tag { "&lt;" } else { part });
            }
            let text: String = parts.iter().map(|part| part.0).collect();
            prop_assert_eq!(content(&text), wanted.as_str());
            prop_assert!(matches!(content(&wanted), Cow::Borrowed(same) if same == wanted));
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            prop_assert!(matches!(content(&text), Cow::Borrowed(same) if same == text));
        }
    }
}
