//! The attributes of a message. Those that a session needs most come first.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{VALUE, check_key};
use crate::{
    clock,
    event::{Attachment, AttachmentKind, Message},
    text,
};

/// The attribute that the host sets where a picture could not be downloaded. Its value is the reason.
pub const PICTURE_MISSING: &str = "picture_missing";

/// One attribute. Serialised, its value has at most 1,024 bytes: a longer one is cut and ends in `…`.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// The name of the attribute.
    pub key: Key<'a>,
    /// The value of the attribute.
    pub value: Value<'a>,
}

/// The name of an attribute: `attachment_name` for the first file, as in the official plugins; `attachment_name_2` for
/// the second, and so on.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    stem: &'a str,
    /// The position of the file that the attribute is about, from 0; 0 also if it is about no file.
    index: usize,
}

/// A value before it is written.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A text, which can be cut.
    Text(&'a str),
    /// A path, which is never cut: a part of it would be another path.
    Path(&'a str),
    /// Milliseconds since the Unix epoch.
    Time(u64),
    /// A number, such as a file's size in bytes.
    Number(u64),
}

impl<'a> Attribute<'a> {
    fn new(stem: &'a str, value: Value<'a>) -> Self {
        Self { key: Key { stem, index: 0 }, value }
    }
}

impl Value<'_> {
    /// Returns the length in bytes; 0 for values that are never too long.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Text(text) | Self::Path(text) => text.len(),
            Self::Time(_) | Self::Number(_) => 0,
        }
    }
}

/// Returns all attributes of a message except those that depend on how it is delivered (`chat_id`, `redelivered`, and
/// the one about the file with the whole message). First the host's own, then where the files are, then what they are,
/// last the guest's.
pub(super) fn attributes(message: &Message) -> impl Iterator<Item = Attribute<'_>> {
    let text = |stem, text| Attribute::new(stem, Value::Text(text));
    let own = [
        Some(text("message_id", &*message.id)),
        Some(text("user", &*message.sender.name)),
        Some(text("user_id", &*message.sender.id)),
        Some(Attribute::new("ts", Value::Time(message.sent_at))),
        message.chat.thread.as_deref().map(|thread| text("thread_id", thread)),
        message.reply_to.as_deref().map(|quoted| text("reply_to", quoted)),
        message.edited.then(|| text("edited", "true")),
        message.extra.iter().find(|(key, _)| key == PICTURE_MISSING).map(|(key, reason)| text(key, reason)),
    ];
    let files = FILE.into_iter().flat_map(|of| {
        message.attachments.iter().enumerate().filter_map(move |(index, file)| {
            let (stem, value) = of(file)?;
            Some(Attribute { key: Key { stem, index }, value })
        })
    });
    // The journal may hold attributes of an earlier version, which accepted other keys.
    let guests = message.extra.iter().filter(|(key, _)| check_key(key).is_ok());
    own.into_iter().flatten().chain(files).chain(guests.map(move |(key, value)| text(key, value)))
}

/// A function that returns one attribute of a file, if the file has it.
type OfFile = for<'a> fn(&'a Attachment) -> Option<(&'static str, Value<'a>)>;

/// The attributes of a file. Those without which the file cannot be found come first.
const FILE: [OfFile; 6] = [
    |file| match &file.saved {
        Some(path) => Some(("file_path", Value::Path(path))),
        None => Some(("attachment_file_id", Value::Text(&file.id))),
    },
    |file| {
        let path = file.saved.as_deref().filter(|_| file.kind == AttachmentKind::Photo)?;
        Some(("image_path", Value::Path(path)))
    },
    |file| Some(("attachment_kind", Value::Text(file.kind.as_str()))),
    |file| Some(("attachment_name", Value::Text(file.name.as_deref()?))),
    |file| Some(("attachment_mime", Value::Text(file.media_type.as_deref()?))),
    |file| Some(("attachment_size", Value::Number(file.size?))),
];

impl fmt::Display for Key<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => formatter.write_str(self.stem),
            index => write!(formatter, "{}_{}", self.stem, index + 1),
        }
    }
}

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.index {
            0 => serializer.serialize_str(self.stem),
            _ => serializer.collect_str(self),
        }
    }
}

/// Writes the whole value.
impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text(text) | Self::Path(text) => formatter.write_str(text),
            Self::Time(milliseconds) => formatter.write_str(&clock::iso(milliseconds)),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Text(text) if text.len() > VALUE => {
                let beginning = text::beginning(text, VALUE - '…'.len_utf8()).trim_end();
                serializer.collect_str(&format_args!("{beginning}…"))
            }
            Self::Text(text) | Self::Path(text) => serializer.serialize_str(text),
            Self::Time(milliseconds) => serializer.serialize_str(&clock::iso(milliseconds)),
            Self::Number(_) => serializer.collect_str(self),
        }
    }
}
