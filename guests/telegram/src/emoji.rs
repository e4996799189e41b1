//! Telegram's reactions.

use tidegate_guest::Fault;

/// What a bot may react with: the list of `ReactionTypeEmoji` in the Bot API.
const REACTIONS: &str = "\
    👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u{200d}🔥 🌚 🌭 \
    💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u{200d}💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 \
    🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u{200d}♂ 🤷 🤷\u{200d}♀ 😡";

/// Asks for an emoji's colourful form. Telegram spells its reactions without it, most others with it.
const VARIATION: char = '\u{fe0f}';

/// All of them, as Telegram spells them.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    REACTIONS.split(' ')
}

/// The reaction as Telegram spells it; for an empty text, none.
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
