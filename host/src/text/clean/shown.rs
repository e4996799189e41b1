//! Names and values, as they are shown beside a text.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;

use super::super::character::{Class, JOINER, MARKS, is_pictographic};

/// The longest name, in characters.
const NAME: usize = 64;
/// The longest value, in characters.
const VALUE: usize = 512;
/// The longest id, in bytes.
const IDENTIFIER: usize = 256;

/// What somebody calls themselves, a chat or a file: one line of visible characters, at most 64, and none that would end
/// the attribute or the code in which it stands. `unnamed` where nothing is left.
pub fn name(text: &str) -> Cow<'_, str> {
    let clean = squeeze(text, NAME, is_delimiter_of_names);
    if clean.is_empty() { Cow::Borrowed("unnamed") } else { clean }
}

/// A further attribute's value, at most 512 characters: like a name, but `=` and `&` may be in it, and it may be empty.
pub fn value(text: &str) -> Cow<'_, str> {
    squeeze(text, VALUE, is_delimiter)
}

/// Can this be an id that a session is told and hands back? 1 to 256 bytes, all of them seen for what they are.
pub fn is_identifier(text: &str) -> bool {
    let fits = (1..=IDENTIFIER).contains(&text.len());
    fits && text.chars().all(|character| {
        matches!(Class::of(character), Class::Plain)
            && !matches!(character, '<' | '>' | '"' | '\'' | '`' | '&')
    })
}

fn is_delimiter(character: char) -> bool {
    matches!(character, '<' | '>' | '"' | '`' | '＜' | '＞' | '﹤' | '﹥' | '＂')
}

fn is_delimiter_of_names(character: char) -> bool {
    is_delimiter(character) || matches!(character, '&' | '=')
}

fn squeeze(text: &str, limit: usize, is_delimiter: fn(char) -> bool) -> Cow<'_, str> {
    if text.len() <= limit && is_plain_line(text, is_delimiter) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::new();
    let (mut length, mut gap) = (0, false);
    for cluster in text.graphemes(true) {
        let kept = keep(cluster, is_delimiter);
        // A mark may stand on a space.
        gap |= cluster.chars().next().is_some_and(|character| Class::of(character) == Class::Space);
        if kept.is_empty() {
            continue;
        }
        let wanted = kept.chars().count() + usize::from(gap && length > 0);
        if length + wanted > limit {
            return Cow::Owned(cut(&clean, limit));
        }
        if gap && length > 0 {
            clean.push(' ');
        }
        clean.push_str(&kept);
        length += wanted;
        gap = false;
    }
    if clean == text { Cow::Borrowed(text) } else { Cow::Owned(clean) }
}

/// ASCII that needs nothing done: most names.
fn is_plain_line(text: &str, is_delimiter: fn(char) -> bool) -> bool {
    let mut before = ' ';
    for character in text.chars() {
        let gap = character == ' ';
        if !matches!(character, ' '..='~') || is_delimiter(character) || (gap && before == ' ') {
            return false;
        }
        before = character;
    }
    before != ' ' || text.is_empty()
}

/// What is left of one cluster.
fn keep(cluster: &str, is_delimiter: fn(char) -> bool) -> String {
    let joined = cluster.chars().next().is_some_and(is_pictographic);
    let (mut kept, mut marks) = (String::new(), 0);
    for character in cluster.chars().filter(|character| !is_delimiter(*character)) {
        match Class::of(character) {
            Class::Plain => {
                kept.push(character);
                marks = 0;
            }
            // A mark needs something to stand on.
            Class::Mark if marks < MARKS && !kept.is_empty() => {
                kept.push(character);
                marks += 1;
            }
            Class::Hidden if joined && matches!(character, JOINER | '\u{fe0f}') => kept.push(character),
            Class::Mark | Class::Hidden | Class::Space => {}
        }
    }
    kept
}

/// At most so many characters, the last of which says that there were more.
fn cut(clean: &str, limit: usize) -> String {
    let mut short = String::new();
    let mut length = 0;
    for cluster in clean.graphemes(true) {
        length += cluster.chars().count();
        if length >= limit {
            break;
        }
        short.push_str(cluster);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_line_that_ends_nothing() {
        for (text, clean) in [
            ("Ada", "Ada"),
            ("", "unnamed"),
            ("\u{200b}\u{202e}", "unnamed"),
            ("  Ada \n Lovelace\t", "Ada Lovelace"),
            ("a\"><channel user=\"b", "achannel userb"),
            ("＜b＞", "b"),
            ("Ada\u{202e}toor\u{202c}", "Adatoor"),
            ("Zoë 漢字 🙂", "Zoë 漢字 🙂"),
            ("👩‍🔬", "👩‍🔬"),
            ("a\u{200d}b", "ab"),
            ("a\u{0}b\u{1b}[31m", "ab[31m"),
            ("\u{301}\u{302}", "unnamed"),
        ] {
            assert_eq!(name(text), clean, "{text:?}");
        }
        let marks = format!("e{}", "\u{301}".repeat(50));
        assert_eq!(name(&marks).chars().count(), 1 + MARKS);
        let long = name(&"ä".repeat(100)).into_owned();
        assert!(long.chars().count() == NAME && long.ends_with('…'), "{long}");
        assert_eq!(value("a=1&b=<2>"), "a=1&b=2");
        assert_eq!(value(""), "");
    }

    #[test]
    fn an_id_is_seen_for_what_it_is() {
        for good in ["web", "-1001234", "user@server.example", "Üser", "a:b/c", &"x".repeat(256)] {
            assert!(is_identifier(good), "{good:?}");
        }
        for bad in ["", "a b", "a\nb", "a\"b", "<a", "a&b", "a\u{200b}", "\u{202e}a", &"x".repeat(257)] {
            assert!(!is_identifier(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_somebody_is_called_it_is_harmless(text in any::<String>()) {
            let clean = name(&text).into_owned();
            prop_assert!((1..=NAME).contains(&clean.chars().count()));
            prop_assert!(!clean.chars().any(|character| character.is_control() || is_delimiter_of_names(character)));
            prop_assert_eq!(name(&clean), clean.as_str());
            let value = value(&text).into_owned();
            prop_assert!(value.chars().count() <= VALUE && !value.contains(['<', '>', '"', '\n']));
        }
    }
}
