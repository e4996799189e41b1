//! The tools, with the names, arguments and results of the official plugins.

use std::{fmt::Write as _, path::PathBuf, sync::Arc};

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::contract::address;
use crate::{
    clock,
    event::{ChatId, Format, MessageId},
    hub::{Channel, Failure, History, Hub, Reply},
    text,
};

/// Messages that `fetch_messages` brings unless told otherwise, and at most.
const FETCH_DEFAULT: u64 = 20;
const FETCH_MOST: u64 = 100;

/// What the channels' features make of it. A tool is there if any channel can do it.
pub(super) fn list(hub: &Hub) -> Vec<Tool> {
    let any = |feature: fn(&Channel) -> bool| hub.channels().iter().any(|channel| feature(channel));
    let several = hub.channels().len() > 1;
    let chat_id = if several {
        json!({"type": "string", "description": "The chat_id of the message, with the channel's name before the colon"})
    } else {
        json!({"type": "string", "description": "The chat_id of the message"})
    };
    let format = json!({
        "type": "string", "enum": ["markdown", "text"],
        "description": "How the text is marked up; markdown unless you say text"
    });
    let mut tools = Vec::new();
    if any(|channel| channel.descriptor().features.reply) {
        let mut properties = json!({
            "chat_id": chat_id,
            "text": {"type": "string"},
            "reply_to": {"type": "string", "description": "The message_id to quote"},
            "format": format,
        });
        if any(|channel| channel.descriptor().features.uploads)
            && let Some(properties) = properties.as_object_mut()
        {
            properties.insert(
                "files".to_owned(),
                json!({"type": "array", "items": {"type": "string"}, "description": "Absolute paths of files to send along"}),
            );
        }
        tools.push(tool("reply", "Reply", "Send a message to a chat.", &properties, &["chat_id", "text"]));
    }
    if any(|channel| channel.descriptor().features.react) {
        let properties =
            json!({"chat_id": chat_id, "message_id": {"type": "string"}, "emoji": {"type": "string"}});
        tools.push(tool(
            "react",
            "React",
            "Put an emoji on a message.",
            &properties,
            &["chat_id", "message_id", "emoji"],
        ));
    }
    if any(|channel| channel.descriptor().features.edit) {
        let properties = json!({
            "chat_id": chat_id, "message_id": {"type": "string"}, "text": {"type": "string"}, "format": format
        });
        let about = "Change a message that you sent. Edits notify nobody: for progress, not for results.";
        tools.push(tool("edit_message", "Edit", about, &properties, &["chat_id", "message_id", "text"]));
    }
    if any(|channel| channel.descriptor().features.attachments) {
        let properties = json!({
            "chat_id": chat_id,
            "message_id": {"type": "string"},
            "file_id": {"type": "string", "description": "The attachment_file_id, to bring one file only"},
        });
        let about = "Bring the files of a message into the inbox: one by its file_id, or all of a message by its chat_id and message_id. The result is their paths.";
        let required: &[&str] = if several { &["chat_id"] } else { &[] };
        tools.push(tool("download_attachment", "Download", about, &properties, required));
    }
    if any(|channel| channel.descriptor().features.history) {
        let properties = json!({
            "channel": chat_id,
            "limit": {"type": "integer", "minimum": 1, "maximum": FETCH_MOST},
        });
        let about = "Read the latest messages of a chat, oldest first.";
        let fetch = tool("fetch_messages", "Fetch messages", about, &properties, &["channel"]);
        tools.push(fetch.with_annotations(ToolAnnotations::new().read_only(true)));
    }
    tools
}

fn tool(name: &'static str, title: &str, about: &'static str, properties: &Value, required: &[&str]) -> Tool {
    let schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, about, Arc::new(schema)).with_title(title)
}

/// Calls a tool. Whatever goes wrong is a result that says so; None if there is no such tool.
/// `folders` is where the client works: files are sent from there.
pub(super) async fn call(
    hub: &Hub,
    name: &str,
    arguments: JsonObject,
    folders: Vec<PathBuf>,
) -> Option<CallToolResult> {
    let arguments = Arguments(arguments);
    let result = match name {
        "reply" => reply(hub, &arguments, folders).await,
        "react" => react(hub, &arguments).await,
        "edit_message" => edit(hub, &arguments).await,
        "download_attachment" => download(hub, &arguments).await,
        "fetch_messages" => fetch(hub, &arguments).await,
        _ => return None,
    };
    Some(match result {
        Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
        Err(Refused(reason)) => {
            CallToolResult::error(vec![ContentBlock::text(format!("{name} failed: {reason}"))])
        }
    })
}

/// What the session is told instead of a result.
struct Refused(String);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// Does a call need to know where files may be sent from?
pub(super) fn sends_files(arguments: &JsonObject) -> bool {
    arguments.get("files").and_then(Value::as_array).is_some_and(|files| !files.is_empty())
}

async fn reply(hub: &Hub, arguments: &Arguments, folders: Vec<PathBuf>) -> Result<String, Refused> {
    arguments.only(&["chat_id", "text", "reply_to", "files", "format"])?;
    let (channel, chat) = target(hub, arguments.text("chat_id")?)?;
    let reply = Reply {
        chat,
        text: arguments.text("text")?.to_owned(),
        format: arguments.format()?,
        reply_to: arguments.optional("reply_to")?.map(MessageId::new),
        files: arguments.texts("files")?,
        folders,
    };
    let ids = channel.reply(reply).await?;
    let list = ids.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
    Ok(match ids.len() {
        1 => format!("sent (id: {list})"),
        count => format!("sent {count} parts (ids: {list})"),
    })
}

