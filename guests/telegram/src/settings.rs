//! What the user may set, in `channels.toml` under `[telegram.settings]`.

use tidegate_guest::Setting;

use crate::{
    api::{BASE, DEFAULT_BASE},
    send,
};

/// The emoji that says that a message has reached the session. The host puts it there.
pub(crate) const ACK_REACTION: &str = "ack_reaction";
const PARSE: &str = "parse";
const REACTIONS: &str = "reactions";

/// The words of the settings that have only two; the first is the default.
const CHOICES: [(&str, [&str; 2]); 2] = [(PARSE, ["markdown", "plain"]), (REACTIONS, ["off", "on"])];

pub(crate) fn declare() -> Vec<Setting> {
    let setting = |name: &str, help: &str, default: Option<&str>| Setting {
        name: name.to_owned(),
        help: help.to_owned(),
        default: default.map(str::to_owned),
    };
    vec![
        setting(
            BASE,
            "The Bot API server: its address without a path. For one of your own, run without --local.",
            Some(DEFAULT_BASE),
        ),
        setting(
            PARSE,
            "What becomes of the session's Markdown: \"markdown\" renders it, \"plain\" sends it as it is.",
            Some("markdown"),
        ),
        setting(
            ACK_REACTION,
            "An emoji that is put on a message once it has reached the session; one of Telegram's reactions.",
            None,
        ),
        setting(
            REACTIONS,
            "Whether the session is told of people's reactions: \"on\" or \"off\". In groups only where the bot is an admin and requireMention is off.",
            Some("off"),
        ),
    ]
}

/// What becomes of Markdown. `get` tells a setting's value.
pub(crate) fn parse(get: impl Fn(&str) -> Option<String>) -> send::Parse {
    match get(PARSE).as_deref() {
        Some("plain") => send::Parse::Plain,
        _ => send::Parse::Markdown,
    }
}

/// Does the session hear of reactions?
pub(crate) fn reactions(get: impl Fn(&str) -> Option<String>) -> bool {
    get(REACTIONS).as_deref() == Some("on")
}

/// Lines about values that no setting has: the default holds in their place.
pub(crate) fn unknown(get: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let line = |(name, words): (&str, [&str; 2])| {
        let value = get(name)?;
        let [first, second] = words;
        (!words.contains(&&*value))
            .then(|| format!("the setting {name} is neither \"{first}\" nor \"{second}\": \"{first}\" holds"))
    };
    CHOICES.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_no_setting_has_is_named_and_the_default_holds() {
        for (value, plain, on, named) in [
            (None, false, false, 0),
            (Some("plain"), true, false, 1),
            (Some("on"), false, true, 1),
            (Some("MarkdownV2"), false, false, 2),
        ] {
            let get = |_: &str| value.map(str::to_owned);
            assert_eq!(parse(get) == send::Parse::Plain, plain, "{value:?}");
            assert_eq!(reactions(get), on, "{value:?}");
            assert_eq!(unknown(get).len(), named, "{value:?}");
        }
    }

    #[test]
    fn defaults_are_what_holds_without_a_value() {
        for (name, [first, _]) in CHOICES {
            let declared = declare().into_iter().find(|setting| setting.name == name).unwrap();
            assert_eq!(declared.default.as_deref(), Some(first));
        }
    }
}
