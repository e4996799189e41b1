//! Where everything of tidegate's is kept.
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
pub struct StateRoot(PathBuf);

/// There is no place to keep anything.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the user's home is.
    #[error("there is no home directory: set TIDEGATE_HOME to a folder for tidegate's state")]
    Nowhere,
    /// The folder cannot be used.
    #[error("the state root {} cannot be used: {source}. Make it readable and writable for you, or set TIDEGATE_HOME to another folder", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the official plugins take a folder of their own from.
const ELSEWHERE: [&str; 2] = ["TELEGRAM_STATE_DIR", "DISCORD_STATE_DIR"];

impl StateRoot {
    /// `$TIDEGATE_HOME`, else `$CLAUDE_CONFIG_DIR/channels`, else `~/.claude/channels`. Made where it is missing.
    pub fn find() -> Result<Self, Error> {
        let path = variable("TIDEGATE_HOME")
            .or_else(|| Some(variable("CLAUDE_CONFIG_DIR")?.join("channels")))
            .or_else(|| Some(variable("HOME")?.join(".claude/channels")))
            .ok_or(Error::Nowhere)?;
        let usable = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
            let path = fs::canonicalize(&path)?;
            fs::read_dir(&path)?;
            rustix::fs::access(&path, rustix::fs::Access::WRITE_OK)?;
            Ok(path)
        };
        usable().map(Self).map_err(|source| Error::Unusable { path: path.clone(), source })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The user's settings.
    pub fn settings(&self) -> PathBuf {
        self.0.join("channels.toml")
    }

    /// A channel's folder: `$<CHANNEL>_STATE_DIR` where that is set, as the official plugins have it. Where the state
    /// root has nothing of the channel, what the official plugins have left in `~/.claude/channels` is taken.
    pub fn folder(&self, name: &ChannelName) -> PathBuf {
        variable(&name.variable("STATE_DIR")).unwrap_or_else(|| {
            let own = self.0.join(&**name);
            let customary = variable("HOME").map(|home| home.join(".claude/channels").join(&**name));
            customary.filter(|customary| !own.exists() && customary.is_dir()).unwrap_or(own)
        })
    }

    /// Every folder that may hold a channel's secrets, wherever it is.
    pub fn all(&self, name: &ChannelName) -> Vec<PathBuf> {
        let customary = variable("HOME").map(|home| home.join(".claude/channels"));
        let elsewhere = ELSEWHERE.into_iter().filter_map(variable);
        [self.0.clone(), self.folder(name)].into_iter().chain(customary).chain(elsewhere).collect()
    }

    /// A channel's folder, made where it is missing.
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

/// Where compiled components are kept: `$XDG_CACHE_HOME/tidegate`, else what is customary on this system.
pub fn cache() -> Result<PathBuf, Error> {
    let customary = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    variable("XDG_CACHE_HOME")
        .or_else(|| Some(variable("HOME")?.join(customary)))
        .map(|caches| caches.join("tidegate"))
        .ok_or(Error::Nowhere)
}

/// A folder that the environment names. An empty name is none.
fn variable(name: &str) -> Option<PathBuf> {
    std::path::absolute(env::var_os(name).filter(|value| !value.is_empty())?).ok()
}
