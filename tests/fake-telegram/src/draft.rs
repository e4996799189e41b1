//! Drafts of people's messages.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    file::{File, MediaKind},
    people::User,
};

/// A message to the bot before it is sent. A plain text converts into a draft.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    pub(crate) text: String,
    pub(crate) media: Option<Media>,
    pub(crate) reply_to: Option<i64>,
    pub(crate) quote: Option<String>,
    pub(crate) forwarded_from: Option<User>,
    pub(crate) fields: Map<String, Value>,
}

/// A file, and the kind that it is sent as.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Media {
    pub(crate) kind: MediaKind,
    pub(crate) file: File,
}

impl Draft {
    /// A text; mentions, commands and links in it become entities.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A file; the text becomes its caption.
    pub fn media(kind: MediaKind, file: File) -> Self {
        Self { media: Some(Media { kind, file }), ..Self::default() }
    }

    /// A photo; if the bytes are not a picture, it is reported as 640 by 480.
    pub fn photo(bytes: impl Into<Vec<u8>>) -> Self {
        Self::media(MediaKind::Photo, File::new("photo.jpg", bytes))
    }

    /// A document.
    pub fn document(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::media(MediaKind::Document, File::new(name, bytes))
    }

    /// Sets the caption.
    #[must_use]
    pub fn caption(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Makes it a reply to a message of this chat.
    #[must_use]
    pub fn reply_to(self, message: i64) -> Self {
        Self { reply_to: Some(message), ..self }
    }

    /// Adds a quote of a part of the message that it replies to.
    #[must_use]
    pub fn quoting(self, text: impl Into<String>) -> Self {
        Self { quote: Some(text.into()), ..self }
    }

    /// Makes it a forward of this user's message.
    #[must_use]
    pub fn forwarded_from(self, user: User) -> Self {
        Self { forwarded_from: Some(user), ..self }
    }

    /// Sets any field of the message: `location`, `contact`, `entities`, …
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Draft {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}
