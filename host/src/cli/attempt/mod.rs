//! `tidegate try`: the same host, with a session in this terminal.
//!
//! The session is a real MCP client at the other end of a stream in memory, so the terminal shows what a session would
//! see.

mod client;
mod command;
mod completion;
mod conversation;
mod editor;
mod layout;
mod obstacle;
mod screen;
mod terminal;

use std::{collections::VecDeque, sync::Arc};

use clap::Args;
use tokio::sync::mpsc;

pub(super) use self::{
    client::{Arrival, LocalSession, Question},
    obstacle::obstacles,
};
use self::{
    conversation::{Call, Conversation, Step},
    obstacle::Obstacle,
    terminal::Terminal,
};
use super::{
    Common, output,
    serve::{self, Channels},
    stderr::Diversion,
};
use crate::{
    claude::{self, OptIn},
    launch::{Launched, Launcher, Order},
    session::Dialogs,
};

/// Try channels here, without Claude Code: this terminal is the session
///
/// Messages are shown as the session would see them. What you type is sent as a reply to whoever wrote last;
/// /help shows what else there is. With stdin not a terminal, lines are read from it until its end.
#[derive(Args)]
pub(super) struct Try {
    #[command(flatten)]
    channels: Channels,
}

impl Try {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let runtime = super::runtime()?;
        // The user of this command wants to see messages.
        let order = Order { opt_in: OptIn::Always, at_terminal: true, ..self.channels.order() };
        let result = runtime.block_on(run(order, common));
        runtime.shutdown_background();
        result
    }
}

async fn run(order: Order, common: &Common) -> anyhow::Result<()> {
    let stopped = serve::stop_signal()?;
    // Queue the log's lines, so that they appear between the lines of the conversation and not inside the prompt.
    let log = Diversion::begin();
    let launcher = common.launcher(common.log.quiet())?;
    tokio::select! {
        () = stopped => Ok(()),
        result = converse(&launcher, &order, log) => result,
    }
}

async fn converse(launcher: &Arc<Launcher>, order: &Order, mut log: Diversion) -> anyhow::Result<()> {
    let Launched { hub, attention, judging: _ } = launcher.launch(order).await?;
    let _flush = serve::FlushAtEnd(hub.clone());
    for preparing in hub.loaded().preparing() {
        output::complain(&format!("preparing {}: its component is compiled once", preparing.label));
    }
    hub.prepared().await;
    if let ([], [first, ..]) = (hub.loaded().channels(), hub.loaded().missing()) {
        log.discard();
        anyhow::bail!("{first}");
    }
    let obstacles = obstacles(launcher, order.port, &hub).await?;
    if obstacles.iter().filter(|obstacle| obstacle.total).count() == hub.loaded().channels().len() {
        // The log has the same messages as the error below.
        log.discard();
        anyhow::bail!("{}", obstacles.iter().map(Obstacle::describe).collect::<Vec<_>>().join("\n"));
    }
    // A pipe can carry lines from any program, so answers count as a person's only at a terminal.
    let dialogs = if claude::at_terminal().is_ok() { Dialogs::Believed } else { Dialogs::Doubted };
    let (session, arrived) = LocalSession::begin(&hub, dialogs, attention).await?;
    let conversation = Conversation::new(session.peer(), &hub).await?;
    let greeting = conversation.greeting(&hub, &obstacles);
    talk(conversation, &greeting, arrived, log).await
}

/// Passes lines to the session and its output to the terminal, until one of them ends.
async fn talk(
    mut conversation: Conversation,
    greeting: &str,
    mut arrived: mpsc::UnboundedReceiver<Arrival>,
    mut log: Diversion,
) -> anyhow::Result<()> {
    let mut terminal = Terminal::open()?;
    terminal.print(greeting)?;
    if !terminal.is_screen() {
        log.release();
    }
    let mut lines = VecDeque::<String>::new();
    let mut calling: Option<Call> = None;
    loop {
        terminal.set(conversation.situation());
        // Lines are carried out one after the other.
        while calling.is_none()
            && let Some(line) = lines.pop_front()
        {
            match conversation.obey(&line) {
                Step::Say(text) => terminal.print(&text)?,
                Step::Call(call) => calling = Some(call),
                Step::End => return Ok(()),
            }
            terminal.set(conversation.situation());
        }
        let is_free = calling.is_none();
        tokio::select! {
            biased;
            Some(lines) = log.lines() => terminal.print(&lines)?,
            Some(arrival) = arrived.recv() => terminal.print(&conversation.receive(arrival))?,
            answer = async { calling.as_mut()?.await.into() }, if !is_free => {
                calling = None;
                if let Some(answer) = answer {
                    terminal.print(&conversation.finish(answer))?;
                }
            }
            line = terminal.line(), if is_free || terminal.is_screen() => match line? {
                Some(line) => lines.push_back(line),
                None => return Ok(()),
            },
        }
    }
}
