//! Reads what a channel's folder tells about the channel, no matter which process serves it.

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
    settings::{Settings, closest, nearest},
    state_root::StateRoot,
};

/// A channel that a person has named.
pub(super) enum Named {
    /// The channel is built in or has a folder.
    Known(ChannelName),
    /// The channel has never run here.
    New {
        name: ChannelName,
        /// A channel that has run and whose name is similar.
        close: Option<String>,
    },
}

/// The state of one channel on the disk.
pub(super) struct Survey {
    pub(super) name: ChannelName,
    pub(super) folder: PathBuf,
    /// The process that serves the channel now.
    pub(super) owner: Option<String>,
    /// What the channel keeps. `None` if it has never run, an error if its journal cannot be used.
    pub(super) kept: Result<Option<Kept>, journal::Error>,
}

/// The data of a channel that has run.
pub(super) struct Kept {
    pub(super) journal: Arc<Journal>,
    pub(super) admission: Arc<Admission>,
}

impl Survey {
    /// Reads the state of a channel. If the channel has never run but has an access file, that file becomes its
    /// baseline.
    pub(super) fn of(root: &StateRoot, name: ChannelName) -> Self {
        let folder = root.folder(&name);
        let owner = Self::owner(&folder);
        let path = folder.join("journal.db");
        let seen = path.is_file() || folder.join("access.json").exists();
        let kept = seen.then(|| open(&name, &folder)).transpose();
        Self { name, folder, owner, kept }
    }

    /// Returns true if the process with this id serves the channel.
    pub(super) fn serves(&self, process: u32) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.starts_with(&format!("pid {process},")))
    }

    /// Returns the built-in channel that was meant, if this one is only a table in `channels.toml` with a similar name.
    pub(super) fn meant(&self) -> Option<&'static str> {
        meant(&self.name).filter(|_| !self.folder.is_dir())
    }

    /// Returns the process that serves the channel in this folder, if there is one.
    pub(super) fn owner(folder: &Path) -> Option<String> {
        match folder.is_dir().then(|| Lock::look(folder)) {
            Some(Err(lock::Error::Held { owner })) => Some(owner),
            _ => None,
        }
    }

    /// Returns every channel that is built in, has settings, or has run.
    pub(super) fn names(root: &StateRoot, settings: &Settings) -> Vec<ChannelName> {
        let mut names: Vec<String> = builtin::ALL.iter().map(|builtin| builtin.name.to_owned()).collect();
        names.extend(settings.channels().map(str::to_owned).chain(root.used()));
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names.iter().filter_map(|name| ChannelName::new(name).ok()).collect()
    }

    /// Parses the name of a channel. Fails unless the channel is built in or has a folder.
    pub(super) fn named(root: &StateRoot, name: &str) -> anyhow::Result<ChannelName> {
        let parsed = ChannelName::new(name)?;
        if builtin::find(name).is_none() && !root.folder(&parsed).is_dir() {
            anyhow::bail!("there is no channel \"{name}\"{}", hint(name));
        }
        Ok(parsed)
    }

    /// Like [`Self::named`], but also accepts a channel in a file that has not run yet. Fails if the name is close to
    /// that of a built-in channel.
    pub(super) fn named_or_new(root: &StateRoot, name: &str) -> anyhow::Result<Named> {
        let parsed = ChannelName::new(name)?;
        if builtin::find(name).is_some() || root.folder(&parsed).is_dir() {
            return Ok(Named::Known(parsed));
        }
        anyhow::ensure!(meant(name).is_none(), "there is no channel \"{name}\"{}", hint(name));
        let used = root.used();
        let close = closest(name, used.iter().map(String::as_str)).map(str::to_owned);
        Ok(Named::New { name: parsed, close })
    }
}

fn hint(name: &str) -> String {
    nearest(name, builtin::ALL.iter().map(|builtin| builtin.name))
}

/// Returns the built-in channel that a wrong name is close to.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    closest(name, builtin::ALL.iter().map(|builtin| builtin.name)).filter(|_| builtin::find(name).is_none())
}

/// Returns why no session can load this built-in channel, if the reason is in its settings, such as its table in
/// `channels.toml`.
pub(super) async fn fault_in_settings(
    launcher: &Launcher,
    name: &ChannelName,
) -> anyhow::Result<Option<String>> {
    let Some(builtin) = builtin::find(name) else { return Ok(None) };
    let blueprint = launch::load(launcher.engine(), builtin.name, builtin.bytes).await?;
    Ok(launcher.page_port(None, &blueprint.descriptor).err().map(|error| error.to_string()))
}

/// Opens what a channel keeps, and creates what is missing.
pub(super) fn open(name: &ChannelName, folder: &Path) -> Result<Kept, journal::Error> {
    let journal = Journal::open(&folder.join("journal.db"))?;
    let admission = launch::admission(folder, &journal, builtin::find(name), None);
    Ok(Kept { journal, admission })
}
