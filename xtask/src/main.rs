//! tidegate's own tasks. `cargo xtask` lists them.

mod clients;
mod dist;
mod guests;
mod node;
mod process;
mod tests;
mod toolchain;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "tidegate's own tasks", disable_help_subcommand = true)]
struct Arguments {
    /// Install missing system packages (Debian's, as root); also if CI is set. Otherwise name them. For `clients`:
    /// install the clients, 400 MB and more
    #[arg(long, global = true)]
    install: bool,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and start `tidegate try fakechat`
    Demo,
    /// Build the guests and run every test
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Build the guests into target/guests/*.wasm
    Guests {
        /// Also the guests that only tests use
        #[arg(long)]
        all: bool,
    },
    /// Build the program into target/release/tidegate
    Build {
        /// Build as it is shipped: smaller and faster, but slow to build. Writes target/dist/tidegate
        #[arg(long)]
        dist: bool,
    },
    /// Pack the release into target/archives: an archive for each platform, and checksums
    Dist {
        /// For this platform, such as aarch64-unknown-linux-gnu; may be given several times. The default is this
        /// machine's platform
        #[arg(long = "target", value_name = "PLATFORM")]
        platforms: Vec<String>,
    },
    /// Measure start, memory, latency and throughput of a release build
    #[command(disable_help_flag = true)]
    Bench {
        /// `fakechat` or `telegram`, and its options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "fakechat")]
        arguments: Vec<String>,
    },
    /// Run real clients against the program, offline, and print a table of the features that work
    Clients {
        /// Clients of tests/clients/clients.toml, as NAME or NAME=PROGRAM; the default is all that are installed
        #[arg(value_name = "CLIENT")]
        named: Vec<String>,
        /// Keep the logs of the run in this new folder; otherwise they are kept only if something fails
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Format, lint and test: every change must pass it
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let install = arguments.install || process::in_ci();
    match &arguments.task {
        Task::Guests { all } => {
            guests::build(if *all { guests::Set::All } else { guests::Set::Shipped }, install)
        }
        Task::Build { dist } => build(*dist, install).map(drop),
        Task::Dist { platforms } => dist::run(platforms, install),
        Task::Demo => {
            let program = build(false, install)?;
            process::run(std::process::Command::new(program).args(["try", "fakechat"]))
        }
        Task::Test { filter } => tests::run(filter.as_deref(), install),
        Task::Bench { arguments } => bench(arguments, install),
        // A client is too large to install without an explicit request, also in CI.
        Task::Clients { named, keep } => clients::run(named, keep.as_deref(), arguments.install, install),
        Task::Check => {
            process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
            guests::build(guests::Set::All, install)?;
            process::run(process::cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))?;
            tests::run(None, install)
        }
    }
}

fn bench(arguments: &[String], install: bool) -> anyhow::Result<()> {
    guests::build(guests::Set::All, install)?;
    let program = build(false, install)?;
    process::run(process::cargo().args(["build", "--package", "bench", "--release"]))?;
    let (kind, options) = arguments.split_first().context("say which: fakechat or telegram")?;
    let mut command = std::process::Command::new(process::target().join("release/bench"));
    command.arg(kind).arg("--program").arg(program).arg("--guests").arg(guests::directory()).args(options);
    process::run(&mut command)
}

fn build(dist: bool, install: bool) -> anyhow::Result<PathBuf> {
    guests::build(guests::Set::Shipped, install)?;
    let profile = if dist { "dist" } else { "release" };
    process::run(process::cargo().args(["build", "--package", "tidegate", "--profile", profile]))?;
    let program = process::target().join(profile).join("tidegate");
    process::say(&format!("built {}", program.display()));
    Ok(program)
}
