//! The folders where Claude Code keeps its logs of a project's MCP servers.
//!
//! `<caches>/claude-cli-nodejs/<folder of the project>/mcp-logs-<server>/<start of the client>.jsonl`: one file per
//! client process and server. Observed with Claude Code 2.1.197 and 2.1.331. It is not a documented interface.

use std::path::{Path, PathBuf};

/// Claude Code's folder inside the user's cache folder.
const PRODUCT: &str = "claude-cli-nodejs";

/// The prefix of the folder name of a server.
const SERVER: &str = "mcp-logs-";

/// The longest folder name of a project. A longer one is cut here, then a hyphen and a short hash of the full name
/// follow.
const LONGEST: usize = 200;

/// The folders that may hold the logs of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `<caches>/claude-cli-nodejs`
    pub(super) root: PathBuf,
    /// The name of the project's folder in it, not yet cut.
    name: String,
}

impl Place {
    /// Creates the place for a project with this working directory and a user with this cache folder.
    pub(super) fn new(caches: &Path, directory: &Path) -> Self {
        Self { root: caches.join(PRODUCT), name: folder_name(&directory.to_string_lossy()) }
    }

    /// Returns true if a folder of this name in the root belongs to the project. If the name was cut, it ends with a
    /// hash that is not computed here, so any hash matches: the session's id tells the projects apart.
    pub(super) fn is_project(&self, folder: &str) -> bool {
        if self.name.len() <= LONGEST {
            return folder == self.name;
        }
        let cut = self.name.get(..LONGEST).unwrap_or_default();
        folder.strip_prefix(cut).is_some_and(|rest| rest.len() > 1 && rest.starts_with('-'))
    }
}

/// Returns true if a folder of this name holds logs of a server.
pub(super) fn is_server(folder: &str) -> bool {
    folder.starts_with(SERVER)
}

/// Returns true if a folder of this name holds the logs of the server that the client calls `server`. With `plugin`,
/// the server may also belong to a plugin (`plugin:PLUGIN:SERVER`).
pub(super) fn is_named(folder: &str, server: &str, plugin: bool) -> bool {
    let Some(name) = folder.strip_prefix(SERVER) else { return false };
    let server = folder_name(server);
    name == server
        || plugin
            && name
                .strip_prefix("plugin-")
                .and_then(|name| name.strip_suffix(&*server))
                .is_some_and(|plugin| plugin.len() > 1 && plugin.ends_with('-'))
}

/// Replaces every UTF-16 unit that is not an ASCII letter or digit by a hyphen.
fn folder_name(text: &str) -> String {
    let unit = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte),
        _ => '-',
    };
    text.encode_utf16().map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_known_by_its_working_directory() {
        let long = format!("/{}/{}", "l".repeat(120), "m".repeat(120));
        let cut = format!("-{}-{}", "l".repeat(120), "m".repeat(78));
        let hashed = format!("{cut}-d5hncc");
        for (directory, folder, expected) in [
            ("/home/a/project", "-home-a-project", true),
            ("/tmp/a b é😀 x", "-tmp-a-b-----x", true),
            ("/home/a/project", "-home-a-project2", false),
            ("/home/a/project", "-home-a", false),
            (&long, &hashed, true),
            (&long, &cut, false),
            (&long, "-home-a-project", false),
            ("/", "-", true),
        ] {
            let place = Place::new(Path::new("/caches"), Path::new(directory));
            assert_eq!(place.is_project(folder), expected, "{directory} {folder}");
            assert_eq!(place.root, Path::new("/caches/claude-cli-nodejs"));
        }
    }

    #[test]
    fn a_server_is_known_by_its_name_alone_or_in_a_plugin() {
        for (server, folder, expected) in [
            ("fakechat", "mcp-logs-fakechat", true),
            ("my.chän", "mcp-logs-my-ch-n", true),
            ("telegram", "mcp-logs-plugin-telegram-telegram", true),
            ("telegram", "mcp-logs-plugin-tidegate-telegram", true),
            ("chat", "mcp-logs-fakechat", false),
            ("telegram", "mcp-logs-plugin--telegram", false),
            ("telegram", "mcp-logs-plugin-telegram", false),
            ("telegram", "mcp-logs-plugintelegram", false),
            ("telegram", "telegram", false),
            ("fakechat", "mcp-logs-", false),
        ] {
            assert_eq!(is_named(folder, server, true), expected, "{server} {folder}");
            let plugin = folder.contains("-plugin-");
            assert_eq!(is_named(folder, server, false), expected && !plugin, "{server} {folder}");
        }
    }
}
