//! `tidegate manual`: the man pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::{Arguments, output};

/// Write the manual pages into a folder, one for each command
#[derive(Args)]
pub(super) struct Manual {
    /// An existing folder, such as ~/.local/share/man/man1
    folder: PathBuf,
}

impl Manual {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        clap_mangen::generate_to(Arguments::command(), &self.folder)
            .map_err(|error| anyhow::anyhow!("no pages in {}: {error}", self.folder.display()))?;
        Ok(output::print(&format!("wrote {}\n", self.folder.join("tidegate.1").display()))?)
    }
}
