//! The channel protocol's names and shapes, as Claude Code has them.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeStruct as _},
};
use serde_json::{Value, json};

use crate::{
    clock,
    event::{Attachment, AttachmentKind, ChannelName, ChatId, Message},
    gate::permission::{RequestId, Verdict},
    notification::check_key,
    text,
};

/// The newest revision that can carry channel messages: a server that negotiates a later one is not
/// registered as a channel.
pub const PROTOCOL_VERSION: rmcp::model::ProtocolVersion = rmcp::model::ProtocolVersion::V_2025_11_25;

/// The capability, under `experimental`, that makes a server a channel.
pub(super) const CHANNEL_CAPABILITY: &str = "claude/channel";

/// The capability, under `experimental`, that asks for permission prompts. Declared only where somebody may get them:
/// older clients take any value for yes.
pub(super) const PERMISSION_CAPABILITY: &str = "claude/channel/permission";

/// The client asks whether a tool may run.
pub const PERMISSION_REQUEST: &str = "notifications/claude/channel/permission_request";

/// The answer.
pub const PERMISSION_VERDICT: &str = "notifications/claude/channel/permission";

/// The notification that carries an event.
pub const CHANNEL_NOTIFICATION: &str = "notifications/claude/channel";

/// Appends a line with one event.
pub(super) fn notify(
    buffer: &mut Vec<u8>,
    channel: Option<&ChannelName>,
    message: &Message,
    redelivered: bool,
) {
    #[derive(Serialize)]
    struct Notification<'a> {
        jsonrpc: &'static str,
        method: &'static str,
        params: Event<'a>,
    }
    let params = Event { channel, message, redelivered };
    let line = Notification { jsonrpc: "2.0", method: CHANNEL_NOTIFICATION, params };
    let before = buffer.len();
    match serde_json::to_writer(&mut *buffer, &line) {
        Ok(()) => buffer.push(b'\n'),
        Err(error) => {
            buffer.truncate(before);
            tracing::error!("a message cannot be told: {error}");
        }
    }
}

/// Appends a line with something of the host's own: it has no sender, and nobody to reply to.
pub(super) fn notice(buffer: &mut Vec<u8>, channel: &ChannelName, text: &str) {
    let params = json!({"content": text, "meta": {"notice": &**channel}});
    append(buffer, CHANNEL_NOTIFICATION, &params);
}

/// Appends a line with what somebody has decided.
pub(super) fn verdict(buffer: &mut Vec<u8>, request: &RequestId, verdict: Verdict) {
    append(buffer, PERMISSION_VERDICT, &json!({"request_id": request, "behavior": verdict}));
}

fn append(buffer: &mut Vec<u8>, method: &str, params: &Value) {
    let line = json!({"jsonrpc": "2.0", "method": method, "params": params});
    buffer.extend_from_slice(line.to_string().as_bytes());
    buffer.push(b'\n');
}

/// `{content, meta}`; every value of `meta` is a string.
struct Event<'a> {
    channel: Option<&'a ChannelName>,
    message: &'a Message,
    redelivered: bool,
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut params = serializer.serialize_struct("params", 2)?;
        params.serialize_field("content", &text::content(&self.message.text))?;
        params.serialize_field("meta", &Meta(self))?;
        params.end()
    }
}

struct Meta<'a>(&'a Event<'a>);

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Event { channel, message, redelivered } = *self.0;
        let mut meta = serializer.serialize_map(None)?;
        match channel {
            Some(channel) => meta.serialize_entry("chat_id", &address(channel, &message.chat.id))?,
            None => meta.serialize_entry("chat_id", &message.chat.id)?,
        }
        meta.serialize_entry("message_id", &message.id)?;
        meta.serialize_entry("user", &message.sender.name)?;
        meta.serialize_entry("user_id", &message.sender.id)?;
        meta.serialize_entry("ts", &clock::iso(message.sent_at))?;
        if let Some(thread) = &message.chat.thread {
            meta.serialize_entry("thread_id", thread)?;
        }
        if let Some(quoted) = &message.reply_to {
            meta.serialize_entry("reply_to", quoted)?;
        }
        if message.edited {
            meta.serialize_entry("edited", "true")?;
        }
        if redelivered {
            meta.serialize_entry("redelivered", "true")?;
        }
        for (index, attachment) in message.attachments.iter().enumerate() {
            attach(&mut meta, index, attachment)?;
        }
        for (key, value) in message.extra.iter().filter(|(key, _)| check_key(key).is_ok()) {
            meta.serialize_entry(key, value)?;
        }
        meta.end()
    }
}

