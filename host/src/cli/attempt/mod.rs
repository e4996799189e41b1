//! `tidegate try`: the same host with a session in this terminal.
//!
//! It is a real MCP client on the other end of a stream in memory, so what is shown is what a session would see.

mod command;
mod terminal;

use std::fmt::Write as _;

use clap::Args;
use rmcp::{
    ClientHandler, RoleClient, ServiceExt as _,
    model::{CallToolRequestParams, ClientConfig, ContentBlock, CustomNotification, JsonObject},
    service::{NotificationContext, Peer},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use self::{
    command::{Command, HELP},
    terminal::Terminal,
};
use super::{
    logging,
    output::{self, Paint},
    serve::{self, Channels},
};
use crate::{
    hub::{Condition, Hub},
    launch::{Launcher, Order},
    session::{self, CHANNEL_NOTIFICATION, PROTOCOL_VERSION},
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

/// What is held in memory between the two ends of the stream, in bytes.
const STREAM: usize = 64 << 10;

impl Try {
    pub(super) fn run(self, level: logging::Level) -> anyhow::Result<()> {
        let runtime = super::runtime()?;
        let result = runtime.block_on(run(self.channels.order(), level));
        runtime.shutdown_background();
        result
    }
}

async fn run(order: Order, level: logging::Level) -> anyhow::Result<()> {
    let stopped = serve::stop_signal()?;
    let launcher = Launcher::new();
    logging::start(level.quiet(), launcher.as_ref().ok().map(|launcher| launcher.root().path()));
    let launcher = launcher?;
    let mut terminal = Terminal::open()?;
    tokio::select! {
        () = stopped => Ok(()),
        result = converse(&launcher, &order, &mut terminal) => result,
    }
}

async fn converse(launcher: &Launcher, order: &Order, terminal: &mut Terminal) -> anyhow::Result<()> {
    let hub = launcher.launch(order).await?;
    let _flush = serve::FlushAtEnd(hub.clone());
    let (theirs, ours) = tokio::io::duplex(STREAM);
    let (reader, writer) = tokio::io::split(theirs);
    let server = tokio::spawn(session::serve(hub.clone(), reader, writer));
    let (events, mut arrived) = mpsc::unbounded_channel();
    let client = Client(events).serve(tokio::io::split(ours)).await?;
    let mut conversation = Conversation { peer: client.peer().clone(), paint: Paint::stdout(), chat: None };
    output::print(&conversation.greeting(&hub))?;
    loop {
        tokio::select! {
            biased;
            Some(event) = arrived.recv() => terminal::interject(&conversation.show(&event))?,
            line = terminal.line() => {
                let Some(line) = line else { break };
                let Some(answer) = conversation.obey(&line).await else { break };
                output::print(&answer)?;
            }
        }
    }
    drop(client);
    server.abort();
    Ok(())
}

/// The client's side: it takes what a session would take.
struct Client(mpsc::UnboundedSender<Value>);

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default().with_protocol_version(PROTOCOL_VERSION)
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _context: NotificationContext<RoleClient>,
    ) {
        if notification.method == CHANNEL_NOTIFICATION {
            // Nobody listens any more when the conversation has ended.
            let _ = self.0.send(notification.params.unwrap_or_default());
        }
    }
}

/// What this terminal says and hears.
struct Conversation {
    peer: Peer<RoleClient>,
    paint: Paint,
    /// Whoever wrote last.
    chat: Option<String>,
}

impl Conversation {
    fn greeting(&self, hub: &Hub) -> String {
        let mut text = String::new();
        for channel in hub.channels() {
            let title = self.paint.bold(&channel.descriptor().title);
            let line = match channel.condition() {
                Condition::Up { address: Some(address) } => format!("{title}  {}", self.paint.cyan(&address)),
                Condition::Up { address: None } | Condition::Starting => title,
                Condition::Down { reason } => {
                    format!("{title}  {}", self.paint.red(&format!("down: {reason}")))
                }
            };
            text.push_str(&line);
            text.push('\n');
        }
        let end = if output::is_interactive() { ", Ctrl-D to end" } else { "" };
        let hint = format!("Messages appear here. Type to reply, /help for more{end}.");
        text + &self.paint.dim(&hint) + "\n"
    }

