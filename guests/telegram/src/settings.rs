//! The settings that the user may change, in `channels.toml` under `[telegram.settings]`.

use tidegate_guest::Setting;

use crate::{
    api::{BASE, DEFAULT_BASE},
    emoji, send,
};

/// The emoji that confirms that a message has reached the session. The host sets this reaction.
const ACK_REACTION: &str = "ack_reaction";
const PARSE: &str = "parse";
const REACTIONS: &str = "reactions";

pub(crate) fn declare() -> Vec<Setting> {
    let setting = |name: &str, help: &str, default: Option<&str>, choices: &[&str]| Setting {
        name: name.to_owned(),
        help: help.to_owned(),
        default: default.map(str::to_owned),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
    };
    vec![
        setting(
            BASE,
            "The Bot API server: its address without a path. For one of your own, run without --local.",
            Some(DEFAULT_BASE),
            &[],
        ),
        setting(
            PARSE,
            "What becomes of the session's Markdown: \"markdown\" renders it, \"plain\" sends it as it is.",
            Some("markdown"),
            &["markdown", "plain"],
        ),
        setting(
            ACK_REACTION,
            "An emoji that is put on a message once it has reached the session; one of Telegram's reactions.",
            None,
            &emoji::all().collect::<Vec<_>>(),
        ),
        setting(
            REACTIONS,
            "Whether the session is told of people's reactions: \"on\" or \"off\". In groups only where the bot is an admin and requireMention is off.",
            Some("off"),
            &["off", "on"],
        ),
    ]
}

/// Returns how Markdown is treated. `get` returns a setting's value.
pub(crate) fn parse(get: impl Fn(&str) -> Option<String>) -> send::Parse {
    match get(PARSE).as_deref() {
        Some("plain") => send::Parse::Plain,
        _ => send::Parse::Markdown,
    }
}

/// Returns whether the session receives reactions.
pub(crate) fn reactions(get: impl Fn(&str) -> Option<String>) -> bool {
    get(REACTIONS).as_deref() == Some("on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_a_setting_change_anything() {
        for (value, plain, on) in
            [(None, false, false), (Some("plain"), true, false), (Some("on"), false, true)]
        {
            let get = |_: &str| value.map(str::to_owned);
            assert_eq!(parse(get) == send::Parse::Plain, plain, "{value:?}");
            assert_eq!(reactions(get), on, "{value:?}");
        }
    }
}
