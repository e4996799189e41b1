//! tidegate's own tasks. `cargo xtask` lists them.

mod bench;
mod floor;
mod guests;
mod node;
mod process;
mod tests;
mod toolchain;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "tidegate's own tasks", disable_help_subcommand = true)]
struct Arguments {
    /// Install missing system packages (Debian's, as root). Otherwise what is missing is named.
    #[arg(long, global = true, env = "CI")]
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
        /// Also the ones that only tests use
        #[arg(long)]
        all: bool,
    },
    /// Build the program into target/release/tidegate
    Build {
        /// As it is shipped: smaller and faster, but slow to build. Goes to target/dist/tidegate
        #[arg(long)]
        dist: bool,
    },
    /// Measure start, memory, latency and throughput of a release build
    Bench(bench::Options),
    /// Format, lint and test: what a change must pass
    Check,
    /// The least that such a server can be, to compare with
    #[command(hide = true)]
    Floor,
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
    let install = arguments.install;
    match &arguments.task {
        Task::Guests { all } => {
            guests::build(if *all { guests::Set::All } else { guests::Set::Shipped }, install)
        }
        Task::Build { dist } => build(*dist, install).map(drop),
        Task::Demo => {
            let program = build(false, install)?;
            process::run(std::process::Command::new(program).args(["try", "fakechat"]))
        }
        Task::Test { filter } => tests::run(filter.as_deref(), install),
        Task::Bench(options) => bench::run(&build(false, install)?, options),
        Task::Floor => floor::run(),
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

fn build(dist: bool, install: bool) -> anyhow::Result<std::path::PathBuf> {
    guests::build(guests::Set::Shipped, install)?;
    let profile = if dist { "dist" } else { "release" };
    process::run(process::cargo().args(["build", "--package", "tidegate", "--profile", profile]))?;
    let program = process::target().join(profile).join("tidegate");
    process::say(&format!("built {}", program.display()));
    Ok(program)
}