    /// An event, as the session sees it.
    fn show(&mut self, event: &Value) -> String {
        let meta = event.get("meta").and_then(Value::as_object);
        let mut attributes = String::new();
        for (key, value) in meta.into_iter().flatten() {
            let _ = write!(attributes, " {key}=\"{}\"", output::harmless(value.as_str().unwrap_or_default()));
        }
        if let Some(chat) = meta.and_then(|meta| meta.get("chat_id")?.as_str()) {
            self.chat = Some(chat.to_owned());
        }
        let content = output::harmless(event.get("content").and_then(Value::as_str).unwrap_or_default());
        let (open, close) = (format!("<channel{attributes}>"), "</channel>");
        format!("{}\n{}\n{}\n", self.paint.dim(&open), self.paint.bold(&content), self.paint.dim(close))
    }

    /// Does what a line says. None ends the conversation.
    async fn obey(&mut self, line: &str) -> Option<String> {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(complaint) => return Some(self.paint.red(&complaint) + "\n"),
        };
        Some(match command {
            Command::Nothing => String::new(),
            Command::Quit => return None,
            Command::Help => HELP.to_owned(),
            Command::Tools => self.tools().await,
            Command::Chat(chat) => {
                let text = format!("replies go to {chat}\n");
                self.chat = Some(chat);
                self.paint.dim(&text)
            }
            Command::Reply(text) => self.to_chat("reply", json!({"text": text})).await,
            Command::File(path, text) => self.to_chat("reply", json!({"text": text, "files": [path]})).await,
            Command::Edit(message, text) => {
                self.to_chat("edit_message", json!({"message_id": message, "text": text})).await
            }
            Command::React(message, emoji) => {
                self.to_chat("react", json!({"message_id": message, "emoji": emoji})).await
            }
            Command::Call(name, arguments) => self.call(name, arguments).await,
        })
    }

    async fn to_chat(&self, tool: &str, arguments: Value) -> String {
        let Some(chat) = &self.chat else {
            return self.paint.red("nobody has written yet, so there is no chat to reply to: write something on the page, or name one with /chat ID\n");
        };
        let mut arguments = arguments.as_object().cloned().unwrap_or_default();
        arguments.insert("chat_id".to_owned(), Value::from(chat.as_str()));
        self.call(tool.to_owned(), arguments).await
    }

    async fn call(&self, name: String, arguments: JsonObject) -> String {
        let request = CallToolRequestParams::new(name).with_arguments(arguments);
        match self.peer.call_tool(request).await {
            Ok(result) => {
                let text: String = result
                    .content
                    .iter()
                    .filter_map(ContentBlock::as_text)
                    .map(|text| text.text.as_str())
                    .collect();
                let text = output::harmless(&text);
                if result.is_error == Some(true) {
                    self.paint.red(&text) + "\n"
                } else {
                    self.paint.green(&text) + "\n"
                }
            }
            Err(error) => self.paint.red(&output::harmless(&error.to_string())) + "\n",
        }
    }

    async fn tools(&self) -> String {
        let tools = match self.peer.list_all_tools().await {
            Ok(tools) => tools,
            Err(error) => return self.paint.red(&output::harmless(&error.to_string())) + "\n",
        };
        let mut text = String::new();
        for tool in tools {
            let schema = |key| tool.input_schema.get(key);
            let required = schema("required").and_then(Value::as_array);
            let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
            let all = schema("properties").and_then(Value::as_object);
            let optional = all
                .into_iter()
                .flatten()
                .map(|(name, _)| name)
                .filter(|name| !required.contains(&name.as_str()));
            let _ = write!(text, "{} {}", self.paint.bold(&tool.name), required.join(" "));
            for name in optional {
                let _ = write!(text, " [{name}]");
            }
            let about = tool.description.as_deref().unwrap_or_default();
            let _ = writeln!(text, "  {}", self.paint.dim(about));
        }
        text
    }
}
