//! Chats and topics.

use tidegate_guest::{Chat, ChatKind};

use super::{Missing, json::Object};
use crate::chat::ChatId;

/// The chat and the topic of an update.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) id: ChatId,
    /// `None` for a channel: people do not converse in a channel.
    pub(super) kind: Option<ChatKind>,
    /// Telegram's `Chat`.
    pub(super) chat: Object<'a>,
}

impl<'a> Place<'a> {
    /// Returns the place of a message, or of the message that a reaction refers to.
    ///
    /// `message_thread_id` without `is_topic_message` is the thread of replies below a message: it is not part of the
    /// address.
    pub(super) fn of(message: &Object<'a>) -> Result<Self, Missing> {
        let chat = message.object("chat").unwrap_or_default();
        let id = chat.integer("id").ok_or(Missing("chat.id"))?;
        let kind = match chat.text("type").as_deref() {
            Some("channel") => None,
            Some("private") => Some(ChatKind::Direct),
            Some("group" | "supergroup") => Some(ChatKind::Group),
            // Only people have positive ids.
            _ if id > 0 => Some(ChatKind::Direct),
            _ => Some(ChatKind::Group),
        };
        let thread = message.integer("message_thread_id").filter(|_| message.flag("is_topic_message"));
        Ok(Self { id: ChatId { chat: id, thread }, kind, chat })
    }

    pub(super) fn to_chat(&self, kind: ChatKind) -> Chat {
        let is_group = kind == ChatKind::Group;
        Chat {
            id: self.id.to_string(),
            kind,
            group: self.id.thread.filter(|_| is_group).map(|_| self.id.chat.to_string()),
            thread: self.id.thread.map(|thread| thread.to_string()),
            title: self.chat.text("title").filter(|_| is_group).map(Into::into),
        }
    }
}
