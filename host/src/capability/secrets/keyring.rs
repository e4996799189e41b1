//! The system's keyring, through the tool that comes with it: values go through pipes, never through a command line.

use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
};

/// The service name of tidegate's entries.
const SERVICE: &str = "tidegate";

/// The prefix of a value in the file that refers to an entry in the keyring.
pub(super) const REFERENCE: &str = "keyring:";

/// Why the keyring cannot be used. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The keyring's tool is not installed.
    #[error(
        "the system's keyring cannot be used: there is no {TOOL} ({HINT}). Run it again without --keyring to keep secrets in a file that only you can read"
    )]
    Missing,
    /// The keyring's tool has refused.
    #[error("the system's keyring says no: {0}")]
    Refused(String),
    /// The keyring's tool cannot be run.
    #[error("the system's keyring cannot be used: {0}")]
    Io(#[from] io::Error),
}

#[cfg(target_os = "macos")]
const TOOL: &str = "security";
#[cfg(target_os = "macos")]
const HINT: &str = "it belongs to the system";
#[cfg(not(target_os = "macos"))]
const TOOL: &str = "secret-tool";
#[cfg(not(target_os = "macos"))]
const HINT: &str = "the package libsecret-tools has it";

/// Checks that the keyring's tool is installed.
pub(super) fn check() -> Result<(), Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(TOOL).is_file()) {
        Ok(())
    } else {
        Err(Error::Missing)
    }
}

/// Reads an entry. Waits for a person if the keyring is locked.
pub(super) fn read(entry: &str) -> Result<String, Error> {
    let mut command = Command::new(TOOL);
    if cfg!(target_os = "macos") {
        command.args(["find-generic-password", "-s", SERVICE, "-a", entry, "-w"]);
    } else {
        command.args(["lookup", "service", SERVICE, "entry", entry]);
    }
    let text = run(command, "")?;
    let value = text.trim_end_matches('\n');
    if value.is_empty() {
        return Err(Error::Refused(format!("it has no entry {entry}")));
    }
    Ok(value.to_owned())
}

/// Writes an entry.
pub(super) fn write(entry: &str, value: &str) -> Result<(), Error> {
    let mut command = Command::new(TOOL);
    let input = if cfg!(target_os = "macos") {
        // The tool reads this line as a command: a value with quotes could add another command.
        if value.contains(['"', '\\', '\n']) || entry.contains(['"', '\\', '\n']) {
            return Err(Error::Refused("it accepts no quotes and backslashes here".to_owned()));
        }
        command.arg("-i");
        format!("add-generic-password -U -s {SERVICE} -a \"{entry}\" -w \"{value}\"\n")
    } else {
        command.args(["store", "--label", &format!("tidegate {entry}"), "service", SERVICE, "entry", entry]);
        value.to_owned()
    };
    run(command, &input).map(drop)
}

fn run(mut command: Command, input: &str) -> Result<String, Error> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing,
        _ => Error::Io(error),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // Writing fails if the tool has closed its input unread.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        let reason = if reason.trim().is_empty() { "it has no such entry" } else { reason.trim() };
        return Err(Error::Refused(reason.to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
