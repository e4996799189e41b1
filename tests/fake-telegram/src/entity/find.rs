//! Finds the entities that Telegram finds by itself: mentions, commands, hashtags, and addresses with `http://` or
//! `https://`. (Telegram finds more: bare host names, e-mail addresses, telephone and card numbers.)

use super::{Entity, Kind};

pub(super) fn entities(text: &str) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut units = 0;
    let mut skip = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if at >= skip && matches!(c, '@' | '/' | '#' | 'h' | 'H') && !is_word(before) {
            let rest = text.get(at..).unwrap_or_default();
            if let Some((kind, length)) = one(rest, before) {
                let entity = rest.get(..length).unwrap_or_default();
                found.push(Entity { offset: units, length: entity.encode_utf16().count(), kind });
                skip = at + length;
            }
        }
        units += c.len_utf16();
        before = c;
    }
    found
}

/// Returns the entity that begins here, and its length in bytes.
fn one(rest: &str, before: char) -> Option<(Kind, usize)> {
    let word = |text: &str| text.find(|c| !is_word(c)).unwrap_or(text.len());
    let sign = rest.chars().next()?;
    let tail = rest.get(sign.len_utf8()..)?;
    match sign {
        '@' => {
            let length =
                tail.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            ((3..=32).contains(&length) && !tail.get(length..)?.starts_with(is_word))
                .then_some((Kind::Mention, 1 + length))
        }
        '/' if before != '/' && before != '<' && before != '>' => {
            let length = word(tail);
            let name = tail.get(..length)?;
            if length == 0 || length > 64 || !name.is_ascii() || tail.get(length..)?.starts_with('/') {
                return None;
            }
            let bot = tail.get(length..)?.strip_prefix('@').map_or(0, word);
            let bot = if bot >= 3 { 1 + bot } else { 0 };
            Some((Kind::BotCommand, 1 + length + bot))
        }
        '#' => {
            let length = word(tail);
            let numeric = tail.get(..length)?.chars().all(|c| c.is_ascii_digit());
            (length > 0 && !numeric).then_some((Kind::Hashtag, 1 + length))
        }
        _ => {
            let scheme = ["https://", "http://"].into_iter().find(|scheme| {
                rest.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
            })?;
            let end = rest.find(|c: char| c.is_whitespace() || "<>\"«»".contains(c)).unwrap_or(rest.len());
            let url = rest.get(..end)?.trim_end_matches(['.', ',', ':', ';', '!', '?', ')', '\'']);
            let host = url.get(scheme.len()..)?.split(['/', '?', '#']).next()?;
            (host.contains('.') && !host.starts_with('.')).then_some((Kind::Url, url.len()))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_is_found() {
        for (text, expected) in [
            ("/start", &[(0, 6, Kind::BotCommand)][..]),
            ("/start@tide_bot now", &[(0, 15, Kind::BotCommand)]),
            ("😀 @ada_l!", &[(3, 6, Kind::Mention)]),
            ("ada@example.com", &[]),
            ("see /etc/passwd", &[]),
            ("#tide and #42", &[(0, 5, Kind::Hashtag)]),
            ("at https://example.com/a?b=c.", &[(3, 25, Kind::Url)]),
            ("http://localhost", &[]),
            ("@a", &[]),
        ] {
            let expected: Vec<Entity> = expected
                .iter()
                .map(|(offset, length, kind)| Entity { offset: *offset, length: *length, kind: kind.clone() })
                .collect();
            assert_eq!(entities(text), expected, "{text}");
        }
    }
}
