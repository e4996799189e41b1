//! The tools, with the names, arguments and results of the official plugins.

mod arguments;
mod refusal;
mod schema;
mod target;

use std::{fmt::Write as _, path::PathBuf};

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::Value;

pub(super) use self::schema::{ToolName, list, offered};
use self::{
    arguments::Arguments,
    target::{candidates, target},
};
use crate::{
    clock,
    event::MessageId,
    hub::{Failure, History, Loaded, Reply},
    text,
};

/// How many messages `fetch_messages` returns by default, and at most.
const FETCH_DEFAULT: u64 = 20;
const FETCH_MOST: u64 = 100;

/// Calls a tool. A failure is a result that says what failed. If the session receives no messages from the channel, the
/// last block of the result says so, because a model that has sent something would wait for the answer. `folders` are
/// the folders that the client works in: files are sent from there.
pub(super) async fn call(
    loaded: &Loaded,
    tool: ToolName,
    arguments: JsonObject,
    folders: Vec<PathBuf>,
) -> CallToolResult {
    let arguments = Arguments(arguments);
    let result = match tool {
        ToolName::Reply => reply(loaded, &arguments, folders).await,
        ToolName::React => react(loaded, &arguments).await,
        ToolName::EditMessage => edit(loaded, &arguments).await,
        ToolName::DownloadAttachment => download(loaded, &arguments).await,
        ToolName::FetchMessages => fetch(loaded, &arguments).await,
    };
    let (text, result): (String, fn(Vec<ContentBlock>) -> CallToolResult) = match result {
        Ok(text) => (text, CallToolResult::success),
        Err(Refused(reason)) => (format!("{} failed: {reason}", tool.as_str()), CallToolResult::error),
    };
    let refusals = candidates(loaded, tool, &arguments)
        .into_iter()
        .filter_map(|channel| Some((&**channel.name(), channel.refused()?)));
    let refusal = refusal::describe(refusals, &text);
    result([Some(text), refusal].into_iter().flatten().map(ContentBlock::text).collect())
}

/// The error text that the session gets instead of a result.
struct Refused(String);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// Returns whether a call needs to know from which folders files may be sent.
pub(super) fn sends_files(arguments: &JsonObject) -> bool {
    arguments.get("files").and_then(Value::as_array).is_some_and(|files| !files.is_empty())
}

async fn reply(loaded: &Loaded, arguments: &Arguments, folders: Vec<PathBuf>) -> Result<String, Refused> {
    arguments.only(&["chat_id", "text", "reply_to", "files", "format"])?;
    let (channel, chat) = target(loaded, ToolName::Reply, arguments).await?;
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

async fn react(loaded: &Loaded, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["chat_id", "message_id", "emoji"])?;
    let (channel, chat) = target(loaded, ToolName::React, arguments).await?;
    let message = MessageId::new(arguments.text("message_id")?);
    channel.react(chat, message, arguments.text("emoji")?.to_owned()).await?;
    Ok("reacted".to_owned())
}

async fn edit(loaded: &Loaded, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["chat_id", "message_id", "text", "format"])?;
    let (channel, chat) = target(loaded, ToolName::EditMessage, arguments).await?;
    let message = MessageId::new(arguments.text("message_id")?);
    channel.edit(chat, message.clone(), arguments.text("text")?.to_owned(), arguments.format()?).await?;
    Ok(format!("edited (id: {message})"))
}

async fn download(loaded: &Loaded, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["chat_id", "message_id", "file_id"])?;
    let (message, file) = (arguments.optional("message_id")?, arguments.optional("file_id")?);
    if file.is_none() && message.is_none() {
        return Err(Refused(
            "say which: give \"file_id\", or \"chat_id\" and \"message_id\" for all files of a message"
                .to_owned(),
        ));
    }
    let (channel, chat) = match loaded.channels() {
        // The official Telegram plugin asks by the file's id alone.
        [channel] if file.is_some() && arguments.optional("chat_id")?.is_none() => (channel, None),
        _ => target(loaded, ToolName::DownloadAttachment, arguments)
            .await
            .map(|(channel, chat)| (channel, Some(chat)))?,
    };
    let paths = channel.fetch(chat.as_ref(), message, file).await?;
    if paths.is_empty() {
        return Ok("(no files)".to_owned());
    }
    Ok(paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n"))
}

async fn fetch(loaded: &Loaded, arguments: &Arguments) -> Result<String, Refused> {
    arguments.only(&["channel", "limit"])?;
    let (channel, chat) = target(loaded, ToolName::FetchMessages, arguments).await?;
    let limit = match arguments.0.get("limit") {
        None | Some(Value::Null) => FETCH_DEFAULT,
        Some(value) => value.as_u64().filter(|limit| (1..=FETCH_MOST).contains(limit)).ok_or_else(|| {
            Refused(format!("\"limit\" must be a whole number from 1 to {FETCH_MOST}, not {value}"))
        })?,
    };
    let history = channel.history(chat, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    Ok(transcript(&history))
}

/// The characters after which a reader could see the beginning of another line.
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
