//! What somebody writes.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    file::{File, MediaKind},
    people::User,
};

/// One message on its way to the bot. A plain text is one already.
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

/// A file and as what it is sent.
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

    /// A file, with the text as its caption, if there is to be one.
    pub fn media(kind: MediaKind, file: File) -> Self {
        Self { media: Some(Media { kind, file }), ..Self::default() }
    }

    /// A photo; if these bytes are no picture it is said to be 640 by 480.
    pub fn photo(bytes: impl Into<Vec<u8>>) -> Self {
        Self::media(MediaKind::Photo, File::new("photo.jpg", bytes))
    }

    /// A document.
    pub fn document(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::media(MediaKind::Document, File::new(name, bytes))
    }

    /// The same with a caption.
    #[must_use]
    pub fn caption(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// The same as a reply to a message of this chat.
    #[must_use]
    pub fn reply_to(self, message: i64) -> Self {
        Self { reply_to: Some(message), ..self }
    }

    /// The same, quoting a part of what it replies to.
    #[must_use]
    pub fn quoting(self, text: impl Into<String>) -> Self {
        Self { quote: Some(text.into()), ..self }
    }

    /// The same, as somebody else's message that is forwarded.
    #[must_use]
    pub fn forwarded_from(self, user: User) -> Self {
        Self { forwarded_from: Some(user), ..self }
    }

    /// The same with this field of the message, whatever it was: `location`, `contact`, `entities`, …
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
