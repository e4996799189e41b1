//! What happens on a platform, in the host's own words.
//!
//! The names are the contract's (`wit/types.wit`), with ids that cannot be confused with one another. These
//! are the types that the journal stores and a session is told; nothing here knows wasm or MCP.

use std::{borrow::Borrow, fmt, ops::Deref};

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the platform's spelling as it is.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The platform's spelling, for handing it back.
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
    /// Somebody on a platform, for ever.
    SenderId
}
id! {
    /// What a reply is addressed to.
    ChatId
}
id! {
    /// A message on a platform.
    MessageId
}
id! {
    /// An event of a channel: a redelivery by the platform repeats it.
    EventId
}

/// A channel's name, which is also its folder's: `[a-z][a-z0-9-]*`, at most [`ChannelName::LIMIT`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ChannelName(String);

/// A text that is no channel's name.
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

    /// Refuses whatever could not be a folder's name everywhere.
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

    /// `SOME_CHANNEL_SUFFIX`: the environment variable that sets something for this channel.
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

/// Who wrote something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// What an allowlist holds.
    pub id: SenderId,
    /// What the sender likes to be called: never an identity.
    pub name: String,
    /// The platform says that a program wrote this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bot: bool,
}

/// How many people read along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    /// One person and the bot.
    Direct,
    /// Anything with more readers than one.
    Group,
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// What a reply is addressed to.
    pub id: ChatId,
    /// How many people read along.
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

/// What a file is, as far as the platform says.
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
    /// The contract's word.
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

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// What the guest is asked for when the file is wanted.
    pub id: String,
    /// What it is.
    pub kind: AttachmentKind,
    /// The name that the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As the platform says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The file's path in the inbox, where it is there already. Only the host sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
}

/// Somebody wrote something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The platform's id, to be quoted, edited or reacted to.
    pub id: MessageId,
    /// Where.
    pub chat: Chat,
    /// Who.
    pub sender: Sender,
    /// What, as plain text.
    pub text: String,
    /// When, in milliseconds since the Unix epoch.
    pub sent_at: u64,
    /// The bot is mentioned, or one of its messages is replied to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub addressed: bool,
    /// A later version of a message that was seen before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What the parts of an album have in common, where each came as a message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Further attributes for the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
}

/// Somebody pressed a button.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Press {
    /// The button's action.
    pub action: String,
    /// Who.
    pub sender: Sender,
    /// Where.
    pub chat: Chat,
    /// The message that carries the button.
    pub message: MessageId,
}

/// What people ask a bot about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// What is this, and how does one begin?
    Start,
    /// What can one do here?
    Help,
    /// May I write here, and is anybody listening?
    Status,
}

/// Somebody asked the bot about itself. The host answers; no session hears of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What about.
    pub topic: Topic,
    /// Who.
    pub sender: Sender,
    /// Where.
    pub chat: Chat,
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    /// Somebody wrote something.
    Message(Message),
    /// Somebody pressed a button.
    Press(Press),
    /// Somebody asked the bot about itself.
    Question(Question),
    /// A group went on under another id.
    Moved {
        /// The id that is gone.
        from: ChatId,
        /// The id that takes its place.
        to: ChatId,
    },
}

/// One thing that happened on the platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique in its channel.
    pub id: EventId,
    /// What happened.
    pub what: Happening,
}

/// How a text is marked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// To be shown as it is.
    Plain,
    /// `CommonMark`.
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
