//! How a character appears to the reader.

use unicode_segmentation::UnicodeSegmentation as _;

/// Maximum number of combining marks on one base. Enough for Vietnamese in NFD and for pointed Hebrew.
pub(super) const MARKS: usize = 4;

/// The character that joins several emoji into one.
pub(super) const JOINER: char = '\u{200d}';

/// How a character appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Visible by itself.
    Plain,
    /// A gap or a line break: all that Unicode calls white space.
    Space,
    /// Drawn on the character before it.
    Mark,
    /// Invisible, or shown differently everywhere: controls, format and bidi characters, private use, unassigned,
    /// variation selectors, letters without a shape.
    Hidden,
}

impl Class {
    /// Classifies a character. The standard library knows what can be printed: `escape_debug` escapes every control,
    /// format character, separator other than the space, private-use and unassigned character. It escapes a mark only
    /// at the beginning of a text.
    pub(super) fn of(character: char) -> Self {
        if matches!(character, '!'..='~') {
            Self::Plain
        } else if character.is_whitespace() {
            Self::Space
        } else if is_blank(character) {
            Self::Hidden
        } else if character.escape_debug().eq([character]) {
            Self::Plain
        } else if is_printed_behind_a_letter(character) {
            Self::Mark
        } else {
            Self::Hidden
        }
    }
}

/// Returns true for characters that count as printable but show nothing: ignorable by Unicode's own property
/// (`Default_Ignorable_Code_Point`), or without ink.
fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' // COMBINING GRAPHEME JOINER
        | '\u{115f}'..='\u{1160}' // HANGUL CHOSEONG FILLER, HANGUL JUNGSEONG FILLER
        | '\u{17b4}'..='\u{17b5}' // KHMER VOWEL INHERENT AQ and AA
        | '\u{180b}'..='\u{180f}' // MONGOLIAN FREE VARIATION SELECTORS, MONGOLIAN VOWEL SEPARATOR
        | '\u{2800}' // BRAILLE PATTERN BLANK
        | '\u{3164}' // HANGUL FILLER
        | '\u{fe00}'..='\u{fe0f}' // VARIATION SELECTOR-1 to -16
        | '\u{ffa0}' // HALFWIDTH HANGUL FILLER
        | '\u{fffc}' // OBJECT REPLACEMENT CHARACTER
        | '\u{1d159}' // MUSICAL SYMBOL NULL NOTEHEAD
        | '\u{e0100}'..='\u{e01ef}' // VARIATION SELECTOR-17 to -256
    )
}

fn is_printed_behind_a_letter(character: char) -> bool {
    let mut utf8 = [b'a'; 5];
    let [_, rest @ ..] = &mut utf8;
    let length = 1 + character.encode_utf8(rest).len();
    let text = utf8.get(..length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default();
    text.escape_debug().eq(text.chars())
}

/// Returns true if this can be part of a joined emoji. Only then does a character stay in the cluster after a joiner,
/// unless it would also stay in the cluster after a letter.
pub(super) fn is_pictographic(character: char) -> bool {
    let clusters = |text: String| text.graphemes(true).count();
    clusters(format!("❤{JOINER}{character}")) == 1 && clusters(format!("a{character}")) == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_known_by_how_they_show() {
        for (class, characters) in [
            (Class::Plain, "aZ~`ßéД漢かｶنाक🙂❤👩🏽…“”№€\u{fffd}𝐜"),
            (Class::Space, " \t\n\r\u{b}\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{2029}\u{202f}\u{3000}"),
            (Class::Mark, "\u{301}\u{489}\u{20dd}\u{5b0}\u{94d}\u{ff9e}\u{fe20}"),
            (Class::Hidden, "\0\u{7}\u{1b}\u{7f}\u{9b}"),
            (Class::Hidden, "\u{200b}\u{200c}\u{200d}\u{2060}\u{2064}\u{feff}\u{ad}\u{61c}\u{fff9}"),
            (Class::Hidden, "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{206f}"),
            (Class::Hidden, "\u{e0001}\u{e003c}\u{e0061}\u{e007f}"),
            (Class::Hidden, "\u{e000}\u{f8ff}\u{f0000}\u{10fffd}\u{fdd0}\u{fffe}\u{10ffff}\u{378}"),
            (
                Class::Hidden,
                "\u{34f}\u{115f}\u{17b4}\u{180b}\u{180e}\u{2065}\u{2800}\u{3164}\u{ffa0}\u{fffc}",
            ),
            (Class::Hidden, "\u{fe00}\u{fe0f}\u{e0100}\u{e01ef}\u{1d159}\u{1d173}"),
        ] {
            for character in characters.chars() {
                assert_eq!(Class::of(character), class, "{:x}", u32::from(character));
            }
        }
    }

    #[test]
    fn letters_and_digits_of_every_script_show() {
        let shows = |character| matches!(Class::of(character), Class::Plain | Class::Mark);
        let hidden: Vec<_> = ('\0'..=char::MAX).filter(|&c| c.is_alphanumeric() && !shows(c)).collect();
        assert_eq!(hidden, ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}']);
    }

    #[test]
    fn emoji_can_be_joined_and_letters_cannot() {
        assert!("👩❤🔬🏳🌈☠©".chars().all(is_pictographic));
        assert!(!"a1#漢\u{301}🏽🇩\u{200d}\u{fe0f}क\u{903}".chars().any(is_pictographic));
    }
}
