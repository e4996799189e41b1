//! The conversation between the terminal and its session.

use std::{fmt::Write as _, pin::Pin};

use rmcp::{
    RoleClient,
    model::{
        CallToolRequestParams, ClientNotification, ContentBlock, CustomNotification, ElicitResult,
        ElicitationAction, JsonObject,
    },
    service::{Peer, ServiceError},
};
use serde_json::{Value, json};

use super::{
    super::output::{self, Paint},
    client::{Arrival, Question},
    command::{Abilities, Command},
    completion::Vocabulary,
    obstacle::Obstacle,
    screen::Situation,
};
use crate::{
    clock,
    hub::{Condition, Hub},
    session::{PERMISSION_CAPABILITY, PERMISSION_REQUEST},
};

/// The number of chats and messages that Tab completes.
const KNOWN: usize = 50;

/// The state between the terminal's lines and the session's calls.
pub(super) struct Conversation {
    peer: Peer<RoleClient>,
    paint: Paint,
    /// The target of the next reply: the chat that wrote last, or a chosen chat.
    chat: Option<Chat>,
    /// The question that `/pair`, `/accept` and `/deny` answer.
    question: Option<Question>,
    vocabulary: Vocabulary,
    /// At least one channel has a page to write on.
    has_page: bool,
}

struct Chat {
    id: String,
    /// The sender of the latest message in the chat.
    sender: Option<String>,
}

/// The effect of a line.
pub(super) enum Step {
    Say(String),
    /// A call that takes time. Other messages may arrive in the meantime.
    Call(Call),
    End,
}

pub(super) type Call = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The result of a call.
pub(super) struct Answer {
    text: String,
    /// The ids of messages that were sent.
    sent: Vec<String>,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, sent: Vec::new() }
    }
}

impl Conversation {
    pub(super) async fn new(peer: Peer<RoleClient>, hub: &Hub) -> anyhow::Result<Self> {
        let experimental = peer.peer_info().and_then(|server| server.capabilities.experimental.clone());
        let prompts = experimental.is_some_and(|offered| offered.contains_key(PERMISSION_CAPABILITY));
        let tools = peer.list_all_tools().await?;
        let abilities = Abilities::new(&tools, prompts);
        let loaded = hub.loaded();
        let has_page = loaded
            .channels()
            .iter()
            .any(|channel| matches!(channel.condition(), Condition::Up { address: Some(_) }));
        let mut chats = Vec::new();
        for channel in loaded.channels() {
            chats.extend(channel.admission().chat_names()?.into_keys());
        }
        // If there is only one chat, it is chosen before it has written.
        let chat = match chats.as_slice() {
            [only] if loaded.channels().len() == 1 => Some(Chat { id: only.to_string(), sender: None }),
            _ => None,
        };
        Ok(Self {
            peer,
            paint: Paint::stdout(),
            chat,
            question: None,
            vocabulary: Vocabulary {
                abilities,
                chats: chats.iter().map(ToString::to_string).collect(),
                ..Vocabulary::default()
            },
            has_page,
        })
    }

