use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Arguments, output};

/// Print a completion script for your shell
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate\n  \
    tidegate completions zsh > ~/.zfunc/_tidegate\n  \
    tidegate completions fish > ~/.config/fish/completions/tidegate.fish")]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "tidegate", &mut script);
        Ok(output::print(&String::from_utf8_lossy(&script))?)
    }
}
