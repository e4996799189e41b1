//! Measures the speed and the memory of a release build, and compares them with a minimal server.
//!
//! Machines differ and are busy, so the ratio of two figures of one run says more than each figure alone.

mod client;
mod fakechat;
mod floor;
mod server;
mod statistics;
mod telegram;

use std::{io::Write as _, path::PathBuf};

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A chat page on loopback
    Fakechat {
        #[command(flatten)]
        subject: Subject,
        #[command(flatten)]
        options: fakechat::Options,
    },
    /// A Bot API on loopback, near and far away
    Telegram {
        #[command(flatten)]
        subject: Subject,
        #[command(flatten)]
        options: telegram::Options,
    },
    /// A minimal server for comparison
    #[command(subcommand, hide = true)]
    Floor(floor::Kind),
}

/// The program under measurement, and the guests.
#[derive(clap::Args)]
struct Subject {
    /// The program
    #[arg(long)]
    program: PathBuf,
    /// The folder of the guests
    #[arg(long)]
    guests: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Fakechat { subject, options } => fakechat::run(&subject, &options),
        What::Telegram { subject, options } => telegram::run(&subject, &options),
        What::Floor(kind) => floor::run(kind),
    }
}

/// Writes a line to standard output.
fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
