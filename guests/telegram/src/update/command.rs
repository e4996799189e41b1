//! `/start`, `/help` and `/status`, which the host answers.

use tidegate_guest::Topic;

use super::Bot;

/// Returns the topic of a text that is exactly a command of the bot, for use in a direct chat: `/start`, also with the
/// parameter of a deep link, `/help` or `/status`, each also with the bot's own name. All other texts go to the
/// session.
pub(super) fn question(text: &str, bot: &Bot) -> Option<Topic> {
    let mut words = text.split_ascii_whitespace();
    // White space before the slash makes it an ordinary word.
    let command = words.next().filter(|_| text.starts_with('/'))?.strip_prefix('/')?;
    let (command, is_ours) = match command.split_once('@') {
        Some((command, name)) => (command, bot.is_called(name)),
        None => (command, true),
    };
    let parameter = words.next();
    if !is_ours || words.next().is_some() {
        return None;
    }
    match (command, parameter) {
        ("start", None) => Some(Topic::Start),
        ("start", Some(parameter)) if is_deep_link(parameter) => Some(Topic::Start),
        ("help", None) => Some(Topic::Help),
        ("status", None) => Some(Topic::Status),
        _ => None,
    }
}

/// Whether this can be the value of `?start=` in a link to a bot:
/// <https://core.telegram.org/bots/features#deep-linking>
fn is_deep_link(parameter: &str) -> bool {
    parameter.len() <= 64
        && parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_commands_are_questions() {
        let bot = Bot { id: 77, username: "Tide_Bot".into(), reactions: false };
        let long = format!("/start {}", "a".repeat(65));
        for (text, expected) in [
            ("/start", Some(Topic::Start)),
            ("/start\n", Some(Topic::Start)),
            ("/start Ab_-9", Some(Topic::Start)),
            ("/start@tide_bot", Some(Topic::Start)),
            ("/start@tide_bot Ab_-9", Some(Topic::Start)),
            ("/help", Some(Topic::Help)),
            ("/help@TIDE_BOT", Some(Topic::Help)),
            ("/status", Some(Topic::Status)),
            ("/start@other_bot", None),
            ("/start@", None),
            ("/start the tests", None),
            ("/start naïve", None),
            (&long, None),
            ("/help me", None),
            ("/status@tide_bot now", None),
            ("/Start", None),
            ("/starts", None),
            ("/ start", None),
            (" /start", None),
            ("start", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(question(text, &bot), expected, "{text:?}");
        }
        assert_eq!(question("/help@", &Bot::default()), None);
        assert_eq!(question("/help", &Bot::default()), Some(Topic::Help));
    }
}
