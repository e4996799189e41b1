//! The reasons why a session receives no messages, as text for the person who started it.

use std::{fmt, path::PathBuf};

use super::{
    super::{
        ancestors::Unreadable,
        managed::{Blocked, shown},
    },
    command_line::{CHANNELS, DEVELOPMENT},
};

/// A reason why a session receives no messages. Its text is two sentences, without a final full stop: what was found,
/// and what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The user's own setting.
    Never,
    /// The organisation's policy blocks all channels.
    Blocked(Blocked),
    /// This file of the organisation's policy exists, but no file says whether channels are enabled.
    PolicyUnsaid(PathBuf),
    /// The command line has no entry for the server.
    NotNamed {
        /// The entries that would name the server.
        entries: Vec<String>,
    },
    /// The command line names a plugin of the same name, but from another marketplace.
    OtherPlugin {
        /// The entry on the command line.
        entry: String,
        /// The entry that names this server, if its marketplace is known.
        installed: Option<String>,
    },
    /// The command line has `server:NAME`, but only under `--channels`.
    ServerUnderChannels {
        /// The name that the client uses for the server.
        name: String,
    },
    /// The command line has `plugin:NAME@MARKETPLACE`, but only under `--channels`, and the plugin is not on the list.
    PluginNotAllowed {
        /// The name of the plugin.
        name: String,
        /// The marketplace of the plugin.
        marketplace: String,
    },
    /// An entry of `--channels` that is not accepted comes before an entry of the development option that would be
    /// accepted.
    FirstDecides {
        /// The entry under `--channels`.
        entry: String,
    },
    /// The entry is only under the development option, which does not count in print mode and for the SDK, because its
    /// dialog cannot be shown.
    NotInteractive {
        /// The entry under the development option.
        entry: String,
    },
    /// The processes above this one cannot be read, so the client is unknown.
    Unreadable(Unreadable),
    /// The client has overwritten its command line with a title.
    Renamed,
}

/// What to do if the command line is unknown.
const IF_YOU_KNOW: &str =
    "If you know that the session was started for this server, add `--opt-in always` to the server's args";

impl Reason {
    /// Returns what was found: a sentence without a final full stop.
    pub fn found(&self) -> String {
        match self {
            Self::Never => {
                "`--opt-in never` is set for this server, so the session receives no messages".to_owned()
            }
            Self::Blocked(blocked) => blocked.found.clone(),
            Self::PolicyUnsaid(file) => format!(
                "the managed settings of Claude Code ({}) do not say whether channels are enabled, which counts as \
                 disabled for every member of an organisation, so the session receives no messages",
                shown(file)
            ),
            Self::NotNamed { entries } => format!(
                "this session was not started with {CHANNELS} or {DEVELOPMENT} naming {}, so it receives no messages",
                entries.join(" or ")
            ),
            Self::OtherPlugin { entry, installed } => format!(
                "this session names {entry}, and this server belongs to {}, so it receives no messages",
                installed.as_deref().unwrap_or("another plugin")
            ),
            Self::ServerUnderChannels { name } => format!(
                "this session names server:{name} under {CHANNELS}, which accepts only plugins, so it receives no messages"
            ),
            Self::PluginNotAllowed { name, marketplace } => format!(
                "plugin:{name}@{marketplace} is not on the list of plugins that {CHANNELS} accepts, so this session \
                 receives no messages from it"
            ),
            Self::FirstDecides { entry } => format!(
                "this session names {entry} under {CHANNELS}, where it has no effect, and only the first entry for a \
                 server counts, so it receives no messages"
            ),
            Self::NotInteractive { entry } => format!(
                "this session runs with -p or through the SDK, where {DEVELOPMENT} {entry} has no effect, so it receives \
                 no messages"
            ),
            Self::Unreadable(unreadable) => format!(
                "tidegate cannot see how this session was started ({unreadable}), so it delivers no messages to it"
            ),
            Self::Renamed => {
                "tidegate cannot see how this session was started (Claude Code has replaced its command \
                              line by a title), so it delivers no messages to it"
                    .to_owned()
            }
        }
    }

    /// Returns what a person can do about it: a sentence without a final full stop.
    pub fn cure(&self) -> String {
        match self {
            Self::Never => {
                "Remove it from the server's args if the session should receive messages".to_owned()
            }
            Self::Blocked(blocked) => blocked.cure.to_owned(),
            Self::PolicyUnsaid(_) => {
                "Ask an administrator to set \"channelsEnabled\": true there, or, if your account \
                                      belongs to no organisation, add `--opt-in always` to the server's args"
                    .to_owned()
            }
            Self::NotNamed { entries } => {
                let entry = entries.first().map_or("server:NAME", String::as_str);
                format!("Start it with `claude {DEVELOPMENT} {entry}`")
            }
            Self::OtherPlugin { installed, .. } => {
                let entry = installed.as_deref().unwrap_or("plugin:NAME@MARKETPLACE");
                format!(
                    "Start it with `claude {DEVELOPMENT} {entry}`, or install the other plugin and disable this one"
                )
            }
            Self::ServerUnderChannels { name } => {
                format!("Start it with `claude {DEVELOPMENT} server:{name}`")
            }
            Self::PluginNotAllowed { name, marketplace } => format!(
                "Ask an administrator to add it to \"allowedChannelPlugins\" in the managed settings, or start the \
                 session with `claude {DEVELOPMENT} plugin:{name}@{marketplace}`"
            ),
            Self::FirstDecides { entry } => {
                format!("Remove {entry} from {CHANNELS} and keep the one under {DEVELOPMENT}")
            }
            Self::NotInteractive { entry } => format!(
                "Start an interactive session with `claude {DEVELOPMENT} {entry}`, or name a plugin that {CHANNELS} \
                 accepts, which works with -p too"
            ),
            Self::Unreadable(_) | Self::Renamed => IF_YOU_KNOW.to_owned(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}. {}", self.found(), self.cure())
    }
}

impl std::error::Error for Reason {}
