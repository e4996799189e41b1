//! Runs real clients of the channel protocol against the built program, offline, and prints a table of the features
//! that work.
//!
//! | module | what it is | may use |
//! | --- | --- | --- |
//! | `conformance/` | the steps of one client's run | everything |
//! | `session/` | a client that runs, without a terminal or in one | `client`, `dialog`, the crate `terminal` |
//! | `client` | which clients are here, and getting others | `description` |
//! | `server` | the program under test | `wait` |
//! | `page`, `model/` | the two ends at which the run looks | `description`, `wait` |
//! | `table` | what is printed | `step` |
//! | `description`, `dialog`, `step` | plain data | each other |
//! | `descendants`, `namespace`, `wait` | the system | nothing |
//!
//! Network namespaces and subreapers exist only on Linux: on other systems this crate is empty.

#![cfg(target_os = "linux")]

mod client;
mod conformance;
mod descendants;
mod description;
mod dialog;
mod model;
mod namespace;
mod page;
mod server;
mod session;
mod step;
mod table;
mod wait;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;
use tempfile::TempDir;

use crate::{description::Description, step::Results};

/// Run real clients against tidegate, offline, and print a table of what works
#[derive(Parser)]
#[command(name = "cargo xtask clients")]
struct Arguments {
    /// Clients of clients.toml, as NAME or NAME=PROGRAM; the default is all that are installed
    #[arg(value_name = "CLIENT")]
    named: Vec<String>,
    /// Install the clients from their registry first: 400 MB and more
    #[arg(long)]
    install: bool,
    /// Keep the logs of the run in this new folder; otherwise they are kept only if something fails
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// The program under test
    #[arg(long, hide = true)]
    program: PathBuf,
    /// The folder of installed clients
    #[arg(long, hide = true)]
    cache: PathBuf,
    /// Descriptions of clients, in place of clients.toml
    #[arg(long, hide = true)]
    descriptions: Option<PathBuf>,
    /// Stay in this network: for stand-in clients, which connect only to loopback
    #[arg(long, hide = true)]
    in_place: bool,
    /// The time limit of one step, in seconds. Generous, because the machine may be busy
    #[arg(long, hide = true, default_value = "60")]
    patience: u64,
}

/// The program: reads its arguments, runs the clients, prints the table.
pub fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let descriptions = Description::read(arguments.descriptions.as_deref())?;
    if arguments.install {
        client::install(&descriptions, &arguments.named, &arguments.cache)?;
    }
    let clients = client::find(&descriptions, &arguments.named, &arguments.cache)?;
    for (name, description) in &descriptions {
        let named = arguments.named.iter().any(|named| named.split('=').next() == Some(name));
        if clients.iter().all(|client| client.name != *name) && (arguments.named.is_empty() || named) {
            complain(&format!("SKIPPED {name}: {}", description.where_to_find(name)));
        }
    }
    if clients.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.in_place {
        // Before anything starts a thread: a namespace is entered by one thread alone.
        namespace::enter().context("no client is started, because it might reach a network")?;
    }
    descendants::adopt()?;
    let (folder, temporary) = logs(arguments.keep.as_deref())?;
    let program = arguments
        .program
        .canonicalize()
        .with_context(|| format!("the program under test is not there: {}", arguments.program.display()))?;
    let patience = Duration::from_secs(arguments.patience);
    let mut columns = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        let work = folder.join(format!("{}-{number}", client.name));
        complain(&format!("running {} ({})", client.name, client.program.display()));
        columns.push(conformance::run(client, &program, &work, patience));
    }
    let failed = columns.iter().any(Results::failed);
    print(&table::render(&columns))?;
    if failed && let Some(temporary) = temporary {
        print(&format!("\nThe logs are kept in {}\n", temporary.keep().display()))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Creates the folder for the logs, with a guard that removes it unless it is to be kept.
fn logs(keep: Option<&Path>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    if let Some(folder) = keep {
        std::fs::create_dir(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // Clients are started elsewhere.
        return Ok((folder.canonicalize()?, None));
    }
    let temporary = tempfile::Builder::new().prefix("tidegate-clients-").tempdir()?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// Prints a line for the user, separate from the table.
fn complain(line: &str) {
    // There is nowhere to report to if even this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}
