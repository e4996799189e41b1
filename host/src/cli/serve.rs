//! `tidegate serve`: serves channels to a session over stdin and stdout.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Common, candidates, output, port};
use crate::{
    claude::{self, OptIn},
    hub::Hub,
    launch::{Launched, Launcher, Order},
    memory, parent,
    session::{self, Dialogs},
    stdio,
};

/// The time after which the start is over, and memory that only the start needed can be released.
const STARTED: Duration = Duration::from_millis(500);

/// How long to wait for receipts at the end. Claude Code sends its next signal 100 ms after the first.
const LAST: Duration = Duration::from_millis(80);

/// How often to release memory that was mapped again in busy periods. Its next use is slower once.
const SELDOM: Duration = Duration::from_mins(10);

/// Serve channels to a Claude Code session, over MCP on stdin and stdout
///
/// This is what stands in `.mcp.json`. A session receives messages only if it was started with the server's name.
#[derive(Args)]
#[command(after_help = "In .mcp.json:\n  \
    {\"mcpServers\": {\"fakechat\": {\"command\": \"tidegate\", \"args\": [\"serve\", \"fakechat\"]}}}\n\n\
    Then:\n  \
    claude --dangerously-load-development-channels server:fakechat")]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) channels: Channels,
    /// Under which name the client has this server configured, if it is not the channel's
    #[arg(long = "as", value_name = "NAME")]
    server: Option<String>,
    /// Deliver messages: as Claude Code's log, its command line and its organisation's policy say (auto), always, or never
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    opt_in: OptIn,
}

/// Which channels, shared by `serve` and `try`.
#[derive(Args)]
pub(super) struct Channels {
    /// Names of channels: see `tidegate list`
    #[arg(value_name = "CHANNEL", required_unless_present = "development", add = candidates::channels())]
    names: Vec<String>,
    /// Also load a channel from this component file, which nobody has approved. May be given several times
    #[arg(
        long = "load",
        alias = "dangerously-load-development-channels",
        id = "development",
        value_name = "FILE"
    )]
    development: Vec<PathBuf>,
    /// The loopback port of the channel's page; wins over <CHANNEL>_PORT and channels.toml. 0 means any free one
    #[arg(long, value_parser = port::number)]
    port: Option<u16>,
}

impl Channels {
    pub(super) fn order(self) -> Order {
        Order { names: self.names, development: self.development, port: self.port, ..Order::default() }
    }
}

impl Serve {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let runtime = super::runtime()?;
        let order = Order { server: self.server, opt_in: self.opt_in, ..self.channels.order() };
        let result = runtime.block_on(serve(order, common));
        // Do not wait for tasks that still run, such as a read that will not be answered or a compiler.
        runtime.shutdown_background();
        result
    }
}

async fn serve(order: Order, common: &Common) -> anyhow::Result<()> {
    let stopped = stop_signal()?;
    let launcher = common.launcher(common.log)?;
    session(&launcher, &order, stopped).await
}

async fn session(
    launcher: &Arc<Launcher>,
    order: &Order,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        output::complain(
            "This speaks MCP to a program. For a session in this terminal: tidegate try CHANNEL",
        );
    }
    let mut stopped = std::pin::pin!(stopped);
    let Launched { hub, attention, judging } = tokio::select! {
        () = &mut stopped => return Ok(()),
        running = launcher.launch(order) => running?,
    };
    let judging = tokio::spawn(judging);
    let _flush = FlushAtEnd(hub.clone());
    let (reader, writer) = stdio::take()?;
    // Claude Code does not start its servers from a model's shell, so the dialogs of a client there are not trusted.
    let dialogs = if claude::in_models_shell() { Dialogs::Doubted } else { Dialogs::Believed };
    let upkeep = tokio::spawn(hub.clone().upkeep());
    let trim = tokio::spawn(async {
        tokio::time::sleep(STARTED).await;
        loop {
            memory::trim();
            tokio::time::sleep(SELDOM).await;
        }
    });
    tokio::select! {
        () = session::serve(hub.clone(), dialogs, attention, reader, writer) => {}
        () = async { tokio::select! { () = parent::gone() => {}, () = stopped => {} } } => {
            // The client writes its last receipts at about this time.
            let _ = tokio::time::timeout(LAST, hub.settled()).await;
        }
    }
    judging.abort();
    upkeep.abort();
    trim.abort();
    Ok(())
}

/// Returns a future that completes on SIGINT, SIGTERM or SIGHUP.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Writes the delivery marks when the session ends for any reason.
pub(super) struct FlushAtEnd(pub(super) Hub);

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        self.0.flush();
    }
}
