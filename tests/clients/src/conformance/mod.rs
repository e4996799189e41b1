//! One client's run: every step of the table.

mod calls;
mod channel;
mod dialogs;
mod plugin;

use std::{fs, path::Path, process::ExitStatus, time::Duration};

use anyhow::{Context as _, bail};

use crate::{
    client::Client,
    descendants,
    description::Description,
    model::{Model, Script},
    server::Server,
    session::{Workplace, clean},
    step::{Results, Step},
};

/// The channel under test: it needs no account.
const CHANNEL: &str = "fakechat";

/// The maximum time that the client's processes may outlive it. Claude Code kills a server half a second after it asked
/// it to end.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a client through all steps. Its home, its project and all logs are below `work`.
pub(crate) fn run(client: &Client, program: &Path, work: &Path, patience: Duration) -> Results {
    let mut results = Results::new(&client.description.title);
    if let Err(error) = attempt(client, program, work, patience, &mut results) {
        // What came after it has failed as well: see `Results::outcome`.
        results.note_result(Step::Handshake, Err(error));
    }
    for process in descendants::gone(Duration::ZERO) {
        results.note_result(Step::End, Err(anyhow::anyhow!("a process was left: {}", process.command)));
    }
    results
}

fn attempt(
    client: &Client,
    program: &Path,
    work: &Path,
    patience: Duration,
    results: &mut Results,
) -> anyhow::Result<()> {
    let (home, project) = (work.join("home"), work.join("project"));
    for folder in [&home, &project] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    results.title = title(client, &home, &project)?;
    let description = &client.description;
    let script = Script::new(description.tool_name(CHANNEL, "reply"), description.search.clone());
    let model = Model::start(script, &work.join("requests.jsonl"))?;
    let workplace = Workplace {
        client,
        home,
        project,
        logs: work.to_owned(),
        model: model.address(),
        server: CHANNEL.to_owned(),
        patience,
    };
    // Without a terminal there is no word on whether a session takes messages.
    let calling = Server::new(program, CHANNEL, "always", work, "calls")?;
    calls::run(&workplace, &calling, &model, results);
    let pushing = Server::new(program, CHANNEL, &description.opt_in, work, "channel")?;
    channel::run(&workplace, &pushing, program, &model, results)?;
    plugin::run(client, program, work, patience, results)
}

/// Returns the client's name and version.
fn title(client: &Client, home: &Path, project: &Path) -> anyhow::Result<String> {
    let Description { title, version, .. } = &client.description;
    let mut command = clean(&client.program, home, project);
    let output = command.args(version).output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} has ended with {}", output.status);
    }
    let version = String::from_utf8_lossy(&output.stdout);
    // "2.1.331 (Claude Code)", "program 1.0"
    let number =
        version.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(format!("{title} {}", number.unwrap_or("of no known version")))
}

/// Checks that the client has ended successfully and has left no processes and no open port behind.
fn check_end(ended: anyhow::Result<ExitStatus>, server: &Server) -> anyhow::Result<()> {
    // Also where the client did not end by itself: what it leaves would disturb the next part.
    let left = descendants::gone(GRACE);
    let status = ended?;
    if !status.success() {
        bail!("the client has ended with {status}");
    }
    if !left.is_empty() {
        let commands: Vec<_> = left.iter().map(|process| process.command.as_str()).collect();
        bail!("processes were left:\n{}", commands.join("\n"));
    }
    if server.is_listening() {
        bail!("something still listens on the page's port {}", server.port);
    }
    Ok(())
}
