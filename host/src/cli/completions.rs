//! `tidegate completions`: the scripts for shells.

use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use super::output;

/// The variable by which the completion script asks the program for candidates.
pub(super) const VARIABLE: &str = "TIDEGATE_COMPLETE";

/// Print a completion script for your shell
///
/// The script asks the program itself, which also knows your channels, their chats, groups and people.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate\n  \
    tidegate completions zsh > ~/.zfunc/_tidegate\n  \
    tidegate completions fish > ~/.config/fish/completions/tidegate.fish")]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

/// The shells that there is a script for.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Completions {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let value = self.shell.to_possible_value();
        let name = value.as_ref().map_or("", |value| value.get_name());
        let shells = Shells::builtins();
        let shell = shells.completer(name).ok_or_else(|| anyhow::anyhow!("there is no script for {name}"))?;
        let mut script = Vec::new();
        shell.write_registration(VARIABLE, "tidegate", "tidegate", "tidegate", &mut script)?;
        Ok(output::print(&String::from_utf8_lossy(&script))?)
    }
}
