//! Runs real clients of the channel protocol against the built program, offline, and prints what works.

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
mod terminal;
mod wait;

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;

use crate::{description::Description, step::Results};

/// Run real clients against tidegate, offline, and print a table of what works
#[derive(Parser)]
#[command(name = "cargo xtask clients")]
struct Arguments {
    /// Clients of clients.toml, as NAME or NAME=PROGRAM; all that are here, if none is named
    #[arg(value_name = "CLIENT")]
    named: Vec<String>,
    /// Get the clients from their registry first: 400 MB and more
    #[arg(long)]
    install: bool,
    /// Keep the logs of the run in this new folder; otherwise they are kept only if something fails
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// The program under test
    #[arg(long, hide = true)]
    program: PathBuf,
    /// Where installed clients are
    #[arg(long, hide = true)]
    cache: PathBuf,
    /// Descriptions of clients, in place of clients.toml
    #[arg(long, hide = true)]
    descriptions: Option<PathBuf>,
    /// Stay in this network: for stand-in clients, which are known to open no connection but to loopback
    #[arg(long, hide = true)]
    in_place: bool,
    /// How long one thing may take, in seconds. Generous: the machine may be busy
    #[arg(long, hide = true, default_value = "60")]
    patience: u64,
}

fn main() -> ExitCode {
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
    let (folder, temporary) = match &arguments.keep {
        Some(folder) => (folder.clone(), None),
        None => {
            let temporary = tempfile::Builder::new().prefix("tidegate-clients-").tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
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

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// A line for the person, beside the table.
fn complain(line: &str) {
    // There is nowhere to report to if even this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}
