//! Names and values, as they are shown beside a text.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use crate::text::{
    character::{Class, JOINER, MARKS, is_pictographic},
    grapheme,
    unit::TextUnit,
};

/// Maximum length of a name, in characters.
const NAME: usize = 64;
/// Maximum length of a value, in characters.
const VALUE: usize = 512;
/// Maximum length of a guest's attribute, in characters.
const ATTRIBUTE: usize = 64 << 10;
/// Maximum length of an id, in bytes.
const IDENTIFIER: usize = 256;

/// Returns the name of a person, a chat or a file in a form that can be shown: one line without hidden characters, at
/// most 64 characters, or `unnamed` if nothing is left.
///
/// White space of any kind and length becomes one space, and is removed at both ends. These characters are removed: the
/// delimiters `<`, `>`, `"`, `&`, `=`, the backtick, and the wide forms of angle brackets and quotation mark; controls;
/// invisible characters, which include the joiners of Persian and Indic scripts; all combining marks after the fourth
/// on one base. Characters that join an emoji stay. A longer name is cut and ends in `…`.
pub fn name(text: &str) -> Cow<'_, str> {
    let clean = shown(text, NAME, |character| is_delimiter(character) || matches!(character, '&' | '='));
    if clean.is_empty() { Cow::Borrowed("unnamed") } else { clean }
}

/// Returns a value in a form that can be shown: like a name, but at most 512 characters, possibly empty, and with `=`
/// and `&`.
pub fn value(text: &str) -> Cow<'_, str> {
    shown(text, VALUE, is_delimiter)
}

/// Returns a guest's attribute in a form that can be shown: like a value, but at most 65,536 characters.
pub fn attribute(text: &str) -> Cow<'_, str> {
    shown(text, ATTRIBUTE, is_delimiter)
}

/// Returns true if a session can be told this id and can hand it back: 1 to 256 bytes, without white space, invisible
/// characters, the delimiters `<`, `>`, `"`, `'`, `&` and the backtick. A combining mark must have a character before
/// it.
pub fn is_identifier(text: &str) -> bool {
    let is_allowed = |character| !is_delimiter(character) && !matches!(character, '\'' | '&');
    (1..=IDENTIFIER).contains(&text.len())
        && text.chars().enumerate().all(|(index, character)| match Class::of(character) {
            Class::Plain => is_allowed(character),
            Class::Mark => index > 0,
            Class::Space | Class::Hidden => false,
        })
}

/// Returns true for characters that end an attribute's value, a tag, or code in Markdown.
fn is_delimiter(character: char) -> bool {
    matches!(character, '<' | '>' | '"' | '`' | '＜' | '＞' | '＂' | '﹤' | '﹥' | '≮' | '≯')
}

fn shown(text: &str, limit: usize, is_lost: fn(char) -> bool) -> Cow<'_, str> {
    let shown = || Shown {
        rest: text.chars().peekable(),
        is_lost,
        last: None,
        base: None,
        gap: false,
        held: None,
        marks: 0,
    };
    if text.chars().nth(limit).is_none() && shown().eq(text.chars()) {
        return Cow::Borrowed(text);
    }
    let mut clean: String = shown().take(limit + 1).collect();
    if clean.chars().nth(limit).is_some() {
        // Leave room for one character that says that the text was cut.
        let room = TextUnit::Scalar.prefix(&clean, limit - 1);
        let whole = grapheme::floor(&clean, room);
        clean.truncate(if whole == 0 { room } else { whole });
        clean.truncate(clean.trim_end_matches([' ', JOINER]).len());
        clean.push('…');
    }
    Cow::Owned(clean)
}

/// An iterator over the characters of a text that stay.
struct Shown<'a> {
    rest: Peekable<Chars<'a>>,
    is_lost: fn(char) -> bool,
    last: Option<char>,
    /// The last character that is not a variation of another.
    base: Option<char>,
    /// Whether white space was skipped since the last character.
    gap: bool,
    /// The next character to return, after the space before it.
    held: Option<char>,
    /// The number of marks on the last base.
    marks: usize,
}