    pub(super) fn greeting(&self, hub: &Hub, obstacles: &[Obstacle]) -> String {
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

    /// Returns the current prompt and its notice.
    pub(super) fn situation(&self) -> Situation {
        let prompt = match &self.chat {
            Some(Chat { id, sender: Some(sender) }) => {
                output::harmless(&format!("reply to {sender} ({id})> "))
            }
            Some(Chat { id, sender: None }) => output::harmless(&format!("reply to {id}> ")),
            None => "nobody has written yet> ".to_owned(),
        };
        let notice = self.question.as_ref().map(|question| format!("A question is open: {}", ways(question)));
        Situation { prompt, notice, vocabulary: self.vocabulary.clone() }
    }

    /// Handles a message from the server and returns the text to print.
    pub(super) fn receive(&mut self, arrival: Arrival) -> String {
        match arrival {
            Arrival::Event(event) => self.show(&event),
            Arrival::Verdict(verdict) => {
                let field = |name| verdict.get(name).and_then(Value::as_str).unwrap_or_default();
                let text = format!("permission {}: {}", field("request_id"), field("behavior"));
                self.paint.cyan(&output::harmless(&text)) + "\n"
            }
            Arrival::Question(question) => {
                let message = self.paint.bold(&output::harmless(&question.message));
                let text = format!("{message}\n{}\n", self.paint.dim(&ways(&question)));
                self.question = Some(question);
                text
            }
            Arrival::Settled => match self.question.take() {
                Some(_) => self.paint.dim("The question above was settled elsewhere.\n"),
                None => String::new(),
            },
        }
    }

    /// Handles the result of a call and returns the text to print.
    pub(super) fn finish(&mut self, answer: Answer) -> String {
        for id in answer.sent {
            remember(&mut self.vocabulary.sent, id);
        }
        answer.text
    }

    /// Answers the open question.
    fn answer(&mut self, command: Command) -> String {
        let Some(question) = self.question.take() else {
            return self.paint.red(match command {
                Command::Pair(_) => "nobody asks to write at the moment, so no code is waited for\n",
                _ => "no question is open\n",
            });
        };
        let declined = || ElicitResult::new(ElicitationAction::Decline);
        let accepted = |value: Value| {
            ElicitResult::new(ElicitationAction::Accept).with_content(json!({question.field.as_str(): value}))
        };
        let (result, text) = match (command, question.choice) {
            (Command::Pair(code), false) => (accepted(Value::from(code)), String::new()),
            (Command::Accept, true) => (accepted(Value::from(true)), self.paint.dim("accepted\n")),
            (Command::Deny, _) => (declined(), self.paint.dim("declined\n")),
            _ => {
                let text = format!("the open question takes something else: {}\n", ways(&question));
                self.question = Some(question);
                return self.paint.red(&text);
            }
        };
        // Fails only if the question has expired.
        let _ = question.answer.send(result);
        text
    }

    /// Formats an event as the session sees it.
    fn show(&mut self, event: &Value) -> String {
        let meta = event.get("meta").and_then(Value::as_object);
        let of = |name: &str| meta.and_then(|meta| meta.get(name)?.as_str()).map(str::to_owned);
        let mut tag = self.paint.dim("<channel");
        for (key, value) in meta.into_iter().flatten() {
            let value = output::harmless(value.as_str().unwrap_or_default());
            let attribute = format!("{key}=\"{value}\"");
            let is_path = key.contains("_path");
            let attribute = if is_path { self.paint.cyan(&attribute) } else { self.paint.dim(&attribute) };
            let _ = write!(tag, " {attribute}");
        }
        tag += &self.paint.dim(">");
        if let Some(id) = of("chat_id") {
            remember(&mut self.vocabulary.chats, id.clone());
            // A page has one chat and one person with the same id.
            let sender = of("user").filter(|sender| *sender != id);
            self.chat = Some(Chat { id, sender });
        }
        if let Some(id) = of("message_id") {
            remember(&mut self.vocabulary.received, id);
        }
        let content = output::harmless(event.get("content").and_then(Value::as_str).unwrap_or_default());
        format!("{tag}\n{}\n{}\n", self.paint.bold(&content), self.paint.dim("</channel>"))
    }

    /// Carries out a line.
    pub(super) fn obey(&mut self, line: &str) -> Step {
        let command = match Command::parse(line, &self.vocabulary.abilities) {
            Ok(command) => command,
            Err(complaint) => return Step::Say(self.paint.red(&complaint) + "\n"),
        };
        match command {
            Command::Nothing => Step::Say(String::new()),
            Command::Quit => Step::End,
            Command::Help => Step::Say(self.vocabulary.abilities.help()),
            Command::Tools => Step::Call(Box::pin(tools(self.peer.clone(), self.paint))),
            Command::Chat(id) => {
                let known = self.vocabulary.chats.contains(&id);
                let unknown = if known { "" } else { ", from where nothing has come yet" };
                let text = output::harmless(&format!("replies go to {id}{unknown}\n"));
                self.chat = Some(Chat { id, sender: None });
                Step::Say(self.paint.dim(&text))
            }
            Command::Reply(text) => self.to_chat("reply", &json!({"text": text})),
            Command::File(path, text) => self.to_chat("reply", &json!({"text": text, "files": [path]})),
            Command::Edit(message, text) => {
                self.to_chat("edit_message", &json!({"message_id": message, "text": text}))
            }
            Command::React(message, emoji) => {
                self.to_chat("react", &json!({"message_id": message, "emoji": emoji}))
            }
            Command::Permission(tool, text) => {
                Step::Call(Box::pin(ask_permission(self.peer.clone(), self.paint, tool, text)))
            }
            Command::Call(name, arguments) => self.call(name, arguments),
            answer @ (Command::Pair(_) | Command::Accept | Command::Deny) => Step::Say(self.answer(answer)),
        }
    }

    fn to_chat(&self, tool: &str, arguments: &Value) -> Step {
        let Some(chat) = &self.chat else {
            let page = if self.has_page { "write something on the page, or " } else { "" };
            let text = format!(
                "nobody has written yet, so there is no chat to reply to: {page}name one with /chat ID\n"
            );
            return Step::Say(self.paint.red(&text));
        };
        let mut arguments = arguments.as_object().cloned().unwrap_or_default();
        arguments.insert("chat_id".to_owned(), Value::from(chat.id.as_str()));
        self.call(tool.to_owned(), arguments)
    }

    fn call(&self, name: String, arguments: JsonObject) -> Step {
        Step::Call(Box::pin(call(self.peer.clone(), self.paint, name, arguments)))
    }
}

/// Describes how a question can be answered.
fn ways(question: &Question) -> String {
    if question.choice {
        "/accept says yes, /deny says no.".to_owned()
    } else {
        "/pair CODE lets them in, /deny turns them down.".to_owned()
    }
}

/// Moves the id to the front of the list.
fn remember(known: &mut Vec<String>, id: String) {
    known.retain(|other| *other != id);
    known.insert(0, id);
    known.truncate(KNOWN);
}

fn failed(paint: Paint, error: &ServiceError) -> Answer {
    Answer::from(paint.red(&output::harmless(&error.to_string())) + "\n")
}

async fn call(peer: Peer<RoleClient>, paint: Paint, name: String, arguments: JsonObject) -> Answer {
    let replies = name == "reply";
    let result = match peer.call_tool(CallToolRequestParams::new(name).with_arguments(arguments)).await {
        Ok(result) => result,
        Err(error) => return failed(paint, &error),
    };
    let blocks = result.content.iter().filter_map(ContentBlock::as_text);
    let text = blocks.map(|block| block.text.as_str()).collect::<Vec<_>>().join("\n");
    let text = output::harmless(&text);
    if result.is_error == Some(true) {
        return Answer::from(paint.red(&text) + "\n");
    }
    let sent = if replies { ids(&text) } else { Vec::new() };
    Answer { text: paint.green(&text) + "\n", sent }
}

/// Returns the ids in `sent (id: 5)` and `sent 2 parts (ids: 5, 6)`.
fn ids(text: &str) -> Vec<String> {
    let list = text.split_once("(id: ").or_else(|| text.split_once("(ids: "));
    let Some((list, _)) = list.and_then(|(_, rest)| rest.split_once(')')) else { return Vec::new() };
    list.split(", ").map(str::to_owned).collect()
}

/// Asks for permission like a session before it runs a tool, if the channels ask people at all.
async fn ask_permission(peer: Peer<RoleClient>, paint: Paint, tool: String, text: String) -> Answer {
    // Letters that a request's id may contain. The clock selects them, because this id needs no protection against
    // guessing.
    let letters = b"abcdefghijkmnopqrstuvwxyz";
    let now = clock::now();
    let id: String = (0..5)
        .filter_map(|place| letters.get(usize::try_from(now / 25_u64.pow(place) % 25).ok()?))
        .map(|letter| char::from(*letter))
        .collect();
    let params = json!({"request_id": id, "tool_name": tool, "description": text, "input_preview": ""});
    let asked = CustomNotification::new(PERMISSION_REQUEST, Some(params));
    match peer.send_notification(ClientNotification::CustomNotification(asked)).await {
        Ok(()) => Answer::from(paint.dim(&format!("asked whether {tool} may run (id {id})\n"))),
        Err(error) => failed(paint, &error),
    }
}

async fn tools(peer: Peer<RoleClient>, paint: Paint) -> Answer {
    let tools = match peer.list_all_tools().await {
        Ok(tools) => tools,
        Err(error) => return failed(paint, &error),
    };
    let mut text = String::new();
    for tool in tools {
        let schema = |key| tool.input_schema.get(key);
        let required = schema("required").and_then(Value::as_array);
        let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        let all = schema("properties").and_then(Value::as_object);
        let optional =
            all.into_iter().flatten().map(|(name, _)| name).filter(|name| !required.contains(&name.as_str()));
        let _ = write!(text, "{} {}", paint.bold(&tool.name), required.join(" "));
        for name in optional {
            let _ = write!(text, " [{name}]");
        }
        let about = tool.description.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  {}", paint.dim(about));
    }
    Answer::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_what_was_sent_are_found_in_the_answer() {
        assert_eq!(ids("sent (id: 5)"), ["5"]);
        assert_eq!(ids("sent 2 parts (ids: 5, 6)"), ["5", "6"]);
        assert_eq!(ids("edited"), Vec::<String>::new());
    }
}
