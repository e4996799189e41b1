//! `tidegate try`: the same host with a session in this terminal.
//!
//! It is a real MCP client on the other end of a stream in memory, so what is shown is what a session would see.

mod client;
mod command;
mod terminal;

use std::{fmt::Write as _, sync::Arc};

use clap::Args;
use rmcp::{
    RoleClient, ServiceExt as _,
    model::{
        CallToolRequestParams, ClientNotification, ContentBlock, CustomNotification, ElicitResult,
        ElicitationAction, JsonObject,
    },
    service::Peer,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use self::{
    client::{Arrival, Client, Question},
    command::{Command, HELP},
    terminal::Terminal,
};
use super::{
    Common,
    output::{self, Paint},
    port,
    serve::{self, Channels},
};
use crate::{
    claude::{self, OptIn},
    clock,
    contract::Source,
    event::ChannelName,
    hub::{Condition, Hub},
    ingress::web::{Listener, Unusable},
    launch::{Launched, Launcher, Order},
    session::{self, Dialogs, PERMISSION_REQUEST},
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
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let runtime = super::runtime()?;
        // Whoever types this wants to see messages.
        let order = Order { opt_in: OptIn::Always, at_terminal: true, ..self.channels.order() };
        let result = runtime.block_on(run(order, common));
        runtime.shutdown_background();
        result
    }
}

async fn run(order: Order, common: &Common) -> anyhow::Result<()> {
    let stopped = serve::stop_signal()?;
    let launcher = common.launcher(common.log.quiet())?;
    let mut terminal = Terminal::open()?;
    tokio::select! {
        () = stopped => Ok(()),
        result = converse(&launcher, &order, &mut terminal) => result,
    }
}