impl Shown<'_> {
    /// Returns true if this invisible character joins emoji into one, or selects how an emoji is drawn.
    fn forms_emoji(&mut self, character: char) -> bool {
        let follows_emoji = !self.gap && self.base.is_some_and(is_pictographic);
        match character {
            '\u{fe0e}' | '\u{fe0f}' => follows_emoji && self.last == self.base,
            JOINER if follows_emoji => {
                let next = self.rest.peek();
                next.is_some_and(|next| Class::of(*next) == Class::Plain && is_pictographic(*next))
            }
            _ => false,
        }
    }
}

/// Returns true for EMOJI MODIFIER FITZPATRICK TYPE-1-2 to -6, VARIATION SELECTOR-15 (text style) and VARIATION
/// SELECTOR-16 (emoji style).
fn varies_emoji(character: char) -> bool {
    matches!(character, '\u{1f3fb}'..='\u{1f3ff}' | '\u{fe0e}' | '\u{fe0f}')
}

impl Iterator for Shown<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.held.is_some() {
            return self.held.take();
        }
        loop {
            let character = self.rest.next()?;
            let class = Class::of(character);
            let stays = match class {
                Class::Plain => !(self.is_lost)(character),
                Class::Mark => self.last.is_some() && !self.gap && self.marks < MARKS,
                Class::Hidden => self.forms_emoji(character),
                Class::Space => false,
            };
            self.gap |= class == Class::Space && self.last.is_some();
            if stays {
                self.marks = if class == Class::Mark { self.marks + 1 } else { 0 };
                self.last = Some(character);
                if !varies_emoji(character) {
                    self.base = self.last;
                }
                if std::mem::take(&mut self.gap) {
                    self.held = Some(character);
                    return Some(' ');
                }
                return Some(character);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;

    #[test]
    fn names_lose_what_could_mislead() {
        for (text, clean) in [
            ("", "unnamed"),
            (" \n\u{200b}<>", "unnamed"),
            ("\u{301}\u{302}", "unnamed"),
            ("  Ada\r\n\t Love\u{a0}\u{3000}lace ", "Ada Love lace"),
            ("Ada < Bob", "Ada Bob"),
            ("a\" user=\"b", "a userb"),
            ("<b> & `c` ＜d＞ ＂e＂ ﹤f﹥", "b c d e f"),
            ("A\u{202e}da\u{2066}\u{200b}\u{ad}\u{feff}\u{e0041}\u{e000}\u{3164}", "Ada"),
            ("A\0d\u{1b}[1ma\u{7f}", "Ad[1ma"),
            ("a\u{200d}b", "ab"),
            ("x\u{301} \u{301}y", "x\u{301} y"),
            (
                "👩\u{200d}🔬 ❤\u{fe0f}\u{200d}🔥 👩🏽\u{200d}🚀 👍🏽 🇩🇪",
                "👩\u{200d}🔬 ❤\u{fe0f}\u{200d}🔥 👩🏽\u{200d}🚀 👍🏽 🇩🇪",
            ),
            ("👩\u{200d} \u{200d}👩\u{200d}\u{200d}👩\u{fe0f}\u{fe0f}a\u{fe0f}", "👩 👩\u{200d}👩\u{fe0f}a"),
            ("👩\u{200d}", "👩"),
            ("🏽\u{200d}👩 a🏽\u{200d}👩", "🏽👩 a🏽👩"),
        ] {
            assert_eq!(name(text), clean, "{text:?}");
        }
    }

    #[test]
    fn names_that_mislead_nobody_are_lent() {
        for text in
            ["Ada", "O'Brien, Zoë (2)", "漢字 かな", "नमस्ते", "שָׁלוֹם", "ﾀﾞ", "👩\u{200d}🔬", "photo.final-2.png"]
        {
            assert!(matches!(name(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
        assert!(matches!(value(""), Cow::Borrowed("")));
    }

    #[test]
    fn values_may_be_longer_empty_and_queries() {
        assert_eq!(value("https://example.org/?a=1&b=\"2\"\n"), "https://example.org/?a=1&b=2");
        assert_eq!(value("\u{200b} "), "");
        assert_eq!(value(&"x".repeat(600)), format!("{}…", "x".repeat(511)));
    }

    #[test]
    fn long_names_are_cut_between_what_readers_take_for_characters() {
        let family = "👨\u{200d}👩\u{200d}👧";
        for (text, clean) in [
            ("x".repeat(64), "x".repeat(64)),
            ("x".repeat(65), format!("{}…", "x".repeat(63))),
            (format!("{} y", "x".repeat(62)), format!("{} y", "x".repeat(62))),
            (format!("{} yz", "x".repeat(62)), format!("{}…", "x".repeat(62))),
            (format!("{}{family}", "x".repeat(60)), format!("{}…", "x".repeat(60))),
            (format!("👨{}", "\u{200d}👨".repeat(40)), format!("👨{}…", "\u{200d}👨".repeat(31))),
            (format!("e{}f", "\u{301}".repeat(100)), format!("e{}f", "\u{301}".repeat(4))),
        ] {
            assert_eq!(name(&text), clean, "{text:?}");
        }
    }

    #[test]
    fn ids_are_what_they_look_like() {
        for good in [
            "web",
            "-1001234",
            "user@server.example",
            "!room:server",
            "abc==",
            "Üser",
            "U\u{308}ser",
            &"x".repeat(256),
        ] {
            assert!(is_identifier(good), "{good:?}");
        }
        for bad in [
            "",
            "a b",
            "a\u{a0}b",
            "a\nb",
            "a\0",
            "a\u{200b}",
            "\u{202e}a",
            "a\u{e0041}",
            "\u{e000}",
            "\u{301}a",
            "<a",
            "a>",
            "a\"",
            "a'",
            "a`",
            "a&b",
            "＜a",
            &"x".repeat(257),
        ] {
            assert!(!is_identifier(bad), "{bad:?}");
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            "[a-z<>&=\"` ]{1,5}",
            any::<char>().prop_map(String::from),
            prop::sample::select(vec![
                "👨",
                "👩",
                "\u{200d}",
                "\u{fe0f}",
                "🏽",
                "\u{301}",
                " ",
                "\n",
                "\u{200b}",
                "🇩",
                "क\u{94d}",
                "\u{600}",
                "ᄀ",
                "\u{1fbff}",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn whatever_somebody_is_called_it_is_harmless(text in any_text()) {
            let name = name(&text);
            let value = value(&text);
            prop_assert!((1..=64).contains(&name.chars().count()) && value.chars().count() <= 512);
            prop_assert!(!name.contains(['<', '>', '"', '&', '=', '`', '＜', '＞', '＂']), "{name}");
            prop_assert!(!value.contains(['<', '>', '"', '`', '＜', '＞', '＂']), "{value}");
            for clean in [&name, &value] {
                prop_assert!(!clean.contains(char::is_control) && clean.trim() == *clean && !clean.contains("  "));
                prop_assert!(clean.chars().all(|character| character == ' ' || !character.is_whitespace()));
                for cluster in clean.graphemes(true) {
                    let marks = cluster.chars().filter(|character| Class::of(*character) == Class::Mark);
                    // Each letter of one cluster may have some marks.
                    prop_assert!(marks.count() <= 4 * cluster.chars().count().div_ceil(5), "{cluster:?}");
                    let mut hidden = cluster.chars().filter(|character| Class::of(*character) == Class::Hidden);
                    prop_assert!(hidden.all(|it| "\u{200d}\u{fe0e}\u{fe0f}".contains(it)), "{cluster:?}");
                    prop_assert!(!cluster.ends_with('\u{200d}'), "{cluster:?}");
                }
            }
        }

        #[test]
        fn what_is_clean_is_lent(text in any_text()) {
            let (name_once, value_once) = (name(&text).into_owned(), value(&text).into_owned());
            prop_assert!(matches!(name(&name_once), Cow::Borrowed(same) if same == name_once), "{:?}", name_once);
            prop_assert!(matches!(value(&value_once), Cow::Borrowed(same) if same == value_once), "{:?}", value_once);
        }
    }
}