async fn react(hub: &Hub, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["chat_id", "message_id", "emoji"])?;
    let (channel, chat) = target(hub, arguments.text("chat_id")?)?;
    let message = MessageId::new(arguments.text("message_id")?);
    channel.react(chat, message, arguments.text("emoji")?.to_owned()).await?;
    Ok("reacted".to_owned())
}

async fn edit(hub: &Hub, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["chat_id", "message_id", "text", "format"])?;
    let (channel, chat) = target(hub, arguments.text("chat_id")?)?;
    let message = MessageId::new(arguments.text("message_id")?);
    channel.edit(chat, message.clone(), arguments.text("text")?.to_owned(), arguments.format()?).await?;
    Ok(format!("edited (id: {message})"))
}

async fn download(hub: &Hub, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["chat_id", "message_id", "file_id"])?;
    let (message, file) = (arguments.optional("message_id")?, arguments.optional("file_id")?);
    // The official Telegram plugin asks by the file's id alone.
    let (channel, chat) = match (hub.channels(), arguments.optional("chat_id")?) {
        ([channel], None) => (channel, None),
        (_, None) => return Err(Refused("the argument \"chat_id\" is missing".to_owned())),
        (_, Some(chat)) => target(hub, chat).map(|(channel, chat)| (channel, Some(chat)))?,
    };
    if file.is_none() && (message.is_none() || chat.is_none()) {
        return Err(Refused(
            "say which: give \"file_id\", or \"chat_id\" and \"message_id\" for all files of a message"
                .to_owned(),
        ));
    }
    let paths = channel.fetch(chat.as_ref(), message, file).await?;
    if paths.is_empty() {
        return Ok("(no files)".to_owned());
    }
    Ok(paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n"))
}

async fn fetch(hub: &Hub, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["channel", "limit"])?;
    let (channel, chat) = target(hub, arguments.text("channel")?)?;
    let limit = match arguments.0.get("limit") {
        None | Some(Value::Null) => FETCH_DEFAULT,
        Some(value) => value.as_u64().filter(|limit| (1..=FETCH_MOST).contains(limit)).ok_or_else(|| {
            Refused(format!("\"limit\" must be a whole number from 1 to {FETCH_MOST}, not {value}"))
        })?,
    };
    let history = channel.history(chat, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    Ok(transcript(&history))
}

/// Whatever could be taken for the beginning of another line.
const LINE_ENDS: [char; 7] = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

fn transcript(history: &History) -> String {
    let mut transcript = String::new();
    if history.left_out > 0 {
        let _ = writeln!(
            transcript,
            "({} left out: whoever wrote them may not write to this session)",
            history.left_out
        );
    }
    for message in &history.messages {
        let _ = writeln!(
            transcript,
            "[{}] {} ({}): {}  (id: {}{})",
            clock::iso(message.sent_at),
            message.sender.name,
            message.sender.id,
            // Further lines are indented, so that none of them looks like another message.
            text::content(&message.text).replace(LINE_ENDS, "\n    "),
            message.id,
            if message.attachments.is_empty() { "" } else { ", with files" },
        );
    }
    if history.messages.is_empty() {
        transcript.push_str("(no messages)");
    }
    transcript
}

/// Whose chat is it?
fn target<'a>(hub: &'a Hub, chat_id: &str) -> Result<(&'a Arc<Channel>, ChatId), Refused> {
    match hub.channels() {
        [] => Err(Refused("no channel is loaded".to_owned())),
        [channel] => Ok((channel, ChatId::new(chat_id))),
        [first, ..] => {
            let found = chat_id
                .split_once(':')
                .and_then(|(name, chat)| Some((hub.channel(name)?, ChatId::new(chat))));
            found.ok_or_else(|| {
                let names = hub.channels().iter().map(|channel| &**channel.name()).collect::<Vec<_>>().join(", ");
                let example = address(first.name(), &ChatId::new(chat_id));
                Refused(format!("\"{chat_id}\" names no channel: pass chat_id as it came, like {example} (channels: {names})"))
            })
        }
    }
}

/// A call's arguments, not yet trusted to be what the schema says.
struct Arguments(JsonObject);

impl Arguments {
    fn only(&self, known: &[&str]) -> Result<(), Refused> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                Err(Refused(format!("there is no argument \"{key}\"; there is {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Refused> {
        self.optional(name)?.ok_or_else(|| Refused(format!("the argument \"{name}\" is missing")))
    }

    fn optional(&self, name: &str) -> Result<Option<&str>, Refused> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Refused(format!("\"{name}\" must be a string, not {other}"))),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Refused> {
        let wrong = |other: &Value| Refused(format!("\"{name}\" must be an array of strings, not {other}"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(value)))
                .collect(),
            Some(other) => Err(wrong(other)),
        }
    }

    fn format(&self) -> Result<Format, Refused> {
        match self.optional("format")? {
            // CommonMark takes the backslashes of the official plugin's MarkdownV2 for what they are.
            None | Some("markdown" | "markdownv2") => Ok(Format::Markdown),
            Some("text" | "plain") => Ok(Format::Plain),
            Some(other) => {
                Err(Refused(format!("\"format\" must be \"markdown\" or \"text\", not \"{other}\"")))
            }
        }
    }
}
