//! Commands of a test: JSON text frames on `/ws`, each an object with one key.
//!
//! An unknown field is an error, so that a test's mistake is noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_guest::{
    Attachment, AttachmentKind, Chat, ChatKind, Event, Happening, Message, Move, Press, Sender, environment,
};

use crate::failure::Failure;

/// One frame.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Told {
    /// A person writes.
    Message(Box<Draft>),
    /// Several messages that one call reports.
    Messages(Vec<Draft>),
    /// A person presses a button.
    Press(Pressed),
    /// A group continues under another id.
    Moved(Moved),
    /// The platform's history of its chats, oldest first. It replaces the previous history.
    History(Vec<Draft>),
    /// Makes a call fail.
    Fail(Failure),
    /// Answered with `{"pong": …}` on the same connection, once all earlier frames of this connection are stored.
    Ping(String),
}

/// A message of a person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// The message's id. The default is the event's id.
    id: Option<String>,
    /// The event's id. The default is a unique id.
    event: Option<String>,
    pub(crate) chat: String,
    #[serde(with = "Readers", default = "direct")]
    kind: ChatKind,
    group: Option<String>,
    thread: Option<String>,
    title: Option<String>,
    sender: String,
    /// The sender's name. The default is the sender's id.
    name: Option<String>,
    #[serde(default)]
    bot: bool,
    text: String,
    #[serde(default)]
    addressed: bool,
    #[serde(default)]
    edited: bool,
    reply_to: Option<String>,
    /// The time in milliseconds since the Unix epoch. The default is the current time.
    sent_at: Option<u64>,
    #[serde(default)]
    attachments: Vec<Enclosed>,
    #[serde(default)]
    extra: BTreeMap<String, String>,
}

/// A file of a message, which stays on the platform.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enclosed {
    id: String,
    #[serde(with = "Medium", default = "document")]
    kind: AttachmentKind,
    name: Option<String>,
    media_type: Option<String>,
    size: Option<u64>,
}

/// A press of a button.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pressed {
    event: Option<String>,
    action: String,
    sender: String,
    name: Option<String>,
    chat: String,
    #[serde(with = "Readers", default = "direct")]
    kind: ChatKind,
    message: String,
}

/// A group's move.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moved {
    from: String,
    to: String,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ChatKind", rename_all = "lowercase")]
enum Readers {
    Direct,
    Group,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "AttachmentKind", rename_all = "lowercase")]
enum Medium {
    Photo,
    Document,
    Audio,
    Voice,
    Video,
    Sticker,
    Other,
}

fn direct() -> ChatKind {
    ChatKind::Direct
}

fn document() -> AttachmentKind {
    AttachmentKind::Document
}

impl Draft {
    pub(crate) fn event(self) -> Event {
        let id = self.event.clone().unwrap_or_else(unique);
        let message = Self { event: Some(id.clone()), ..self }.message();
        Event { id, what: Happening::Message(message) }
    }

    /// Fills in the values that would otherwise differ each time the draft is read.
    pub(crate) fn complete(self) -> Self {
        let id = self.id.or_else(|| self.event.clone()).unwrap_or_else(unique);
        Self { id: Some(id), sent_at: self.sent_at.or_else(|| Some(environment::now())), ..self }
    }

    pub(crate) fn message(self) -> Message {
        Message {
            id: self.id.or(self.event).unwrap_or_else(unique),
            chat: Chat {
                id: self.chat,
                kind: self.kind,
                group: self.group,
                thread: self.thread,
                title: self.title,
            },
            sender: sender(self.sender, self.name, self.bot),
            text: self.text,
            sent_at: self.sent_at.unwrap_or_else(environment::now),
            addressed: self.addressed,
            edited: self.edited,
            reply_to: self.reply_to,
            attachments: self.attachments.into_iter().map(Attachment::from).collect(),
            album: None,
            extra: self.extra.into_iter().collect(),
        }
    }
}

impl From<Enclosed> for Attachment {
    fn from(enclosed: Enclosed) -> Self {
        let Enclosed { id, kind, name, media_type, size } = enclosed;
        Self { id, kind, name, media_type, size, local: None }
    }
}

impl Pressed {
    pub(crate) fn event(self) -> Event {
        let press = Press {
            action: self.action,
            sender: sender(self.sender, self.name, false),
            chat: Chat { id: self.chat, kind: self.kind, group: None, thread: None, title: None },
            message: self.message,
        };
        Event { id: self.event.unwrap_or_else(unique), what: Happening::Press(press) }
    }
}

impl Moved {
    pub(crate) fn event(self) -> Event {
        let what = Happening::Moved(Move { from_chat: self.from, to_chat: self.to });
        Event { id: unique(), what }
    }
}

fn sender(id: String, name: Option<String>, is_bot: bool) -> Sender {
    Sender { name: name.unwrap_or_else(|| id.clone()), id, is_bot }
}

/// Returns a unique id.
fn unique() -> String {
    let number = environment::random(8).iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}")
}
