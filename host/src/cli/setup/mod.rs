//! `tidegate setup`: sets a channel up step by step, until a message arrives.
//!
//! Each step shows what it finds and asks before it changes anything, so the command can be interrupted and repeated.

mod entry;
mod hello;

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use self::entry::Entry;
use super::{
    Common,
    answers::Answers,
    candidates,
    configure::{self, Stored},
    output::{self, Paint},
    port, serve,
};
use crate::{
    builtin, claude, contract::Source, guest::Identity, hub::Channel, launch::Launcher, settings::nearest,
};

/// Set a channel up, step by step: its token, the first message, and Claude Code
///
/// For a person at a terminal. It can be interrupted and repeated: what is there already is shown and kept.
#[derive(Args)]
pub(super) struct Setup {
    /// Which channel; asked for without
    #[arg(add = candidates::channels())]
    channel: Option<String>,
    /// Keep secrets in the system's keyring rather than in a file
    #[arg(long)]
    keyring: bool,
    /// The loopback port of the channel's page; 0 means any free one
    #[arg(long, value_parser = port::number)]
    port: Option<u16>,
}

impl Setup {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        claude::at_terminal()?;
        let launcher = common.launcher(common.log.quiet())?;
        let runtime = super::runtime()?;
        let result = runtime.block_on(async {
            let stopped = serve::stop_signal()?;
            tokio::select! {
                () = stopped => Ok(()),
                result = self.guide(&launcher, common) => result,
            }
        });
        // Do not wait for a read of a line that will not be typed.
        runtime.shutdown_background();
        result
    }

    async fn guide(&self, launcher: &Arc<Launcher>, common: &Common) -> anyhow::Result<()> {
        let paint = Paint::stdout();
        let mut answers = Answers::default();
        let name = match &self.channel {
            Some(name) => name.clone(),
            None => choose(launcher, &mut answers).await?,
        };
        let channel = launcher.open(&name).await?;
        let mut step = Steps::new(paint);
        let identity = if configure::wanted(&channel).is_empty() {
            None
        } else {
            step.begin("The account")?;
            configure::store(&channel, self.keyring, &mut answers).await.map(Stored::identity)?
        };
        step.begin("The first message")?;
        hello::greet(launcher, (&name, self.port), identity.as_ref(), &mut answers).await?;
        step.begin("Claude Code")?;
        // Claude Code may start servers without the variable, so the entry includes the folder.
        let home = common.home.clone().or_else(|| std::env::var_os("TIDEGATE_HOME").map(PathBuf::from));
        let entry = Entry::new(&name, home.as_deref(), self.port);
        let placed = entry.place(&mut answers, paint).await?;
        let page = match channel.guest().source() {
            Source::Web => Some(launcher.page_port(None, channel.descriptor())?),
            Source::Poll | Source::Socket => None,
        };
        output::print(&end(&channel, identity.as_ref(), page, placed, paint))?;
        Ok(())
    }
}

/// Numbered headings.
struct Steps {
    count: usize,
    paint: Paint,
}

impl Steps {
    fn new(paint: Paint) -> Self {
        Self { count: 0, paint }
    }

    fn begin(&mut self, title: &str) -> std::io::Result<()> {
        self.count += 1;
        output::print(&format!("\n{}\n", self.paint.bold(&format!("{}. {title}", self.count))))
    }
}

async fn choose(launcher: &Arc<Launcher>, answers: &mut Answers) -> anyhow::Result<String> {
    let paint = Paint::stdout();
    for builtin in &builtin::ALL {
        let channel = launcher.open(builtin.name).await?;
        let summary = &channel.descriptor().summary;
        output::print(&format!("{}  {summary}\n", paint.bold(builtin.name)))?;
    }
    loop {
        let name = answers.ask("Which channel? ").await?;
        if builtin::find(&name).is_some() {
            return Ok(name);
        }
        let hint = nearest(&name, builtin::ALL.iter().map(|builtin| builtin.name));
        output::print(&format!("There is no channel \"{}\"{hint}.\n", output::harmless(&name)))?;
    }
}

/// Returns what to do next.
fn end(
    channel: &Channel,
    identity: Option<&Identity>,
    page: Option<u16>,
    placed: bool,
    paint: Paint,
) -> String {
    let name = channel.name();
    let command = paint.bold(&format!("claude --dangerously-load-development-channels server:{name}"));
    let place = identity.and_then(|identity| identity.link.clone());
    let write = match (place, page) {
        (Some(link), _) => format!("to {}", paint.cyan(&link)),
        (None, Some(port)) if port != 0 => {
            format!("on its page, {}", paint.cyan(&format!("http://127.0.0.1:{port}")))
        }
        (None, _) => format!("on its page, whose address `tidegate status {name}` shows"),
    };
    let ready = if placed {
        paint.green("Ready.")
    } else {
        paint.yellow("Almost ready: put the entry above into .mcp.json in your project.")
    };
    format!(
        "\n{ready} Start a session in your project, confirm its question about the channel, and write {write}:\n  {command}\n\
         `tidegate doctor {name}` checks all of this at any time.\n"
    )
}
