//! Tests that need Node: the official SDK's client, a browser, and a bot framework on the fake Bot API.

use std::{path::PathBuf, process::Command};

use crate::process;

/// Which Node tests to run.
pub(crate) enum Plan {
    /// All tests, if none is named.
    Run {
        tests: &'static [&'static str],
        chromium: Option<PathBuf>,
    },
    Skip,
}

/// Looks for Node and Chromium; names the tests that are skipped without them.
pub(crate) fn plan(install: bool) -> Plan {
    let node = process::exists("node") && process::exists("npm") || process::apt(&["nodejs", "npm"], install);
    if !node {
        process::say(
            "SKIPPED interop, grammy and browser: node and npm are not installed (apt-get install nodejs npm)",
        );
        return Plan::Skip;
    }
    let chromium =
        find_chromium().or_else(|| process::apt(&["chromium"], install).then(find_chromium).flatten());
    if chromium.is_some() {
        // Node finds every file: none can be forgotten here.
        return Plan::Run { tests: &[], chromium };
    }
    process::say("SKIPPED browser: chromium is not installed (apt-get install chromium, or set CHROMIUM)");
    Plan::Run { tests: &["interop.test.mjs", "grammy.test.mjs"], chromium }
}

fn find_chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let usual =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| path.is_file())
}

/// Runs the tests against this program.
pub(crate) fn run(plan: &Plan, program: &std::path::Path) -> anyhow::Result<()> {
    let Plan::Run { tests, chromium } = plan else { return Ok(()) };
    let folder = process::root().join("tests/node");
    process::run(
        Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder),
    )?;
    process::run(process::cargo().args(["build", "--quiet", "--package", "fake-telegram"]))?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec"])
        .args(*tests)
        .current_dir(&folder)
        .env("TIDEGATE_BIN", program)
        .env("FAKE_TELEGRAM_BIN", process::target().join("debug/fake-telegram"));
    if let Some(chromium) = chromium {
        node.env("CHROMIUM", chromium);
    }
    process::run(&mut node)
}
