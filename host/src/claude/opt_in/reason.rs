//! Why a session receives no messages, for the person who started it.

use std::{fmt, path::PathBuf};

use super::{
    super::{
        ancestors::Unreadable,
        managed::{Blocked, shown},
    },
    command_line::{CHANNELS, DEVELOPMENT},
};

/// Why a session receives no messages. As a text it is two sentences, without a full stop at the end: what was found, and
/// what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The user's own setting.
    Never,
    /// The organisation's policy blocks all channels.
    Blocked(Blocked),
    /// This file of the organisation's policy exists, and no file says whether channels are enabled.
    PolicyUnsaid(PathBuf),
    /// None of these entries.
    NotNamed {
        /// Each would stand for the server.
        entries: Vec<String>,
    },
    /// A plugin of the same name, but from another marketplace.
    OtherPlugin {
        /// The one on the command line.
        entry: String,
        /// The one that stands for this server, if its marketplace is known.
        installed: Option<String>,
    },
    /// `server:NAME`, but only under `--channels`.
    ServerUnderChannels {
        /// What the client calls the server.
        name: String,
    },
    /// `plugin:NAME@MARKETPLACE`, but only under `--channels`, and not on the list.
    PluginNotAllowed {
        /// The plugin.
        name: String,
        /// Where it is from.
        marketplace: String,
    },
    /// An entry of `--channels` that does not count comes before one of the development option that would.
    FirstDecides {
        /// The one under `--channels`.
        entry: String,
    },
    /// Only under the development option, which does not count in print mode and for the SDK: its dialog cannot be
    /// shown.
    NotInteractive {
        /// The one under the development option.
        entry: String,
    },
    /// The client is not known.
    Unreadable(Unreadable),
    /// The client is known, but has overwritten its command line with a title.
    Renamed,
}

/// What to do where the command line is not known.
const IF_YOU_KNOW: &str =
    "If you know that the session was started for this server, add `--opt-in always` to the server's args";

impl Reason {
    /// What was found: a sentence without a full stop at the end.
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

    /// What a person can do about it: a sentence without a full stop at the end.
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
