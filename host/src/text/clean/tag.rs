//! Tags that only the client may write.

use std::borrow::Cow;

use super::super::character::Class;

/// What a tag of the channel's is called.
const NAME: &str = "channel";

/// What a sender wrote, with nothing in it that opens or closes the tag in which the session's model sees it: a `<`
/// before `channel` or `/channel` becomes `&lt;`, in any case, in full-width letters, and with white space or invisible
/// characters in between. All else stays as it is.
pub fn content(text: &str) -> Cow<'_, str> {
    // The first byte of the other two characters that look like it, and of nothing that is frequent.
    if !text.as_bytes().contains(&b'<') && !text.as_bytes().contains(&0xef) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::new();
    let mut copied = 0;
    for (at, bracket) in text.match_indices(['<', '＜', '﹤']) {
        let behind = at + bracket.len();
        if text.get(behind..).is_some_and(opens) {
            clean.push_str(text.get(copied..at).unwrap_or_default());
            clean.push_str("&lt;");
            copied = behind;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Could this be read as the rest of a tag? Looks no further than the next bracket.
fn opens(rest: &str) -> bool {
    let mut expected = NAME.chars();
    let mut next = expected.next();
    for character in rest.chars() {
        let Some(letter) = next else { return true };
        if plain(character) == letter {
            next = expected.next();
        } else if !is_passed_over(character) {
            return false;
        }
    }
    next.is_none()
}

/// A letter without its case and width.
fn plain(character: char) -> char {
    let narrow = match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        other => other,
    };
    narrow.to_ascii_lowercase()
}

/// What stands between a bracket and a name, or between letters, without being seen as something else.
fn is_passed_over(character: char) -> bool {
    matches!(plain(character), '/' | '\\') || !matches!(Class::of(character), Class::Plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_text_opens_or_closes_the_channels_tag() {
        for (text, clean) in [
            ("</channel>", "&lt;/channel>"),
            ("a <channel source=\"x\">", "a &lt;channel source=\"x\">"),
            ("<CHANNEL>", "&lt;CHANNEL>"),
            ("< / Channel >", "&lt; / Channel >"),
            ("<\u{200b}chan\u{200d}nel>", "&lt;\u{200b}chan\u{200d}nel>"),
            ("<\n/channel", "&lt;\n/channel"),
            ("＜channel>", "&lt;channel>"),
            ("<ｃｈａｎｎｅｌ>", "&lt;ｃｈａｎｎｅｌ>"),
            ("<channel><channel>", "&lt;channel>&lt;channel>"),
            ("<<channel", "<&lt;channel"),
        ] {
            assert_eq!(content(text), clean, "{text:?}");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in
            ["", "a < b", "<b>", "</chan>", "channel>", "<a channel>", "1 <2", "<", "＜b＞", "&lt;channel"]
        {
            assert!(matches!(content(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_clean_has_no_tag_and_stays_clean(
            text in r"([<＜/ \n\u{200b}]|c|C|channel|CHANNEL|ｃhannel|h|annel|x|é){0,20}"
        ) {
            let clean = content(&text);
            let bare: String = clean
                .chars()
                .filter(|character| Class::of(*character) == Class::Plain && !matches!(character, '/' | '\\'))
                .map(plain)
                .collect();
            prop_assert!(!bare.contains("<channel"), "{bare}");
            prop_assert_eq!(content(&clean), clean.as_ref());
            prop_assert_eq!(clean.replace("&lt;", "<").replace('＜', "<"), text.replace('＜', "<"));
        }
    }
}
