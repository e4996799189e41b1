//! The tools as a client sees them: names, arguments, descriptions.

use std::{fmt::Write as _, sync::Arc};

use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::{FETCH_MOST, target};
use crate::hub::{Channel, Loaded};

/// A key in the `_meta` of a tool. Some clients defer MCP tools, so that the model sees only their names until it
/// searches. They load the schema of a tool with this key at once.
const ALWAYS_LOAD: &str = "anthropic/alwaysLoad";

/// A tool that this server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum ToolName {
    Reply,
    React,
    EditMessage,
    DownloadAttachment,
    FetchMessages,
}

impl ToolName {
    /// All tools, in the order in which they are listed.
    const ALL: [Self; 5] =
        [Self::Reply, Self::React, Self::EditMessage, Self::DownloadAttachment, Self::FetchMessages];

    /// Returns the name that the official plugins use.
    pub(in crate::session) fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::React => "react",
            Self::EditMessage => "edit_message",
            Self::DownloadAttachment => "download_attachment",
            Self::FetchMessages => "fetch_messages",
        }
    }

    /// Returns the argument that says which chat a call is about.
    pub(super) fn chat_argument(self) -> &'static str {
        match self {
            Self::FetchMessages => "channel",
            Self::Reply | Self::React | Self::EditMessage | Self::DownloadAttachment => "chat_id",
        }
    }

    /// Returns whether this channel offers the tool.
    pub(super) fn is_offered_by(self, channel: &Channel) -> bool {
        let features = &channel.descriptor().features;
        match self {
            Self::Reply => features.reply,
            Self::React => features.react,
            Self::EditMessage => features.edit,
            Self::DownloadAttachment => features.attachments,
            Self::FetchMessages => features.history,
        }
    }

    /// Returns whether a model needs the tool as soon as a message arrives. It reads the files of a message before it
    /// answers.
    fn is_always_loaded(self) -> bool {
        matches!(self, Self::Reply | Self::DownloadAttachment)
    }
}

/// Returns the tools that any channel offers. A channel that is being prepared most likely accepts replies, so the
/// reply tool is listed as well; a call to it returns the state of the preparation.
pub(in crate::session) fn offered(loaded: &Loaded) -> Vec<ToolName> {
    let is_expected = |tool: ToolName| tool == ToolName::Reply && !loaded.preparing().is_empty();
    let is_offered = |tool: &ToolName| {
        is_expected(*tool) || loaded.channels().iter().any(|channel| tool.is_offered_by(channel))
    };
    ToolName::ALL.into_iter().filter(is_offered).collect()
}

/// Returns the tools with their arguments.
pub(in crate::session) async fn list(loaded: &Loaded) -> Vec<Tool> {
    let mut tools = Vec::new();
    for tool in offered(loaded) {
        tools.push(describe(loaded, tool).await);
    }
    tools
}

async fn describe(loaded: &Loaded, tool: ToolName) -> Tool {
    let several = loaded.several();
    let sole = target::sole(loaded, tool).await;
    let mut about_chat = "The chat_id of the message".to_owned();
    if several {
        about_chat.push_str(", with the channel's name before the colon");
    }
    if let Some(chat) = &sole {
        let _ = write!(about_chat, "; may be left out while {chat} is the only chat that may be answered");
    }
    let chat = json!({"type": "string", "description": about_chat});
    let text = json!({"type": "string"});
    let format = json!({
        "type": "string", "enum": ["markdown", "text"],
        "description": "How the text is marked up; markdown unless you say text"
    });
    let (title, about, properties, mut required): (_, _, _, Vec<&str>) = match tool {
        ToolName::Reply => {
            let mut properties = json!({
                "chat_id": chat,
                "text": text,
                "reply_to": {"type": "string", "description": "The message_id to quote"},
                "format": format,
            });
            if loaded.channels().iter().any(|channel| channel.descriptor().features.uploads)
                && let Some(properties) = properties.as_object_mut()
            {
                properties.insert(
                    "files".to_owned(),
                    json!({"type": "array", "items": text, "description": "Absolute paths of files to send along"}),
                );
            }
            ("Reply", "Send a message to a chat.", properties, vec!["chat_id", "text"])
        }
        ToolName::React => (
            "React",
            "Put an emoji on a message.",
            json!({"chat_id": chat, "message_id": text, "emoji": text}),
            vec!["chat_id", "message_id", "emoji"],
        ),
        ToolName::EditMessage => (
            "Edit",
            "Change a message that you sent. Edits notify nobody: for progress, not for results.",
            json!({"chat_id": chat, "message_id": text, "text": text, "format": format}),
            vec!["chat_id", "message_id", "text"],
        ),
        ToolName::DownloadAttachment => (
            "Download",
            "Bring the files of a message into the inbox: one by its file_id, or all of a message by its chat_id and message_id. The result is their paths.",
            json!({
                "chat_id": chat,
                "message_id": text,
                "file_id": {"type": "string", "description": "The attachment_file_id, to bring one file only"},
            }),
            if several { vec!["chat_id"] } else { Vec::new() },
        ),
        ToolName::FetchMessages => (
            "Fetch messages",
            "Read the latest messages of a chat, oldest first.",
            json!({"channel": chat, "limit": {"type": "integer", "minimum": 1, "maximum": FETCH_MOST}}),
            vec!["channel"],
        ),
    };
    if sole.is_some() {
        required.retain(|argument| *argument != tool.chat_argument());
    }
    declare(tool, title, about, &properties, &required)
}

fn declare(tool: ToolName, title: &str, about: &'static str, properties: &Value, required: &[&str]) -> Tool {
    let schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let schema = schema.as_object().cloned().unwrap_or_default();
    let mut declared = Tool::new(tool.as_str(), about, Arc::new(schema)).with_title(title);
    if tool == ToolName::FetchMessages {
        declared = declared.with_annotations(ToolAnnotations::new().read_only(true));
    }
    if tool.is_always_loaded() {
        declared = declared
            .with_meta(MetaObject([(ALWAYS_LOAD.to_owned(), Value::Bool(true))].into_iter().collect()));
    }
    declared
}
