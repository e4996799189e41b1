//! What can be found out about a channel from its folder, whoever serves it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    admission::Admission,
    builtin,
    event::ChannelName,
    journal::{self, Journal},
    launch::{self, Launcher},
    lock::{self, Lock},
    settings::{Settings, nearest},
    state_root::StateRoot,
};

/// A channel that a person has named.
pub(super) enum Named {
    /// It is built in, or has a folder.
    Known(ChannelName),
    /// It has never run here.
    New {
        name: ChannelName,
        /// Which one may have been meant, in words, if its name is close to that of one that has run.
        close: Option<String>,
    },
}

/// One channel, as it lies on the disk.
pub(super) struct Survey {
    pub(super) name: ChannelName,
    pub(super) folder: PathBuf,
    /// Who serves it at the moment.
    pub(super) owner: Option<String>,
    /// None where it has never run. An error where its journal cannot be used.
    pub(super) kept: Result<Option<Kept>, journal::Error>,
}

/// What a channel that has run has left.
pub(super) struct Kept {
    pub(super) journal: Arc<Journal>,
    pub(super) admission: Arc<Admission>,
}

impl Survey {
    /// Looks at a channel. One that has an access file and has never run gets its baseline by it.
    pub(super) fn of(root: &StateRoot, name: ChannelName) -> Self {
        let folder = root.folder(&name);
        let owner = Self::owner(&folder);
        let path = folder.join("journal.db");
        let seen = path.is_file() || folder.join("access.json").exists();
        let kept = seen.then(|| open(&name, &folder)).transpose();
        Self { name, folder, owner, kept }
    }

    /// Whether it is this process that serves the channel.
    pub(super) fn serves(&self, process: u32) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.starts_with(&format!("pid {process},")))
    }

    /// Whether it is no channel, but a table in `channels.toml` whose name is close to that of a built-in channel.
    pub(super) fn is_mistyped(&self) -> bool {
        let close = || hint(&self.name).contains("did you mean");
        builtin::find(&self.name).is_none() && !self.folder.is_dir() && close()
    }

    /// Who serves the channel with this folder, if anybody does.
    pub(super) fn owner(folder: &Path) -> Option<String> {
        match folder.is_dir().then(|| Lock::look(folder)) {
            Some(Err(lock::Error::Held { owner })) => Some(owner),
            _ => None,
        }
    }

    /// Every channel that is built in, that has settings, or that has run.
    pub(super) fn names(root: &StateRoot, settings: &Settings) -> Vec<ChannelName> {
        let mut names: Vec<String> = builtin::ALL.iter().map(|builtin| builtin.name.to_owned()).collect();
        names.extend(settings.channels().map(str::to_owned).chain(root.used()));
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names.iter().filter_map(|name| ChannelName::new(name).ok()).collect()
    }

    /// The channel that a person has named.
    pub(super) fn named(root: &StateRoot, name: &str) -> anyhow::Result<ChannelName> {
        let parsed = ChannelName::new(name)?;
        if builtin::find(name).is_none() && !root.folder(&parsed).is_dir() {
            anyhow::bail!("there is no channel \"{name}\"{}", hint(name));
        }
        Ok(parsed)
    }

    /// The same, and also a channel in a file that has not run yet, unless a built-in one was meant.
    pub(super) fn named_or_new(root: &StateRoot, name: &str) -> anyhow::Result<Named> {
        let parsed = ChannelName::new(name)?;
        if builtin::find(name).is_some() || root.folder(&parsed).is_dir() {
            return Ok(Named::Known(parsed));
        }
        let hint = hint(name);
        anyhow::ensure!(!hint.contains("did you mean"), "there is no channel \"{name}\"{hint}");
        let hint = nearest(name, root.used().iter().map(String::as_str));
        Ok(Named::New { name: parsed, close: hint.contains("did you mean").then_some(hint) })
    }
}

fn hint(name: &str) -> String {
    nearest(name, builtin::ALL.iter().map(|builtin| builtin.name))
}

/// Why no session can load this built-in channel, if that is for its table in `channels.toml` or the like.
pub(super) async fn fault_in_settings(
    launcher: &Launcher,
    name: &ChannelName,
) -> anyhow::Result<Option<String>> {
    let Some(builtin) = builtin::find(name) else { return Ok(None) };
    let blueprint = launch::load(launcher.engine(), builtin.name, builtin.bytes).await?;
    Ok(launcher.page_port(None, &blueprint.descriptor).err().map(|error| error.to_string()))
}

/// Opens what a channel keeps; makes it where it is missing.
pub(super) fn open(name: &ChannelName, folder: &Path) -> Result<Kept, journal::Error> {
    let journal = Journal::open(&folder.join("journal.db"))?;
    let admission = launch::admission(folder, &journal, builtin::find(name), None);
    Ok(Kept { journal, admission })
}
