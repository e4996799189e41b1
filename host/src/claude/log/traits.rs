//! What this server knows about itself and its client: by that its log is recognised.

use std::{env, ffi::OsString, path::PathBuf};

use crate::claude::ancestors::Process;

/// The session's id, which Claude Code gives to its servers.
pub(in crate::claude) const SESSION: &str = "CLAUDE_CODE_SESSION_ID";

/// The folder that the client was started in, which it gives to its servers.
const PROJECT: &str = "CLAUDE_PROJECT_DIR";

/// Where its plugin is, which the client gives to servers that a plugin has brought.
const PLUGIN: &str = "CLAUDE_PLUGIN_ROOT";

/// What a server knows about itself and its client.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    /// Names that it may have in the client's configuration.
    pub names: Vec<String>,
    /// A plugin has brought it.
    pub plugin: bool,
    /// As it introduces itself in the handshake: `NAME VERSION`, which no other process has.
    pub server: String,
    /// The id of the session, if known.
    pub session: Option<String>,
    /// Folders in which the user's programs keep what they can make again.
    pub caches: Vec<PathBuf>,
    /// Folders that the client may have been started in.
    pub directories: Vec<PathBuf>,
}

impl Traits {
    /// Of this process. `client` is Claude Code, where it was found above it.
    pub fn find(names: Vec<String>, server: String, client: Option<&Process>) -> Self {
        // The client may keep variables from its servers, or a server's own be set otherwise.
        let theirs = |name: &str| client.and_then(|client| client.variable(name));
        let folder = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
        let customary = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        let caches = |variable: &dyn Fn(&str) -> Option<OsString>| {
            folder(variable("XDG_CACHE_HOME"))
                .filter(|_| !cfg!(target_os = "macos"))
                .or_else(|| Some(folder(variable("HOME"))?.join(customary)))
        };
        let own = |name: &str| env::var_os(name);
        let directories =
            [folder(own(PROJECT)), env::current_dir().ok(), client.and_then(Process::directory)];
        let caches = [caches(&theirs), caches(&own)];
        Self {
            names,
            plugin: env::var_os(PLUGIN).is_some(),
            server,
            session: env::var(SESSION).ok().filter(|session| !session.is_empty()),
            caches: distinct(caches),
            directories: distinct(directories),
        }
    }
}

fn distinct(paths: impl IntoIterator<Item = Option<PathBuf>>) -> Vec<PathBuf> {
    let mut distinct = Vec::new();
    for path in paths.into_iter().flatten() {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}
