//! What a notification carries of a message, and the limits of its sizes: the smallest that any known client accepts.
//! This module contains rules only: nothing here reads or writes.
//!
//! A content that is too long is cut, and says so; so is the value of an attribute. If there are too many attributes,
//! some are left out, the guest's own first. The whole of such a message is in a file: [`whole`] returns the text of
//! the file, and [`Whole`] says where the file is.

mod attribute;
mod key;

use std::{borrow::Cow, fmt::Write as _};

use self::attribute::attributes;
pub use self::{
    attribute::{Attribute, Key, PICTURE_MISSING, Value},
    key::{InvalidKey, check_key},
};
use crate::{event::Message, text};

/// The longest content, in bytes of UTF-8.
pub const CONTENT: usize = 64 << 10;

/// The most attributes.
pub const ATTRIBUTES: usize = 32;

/// The longest value of an attribute, in bytes of UTF-8.
pub const VALUE: usize = 1024;

/// The number of attributes that depend on how a message is delivered: `chat_id`, `redelivered`, and one about the file
/// with the whole message. Their places are always kept free, so that a message fits at every delivery or at none.
const DELIVERY: usize = 3;

/// A length, in bytes, up to which any text fits, however it is cleaned: each `<channel` of 8 bytes becomes 3 bytes
/// longer.
const SURELY_FITS: usize = CONTENT / 2;

/// Where the whole message is, if one notification does not carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whole {
    /// In no file.
    #[default]
    Nowhere,
    /// In the file at this path.
    Kept(String),
    /// In no file, because the file could not be written for this reason.
    Lost(String),
}

impl Whole {
    /// Returns the attribute about the file.
    pub fn attribute(&self) -> Option<(&'static str, Value<'_>)> {
        match self {
            Self::Nowhere => None,
            Self::Kept(path) => Some(("full_message_path", Value::Path(path))),
            Self::Lost(reason) => Some(("full_message_missing", Value::Text(reason))),
        }
    }
}

/// Returns whether one notification can carry the whole message. Cheap for nearly all messages.
pub fn fits(message: &Message) -> bool {
    let content = message.text.len() <= SURELY_FITS || text::content(&message.text).len() <= CONTENT;
    // The host's own attributes alone are always short and few enough.
    let plain = message.attachments.is_empty() && message.extra.is_empty();
    content && (plain || not_whole(message).next().is_none())
}

/// Returns the content of a message, made harmless, and cut where it is too long.
pub fn content<'a>(message: &'a Message, whole: &Whole) -> Cow<'a, str> {
    cut(text::content(&message.text), whole)
}

/// Cuts a text to the length that a content may have. A mark at its end then says that it was cut.
pub fn cut<'a>(text: Cow<'a, str>, whole: &Whole) -> Cow<'a, str> {
    if text.len() <= CONTENT {
        return text;
    }
    let mut mark = format!("… [cut: {} bytes in all", text.len());
    mark.push_str(match whole {
        Whole::Nowhere => "]",
        Whole::Kept(_) => "; the whole message is in the file at full_message_path]",
        Whole::Lost(_) => "; the whole message could not be kept in a file: see full_message_missing]",
    });
    let beginning = text::beginning(&text, CONTENT.saturating_sub(mark.len()));
    Cow::Owned([beginning, &mark].concat())
}

/// Returns the attributes that a notification carries, except those that depend on how it is delivered.
pub fn carried(message: &Message) -> impl Iterator<Item = Attribute<'_>> {
    attributes(message).filter(|attribute| can_be_carried(attribute.value)).take(ATTRIBUTES - DELIVERY)
}

/// Returns whether a value can be carried. A path that is too long cannot, because part of a path would mislead.
fn can_be_carried(value: Value<'_>) -> bool {
    !matches!(value, Value::Path(path) if path.len() > VALUE)
}

/// Returns the attributes that a notification leaves out or cuts.
fn not_whole(message: &Message) -> impl Iterator<Item = Attribute<'_>> {
    let mut room = ATTRIBUTES - DELIVERY;
    attributes(message).filter(move |attribute| {
        let carried = room > 0 && can_be_carried(attribute.value);
        room -= usize::from(carried);
        !carried || attribute.value.len() > VALUE
    })
}

/// Returns the text of the file with the whole message: the content, followed by the attributes that a notification
/// leaves out or cuts, one per line.
///
/// The sender can write lines that look the same into the content. None of them comes after the host's own lines.
pub fn whole(message: &Message) -> String {
    let mut whole = text::content(&message.text).into_owned();
    let mut rest = not_whole(message).peekable();
    if rest.peek().is_some() {
        // Writing to a string cannot fail.
        let _ = write!(
            whole,
            "\n\n[The first {} bytes of this file are the message. Attributes that were too many or too long follow; \
             only what stands behind the last line like this one is from tidegate.]\n",
            whole.len()
        );
    }
    for Attribute { key, value } in rest {
        let _ = writeln!(whole, "{key}: {}", value.to_string().replace(char::is_control, " "));
    }
    whole
}

#[cfg(test)]
mod tests;
