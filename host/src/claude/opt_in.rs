//! Did the session that spawned this server opt into its channel?
//!
//! Claude Code drops the events of a server that the session was not started with, and never says so. Such a
//! session must not consume a platform's messages. Only its command line tells:
//!
//! | entry | counts under |
//! | --- | --- |
//! | `server:NAME` | `--dangerously-load-development-channels` |
//! | `plugin:NAME@MARKETPLACE` | the same; under `--channels` where the list of plugins has it |

use std::{fmt, str::FromStr};

use super::{
    ancestors::{Unreadable, own_arguments},
    managed::Policy,
};

const CHANNELS: &str = "--channels";
const DEVELOPMENT: &str = "--dangerously-load-development-channels";

/// What the user sets: `--opt-in`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptIn {
    /// As the client's command line says. A client that is not Claude Code counts as opted in.
    #[default]
    Auto,
    /// The user knows that the session takes messages.
    Always,
    /// The session shall not take any.
    Never,
}

/// A text that is none of the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is no value of --opt-in: it takes \"auto\" (as Claude Code's command line says), \"always\" or \"never\"",
    .0.chars().take(40).flat_map(char::escape_debug).collect::<String>()
)]
pub struct InvalidOptIn(String);

impl FromStr for OptIn {
    type Err = InvalidOptIn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(InvalidOptIn(other.to_owned())),
        }
    }
}

impl fmt::Display for OptIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

/// Whether the session takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does, as far as its command line can tell.
    In,
    /// It does not.
    Out(Reason),
}

/// Why a session takes no messages, and what a person can do about it: one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The user's own setting.
    #[error(
        "this session takes no messages because `--opt-in never` is set: take it out of the server's args if it should"
    )]
    Never,
    /// No entry of this name.
    #[error(
        "this session was not started with {CHANNELS} or {DEVELOPMENT} naming server:{name}, so it takes no messages: \
         start it with `claude {DEVELOPMENT} server:{name}`"
    )]
    NotNamed {
        /// What the client calls the server.
        name: String,
    },
    /// `server:NAME`, but only under `--channels`.
    #[error(
        "this session names server:{name} under {CHANNELS}, which takes plugins alone, so it takes no messages: start \
         it with `claude {DEVELOPMENT} server:{name}`"
    )]
    ServerUnderChannels {
        /// What the client calls the server.
        name: String,
    },
    /// `plugin:NAME@MARKETPLACE`, but only under `--channels`, and not on the list.
    #[error(
        "plugin:{name}@{marketplace} is not on the list of plugins that {CHANNELS} takes, so this session takes no \
         messages from it: ask an administrator to add it to \"allowedChannelPlugins\" of the managed settings, or \
         start the session with `claude {DEVELOPMENT} plugin:{name}@{marketplace}`"
    )]
    PluginNotAllowed {
        /// The plugin.
        name: String,
        /// Where it is from.
        marketplace: String,
    },
    /// The client is not known.
    #[error(
        "whether this session takes messages cannot be seen ({0}), so it gets none: if you know that it was started \
         with {DEVELOPMENT} or {CHANNELS}, add `--opt-in always` to the server's args"
    )]
    Unreadable(Unreadable),
    /// The client is known, but has overwritten its command line with a title.
    #[error(
        "whether this session takes messages cannot be seen (Claude Code has replaced its command line by a title), so \
         it gets none: if you know that it was started with {DEVELOPMENT} or {CHANNELS}, add `--opt-in always` to the \
         server's args"
    )]
    Renamed,
}

/// Decides for the server which the client calls `name`. `claude` is the command line of the Claude Code process
/// that spawned it: `Ok(None)` where something else did.
///
/// Whether the policy blocks all channels is another question: ask [`Policy::blocked`] first.
pub fn judge(
    setting: OptIn,
    claude: Result<Option<&[String]>, &Unreadable>,
    name: &str,
    policy: &Policy,
) -> Verdict {
    let decision = match (setting, claude) {
        (OptIn::Never, _) => Err(Reason::Never),
        (OptIn::Always, _) | (OptIn::Auto, Ok(None)) => Ok(()),
        (OptIn::Auto, Err(unreadable)) => Err(Reason::Unreadable(unreadable.clone())),
        (OptIn::Auto, Ok(Some(arguments))) if is_title(arguments) => Err(Reason::Renamed),
        (OptIn::Auto, Ok(Some(arguments))) => named(arguments, name, policy),
    };
    decision.map_or_else(Verdict::Out, |()| Verdict::In)
}

/// Node writes a process's title over its arguments, and fills what is left with zero bytes: they read as
/// empty arguments. Nobody passes several of those, and nothing else.
fn is_title(arguments: &[String]) -> bool {
    arguments.len() > 2 && arguments.iter().skip(1).all(String::is_empty)
}

