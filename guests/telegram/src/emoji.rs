//! Telegram's reactions.

use tidegate_guest::Fault;

/// The emojis that a bot may react with: the list of `ReactionTypeEmoji` in the Bot API.
const REACTIONS: &str = "\
    👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u{200d}🔥 🌚 🌭 \
    💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u{200d}💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 \
    🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u{200d}♂ 🤷 🤷\u{200d}♀ 😡";

/// The variation selector for an emoji's colourful form. Telegram's reactions omit it; most other texts include it.
const VARIATION: char = '\u{fe0f}';

/// Returns all reactions in Telegram's spelling.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    REACTIONS.split(' ')
}

/// Returns the reaction in Telegram's spelling; `None` for an empty text.
pub(crate) fn reaction(emoji: &str) -> Result<Option<&'static str>, Fault> {
    let emoji = emoji.trim();
    if emoji.is_empty() {
        return Ok(None);
    }
    let plain = |emoji: &str| emoji.chars().filter(|character| *character != VARIATION).collect::<String>();
    let wanted = plain(emoji);
    all()
        .find(|reaction| plain(reaction) == wanted)
        .map(Some)
        .ok_or_else(|| Fault::Rejected(format!("Telegram has no such reaction; it has {REACTIONS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_found_however_it_is_spelled() {
        for (emoji, expected) in [
            ("👍", Some("👍")),
            ("❤", Some("❤")),
            ("❤\u{fe0f}", Some("❤")),
            ("☃\u{fe0f}", Some("☃")),
            ("❤\u{fe0f}\u{200d}🔥", Some("❤\u{200d}🔥")),
            ("❤\u{200d}🔥", Some("❤\u{200d}🔥")),
            ("🤷\u{200d}♂\u{fe0f}", Some("🤷\u{200d}♂")),
            (" 👀 ", Some("👀")),
            ("", None),
        ] {
            assert_eq!(reaction(emoji).unwrap(), expected, "{emoji}");
        }
    }

    #[test]
    fn what_telegram_has_not_is_answered_with_what_it_has() {
        for emoji in ["✅", "👍👍", "x", "\u{fe0f}", "🤷\u{200d}"] {
            let Err(Fault::Rejected(text)) = reaction(emoji) else { panic!("{emoji}") };
            assert!(text.contains("👍 👎") && text.ends_with("😡"), "{text}");
        }
    }

    #[test]
    fn no_reaction_is_listed_twice() {
        let all: Vec<_> = REACTIONS.split(' ').collect();
        assert_eq!(all.len(), 73);
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one) && !one.is_empty() && !one.contains(VARIATION), "{one}");
        }
    }
}
