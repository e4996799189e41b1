//! The entities of a text: `MessageEntity`, whose offsets and lengths count UTF-16 units.

use super::{Bot, json::Value};

/// A text that includes everything that a reader needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The text. Where a link shows a text other than its address, the address follows in parentheses.
    pub(super) text: String,
    /// Whether the bot is mentioned, or a command names it.
    pub(super) mentions_bot: bool,
}

/// Reads a text with its entities. Ignores an entity that lies outside of the text, or begins or ends within a
/// surrogate pair.
pub(super) fn read(text: String, entities: &[Value<'_>], bot: &Bot) -> Reading {
    let mut mentions_bot = false;
    let mut links = Vec::new();
    let mut cursor = Cursor::new(&text);
    for entity in entities.iter().filter_map(|entity| entity.object()) {
        let Some(kind) = entity.text("type") else { continue };
        if !matches!(&*kind, "mention" | "text_mention" | "bot_command" | "text_link") {
            continue;
        }
        let span = || {
            let offset = usize::try_from(entity.integer("offset")?).ok()?;
            let length = usize::try_from(entity.integer("length")?).ok()?;
            let start = cursor.seek(&text, offset)?;
            let end = start.seek(&text, offset.checked_add(length)?)?;
            Some((start, text.get(start.byte..end.byte)?))
        };
        let Some((start, covered)) = span().filter(|(_, covered)| !covered.is_empty()) else { continue };
        match &*kind {
            "mention" => mentions_bot |= covered.strip_prefix('@').is_some_and(|name| bot.is_called(name)),
            "bot_command" => {
                mentions_bot |= covered.split_once('@').is_some_and(|(_, name)| bot.is_called(name));
            }
            "text_mention" => mentions_bot |= entity.object("user").is_some_and(|user| bot.is(&user)),
            _ => {
                let shown = covered.trim_end();
                if let Some(address) = entity.text("url").and_then(|url| address(shown, &url)) {
                    links.push((start.byte + shown.len(), address));
                }
            }
        }
        // Telegram sorts entities: the next one begins here or later.
        cursor = start;
    }
    links.sort_by_key(|(end, _)| *end);
    let mut readable = String::new();
    let mut told = 0;
    for (end, address) in links {
        readable.push_str(text.get(told..end).unwrap_or_default());
        readable.push_str(&address);
        told = end;
    }
    if readable.is_empty() {
        return Reading { text, mentions_bot };
    }
    readable.push_str(text.get(told..).unwrap_or_default());
    Reading { text: readable, mentions_bot }
}

/// Returns the address to append to a link that shows this text: ` (url)`, or `None` if the text is the address.
pub(super) fn address(shown: &str, url: &str) -> Option<String> {
    (bare(shown) != bare(url)).then(|| format!(" ({url})"))
}

/// Returns an address without the parts that people omit when they write one.
fn bare(url: &str) -> &str {
    let url = url.trim();
    let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    url.strip_suffix('/').unwrap_or(url)
}

/// A position between two characters of a text.
#[derive(Clone, Copy)]
struct Cursor {
    byte: usize,
    unit: usize,
    /// Whether all of the text is ASCII: a unit is then a byte.
    is_ascii: bool,
}

impl Cursor {
    fn new(text: &str) -> Self {
        Self { byte: 0, unit: 0, is_ascii: text.is_ascii() }
    }

    /// Returns the position at this number of UTF-16 units from the beginning, or `None` beyond the end or inside a
    /// character.
    fn seek(self, text: &str, unit: usize) -> Option<Self> {
        if self.is_ascii {
            return (unit <= text.len()).then_some(Self { byte: unit, unit, ..self });
        }
        let mut place = if unit < self.unit { Self { byte: 0, unit: 0, ..self } } else { self };
        let mut rest = text.get(place.byte..)?.chars();
        while place.unit < unit {
            let character = rest.next()?;
            place.byte += character.len_utf8();
            place.unit += character.len_utf16();
        }
        (place.unit == unit).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::update::json::Object;

    fn bot() -> Bot {
        Bot { id: 77, username: "Tide_Bot".into(), reactions: false }
    }

    fn reading(text: &str, entities: &serde_json::Value, bot: &Bot) -> Reading {
        let holder = json!({ "entities": entities }).to_string();
        read(text.to_owned(), &Object::parse(&holder).unwrap().list("entities"), bot)
    }

    #[test]
    fn a_link_is_followed_by_where_it_leads() {
        let link = |offset, length, url| json!({"type": "text_link", "offset": offset, "length": length, "url": url});
        for (text, links, expected) in [
            ("see here now", vec![link(4, 4, "https://a.example/x")], "see here (https://a.example/x) now"),
            // As Telegram completes an address that a person typed.
            ("a.example", vec![link(0, 9, "http://a.example/")], "a.example"),
            ("https://a.example", vec![link(0, 17, "https://a.example")], "https://a.example"),
            ("a.example", vec![link(0, 9, "http://b.example/")], "a.example (http://b.example/)"),
            ("😀 x y", vec![link(5, 1, "u:y"), link(3, 1, "u:x")], "😀 x (u:x) y (u:y)"),
            ("line\nnext", vec![link(0, 5, "u:x")], "line (u:x)\nnext"),
            // Outside, within a pair, of no length, without a usable field.
            ("😀ab", vec![link(1, 2, "u:x"), link(0, 1, "u:x"), link(3, 2, "u:x")], "😀ab"),
            ("ab", vec![link(-1, 2, "u:x"), link(0, 0, "u:x"), link(i64::MAX, i64::MAX, "u:x")], "ab"),
            ("ab", vec![json!({"type": "text_link", "offset": 0.0, "length": 1, "url": "u:x"})], "ab"),
            ("ab", vec![json!({"type": "text_link", "offset": 0, "length": 1}), json!(7), json!(null)], "ab"),
            ("ab", vec![json!({"type": "bold", "offset": 0, "length": 1})], "ab"),
        ] {
            assert_eq!(reading(text, &json!(links), &bot()).text, expected, "{text}");
        }
    }

    #[test]
    fn only_the_bots_own_name_addresses_it() {
        let entity = |kind: &str, offset: usize, length: usize| json!([{"type": kind, "offset": offset, "length": length}]);
        let user = |id: i64| json!([{"type": "text_mention", "offset": 0, "length": 2, "user": {"id": id}}]);
        for (text, entities, expected) in [
            ("@tide_bot hi", entity("mention", 0, 9), true),
            ("😀 @TIDE_BOT", entity("mention", 3, 9), true),
            ("@tide_botx", entity("mention", 0, 10), false),
            ("@tide_botx", entity("mention", 0, 9), true),
            ("@tide_bot", json!([]), false),
            ("@tide_bot", entity("code", 0, 9), false),
            ("@tide_bot", entity("mention", 0, 10), false),
            ("/cmd@tide_bot", entity("bot_command", 0, 13), true),
            ("/cmd@other_bot", entity("bot_command", 0, 14), false),
            ("/cmd", entity("bot_command", 0, 4), false),
            ("Al", user(77), true),
            ("Al", user(78), false),
        ] {
            assert_eq!(reading(text, &entities, &bot()).mentions_bot, expected, "{text} {entities}");
        }
    }

    #[test]
    fn a_bot_that_is_not_known_is_never_mentioned() {
        let entities = json!([
            {"type": "mention", "offset": 0, "length": 1},
            {"type": "bot_command", "offset": 1, "length": 3},
            {"type": "text_mention", "offset": 0, "length": 1, "user": {"id": 0}}
        ]);
        assert!(!reading("@/c@", &entities, &Bot::default()).mentions_bot);
    }

    /// Finds the byte position of a unit by a slow, simple method.
    fn naive(text: &str, unit: usize) -> Option<usize> {
        let units: Vec<u16> = text.encode_utf16().collect();
        String::from_utf16(units.get(..unit)?).ok().map(|before| before.len())
    }

    proptest! {
        #[test]
        fn places_are_where_utf_16_says(text in "[aé€😀\\PC]{0,12}", from in 0..30_usize, to in 0..30_usize) {
            let start = Cursor::new(&text);
            prop_assert_eq!(start.seek(&text, to).map(|place| place.byte), naive(&text, to));
            if let Some(from) = start.seek(&text, from) {
                prop_assert_eq!(from.seek(&text, to).map(|place| place.byte), naive(&text, to));
            }
        }

        #[test]
        fn links_add_and_never_take_away(
            text in "\\PC{0,12}",
            links in prop::collection::vec((0..16_i64, 0..16_i64), 0..4),
        ) {
            let entities: Vec<_> = links
                .iter()
                .map(|(offset, length)| {
                    json!({"type": "text_link", "offset": offset, "length": length, "url": "\u{1}"})
                })
                .collect();
            let reading = reading(&text, &json!(entities), &bot());
            prop_assert_eq!(reading.text.replace(" (\u{1})", ""), text);
        }
    }
}