/// One entry that counts is enough; of several that do not, the first says why.
fn named(arguments: &[String], name: &str, policy: &Policy) -> Result<(), Reason> {
    let mut reason = None;
    for (flag, entry) in entries(own_arguments(arguments).unwrap_or(arguments)) {
        let refusal = match (flag, entry) {
            (_, Entry::Server(server)) if server != name => continue,
            (_, Entry::Plugin(plugin, _)) if plugin != name => continue,
            (Flag::Development, _) => return Ok(()),
            (Flag::Channels, Entry::Server(_)) => Reason::ServerUnderChannels { name: name.to_owned() },
            (Flag::Channels, Entry::Plugin(plugin, marketplace)) => {
                if policy.allows_plugin(plugin, marketplace) {
                    return Ok(());
                }
                Reason::PluginNotAllowed { name: name.to_owned(), marketplace: marketplace.to_owned() }
            }
        };
        reason.get_or_insert(refusal);
    }
    Err(reason.unwrap_or_else(|| Reason::NotNamed { name: name.to_owned() }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Channels,
    Development,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry<'a> {
    Server(&'a str),
    Plugin(&'a str, &'a str),
}

impl Flag {
    fn new(option: &str) -> Option<Self> {
        match option {
            CHANNELS => Some(Self::Channels),
            DEVELOPMENT => Some(Self::Development),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    /// `None` for what is neither: Claude Code refuses it, so nothing can depend on it.
    fn new(text: &'a str) -> Option<Self> {
        // It comes back in a sentence for people.
        let word =
            |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace());
        match text.split_once(':')? {
            ("server", name) if word(name) => Some(Self::Server(name)),
            ("plugin", rest) => {
                let (name, marketplace) = rest.split_once('@')?;
                (word(name) && word(marketplace)).then_some(Self::Plugin(name, marketplace))
            }
            _ => None,
        }
    }
}

/// What Claude Code was told to take messages from, in order.
///
/// A flag takes all arguments up to the next that begins with a hyphen; with `=` it takes that one text.
/// Each may hold several entries, with commas between. Behind `--` there are no flags.
fn entries(arguments: &[String]) -> Vec<(Flag, Entry<'_>)> {
    let mut found = Vec::new();
    let mut open = None;
    for argument in arguments.iter().map(String::as_str).take_while(|&argument| argument != "--") {
        let (flag, list) = if argument.starts_with('-') {
            let (option, value) = match argument.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (argument, None),
            };
            let flag = Flag::new(option);
            open = flag.filter(|_| value.is_none());
            (flag, value)
        } else {
            (open, Some(argument))
        };
        if let (Some(flag), Some(list)) = (flag, list) {
            found.extend(list.split(',').filter_map(|text| Some((flag, Entry::new(text.trim())?))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude::ancestors::Why;

    /// At white space; `''` is an empty argument.
    fn split(line: &str) -> Vec<String> {
        line.split_whitespace().map(|argument| argument.replace("''", "")).collect()
    }

    /// For a server that the client calls `fakechat`.
    fn judged(line: &str, policy: &Policy) -> Verdict {
        judge(OptIn::Auto, Ok(Some(&split(line))), "fakechat", policy)
    }

    fn not_named() -> Reason {
        Reason::NotNamed { name: "fakechat".into() }
    }

    fn under_channels() -> Reason {
        Reason::ServerUnderChannels { name: "fakechat".into() }
    }

    fn not_allowed(marketplace: &str) -> Reason {
        Reason::PluginNotAllowed { name: "fakechat".into(), marketplace: marketplace.into() }
    }

    #[test]
    fn a_session_that_names_the_channel_is_in() {
        const DEV: &str = "--dangerously-load-development-channels";
        for line in [
            "claude DEV server:fakechat",
            "claude DEV=server:fakechat",
            "claude DEV server:other server:fakechat",
            "claude DEV server:other,server:fakechat",
            "claude DEV=server:other,server:fakechat",
            "claude DEV server:a DEV server:fakechat",
            "claude --model opus DEV server:fakechat -p hello",
            "claude --channels server:fakechat DEV server:fakechat",
            "claude --channels plugin:fakechat@elsewhere DEV server:fakechat",
            "claude DEV plugin:fakechat@elsewhere",
            "claude DEV plugin:fakechat@claude-plugins-official",
            "claude --channels plugin:fakechat@claude-plugins-official",
            "claude --channels=plugin:fakechat@claude-plugins-official",
            "claude --channels plugin:telegram@claude-plugins-official plugin:fakechat@claude-plugins-official",
            "claude --channels plugin:a@b,plugin:fakechat@claude-plugins-official",
            "claude --channels plugin:fakechat@elsewhere plugin:fakechat@claude-plugins-official",
            "node /usr/bin/claude DEV server:fakechat",
            "node -- /usr/bin/claude DEV server:fakechat",
            "claude DEV server:fakechat -- --channels",
        ] {
            let line = line.replace("DEV", DEV);
            assert_eq!(judged(&line, &Policy::default()), Verdict::In, "{line}");
        }
    }

    #[test]
    fn a_session_that_does_not_is_out_with_the_reason() {
        const DEV: &str = "--dangerously-load-development-channels";
        for (line, reason) in [
            ("claude", not_named()),
            ("claude ''", not_named()),
            ("claude server:fakechat", not_named()),
            ("claude DEV", not_named()),
            ("claude DEV= server:fakechat", not_named()),
            ("claude DEV=server:a server:fakechat", not_named()),
            ("claude DEV server:other", not_named()),
            ("claude DEV server:fakechat2", not_named()),
            ("claude DEV server:Fakechat", not_named()),
            ("claude DEV fakechat", not_named()),
            ("claude DEV server:", not_named()),
            ("claude DEV plugin:fakechat", not_named()),
            ("claude DEV plugin:fakechat@", not_named()),
            ("claude DEV plugin:other@fakechat", not_named()),
            ("claude DEV server:a -p server:fakechat", not_named()),
            ("claude DEV server:a - server:fakechat", not_named()),
            ("claude -- DEV server:fakechat", not_named()),
            ("claude DEVx server:fakechat", not_named()),
            ("node DEV=server:fakechat /usr/bin/claude", not_named()),
            ("claude --channels server:fakechat", under_channels()),
            ("claude --channels=server:fakechat", under_channels()),
            ("claude DEV server:other --channels server:fakechat", under_channels()),
            ("claude --channels server:fakechat DEV server:other", under_channels()),
            ("claude --channels server:fakechat plugin:fakechat@x", under_channels()),
            ("claude --channels plugin:fakechat@elsewhere", not_allowed("elsewhere")),
            ("claude DEV plugin:a@b --channels plugin:fakechat@elsewhere", not_allowed("elsewhere")),
            ("claude --channels plugin:fakechat@x server:fakechat", not_allowed("x")),
            ("claude '' '' ''", Reason::Renamed),
        ] {
            let line = line.replace("DEV", DEV);
            assert_eq!(judged(&line, &Policy::default()), Verdict::Out(reason), "{line}");
        }
    }

    #[test]
    fn an_organisations_list_decides_for_channels_and_not_for_development() {
        let ours = Policy::allowing(&[("fakechat", "ours")]);
        let none = Policy::allowing(&[]);
        for (line, policy, expected) in [
            ("claude --channels plugin:fakechat@ours", &ours, Verdict::In),
            (
                "claude --channels plugin:fakechat@claude-plugins-official",
                &ours,
                Verdict::Out(not_allowed("claude-plugins-official")),
            ),
            ("claude --channels plugin:fakechat@ours", &none, Verdict::Out(not_allowed("ours"))),
            ("claude --dangerously-load-development-channels plugin:fakechat@x", &none, Verdict::In),
            ("claude --dangerously-load-development-channels server:fakechat", &none, Verdict::In),
        ] {
            assert_eq!(judged(line, policy), expected, "{line}");
        }
    }

    #[test]
    fn the_setting_goes_before_what_is_seen() {
        let unreadable = Unreadable { pid: 7, why: Why::Gone };
        let named = split("claude --dangerously-load-development-channels server:fakechat");
        let silent = split("claude");
        let out = |reason: &Reason| Verdict::Out(reason.clone());
        for (claude, auto) in [
            (Ok(None), Verdict::In),
            (Ok(Some(&*named)), Verdict::In),
            (Ok(Some(&*silent)), out(&not_named())),
            (Err(&unreadable), out(&Reason::Unreadable(unreadable.clone()))),
        ] {
            let judged = |setting| judge(setting, claude, "fakechat", &Policy::default());
            assert_eq!(judged(OptIn::Auto), auto, "{claude:?}");
            assert_eq!(judged(OptIn::Always), Verdict::In, "{claude:?}");
            assert_eq!(judged(OptIn::Never), out(&Reason::Never), "{claude:?}");
        }
    }

    #[test]
    fn every_reason_says_what_to_do() {
        assert_eq!(
            not_named().to_string(),
            "this session was not started with --channels or --dangerously-load-development-channels naming \
             server:fakechat, so it takes no messages: start it with \
             `claude --dangerously-load-development-channels server:fakechat`"
        );
        let unreadable = Unreadable { pid: 7, why: Why::Gone };
        for (reason, parts) in [
            (
                under_channels(),
                ["server:fakechat under --channels", "-development-channels server:fakechat`"],
            ),
            (not_allowed("x"), ["ask an administrator", "-development-channels plugin:fakechat@x`"]),
            (Reason::Unreadable(unreadable), ["process 7", "`--opt-in always`"]),
            (Reason::Renamed, ["title", "`--opt-in always`"]),
            (Reason::Never, ["`--opt-in never`", "take it out"]),
        ] {
            let text = reason.to_string();
            for part in parts {
                assert!(text.contains(part), "{text}");
            }
        }
    }

    #[test]
    fn a_setting_is_read_as_it_is_written() {
        for setting in [OptIn::Auto, OptIn::Always, OptIn::Never] {
            assert_eq!(setting.to_string().parse(), Ok(setting));
        }
        for bad in ["", "Auto", "yes", " always", "al\nways"] {
            let error = bad.parse::<OptIn>().unwrap_err().to_string();
            assert!(error.contains("\"auto\"") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn nothing_invisible_reaches_a_sentence() {
        for text in ["plugin:fakechat@a\u{1b}[2J", "plugin:fakechat@a b", "server:a\nb"] {
            assert_eq!(Entry::new(text), None, "{text:?}");
        }
    }
}
