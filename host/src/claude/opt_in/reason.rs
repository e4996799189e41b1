//! Why a session takes no messages, for the person who started it.

use std::path::PathBuf;

use super::{
    super::{ancestors::Unreadable, managed::shown},
    command_line::{CHANNELS, DEVELOPMENT},
};

/// Why a session takes no messages, and what a person can do about it: one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The user's own setting.
    #[error(
        "this session takes no messages because `--opt-in never` is set: take it out of the server's args if it should"
    )]
    Never,
    /// The organisation's policy blocks all channels: the text of [`super::super::ChannelPolicy::Blocked`].
    #[error("{0}")]
    Blocked(String),
    /// This file of the organisation's policy exists, and no file says whether channels are enabled.
    #[error(
        "the managed settings of Claude Code ({}) do not say whether channels are enabled, so they count as disabled, as \
         for every member of an organisation: ask an administrator to set \"channelsEnabled\": true there, or, if your \
         account belongs to no organisation, add `--opt-in always` to the server's args",
        shown(.0)
    )]
    PolicyUnsaid(PathBuf),
    /// None of these entries.
    #[error(
        "this session was not started with {CHANNELS} or {DEVELOPMENT} naming {}, so it takes no messages: start it \
         with `claude {DEVELOPMENT} {}`",
        entries.join(" or "),
        entries.first().map_or("server:NAME", String::as_str)
    )]
    NotNamed {
        /// Each would stand for the server.
        entries: Vec<String>,
    },
    /// A plugin of the same name, but from another marketplace.
    #[error(
        "this session names {entry}, and this server belongs to {}, so it takes no messages: start it with \
         `claude {DEVELOPMENT} {}`, or install the other plugin and disable this one",
        installed.as_deref().unwrap_or("another plugin"),
        installed.as_deref().unwrap_or("plugin:NAME@MARKETPLACE")
    )]
    OtherPlugin {
        /// The one on the command line.
        entry: String,
        /// The one that stands for this server, if its marketplace is known.
        installed: Option<String>,
    },
    /// `server:NAME`, but only under `--channels`.
    #[error(
        "this session names server:{name} under {CHANNELS}, which takes only plugins, so it takes no messages: start it \
         with `claude {DEVELOPMENT} server:{name}`"
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
    /// An entry of `--channels` that does not count comes before one of the development option that would.
    #[error(
        "this session names {entry} under {CHANNELS}, where it does not count, and only the first entry for a server \
         decides, so it takes no messages: take {entry} out of {CHANNELS} and keep the one under {DEVELOPMENT}"
    )]
    FirstDecides {
        /// The one under `--channels`.
        entry: String,
    },
    /// Only under the development option, which does not count in print mode and for the SDK: its dialog cannot be
    /// shown.
    #[error(
        "this session names {entry} under {DEVELOPMENT}, which counts only in interactive sessions, and this one runs \
         with -p or through the SDK, so it takes no messages: start an interactive session, or install a plugin that \
         {CHANNELS} takes"
    )]
    NotInteractive {
        /// The one under the development option.
        entry: String,
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
