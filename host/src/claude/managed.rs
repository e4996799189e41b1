//! The organisation's managed settings: whether channels are enabled, and for which plugins.
//!
//! Claude Code drops the messages that the policy forbids, and does not tell the server. The host reads the same files,
//! so that it can leave those messages with the platform and report the reason.
//!
//! | file | role |
//! | --- | --- |
//! | `managed-settings.json` in the system's folder | the first file |
//! | the file that `CLAUDE_CODE_MANAGED_SETTINGS_PATH` names | replaces the first file |
//! | `managed-settings.d/*.json` beside the first file | merged over it one by one, sorted by name |
//!
//! The last value of `channelsEnabled` counts. Lists of `allowedChannelPlugins` are concatenated, because Claude Code
//! merges all lists of its managed settings like this.
//!
//! Only files are read. A policy that comes from an account's server or from device management is not visible here.

mod document;
#[cfg(test)]
mod tests;

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use self::document::{Document, ENABLED, Invalid, Plugin};
use super::ancestors::client_variable;

/// The path of the administrator's first file. Only the system may write there.
#[cfg(target_os = "macos")]
const FILE: &str = "/Library/Application Support/ClaudeCode/managed-settings.json";
/// The path of the administrator's first file. Only the system may write there.
#[cfg(not(target_os = "macos"))]
const FILE: &str = "/etc/claude-code/managed-settings.json";

/// The variable with the path of a file that replaces [`FILE`].
const VARIABLE: &str = "CLAUDE_CODE_MANAGED_SETTINGS_PATH";

/// The largest file that is read, in bytes. Real ones have a few KiB.
const LARGEST: u64 = 4 << 20;

/// The marketplace of the plugins that `--channels` accepts when no list is configured, and their names.
const DEFAULT_MARKETPLACE: &str = "claude-plugins-official";
const DEFAULT_PLUGINS: [&str; 4] = ["telegram", "discord", "imessage", "fakechat"];

/// What the organisation allows. The default value is for a user without managed settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    channels: ChannelPolicy,
    /// The list that replaces the default one.
    plugins: Option<Vec<Plugin>>,
}

/// Whether the organisation has enabled channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChannelPolicy {
    /// Enabled, or there are no managed settings.
    #[default]
    Enabled,
    /// This file exists, but no file has the key. Claude Code then blocks the members of an organisation, but not users
    /// without one. Only Claude Code knows which of them the user is.
    Unsaid(PathBuf),
    /// Disabled, or a file cannot be read or parsed. Such a file must not count as absent.
    Blocked(Blocked),
}

/// Why the organisation's policy blocks all messages, in sentences for a person, without final full stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub cure: &'static str,
}

/// The reason why all messages are blocked.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "your organisation has disabled channels for Claude Code ({} has \"{ENABLED}\": false), so no messages arrive",
        shown(.0)
    )]
    Disabled(PathBuf),
    #[error(
        "your organisation's policy for Claude Code cannot be read ({}: {problem}), so channels count as disabled and \
         no messages arrive",
        shown(path)
    )]
    Unreadable { path: PathBuf, problem: io::Error },
    #[error(
        "your organisation's policy for Claude Code is not valid ({}: {problem}), so channels count as disabled and no \
         messages arrive",
        shown(path)
    )]
    Invalid { path: PathBuf, problem: Invalid },
}

impl Problem {
    fn cure(&self) -> &'static str {
        match self {
            Self::Disabled(_) => "Ask an administrator of your organisation to set it to true",
            Self::Unreadable { .. } => {
                "Ask an administrator of your organisation to make it a file that you may read"
            }
            Self::Invalid { .. } => "Ask an administrator of your organisation to correct the file",
        }
    }
}

impl Policy {
    /// Reads the files of this system, or those at the path in the variable. The client's own environment has priority
    /// over this process's, because a client may pass only some variables to its servers.
    pub fn read() -> Self {
        Self::read_from(&first_file(client_variable(VARIABLE).or_else(|| env::var_os(VARIABLE))))
    }

