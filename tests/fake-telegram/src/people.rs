//! Users and chats.

use serde::Deserialize;
use serde_json::{Value, json};

/// A person with an account, or a bot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The id. Positive, and equal to the direct chat's id.
    pub id: i64,
    /// The first name. Never empty.
    pub first_name: String,
    /// The username without `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// Whether this is a bot.
    #[serde(default)]
    pub is_bot: bool,
}

impl User {
    /// Creates a person without a username.
    pub fn new(id: i64, first_name: impl Into<String>) -> Self {
        Self { id, first_name: first_name.into(), username: None, is_bot: false }
    }

    /// Sets the username, without `@`.
    #[must_use]
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// Makes it a bot.
    #[must_use]
    pub fn bot(self) -> Self {
        Self { is_bot: true, ..self }
    }

    /// Returns the direct chat with this user.
    pub fn chat(&self) -> Chat {
        Chat {
            username: self.username.clone(),
            ..Chat::new(self.id, ChatKind::Private, self.first_name.clone())
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name});
        if let Some(username) = &self.username {
            value["username"] = username.as_str().into();
        }
        if !self.is_bot {
            value["language_code"] = "en".into();
        }
        value
    }
}

/// The type of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// A direct chat with one user.
    Private,
    /// A basic group: small, and may become a supergroup.
    Group,
    /// A supergroup; its id begins with -100.
    Supergroup,
    /// A channel, in which only its administrators write.
    Channel,
}

impl ChatKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group => "group",
            Self::Supergroup => "supergroup",
            Self::Channel => "channel",
        }
    }
}

/// A chat, or one topic of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Chat {
    /// The id. Negative unless the chat is direct.
    pub id: i64,
    /// `type`.
    #[serde(rename = "type")]
    pub kind: ChatKind,
    /// The title; of a direct chat, the first name.
    pub title: String,
    /// The public name without `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// Whether it has topics.
    #[serde(default)]
    pub is_forum: bool,
    /// The topic, if this is a topic and not the whole chat.
    #[serde(default, rename = "message_thread_id")]
    pub thread: Option<i64>,
}

impl Chat {
    fn new(id: i64, kind: ChatKind, title: impl Into<String>) -> Self {
        Self { id, kind, title: title.into(), username: None, is_forum: false, thread: None }
    }

    /// A basic group.
    pub fn group(id: i64, title: impl Into<String>) -> Self {
        Self::new(id, ChatKind::Group, title)
    }

    /// A supergroup; ids are below -1,000,000,000,000.
    pub fn supergroup(id: i64, title: impl Into<String>) -> Self {
        Self::new(id, ChatKind::Supergroup, title)
    }

    /// A channel.
    pub fn channel(id: i64, title: impl Into<String>) -> Self {
        Self::new(id, ChatKind::Channel, title)
    }

    /// A supergroup with topics.
    pub fn forum(id: i64, title: impl Into<String>) -> Self {
        Self { is_forum: true, ..Self::supergroup(id, title) }
    }

    /// Sets the public name, without `@`.
    #[must_use]
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// Returns one topic of it; [`Server::topic`](crate::Server::topic) creates one.
    #[must_use]
    pub fn in_topic(&self, thread: i64) -> Self {
        Self { thread: Some(thread), ..self.clone() }
    }

    pub(crate) fn to_json(&self) -> Value {
        let name = if self.kind == ChatKind::Private { "first_name" } else { "title" };
        let mut value = json!({"id": self.id, "type": self.kind.as_str(), name: self.title});
        if let Some(username) = &self.username {
            value["username"] = username.as_str().into();
        }
        if self.is_forum {
            value["is_forum"] = true.into();
        }
        if self.kind == ChatKind::Group {
            value["all_members_are_administrators"] = false.into();
        }
        value
    }
}
