//! The folders in which tidegate keeps its state.
//!
//! ```text
//! <state root>/channels.toml      settings, written by the user
//! <state root>/tidegate.log…      the log
//! <state root>/<channel>/         access.json, .env, journal.db, inbox/, outbox/, lock
//! <cache>/tidegate/               compiled components; can be deleted at any time
//! ```

use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::event::ChannelName;

/// The folder that holds a folder for each channel.
#[derive(Clone, Debug)]
pub struct StateRoot {
    path: PathBuf,
    /// Whether the command line names the folder (`--home`). If so, environment variables do not move any channel's
    /// folder.
    named: bool,
}

/// Why there is no state root.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing tells where the user's home is.
    #[error("there is no home directory: name a folder for tidegate's state with --home or TIDEGATE_HOME")]
    Nowhere,
    /// `--home` begins with `~`, which only a shell expands. Clients start servers without a shell.
    #[error(
        "--home {}: no shell has put your home directory in place of the ~. Write the whole path, or ${{HOME}} in .mcp.json",
        .0.display()
    )]
    Tilde(PathBuf),
    /// The folder cannot be used.
    #[error("the state root {} cannot be used: {source}. Make it readable and writable for you, or name another folder with --home or TIDEGATE_HOME", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The places that the environment gives for the state root. The first one that is set is used.
const ROOTS: [fn() -> Option<PathBuf>; 3] =
    [|| variable("TIDEGATE_HOME"), || Some(variable("CLAUDE_CONFIG_DIR")?.join("channels")), customary];

/// Variables with which the official plugins move their folders.
const ELSEWHERE: [&str; 2] = ["TELEGRAM_STATE_DIR", "DISCORD_STATE_DIR"];

impl StateRoot {
    /// Finds the folder: the one that the command line names (`--home`), or else `$TIDEGATE_HOME`, or else
    /// `$CLAUDE_CONFIG_DIR/channels`, or else `~/.claude/channels`. Creates it if it is missing.
    pub fn find(named: Option<&Path>) -> Result<Self, Error> {
        let path = match named {
            Some(path) if path.starts_with("~") => return Err(Error::Tilde(path.to_owned())),
            Some(path) => path.to_owned(),
            None => ROOTS.iter().find_map(|root| root()).ok_or(Error::Nowhere)?,
        };
        let usable = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
            let path = fs::canonicalize(&path)?;
            fs::read_dir(&path)?;
            rustix::fs::access(&path, rustix::fs::Access::WRITE_OK)?;
            Ok(path)
        };
        let path = usable().map_err(|source| Error::Unusable { path: path.clone(), source })?;
        Ok(Self { path, named: named.is_some() })
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the user's settings.
    pub fn settings(&self) -> PathBuf {
        self.path.join("channels.toml")
    }

    /// Returns a channel's folder: `$<CHANNEL>_STATE_DIR` if it is set, as in the official plugins, and if the command
    /// line names no state root; otherwise the folder of that name in the state root. A folder in another state root
    /// belongs to another bot, and a trial run must not take its messages.
    pub fn folder(&self, name: &ChannelName) -> PathBuf {
        let elsewhere = if self.named { None } else { variable(&name.variable("STATE_DIR")) };
        elsewhere.unwrap_or_else(|| self.path.join(&**name))
    }

    /// Returns the channel's folder in `~/.claude/channels`, where the official plugins keep theirs, if it exists and
    /// this state root does not use it.
    pub fn unused(&self, name: &ChannelName) -> Option<PathBuf> {
        let customary = customary()?.join(&**name);
        let real = fs::canonicalize(&customary).ok()?;
        let used = fs::canonicalize(self.folder(name)).is_ok_and(|used| used == real);
        (!used).then_some(customary)
    }

    /// Returns every folder that may hold a channel's secrets, whether it is in use or not.
    pub fn all(&self, name: &ChannelName) -> Vec<PathBuf> {
        let roots = ROOTS.iter().filter_map(|root| root());
        let elsewhere = ELSEWHERE.into_iter().filter_map(variable);
        let elsewhere = elsewhere.chain(variable(&name.variable("STATE_DIR")));
        [self.path.clone(), self.folder(name)].into_iter().chain(roots).chain(elsewhere).collect()
    }

    /// Returns the names of the channels that have run here, built in or not.
    pub fn used(&self) -> Vec<String> {
        let folders = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let used = folders.filter(|entry| entry.path().join("journal.db").is_file());
        used.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Returns a channel's folder. Creates it if it is missing.
    pub fn channel(&self, name: &ChannelName) -> Result<PathBuf, Error> {
        let path = self.folder(name);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| Error::Unusable { path: path.clone(), source })?;
        Ok(path)
    }
}

/// Returns the folder for compiled components: `$XDG_CACHE_HOME/tidegate`, or else the system's usual place.
pub fn cache() -> Result<PathBuf, Error> {
    let customary = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    variable("XDG_CACHE_HOME")
        .or_else(|| Some(variable("HOME")?.join(customary)))
        .map(|caches| caches.join("tidegate"))
        .ok_or(Error::Nowhere)
}

/// Returns the folder in which the official plugins keep their state.
fn customary() -> Option<PathBuf> {
    Some(variable("HOME")?.join(".claude/channels"))
}

/// Returns the folder that an environment variable names. An empty value counts as not set.
fn variable(name: &str) -> Option<PathBuf> {
    std::path::absolute(env::var_os(name).filter(|value| !value.is_empty())?).ok()
}
