//! Every test that there is.

use crate::{guests, node, process};

pub(crate) fn run(filter: Option<&str>, install: bool) -> anyhow::Result<()> {
    guests::build(guests::Set::All, install)?;
    let mut cargo = process::cargo();
    cargo.args(["test", "--workspace", "--quiet"]);
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
