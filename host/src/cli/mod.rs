//! The command line: one file per subcommand.

mod access;
mod answers;
mod attempt;
mod candidates;
mod compile;
mod completions;
mod configure;
mod doctor;
mod forget;
mod inspect;
mod list;
mod logging;
mod manual;
mod open;
mod output;
mod patience;
mod port;
mod report;
mod serve;
mod setup;
mod status;
mod stderr;
mod survey;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{
    Args, CommandFactory as _, Parser, Subcommand,
    builder::styling,
    error::{ContextKind, ContextValue, ErrorKind},
};
use clap_complete::CompleteEnv;

use crate::{
    builtin,
    launch::{self, Launcher},
    sandbox::compiler,
    state_root::{self, StateRoot},
};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Cyan.on_default().bold())
    .usage(styling::AnsiColor::Cyan.on_default().bold())
    .literal(styling::AnsiColor::Green.on_default())
    .placeholder(styling::AnsiColor::Yellow.on_default());

/// The exit code for an invalid command line. clap uses the same.
const USAGE: u8 = 2;

/// Connects chat channels, as sandboxed WebAssembly components, to a running Claude Code session.
#[derive(Parser)]
#[command(
    name = "tidegate",
    version,
    styles = STYLES,
    disable_help_subcommand = true,
    after_help = "Begin with `tidegate try fakechat`: it needs neither an account nor Claude Code. `tidegate setup` connects \
        a channel with Claude Code, step by step.\n\n\
        Files:\n  \
        ~/.claude/channels/                state: a folder for each channel, and the log\n  \
        ~/.claude/channels/channels.toml   settings: ports, limits, how long messages are kept\n\n\
        Environment:\n  \
        TIDEGATE_HOME       another place for the state, likewise --home\n  \
        TIDEGATE_LOG        how much is logged: off, error, warn, info, debug, trace\n  \
        TELEGRAM_BOT_TOKEN  telegram's token, above what `tidegate configure` has stored\n  \
        FAKECHAT_PORT       the port of fakechat's page; likewise <CHANNEL>_PORT for any other page\n\n\
        With CLAUDE_CODE_MCP_ALLOWLIST_ENV=1 Claude Code hands none of these to the servers that it starts. Then \
        secrets come from what `tidegate configure` has stored, ports from --port or channels.toml, and the folder \
        from --home; or write the variables into the server's \"env\" in .mcp.json."
)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args)]
struct Common {
    /// How much is logged, to stderr and to the state root's log: off, error, warn, info, debug, trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "TIDEGATE_LOG",
        default_value = "info",
        hide_env = true
    )]
    log: logging::Level,
    /// The folder of the state and the settings; wins over every variable that names one
    #[arg(long, global = true, value_name = "FOLDER")]
    home: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Try(attempt::Try),
    List(list::List),
    Setup(setup::Setup),
    Configure(configure::Configure),
    Access(access::Access),
    Open(open::Open),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Report(report::Report),
    Inspect(inspect::Inspect),
    Forget(forget::Forget),
    Completions(completions::Completions),
    #[command(hide = true)]
    Manual(manual::Manual),
    #[command(name = compiler::SUBCOMMAND, hide = true)]
    Compile(compile::Compile),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let code = command();
    stderr::finish();
    code
}

fn command() -> ExitCode {
    match completed() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return explain(&error),
    }
    let Arguments { common, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    let result = match command {
        Command::Serve(serve) => serve.run(&common),
        Command::Try(attempt) => attempt.run(&common),
        Command::List(list) => list.run(&common),
        Command::Setup(setup) => setup.run(&common),
        Command::Configure(configure) => configure.run(&common),
        Command::Access(access) => access.run(&common),
        Command::Open(open) => open.run(&common),
        Command::Status(status) => status.run(&common),
        Command::Report(report) => report.run(&common),
        Command::Inspect(inspect) => inspect.run(&common),
        Command::Forget(forget) => forget.run(&common),
        Command::Doctor(doctor) => match doctor.run(&common) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Completions(completions) => completions.run(),
        Command::Manual(manual) => manual.run(),
        Command::Compile(compile) => return compile.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The error already names its cause.
            output::complain(&format!("tidegate: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Answers a shell that requests a completion. Returns true if there was such a request.
fn completed() -> Result<bool, clap::Error> {
    let here = std::env::current_dir().ok();
    let completion = CompleteEnv::with_factory(Arguments::command).var(completions::VARIABLE);
    completion.try_complete(std::env::args_os(), here.as_deref())
}

/// Returns true if the error is a missing channel name.
fn is_without_channel(error: &clap::Error) -> bool {
    let missing = |argument: &String| argument.contains("CHANNEL");
    error.kind() == ErrorKind::MissingRequiredArgument
        && match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(arguments)) => arguments.iter().any(missing),
            Some(ContextValue::String(argument)) => missing(argument),
            _ => false,
        }
}

/// Prints what is wrong with a command line, or the help or version that was requested.
fn explain(error: &clap::Error) -> ExitCode {
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) if builtin::find(word).is_some() => {
            output::complain(&format!(
                "tidegate: {word} is a channel, not a command. `tidegate try {word}` runs it in this terminal, `tidegate setup \
                 {word}` connects it with Claude Code"
            ));
            ExitCode::from(USAGE)
        }
        _ if is_without_channel(error) => {
            let _ = error.print();
            let names: Vec<&str> = builtin::ALL.iter().map(|builtin| builtin.name).collect();
            output::complain(&format!("Channels are {}; `tidegate list` says more.", names.join(" and ")));
            ExitCode::from(USAGE)
        }
        _ => {
            // Help and the version go to standard output and are not errors.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

impl Common {
    fn state_root(&self) -> Result<StateRoot, state_root::Error> {
        StateRoot::find(self.home.as_deref())
    }

    /// Creates the launcher, and starts the log in its state root.
    fn launcher(&self, level: logging::Level) -> Result<Arc<Launcher>, launch::Error> {
        let launcher = Launcher::new(self.home.as_deref()).map(Arc::new);
        logging::start(level, launcher.as_ref().ok().map(|launcher| launcher.root().path()));
        launcher
    }
}

/// Creates a runtime with one thread, so that a message passes from socket to session without waking another thread.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // For file access and name resolution, which are rare. Some calls may be blocked by a file system that hangs.
        .max_blocking_threads(32)
        .thread_stack_size(256 << 10)
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .build()
}