/// The first file has the official plugins' keys; the second one's end in `_2`, and so on.
fn attach<M: serde::ser::SerializeMap>(
    meta: &mut M,
    index: usize,
    attachment: &Attachment,
) -> Result<(), M::Error> {
    let key = |name: &str| if index == 0 { name.to_owned() } else { format!("{name}_{}", index + 1) };
    if let Some(path) = &attachment.saved {
        if attachment.kind == AttachmentKind::Photo {
            meta.serialize_entry(&key("image_path"), path)?;
        }
        meta.serialize_entry(&key("file_path"), path)?;
    } else {
        meta.serialize_entry(&key("attachment_file_id"), &attachment.id)?;
    }
    meta.serialize_entry(&key("attachment_kind"), attachment.kind.as_str())?;
    if let Some(size) = attachment.size {
        meta.serialize_entry(&key("attachment_size"), &size.to_string())?;
    }
    if let Some(media_type) = &attachment.media_type {
        meta.serialize_entry(&key("attachment_mime"), media_type)?;
    }
    if let Some(name) = &attachment.name {
        meta.serialize_entry(&key("attachment_name"), name)?;
    }
    Ok(())
}

/// A chat's id where several channels share one server: `channel:id`.
pub(super) fn address(channel: &ChannelName, chat: &ChatId) -> String {
    format!("{channel}:{chat}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Chat, ChatKind, MessageId, Sender, SenderId};

    fn message() -> Message {
        Message {
            id: MessageId::new("m1"),
            chat: Chat {
                id: ChatId::new("web"),
                kind: ChatKind::Direct,
                group: None,
                thread: None,
                title: None,
            },
            sender: Sender { id: SenderId::new("7"), name: "Ada".into(), is_bot: false },
            text: "one\ntwo".into(),
            sent_at: 0,
            addressed: true,
            edited: false,
            reply_to: None,
            attachments: Vec::new(),
            album: None,
            extra: Vec::new(),
        }
    }

    fn told(channel: Option<&str>, message: &Message, redelivered: bool) -> Value {
        let channel = channel.map(|name| ChannelName::new(name).unwrap());
        let mut buffer = Vec::new();
        notify(&mut buffer, channel.as_ref(), message, redelivered);
        assert_eq!(buffer.pop(), Some(b'\n'));
        assert!(!buffer.contains(&b'\n'), "one event is one line");
        serde_json::from_slice(&buffer).unwrap()
    }

    #[test]
    fn an_event_has_the_shape_that_the_client_takes() {
        assert_eq!(
            told(None, &message(), false),
            json!({
                "jsonrpc": "2.0",
                "method": "notifications/claude/channel",
                "params": {
                    "content": "one\ntwo",
                    "meta": {
                        "chat_id": "web", "message_id": "m1", "user": "Ada", "user_id": "7",
                        "ts": "1970-01-01T00:00:00.000Z"
                    }
                }
            })
        );
    }

    #[test]
    fn with_several_channels_the_chat_names_its_own() {
        let told = told(Some("fakechat"), &message(), true);
        assert_eq!(told["params"]["meta"]["chat_id"], "fakechat:web");
        assert_eq!(told["params"]["meta"]["redelivered"], "true");
    }

    #[test]
    fn a_guest_cannot_set_what_the_host_sets() {
        let extra = ["chat_id", "file_path", "file_path_2", "attachment_name", "Bad Key", "", "weather"];
        let message =
            Message { extra: extra.map(|key| (key.to_owned(), "x".to_owned())).to_vec(), ..message() };
        let told = told(None, &message, false);
        let meta = told["params"]["meta"].as_object().unwrap();
        assert_eq!(meta.len(), 6);
        assert_eq!(meta["chat_id"], "web");
        assert_eq!(meta["weather"], "x");
    }

    #[test]
    fn each_file_has_its_own_keys_and_all_values_are_strings() {
        let picture = Attachment {
            id: "a".into(),
            kind: AttachmentKind::Photo,
            name: Some("a.png".into()),
            media_type: Some("image/png".into()),
            size: Some(3),
            saved: Some("/inbox/a.png".into()),
        };
        let remote = Attachment { kind: AttachmentKind::Document, saved: None, ..picture.clone() };
        let told = told(None, &Message { attachments: vec![picture, remote], ..message() }, false);
        let meta = told["params"]["meta"].as_object().unwrap();
        assert_eq!(meta["image_path"], "/inbox/a.png");
        assert_eq!(meta["file_path"], "/inbox/a.png");
        assert_eq!(meta["attachment_size"], "3");
        assert_eq!(meta["attachment_file_id_2"], "a");
        assert_eq!(meta["attachment_kind_2"], "document");
        assert!(!meta.contains_key("file_path_2"));
        assert!(meta.values().all(Value::is_string));
    }
}
