//! Estimates from outside whether the session that started this server receives its messages.
//!
//! Claude Code drops the events of a server that the session was not started with, and does not tell the server. Such a
//! session must not consume a platform's messages. Claude Code's command line tells which servers the session accepts:
//!
//! | entry | accepted under |
//! | --- | --- |
//! | `server:NAME` | `--dangerously-load-development-channels`, in an interactive session |
//! | `plugin:NAME@MARKETPLACE` | the same; also under `--channels` if the list of plugins has it |
//!
//! Only the first entry for the server counts. Entries of `--channels` come first, regardless of the order on the
//! command line. A plugin must be from the marketplace that its entry names.

mod command_line;
mod plugin;
mod reason;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use self::command_line::{CommandLine, Entry, Flag};
pub use self::{plugin::Plugin, reason::Reason};
use super::{
    ancestors::{Process, Unreadable, claude_code, own_arguments},
    managed::{ChannelPolicy, Policy},
};

/// A variable that Claude Code and its SDK set for the servers that they start: `cli` in interactive sessions, another
/// value in print mode and for the SDK.
const ENTRYPOINT: &str = "CLAUDE_CODE_ENTRYPOINT";
const INTERACTIVE: &str = "cli";

/// The user's setting: `--opt-in`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptIn {
    /// Decide by the client's command line and the organisation's policy. A client other than Claude Code counts as
    /// opted in.
    #[default]
    Auto,
    /// The user knows that the client accepts messages. This overrides all other evidence, including an organisation's
    /// policy: Claude Code itself still applies the policy.
    Always,
    /// The session must not receive any messages, regardless of other evidence.
    Never,
}

/// An invalid value of `--opt-in`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is not a valid value of --opt-in: it can be \"auto\" (as Claude Code's command line says), \"always\" or \
     \"never\"",
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

/// The client that started this server, as far as it is visible from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaudeCode {
    /// The nearest Claude Code process above this one. `Ok(None)` if another program started this server.
    pub process: Result<Option<Process>, Unreadable>,
    /// The `CLAUDE_CODE_ENTRYPOINT` of this process. Falls back to the client's own environment, because a client may
    /// pass only some variables. `None` if neither has it.
    pub entrypoint: Option<String>,
    /// The plugin that configured this server. `None` if a person or a project did.
    pub plugin: Option<Plugin>,
}

impl ClaudeCode {
    /// Reads the processes above this one, and this process's environment.
    pub fn find() -> Self {
        let process = claude_code();
        let client = process.as_ref().ok().and_then(Option::as_ref);
        let entrypoint = std::env::var_os(ENTRYPOINT).or_else(|| client?.variable(ENTRYPOINT));
        let entrypoint = entrypoint.map(|value| value.to_string_lossy().into_owned());
        Self { process, entrypoint, plugin: Plugin::find() }
    }

    /// Returns the entry that a person has to write on the client's command line for the server that the client calls
    /// by this name. `MARKETPLACE` is a placeholder for a plugin's marketplace if that is unknown.
    pub fn entry_for(&self, server: &str) -> String {
        plugin::entry_for(server, self.plugin.as_ref())
    }

    /// Returns the reason if this entry, which has the name of the server's plugin, names another marketplace.
    fn other_plugin(&self, entry: Entry<'_>) -> Option<Reason> {
        let (Entry::Plugin(name, marketplace), Some(plugin)) = (entry, &self.plugin) else { return None };
        (!plugin.is(name, marketplace))
            .then(|| Reason::OtherPlugin { entry: entry.to_string(), installed: plugin.entry(name) })
    }
}

/// Whether the session takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The session receives messages, as far as that is visible.
    In,
    /// The session receives no messages.
    Out(Reason),
}

/// Decides for a whole session, which is one connection to one server. The client calls that server by one of these
/// names: the name that the user configured, or one of the channels that the server has.
pub fn judge(setting: OptIn, claude: &ClaudeCode, servers: &[&str], policy: &Policy) -> Verdict {
    let decision = match setting {
        OptIn::Always => Ok(()),
        OptIn::Never => Err(Reason::Never),
        OptIn::Auto => guess(claude, servers, policy),
    };
    decision.map_or_else(Verdict::Out, |()| Verdict::In)
}

fn guess(claude: &ClaudeCode, servers: &[&str], policy: &Policy) -> Result<(), Reason> {
    if let ChannelPolicy::Blocked(blocked) = policy.channels() {
        return Err(Reason::Blocked(blocked.clone()));
    }
    let arguments = match &claude.process {
        Ok(None) => return Ok(()),
        Err(unreadable) => return Err(Reason::Unreadable(unreadable.clone())),
        Ok(Some(process)) if is_title(&process.arguments) => return Err(Reason::Renamed),
        Ok(Some(process)) => own_arguments(&process.arguments).unwrap_or(&process.arguments),
    };
    let line = CommandLine::parse(arguments);
    let interactive = !line.print && claude.entrypoint.as_deref().is_none_or(|value| value == INTERACTIVE);
    named(&line, interactive, claude, servers, policy)?;
    match policy.channels() {
        ChannelPolicy::Unsaid(file) => Err(Reason::PolicyUnsaid(file.clone())),
        ChannelPolicy::Enabled | ChannelPolicy::Blocked(_) => Ok(()),
    }
}

/// Returns true if the arguments are a process title. Node writes a title over the arguments and fills the rest with
/// zero bytes, which read as empty arguments. No user passes several empty arguments and nothing else.
fn is_title(arguments: &[String]) -> bool {
    arguments.len() > 2 && arguments.iter().skip(1).all(String::is_empty)
}

/// Applies the table in the module's documentation to the entries for the server.
fn named(
    line: &CommandLine<'_>,
    interactive: bool,
    claude: &ClaudeCode,
    servers: &[&str],
    policy: &Policy,
) -> Result<(), Reason> {
    let (mut first, mut development) = (None, None);
    for (flag, entry) in line.entries() {
        if servers.iter().any(|server| entry.stands_for(server)) {
            first.get_or_insert((flag, entry));
            if flag == Flag::Development {
                development.get_or_insert(entry);
            }
        }
    }
    let Some((flag, entry)) = first else {
        let entries = servers.iter().map(|server| claude.entry_for(server)).collect();
        return Err(Reason::NotNamed { entries });
    };
    let other = claude.other_plugin(entry);
    match (flag, entry) {
        (Flag::Development, entry) if !interactive => {
            Err(Reason::NotInteractive { entry: entry.to_string() })
        }
        (Flag::Development, _) => other.map_or(Ok(()), Err),
        (Flag::Channels, Entry::Plugin(name, marketplace))
            if other.is_none() && policy.allows_plugin(name, marketplace) =>
        {
            Ok(())
        }
        (Flag::Channels, entry) if interactive && development.is_some() => {
            Err(Reason::FirstDecides { entry: entry.to_string() })
        }
        (Flag::Channels, Entry::Server(name)) => Err(Reason::ServerUnderChannels { name: name.to_owned() }),
        (Flag::Channels, Entry::Plugin(name, marketplace)) => Err(other.unwrap_or_else(|| {
            Reason::PluginNotAllowed { name: name.to_owned(), marketplace: marketplace.to_owned() }
        })),
    }
}
