//! Events on a platform, in the host's own types.
//!
//! The names are those of the contract (`wit/types.wit`), but each kind of id has its own type, so that ids cannot be
//! confused. The journal stores these types, and sessions get them. They do not depend on wasm or MCP.

use std::{borrow::Borrow, fmt, ops::Deref};

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Creates an id with the platform's spelling, unchanged.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// Returns the platform's spelling, to pass it back.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

id! {
    /// The permanent id of a sender on a platform.
    SenderId
}
id! {
    /// The id to which a reply is addressed.
    ChatId
}
id! {
    /// The id of a message on a platform.
    MessageId
}
id! {
    /// The id of an event of a channel. If the platform delivers the event again, the id is the same.
    EventId
}

/// A channel's name, which is also the name of its folder: `[a-z][a-z0-9-]*`, at most [`ChannelName::LIMIT`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ChannelName(String);

/// A text that is not a valid name of a channel.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{}\" cannot be a channel's name: it has to be a lower-case letter, then letters, digits and hyphens, at most {} in all",
    .0.chars().take(40).flat_map(char::escape_debug).collect::<String>(),
    ChannelName::LIMIT
)]
pub struct InvalidName(String);

impl ChannelName {
    /// The longest name, in bytes.
    pub const LIMIT: usize = 32;

    /// Checks a name. Rejects names that are not valid names of folders on every system.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if first && rest && name.len() <= Self::LIMIT {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidName(name.to_owned()))
        }
    }

    /// Returns the environment variable that sets something for this channel: `SOME_CHANNEL_SUFFIX`.
    pub fn variable(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.0.to_ascii_uppercase().replace('-', "_"))
    }
}

impl Deref for ChannelName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The sender of a message or the author of another event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// The id that an allowlist contains.
    pub id: SenderId,
    /// The name that the sender has chosen. It does not identify the sender.
    pub name: String,
    /// Whether the platform says that the sender is a program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bot: bool,
}

/// The number of people who read a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    /// One person and the bot.
    Direct,
    /// More than one reader.
    Group,
}

/// The chat that an event comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// The id to which a reply is addressed.
    pub id: ChatId,
    /// The number of people who read the chat.
    pub kind: ChatKind,
    /// The id under which a group is enabled, where it differs from `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<ChatId>,
    /// A topic inside the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The chat's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The kind of a file, as far as the platform tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum AttachmentKind {
    Photo,
    Document,
    Audio,
    Voice,
    Video,
    Sticker,
    Other,
}

impl AttachmentKind {
    /// Returns the contract's word for this kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Sticker => "sticker",
            Self::Other => "other",
        }
    }
}

/// A file that belongs to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// The id with which the host asks the guest for the file.
    pub id: String,
    /// The kind of the file.
    pub kind: AttachmentKind,
    /// The name that the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The media type, as the platform declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The file's path in the inbox, if the file is already there. Only the host sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
}

/// A message that a sender wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The platform's id, for quotes, edits and reactions.
    pub id: MessageId,
    /// The chat that contains the message.
    pub chat: Chat,
    /// The author of the message.
    pub sender: Sender,
    /// Opens a file for reading. Does not block, even if the path is a pipe or a device.
    pub text: String,
    /// The time at which it was sent, in milliseconds since the Unix epoch.
    pub sent_at: u64,
    /// Whether the bot is mentioned, or one of its messages is replied to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub addressed: bool,
    /// Whether this is a later version of a message that was seen before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// The message that this one replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// The files of the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// An id that the parts of an album share, if each part came as a separate message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Further attributes for the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
}

/// The press of a button.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Press {
    /// The button's action.
    pub action: String,
    /// The sender who pressed it.
    pub sender: Sender,
    /// The chat that contains the button.
    pub chat: Chat,
    /// The message that carries the button.
    pub message: MessageId,
}

/// The subject of a question about the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// What the bot is, and how to begin.
    Start,
    /// What a sender can do here.
    Help,
    /// Whether the sender may write here, and whether a session is listening.
    Status,
}

/// A question to the bot about itself. The host answers it; no session gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The subject of the question.
    pub topic: Topic,
    /// The sender who asked.
    pub sender: Sender,
    /// The chat in which the sender asked.
    pub chat: Chat,
}

/// The content of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    /// A sender wrote a message.
    Message(Message),
    /// A sender pressed a button.
    Press(Press),
    /// A sender asked the bot about itself.
    Question(Question),
    /// A group continues under another id.
    Moved {
        /// The old id.
        from: ChatId,
        /// The new id.
        to: ChatId,
    },
}

/// One event on the platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The id, unique in its channel.
    pub id: EventId,
    /// What happened.
    pub what: Happening,
}

/// The markup of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Plain text, shown as it is.
    Plain,
    /// Markdown (`CommonMark`).
    #[default]
    Markdown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_folders_are_refused() {
        for good in ["fakechat", "a", "my-2nd-bot"] {
            assert!(ChannelName::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in ["", "2nd", "-a", "Fakechat", "../x", "a/b", "a.b", "a b", "ä", "a\0", &long] {
            assert!(ChannelName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_variable_is_spelled_as_shells_take_it() {
        assert_eq!(ChannelName::new("my-bot").unwrap().variable("PORT"), "MY_BOT_PORT");
    }
}
