//! Runs other programs, and reports to the user.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

/// Returns the repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Returns cargo's target folder.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// Returns the cargo that runs this task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a program in this terminal. A failure is an error that names the program.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Runs a program without output; returns its standard output if it succeeded.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

/// Returns whether this program exists and runs.
pub(crate) fn exists(program: &str) -> bool {
    output(Command::new(program).arg("--version")).is_some()
}

/// Returns whether this is a run of continuous integration.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Installs Debian packages, if `install` is set and the system has apt.
pub(crate) fn apt(packages: &[&str], install: bool) -> bool {
    if !install || !exists("apt-get") {
        return false;
    }
    say(&format!("installing {}", packages.join(" ")));
    let mut update = Command::new("apt-get");
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    output(update.arg("update")).is_some() && output(&mut install).is_some()
}

/// Prints a line for the user.
pub(crate) fn say(line: &str) {
    // If this fails, there is no other place to report to.
    let _ = writeln!(std::io::stderr(), "{line}");
}
