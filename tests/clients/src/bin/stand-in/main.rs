//! A small client of the channel protocol, for the tests of the run itself. In everything that the run checks it
//! behaves like a real client, and it can be told to make one mistake.

mod agent;
mod mcp;
mod plugin;
mod screen;

use std::{
    fs,
    io::{BufRead as _, Write as _},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::mpsc::{self, Sender},
};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use serde_json::Value;

use crate::{
    agent::{Agent, CHANNEL_EVENT},
    mcp::Server,
    screen::{Key, Screen},
};

#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Read prompts as JSON lines
    #[arg(short, long)]
    print: bool,
    #[arg(long, default_value = ".mcp.json")]
    mcp_config: PathBuf,
    #[arg(long, required_unless_present = "install")]
    log: Option<PathBuf>,
    /// The server whose messages are received
    #[arg(long, default_value = "fakechat")]
    channel: String,
    /// Install the plugin in this folder, and exit
    #[arg(long)]
    install: Option<String>,
    /// Use the servers of this plugin
    #[arg(long)]
    plugin: Option<String>,
    #[arg(long)]
    flaw: Option<Flaw>,
}

/// The mistake that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Flaw {
    /// It receives no messages, for a reason that does not depend on the server.
    Unavailable,
    /// It receives no messages, for a reason that the server has caused.
    Refusing,
    /// It does not pass the server's instructions to the model.
    Unread,
    /// It does not pass the schemas of tools to the model.
    Unloaded,
    /// It does not report errors to the model.
    Rosy,
    /// It runs denied calls.
    Disobedient,
    /// It exits when a server asks for a form.
    Fragile,
    /// It leaves a process behind.
    Untidy,
    /// It installs no plugin.
    Picky,
    /// It claims that it has restarted a server, but has not.
    Stuck,
}

/// An event.
enum Event {
    /// A key was pressed.
    Key(Key),
    /// A server sent a request or notification: its name, and the message.
    Server(String, Value),
    /// There will be no more keys.
    Closed,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "stand-in: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.install {
        anyhow::ensure!(arguments.flaw != Some(Flaw::Picky), "this plugin is not good enough");
        return plugin::install(folder);
    }
    let (events, happening) = mpsc::channel();
    let screen = if arguments.print { None } else { Some(Screen::take(events.clone())?) };
    if let Some(screen) = &screen {
        let choice =
            screen.choose(&happening, "Do you trust this folder?", &["No, exit", "Yes, I trust it"])?;
        anyhow::ensure!(choice == 1, "the folder is not trusted");
    }
    let servers = entries(arguments)?
        .iter()
        .map(|(name, entry)| Server::start(name, entry, events.clone()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let log = arguments.log.as_ref().context("no log")?;
    fs::write(log, format!("stand-in: {} {}\n", arguments.channel, verdict(arguments.flaw)))?;
    if arguments.flaw == Some(Flaw::Untidy) {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    }
    let mut agent = Agent::new(servers, happening, arguments.channel.clone(), arguments.flaw)?;
    match screen {
        None => print(&mut agent)?,
        Some(screen) => converse(&mut agent, &screen, arguments, &events)?,
    }
    agent.end()
}

/// Returns the names and entries of the servers.
fn entries(arguments: &Arguments) -> anyhow::Result<Vec<(String, Value)>> {
    if let Some(plugin) = &arguments.plugin {
        return plugin::servers(plugin);
    }
    let text = fs::read_to_string(&arguments.mcp_config).context("no configuration of servers")?;
    let config: Value = serde_json::from_str(&text)?;
    let entries = config.get("mcpServers").and_then(Value::as_object).context("no servers are configured")?;
    Ok(entries.iter().map(|(name, entry)| (name.clone(), entry.clone())).collect())
}

fn verdict(flaw: Option<Flaw>) -> &'static str {
    match flaw {
        Some(Flaw::Unavailable) => "skipped: not on this day",
        Some(Flaw::Refusing) => "skipped: the server is not to my taste",
        _ => "registered",
    }
}

/// Reads prompts as lines.
fn print(agent: &mut Agent) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let prompt: Value = serde_json::from_str(&line?)?;
        let text = prompt.pointer("/message/content/0/text").and_then(Value::as_str).context("no prompt")?;
        agent.turn(text)?;
    }
    Ok(())
}

/// Runs in a terminal: prompts are typed, messages come from the channel, and servers ask for forms.
fn converse(
    agent: &mut Agent,
    screen: &Screen,
    arguments: &Arguments,
    events: &Sender<Event>,
) -> anyhow::Result<()> {
    let (mut typed, mut notice) = (String::new(), "");
    loop {
        screen.draw(&[notice, &format!("❯ {typed}"), "  ready for a prompt"])?;
        match agent.next()? {
            Event::Closed => return Ok(()),
            Event::Key(Key::Text(text)) => typed.push_str(&text),
            Event::Key(Key::Enter) => match std::mem::take(&mut typed).as_str() {
                "/exit" => return Ok(()),
                "/restart" => {
                    screen.draw(&["All servers", "❯ Start again"])?;
                    while !matches!(agent.key()?, Event::Key(Key::Enter)) {}
                    if arguments.flaw != Some(Flaw::Stuck) {
                        agent.restart(&entries(arguments)?, events)?;
                    }
                    notice = "All have started again";
                }
                prompt => agent.turn(prompt)?,
            },
            Event::Key(_) => {}
            Event::Server(server, message) => match message.get("method").and_then(Value::as_str) {
                Some(CHANNEL_EVENT)
                    if server == arguments.channel && verdict(arguments.flaw) == "registered" =>
                {
                    agent.turn(&tag(&server, &message))?;
                }
                Some("elicitation/create") => {
                    anyhow::ensure!(arguments.flaw != Some(Flaw::Fragile), "forms are too much");
                    let result = screen.fill_in(agent, &message)?;
                    agent.answer(&server, &message, &result)?;
                }
                _ => {}
            },
        }
    }
}

/// Formats a message from a channel in the form that the model sees.
fn tag(server: &str, message: &Value) -> String {
    let meta = message.pointer("/params/meta").and_then(Value::as_object);
    let attributes: Vec<String> = meta
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}=\"{}\"", value.as_str().unwrap_or_default()))
        .collect();
    let attributes = attributes.join(" ");
    let content = message.pointer("/params/content").and_then(Value::as_str).unwrap_or_default();
    format!("<channel source=\"{server}\" {attributes}>\n{content}\n</channel>")
}