async fn converse(launcher: &Arc<Launcher>, order: &Order, terminal: &mut Terminal) -> anyhow::Result<()> {
    let Launched { hub, attention, judging: _ } = launcher.launch(order).await?;
    let _flush = serve::FlushAtEnd(hub.clone());
    for preparing in hub.loaded().preparing() {
        output::complain(&format!("preparing {}: its component is compiled once", preparing.label));
    }
    hub.prepared().await;
    if let ([], [first, ..]) = (hub.loaded().channels(), hub.loaded().missing()) {
        anyhow::bail!("{first}");
    }
    let obstacles = obstacles(launcher, order.port, &hub).await?;
    if obstacles.iter().filter(|obstacle| obstacle.total).count() == hub.loaded().channels().len() {
        anyhow::bail!("{}", obstacles.iter().map(Obstacle::describe).collect::<Vec<_>>().join("\n"));
    }
    let (theirs, ours) = tokio::io::duplex(STREAM);
    let (reader, writer) = tokio::io::split(theirs);
    // Whoever pipes lines into this could be anybody.
    let dialogs = if claude::at_terminal().is_ok() { Dialogs::Believed } else { Dialogs::Doubted };
    let server = tokio::spawn(session::serve(hub.clone(), dialogs, attention, reader, writer));
    let (events, mut arrived) = mpsc::unbounded_channel();
    let client = Client(events).serve(tokio::io::split(ours)).await?;
    let mut conversation =
        Conversation { peer: client.peer().clone(), paint: Paint::stdout(), chat: None, question: None };
    output::print(&conversation.greeting(&hub, &obstacles))?;
    loop {
        tokio::select! {
            biased;
            Some(arrival) = arrived.recv() => terminal::interject(&conversation.receive(arrival))?,
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

/// Why a channel receives nothing here.
struct Obstacle {
    channel: ChannelName,
    title: String,
    /// Sentences without a full stop at the end.
    reason: String,
    /// It can do nothing else either.
    total: bool,
}

impl Obstacle {
    fn describe(&self) -> String {
        let what = if self.total { "cannot run" } else { "receives nothing here" };
        format!("{} {what}, because {}.", self.title, self.reason)
    }
}

/// What stands in the way of channels, in their order.
async fn obstacles(launcher: &Arc<Launcher>, port: Option<u16>, hub: &Hub) -> anyhow::Result<Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    for channel in hub.loaded().channels() {
        let condition = channel.condition();
        let Some(reason) = condition.reason() else { continue };
        let is_web = channel.guest().source() == Source::Web;
        let is_down = matches!(condition, Condition::Down { .. });
        let reason = match launcher.page_port(port, channel.descriptor())? {
            port if is_web && is_down => occupied(channel.name().clone(), port).await,
            _ => None,
        }
        .unwrap_or_else(|| reason.trim_end_matches('.').to_owned());
        let total = is_down || is_web && matches!(condition, Condition::Standby { .. });
        let title = channel.descriptor().title.clone();
        obstacles.push(Obstacle { channel: channel.name().clone(), title, reason, total });
    }
    Ok(obstacles)
}

/// Says which program has a channel's port, if one has.
async fn occupied(name: ChannelName, port: u16) -> Option<String> {
    let Err(Unusable { in_use: true, .. }) = Listener::check(port, &name) else { return None };
    let holder = tokio::task::spawn_blocking(move || port::holder(port)).await.ok()?;
    let other = port.checked_add(1).unwrap_or(0);
    Some(format!(
        "port {port} is in use by {holder}. End that program, or choose another port, like `tidegate try {name} --port \
         {other}`"
    ))
}

/// What this terminal says and hears.
struct Conversation {
    peer: Peer<RoleClient>,
    paint: Paint,
    /// Whoever wrote last.
    chat: Option<String>,
    /// What the next line answers.
    question: Option<Question>,
}

impl Conversation {
    fn greeting(&self, hub: &Hub, obstacles: &[Obstacle]) -> String {
        let mut text = String::new();
        for channel in hub.loaded().channels() {
            let title = self.paint.bold(&channel.descriptor().title);
            let obstacle = obstacles.iter().find(|obstacle| obstacle.channel == *channel.name());
            let line = match (channel.condition(), obstacle) {
                (Condition::Up { address: Some(address) }, _) => {
                    let link = channel.link().unwrap_or(address);
                    format!("{title}  {}", self.paint.cyan(&link))
                }
                (_, Some(obstacle)) => self.paint.red(&obstacle.describe()),
                (_, None) => title,
            };
            text.push_str(&line);
            text.push('\n');
        }
        let end = if output::is_interactive() { ", Ctrl-D to end" } else { "" };
        let hint = format!("Messages appear here. Type to reply, /help for more{end}.");
        text + &self.paint.dim(&hint) + "\n"
    }

    fn receive(&mut self, arrival: Arrival) -> String {
        match arrival {
            Arrival::Event(event) => self.show(&event),
            Arrival::Verdict(verdict) => {
                let field = |name| verdict.get(name).and_then(Value::as_str).unwrap_or_default();
                let text = format!("permission {}: {}", field("request_id"), field("behavior"));
                self.paint.cyan(&output::harmless(&text)) + "\n"
            }
            Arrival::Question(question) => {
                let hint = if question.choice { "yes or no" } else { "type it, or no to decline" };
                let text = format!(
                    "{}\n{}\n",
                    self.paint.bold(&output::harmless(&question.message)),
                    self.paint.dim(hint)
                );
                self.question = Some(question);
                text
            }
        }
    }

    /// Answers the open question with what was typed.
    fn answer(&self, question: Question, line: &str) -> String {
        let line = line.trim();
        let no = line.is_empty() || line.eq_ignore_ascii_case("no") || line.eq_ignore_ascii_case("n");
        let value = if question.choice {
            Value::from(line.eq_ignore_ascii_case("yes") || line.eq_ignore_ascii_case("y"))
        } else {
            Value::from(line)
        };
        let result = if no {
            ElicitResult::new(ElicitationAction::Decline)
        } else {
            ElicitResult::new(ElicitationAction::Accept).with_content(json!({question.field: value}))
        };
        // Nobody waits any more when the question has expired.
        let _ = question.answer.send(result);
        if no { self.paint.dim("declined\n") } else { String::new() }
    }

    /// Asks, as a session does before it runs a tool, and as far as the channels ask people.
    async fn ask_permission(&self, tool: String, text: String) -> String {
        // Letters that a request's id may have, picked by the clock: nobody guards against anything here.
        let letters = b"abcdefghijkmnopqrstuvwxyz";
        let now = clock::now();
        let id: String = (0..5)
            .filter_map(|place| letters.get(usize::try_from(now / 25_u64.pow(place) % 25).ok()?))
            .map(|letter| char::from(*letter))
            .collect();
        let params = json!({"request_id": id, "tool_name": tool, "description": text, "input_preview": ""});
        let asked = CustomNotification::new(PERMISSION_REQUEST, Some(params));
        match self.peer.send_notification(ClientNotification::CustomNotification(asked)).await {
            Ok(()) => self.paint.dim(&format!("asked whether {tool} may run (id {id})\n")),
            Err(error) => self.paint.red(&output::harmless(&error.to_string())) + "\n",
        }
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
        if let Some(question) = self.question.take() {
            return Some(self.answer(question, line));
        }
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
            Command::Permission(tool, text) => self.ask_permission(tool, text).await,
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
                let blocks = result.content.iter().filter_map(ContentBlock::as_text);
                let text = blocks.map(|block| block.text.as_str()).collect::<Vec<_>>().join("\n");
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