    /// Reads this file and the folder of further files beside it.
    fn read_from(first: &Path) -> Self {
        check(first).unwrap_or_else(|problem| Self {
            channels: ChannelPolicy::Blocked(Blocked { found: problem.to_string(), cure: problem.cure() }),
            plugins: Some(Vec::new()),
        })
    }

    /// Returns whether the organisation has enabled channels.
    pub fn channels(&self) -> &ChannelPolicy {
        &self.channels
    }

    /// Returns true if `--channels` accepts this plugin.
    pub fn allows_plugin(&self, name: &str, marketplace: &str) -> bool {
        match &self.plugins {
            None => marketplace == DEFAULT_MARKETPLACE && DEFAULT_PLUGINS.contains(&name),
            Some(plugins) => {
                plugins.iter().any(|plugin| plugin.name == name && plugin.marketplace == marketplace)
            }
        }
    }
}

fn first_file(variable: Option<OsString>) -> PathBuf {
    variable.filter(|path| !path.is_empty()).map_or_else(|| PathBuf::from(FILE), PathBuf::from)
}

fn check(first: &Path) -> Result<Policy, Problem> {
    let mut unsaid = ChannelPolicy::Enabled;
    let mut said = None;
    let mut plugins: Option<Vec<Plugin>> = None;
    for path in [first.to_owned()].into_iter().chain(further_files(&first.with_extension("d"))?) {
        let Some(text) = read(&path)? else { continue };
        let document =
            Document::parse(&text).map_err(|problem| Problem::Invalid { path: path.clone(), problem })?;
        if let Some(more) = document.plugins {
            plugins.get_or_insert_default().extend(more);
        }
        if unsaid == ChannelPolicy::Enabled {
            unsaid = ChannelPolicy::Unsaid(path.clone());
        }
        if let Some(enabled) = document.enabled {
            said = Some((enabled, path));
        }
    }
    let channels = match said {
        None => unsaid,
        Some((true, _)) => ChannelPolicy::Enabled,
        Some((false, path)) => return Err(Problem::Disabled(path)),
    };
    Ok(Policy { channels, plugins })
}

/// Returns the `*.json` files in this folder, sorted by name. Hidden files are excluded.
fn further_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |problem| Problem::Unreadable { path: folder.to_owned(), problem };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if is_absent(folder, &problem) => return Ok(Vec::new()),
        Err(problem) => return Err(unreadable(problem)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".json") && !bytes.starts_with(b".") {
            files.push(folder.join(name));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file. Returns `None` if it does not exist. Does not block on a pipe.
fn read(path: &Path) -> Result<Option<String>, Problem> {
    let unreadable = |problem| Problem::Unreadable { path: path.to_owned(), problem };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from) {
        Ok(file) => File::from(file),
        Err(problem) if is_absent(path, &problem) => return Ok(None),
        Err(problem) => return Err(unreadable(problem)),
    };
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is not a regular file")));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(unreadable(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20))));
    }
    Ok(Some(text))
}

/// Returns true if there is no file. A dangling symbolic link counts as a policy that cannot be read, not as an absent
/// one.
fn is_absent(path: &Path, error: &io::Error) -> bool {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    missing(error) && fs::symlink_metadata(path).is_err_and(|error| missing(&error))
}

/// Formats a path for a sentence: escapes line breaks and other control characters.
pub(super) fn shown(path: &Path) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    path.display().to_string().chars().map(escaped).collect()
}

#[cfg(test)]
impl Policy {
    /// Returns the policy of one file with `"channelsEnabled": true` and this list.
    pub(super) fn allowing(plugins: &[(&str, &str)]) -> Self {
        let plugin = |&(name, marketplace): &(&str, &str)| Plugin {
            name: name.into(),
            marketplace: marketplace.into(),
        };
        Self { plugins: Some(plugins.iter().map(plugin).collect()), ..Self::default() }
    }

    /// Returns the policy of files without a list.
    pub(super) fn of(channels: ChannelPolicy) -> Self {
        Self { channels, plugins: None }
    }
}
