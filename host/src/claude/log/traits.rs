//! What this server knows about itself and its client, to recognise its log.

use std::{env, ffi::OsString, path::PathBuf};

use crate::claude::ancestors::Process;

/// The variable with the session's id, which Claude Code sets for its servers.
pub(in crate::claude) const SESSION: &str = "CLAUDE_CODE_SESSION_ID";

/// The variable with the folder that the client was started in, which the client sets for its servers.
const PROJECT: &str = "CLAUDE_PROJECT_DIR";

/// The variable with the plugin's folder, which the client sets for the servers of a plugin.
const PLUGIN: &str = "CLAUDE_PLUGIN_ROOT";

/// What a server knows about itself and its client.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    /// Names that the server may have in the client's configuration.
    pub names: Vec<String>,
    /// True if a plugin configured the server.
    pub plugin: bool,
    /// The server as it introduces itself in the handshake: `NAME VERSION`, which is unique to this process.
    pub server: String,
    /// The id of the session, if known.
    pub session: Option<String>,
    /// Cache folders of the user.
    pub caches: Vec<PathBuf>,
    /// Folders that the client may have been started in.
    pub directories: Vec<PathBuf>,
}

impl Traits {
    /// Returns the traits of this process. `client` is the Claude Code process above it, if there is one.
    pub fn find(names: Vec<String>, server: String, client: Option<&Process>) -> Self {
        // Read the client's own environment too: the client may withhold variables from its servers, or a server may
        // have its own values for them.
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
