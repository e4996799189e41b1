//! Runs real clients against the program.

use std::{path::Path, process::Command};

use crate::{guests, process};

/// Runs the named clients, or all that are installed; with `fetch`, installs them first.
pub(crate) fn run(named: &[String], keep: Option<&Path>, fetch: bool, install: bool) -> anyhow::Result<()> {
    guests::build(guests::Set::All, install)?;
    // With the same features as the tests, so that nothing is built twice.
    process::run(process::cargo().args(["test", "--workspace", "--no-run", "--quiet"]))?;
    let built = process::target().join("debug");
    let mut command = Command::new(built.join("clients"));
    command
        .arg("--program")
        .arg(built.join("tidegate"))
        .arg("--cache")
        .arg(process::target().join("clients"));
    if let Some(folder) = keep {
        command.arg("--keep").arg(folder);
    }
    if fetch {
        command.arg("--install");
    }
    process::run(command.args(named))
}
