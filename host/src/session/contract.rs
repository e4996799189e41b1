//! The names and shapes of the channel protocol, as Claude Code defines them.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeStruct as _},
};
use serde_json::{Value, json};

use crate::{
    event::{ChannelName, ChatId, Message},
    gate::permission::{RequestId, Verdict},
    notification::{self, Attribute, Whole},
};

/// The newest protocol revision that can carry channel messages: a server that negotiates a later one is not registered
/// as a channel.
pub const PROTOCOL_VERSION: rmcp::model::ProtocolVersion = rmcp::model::ProtocolVersion::V_2025_11_25;

/// The capability, under `experimental`, that makes a server a channel.
pub(super) const CHANNEL_CAPABILITY: &str = "claude/channel";

/// The capability, under `experimental`, that asks for permission prompts. It is declared only where a person may get
/// them, because older clients take any value as yes.
pub const PERMISSION_CAPABILITY: &str = "claude/channel/permission";

/// The notification in which the client asks whether a tool may run.
pub const PERMISSION_REQUEST: &str = "notifications/claude/channel/permission_request";

/// The notification that answers it.
pub const PERMISSION_VERDICT: &str = "notifications/claude/channel/permission";

/// The notification that carries an event.
pub const CHANNEL_NOTIFICATION: &str = "notifications/claude/channel";

/// Appends a line with one event. Returns the length of its text, in UTF-16 units, as the client counts it; None if the
/// event cannot be serialized.
pub(super) fn notify(
    buffer: &mut Vec<u8>,
    channel: Option<&ChannelName>,
    message: &Message,
    redelivered: bool,
    whole: &Whole,
) -> Option<u64> {
    #[derive(Serialize)]
    struct Notification<'a> {
        jsonrpc: &'static str,
        method: &'static str,
        params: Event<'a>,
    }
    let content = notification::content(message, whole);
    let length = length(&content);
    let params = Event { channel, message, content, redelivered, whole };
    let line = Notification { jsonrpc: "2.0", method: CHANNEL_NOTIFICATION, params };
    let before = buffer.len();
    match serde_json::to_writer(&mut *buffer, &line) {
        Ok(()) => {
            buffer.push(b'\n');
            Some(length)
        }
        Err(error) => {
            buffer.truncate(before);
            tracing::error!("a message cannot be written as a notification: {error}");
            None
        }
    }
}

fn length(content: &str) -> u64 {
    let units = if content.is_ascii() { content.len() } else { content.encode_utf16().count() };
    units as u64
}

/// Appends a line with a notice that the host itself writes: it has no sender, and nobody to reply to. Returns the
/// length of its text, in UTF-16 units.
pub(super) fn notice(buffer: &mut Vec<u8>, channel: &ChannelName, text: &str) -> u64 {
    let text = notification::cut(text.into(), &Whole::Nowhere);
    let length = length(&text);
    let params = json!({"content": text, "meta": {"notice": &**channel}});
    append(buffer, CHANNEL_NOTIFICATION, &params);
    length
}

/// Appends a line with the decision on a permission request.
pub(super) fn verdict(buffer: &mut Vec<u8>, request: &RequestId, verdict: Verdict) {
    append(buffer, PERMISSION_VERDICT, &json!({"request_id": request, "behavior": verdict}));
}

fn append(buffer: &mut Vec<u8>, method: &str, params: &Value) {
    let line = json!({"jsonrpc": "2.0", "method": method, "params": params});
    buffer.extend_from_slice(line.to_string().as_bytes());
    buffer.push(b'\n');
}

/// The parameters, `{content, meta}`; every value of `meta` is a string.
struct Event<'a> {
    channel: Option<&'a ChannelName>,
    message: &'a Message,
    content: Cow<'a, str>,
    redelivered: bool,
    whole: &'a Whole,
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut params = serializer.serialize_struct("params", 2)?;
        params.serialize_field("content", &self.content)?;
        params.serialize_field("meta", &Meta(self))?;
        params.end()
    }
}

struct Meta<'a>(&'a Event<'a>);

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Event { channel, message, redelivered, whole, .. } = *self.0;
        let mut meta = serializer.serialize_map(None)?;
        match channel {
            Some(channel) => meta.serialize_entry("chat_id", &address(channel, &message.chat.id))?,
            None => meta.serialize_entry("chat_id", &message.chat.id)?,
        }
        notification::carried(message)
            .try_for_each(|Attribute { key, value }| meta.serialize_entry(&key, &value))?;
        if redelivered {
            meta.serialize_entry("redelivered", "true")?;
        }
        if let Some((key, value)) = whole.attribute() {
            meta.serialize_entry(key, &value)?;
        }
        meta.end()
    }
}

/// Returns a chat's id for a server that several channels share: `channel:id`.
pub(super) fn address(channel: &ChannelName, chat: &ChatId) -> String {
    format!("{channel}:{chat}")
}

#[cfg(test)]
mod tests;
