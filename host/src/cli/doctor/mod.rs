//! `tidegate doctor`: checks what a support thread would ask for, with a cure for each problem.

mod channel;
mod component;
mod file;
mod finding;
mod remains;
mod session;

use std::{fmt::Write as _, path::Path, process::ExitCode};

use clap::Args;

use self::finding::{Check, Checks, Finding, State, bad, edit, good, notice};
use super::{
    Common, candidates,
    output::{self, Paint},
    survey::{Survey, meant},
};
use crate::{
    claude::{ChannelPolicy, Policy, Reason},
    contract,
    launch::{self, Launcher},
    settings::Settings,
};

/// Look for what keeps messages from arriving, and say what to do about it
///
/// Ends with 1 if something is wrong.
#[derive(Args)]
pub(super) struct Doctor {
    /// Which channel; all of them without
    #[arg(add = candidates::channels())]
    channel: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let checks = match common.launcher(common.log.silent()) {
            Ok(launcher) => super::runtime()?.block_on(examine(&launcher, self.channel.as_deref()))?,
            // Without valid settings, no other check is possible.
            Err(launch::Error::Settings(error)) => {
                let mut checks = Checks::default();
                let cure = edit(&common.state_root()?.settings());
                checks.add(None, "settings", bad(error.to_string(), cure));
                checks
            }
            Err(error) => return Err(error.into()),
        };
        let text = if self.json {
            serde_json::to_string_pretty(&checks.0)? + "\n"
        } else {
            show(&checks.0, Paint::stdout())
        };
        output::print(&text)?;
        let healthy = checks.0.iter().all(|check| check.state != State::Bad);
        Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn examine(launcher: &Launcher, channel: Option<&str>) -> anyhow::Result<Checks> {
    let root = launcher.root();
    let settings = Settings::read(&root.settings())?;
    let names = match channel {
        Some(name) => vec![Survey::named(root, name)?],
        None => Survey::names(root, &settings),
    };
    let mut checks = Checks::default();
    checks.add(
        None,
        "version",
        good(format!("tidegate {}, channel contract {}", env!("CARGO_PKG_VERSION"), contract::VERSION)),
    );
    checks.add(None, "state root", file::folder(root.path()));
    checks.add(None, "settings", tables(&settings, &root.settings()));
    let policy = Policy::read();
    checks.add(
        None,
        "policy",
        match policy.channels() {
            ChannelPolicy::Enabled => good("no organisation's settings stand in the way on this machine"),
            ChannelPolicy::Unsaid(file) => {
                let reason = Reason::PolicyUnsaid(file.clone());
                notice(reason.found(), reason.cure())
            }
            ChannelPolicy::Blocked(blocked) => bad(&blocked.found, blocked.cure),
        },
    );
    for name in names {
        channel::examine(&mut checks, launcher, &settings, &policy, name).await?;
    }
    Ok(checks)
}

/// Checks the settings for a table that no channel reads, because its name is a misspelled channel name.
fn tables(settings: &Settings, path: &Path) -> Finding {
    let strange = settings.channels().find_map(|table| Some((table, meant(table)?)));
    match strange {
        Some((table, meant)) => notice(
            format!(
                "[{table}] in {} is the table of no built-in channel; did you mean \"{meant}\"?",
                path.display()
            ),
            "Rename the table, or remove it",
        ),
        None if path.exists() => good(format!("{} can be read", path.display())),
        None => good(format!("the defaults, because there is no {}", path.display())),
    }
}

fn show(checks: &[Check], paint: Paint) -> String {
    let mut text = String::new();
    let mut last = None;
    for check in checks {
        if last != Some(&check.channel) {
            let title = check.channel.as_deref().map_or("tidegate", |name| name);
            let gap = if last.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", paint.bold(title));
            last = Some(&check.channel);
        }
        let mark = match check.state {
            State::Good => paint.green("✓"),
            State::Notice => paint.yellow("•"),
            State::Bad => paint.red("✗"),
        };
        let _ = writeln!(text, "  {mark} {:<12} {}", check.what, output::harmless(&check.found));
        if let Some(cure) = &check.cure {
            let _ = writeln!(text, "    {:<12} {}", "", paint.dim(&format!("→ {}", output::harmless(cure))));
        }
    }
    text
}
