//! Runs every test.

use std::{env, thread};

use crate::{guests, node, process};

/// The number of tests that run at once on each core: mostly they wait for a deadline or another process.
const PER_CORE: usize = 3;

pub(crate) fn run(filter: Option<&str>, install: bool) -> anyhow::Result<()> {
    guests::build(guests::Set::All, install)?;
    let mut cargo = process::cargo();
    cargo.args(["test", "--workspace", "--quiet"]);
    if env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        cargo.env("RUST_TEST_THREADS", (cores * PER_CORE).to_string());
    }
    if let Some(filter) = filter {
        cargo.arg(filter);
    }
    process::run(&mut cargo)?;
    if filter.is_some() {
        process::say("the node tests were left out: they run without a filter");
        return Ok(());
    }
    let plan = node::plan(install);
    node::run(&plan, &process::target().join("debug/tidegate"))
}
