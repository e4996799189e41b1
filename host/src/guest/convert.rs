//! Conversions between the contract's types and the host's own.

use std::{borrow::Cow, time::Duration};

use super::{Attributes, Button, ButtonStyle, Fault, Outgoing};
use crate::{
    capability::files::{Files, Handles},
    contract::imports::types as wire,
    event::{
        Attachment, AttachmentKind, Chat, ChatId, ChatKind, Event, EventId, Format, Happening, Message,
        MessageId, Press, Question, Sender, SenderId, Topic,
    },
    text,
};

/// The context of a conversion: the files that the call was given, the inbox that contains them, and the attributes
/// that its guest may set.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) files: &'a Files,
    pub(super) handles: &'a Handles,
    pub(super) attributes: &'a Attributes,
}

impl Given<'_> {
    /// Returns the path of a file in the inbox. A guest can only refer to files of its own call, so it cannot name any
    /// other path.
    fn path(self, handle: u64) -> Option<String> {
        let name = self.handles.saved(handle)?;
        Some(self.files.inbox_path(name).to_string_lossy().into_owned())
    }
}

pub(super) fn events(events: Vec<wire::Event>, given: Given<'_>) -> Vec<Event> {
    events
        .into_iter()
        .map(|event| Event { id: EventId::new(event.id), what: happening(event.what, given) })
        .collect()
}

fn happening(what: wire::Happening, given: Given<'_>) -> Happening {
    match what {
        wire::Happening::Message(wire) => Happening::Message(message(wire, given)),
        wire::Happening::Press(press) => Happening::Press(Press {
            action: press.action,
            sender: sender(press.sender),
            chat: chat(press.chat),
            message: MessageId::new(press.message),
        }),
        wire::Happening::Question(question) => Happening::Question(Question {
            topic: match question.topic {
                wire::Topic::Start => Topic::Start,
                wire::Topic::Help => Topic::Help,
                wire::Topic::Status => Topic::Status,
            },
            sender: sender(question.sender),
            chat: chat(question.chat),
        }),
        wire::Happening::Moved(moved) => {
            Happening::Moved { from: ChatId::new(moved.from_chat), to: ChatId::new(moved.to_chat) }
        }
    }
}

pub(super) fn message(message: wire::Message, given: Given<'_>) -> Message {
    Message {
        id: MessageId::new(message.id),
        chat: chat(message.chat),
        sender: sender(message.sender),
        text: message.text,
        sent_at: message.sent_at,
        addressed: message.addressed,
        edited: message.edited,
        reply_to: message.reply_to.map(MessageId::new),
        attachments: message
            .attachments
            .into_iter()
            .map(|attachment| Attachment {
                id: attachment.id,
                kind: attachment.kind.into(),
                name: attachment.name.map(name),
                media_type: attachment.media_type.map(|value| text::value(&value).into_owned()),
                size: attachment.size,
                saved: attachment.local.and_then(|handle| given.path(handle)),
            })
            .collect(),
        album: message.album,
        extra: given.attributes.take(message.extra),
    }
}

fn sender(sender: wire::Sender) -> Sender {
    Sender { id: SenderId::new(sender.id), name: name(sender.name), is_bot: sender.is_bot }
}

fn chat(chat: wire::Chat) -> Chat {
    Chat {
        id: ChatId::new(chat.id),
        kind: match chat.kind {
            wire::ChatKind::Direct => ChatKind::Direct,
            wire::ChatKind::Group => ChatKind::Group,
        },
        group: chat.group.map(ChatId::new),
        thread: chat.thread,
        title: chat.title.map(name),
    }
}

/// Sanitises the names that others give themselves and their files.
fn name(name: String) -> String {
    match text::name(&name) {
        Cow::Borrowed(same) if same == name => name,
        clean => clean.into_owned(),
    }
}

/// Converts a message to send. Its files get handles that are valid for this one call.
pub(super) fn outgoing(outgoing: Outgoing, handles: &mut Handles) -> wire::Outgoing {
    wire::Outgoing {
        key: outgoing.key,
        chat: outgoing.chat.into_string(),
        thread: outgoing.thread,
        text: outgoing.text,
        format: outgoing.format.into(),
        reply_to: outgoing.reply_to.map(MessageId::into_string),
        uploads: outgoing
            .files
            .into_iter()
            .map(|file| wire::Upload {
                name: file.name.clone(),
                media_type: file.media_type.clone(),
                size: file.size,
                handle: handles.add(file),
            })
            .collect(),
        buttons: outgoing.buttons.into_iter().map(wire::Button::from).collect(),
        done: outgoing.done,
    }
}

impl From<Button> for wire::Button {
    fn from(button: Button) -> Self {
        let style = match button.style {
            ButtonStyle::Neutral => wire::ButtonStyle::Neutral,
            ButtonStyle::Positive => wire::ButtonStyle::Positive,
            ButtonStyle::Negative => wire::ButtonStyle::Negative,
        };
        Self { action: button.action, label: button.label, style }
    }
}

impl From<Format> for wire::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Plain => Self::Plain,
            Format::Markdown => Self::Markdown,
        }
    }
}

impl From<wire::AttachmentKind> for AttachmentKind {
    fn from(kind: wire::AttachmentKind) -> Self {
        match kind {
            wire::AttachmentKind::Photo => Self::Photo,
            wire::AttachmentKind::Document => Self::Document,
            wire::AttachmentKind::Audio => Self::Audio,
            wire::AttachmentKind::Voice => Self::Voice,
            wire::AttachmentKind::Video => Self::Video,
            wire::AttachmentKind::Sticker => Self::Sticker,
            wire::AttachmentKind::Other => Self::Other,
        }
    }
}

impl From<AttachmentKind> for wire::AttachmentKind {
    fn from(kind: AttachmentKind) -> Self {
        match kind {
            AttachmentKind::Photo => Self::Photo,
            AttachmentKind::Document => Self::Document,
            AttachmentKind::Audio => Self::Audio,
            AttachmentKind::Voice => Self::Voice,
            AttachmentKind::Video => Self::Video,
            AttachmentKind::Sticker => Self::Sticker,
            AttachmentKind::Other => Self::Other,
        }
    }
}

/// The shortest pause after a platform has asked for one: no pause would cause a busy loop.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest reason that a guest may give, in characters.
const REASON: usize = 1000;

impl From<wire::Fault> for Fault {
    fn from(fault: wire::Fault) -> Self {
        // The reason may quote text from others, and is shown to people, sessions and logs.
        let clean = |reason: String| text::value(&reason).chars().take(REASON).collect::<String>();
        match fault {
            wire::Fault::RateLimited(milliseconds) => {
                Self::RateLimited(Duration::from_millis(milliseconds).max(PAUSE))
            }
            wire::Fault::Unauthorized(reason) => Self::Unauthorized(clean(reason)),
            wire::Fault::Conflict(reason) => Self::Conflict(clean(reason)),
            wire::Fault::NotFound(reason) => Self::NotFound(clean(reason)),
            wire::Fault::Rejected(reason) => Self::Rejected(clean(reason)),
            wire::Fault::Unavailable(reason) => Self::Unavailable(clean(reason)),
            wire::Fault::Unsupported => Self::Unsupported,
        }
    }
}

/// Converts messages for a guest that asks the journal what it has received.
impl From<Message> for wire::Message {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.into_string(),
            chat: wire::Chat {
                id: message.chat.id.into_string(),
                kind: match message.chat.kind {
                    ChatKind::Direct => wire::ChatKind::Direct,
                    ChatKind::Group => wire::ChatKind::Group,
                },
                group: message.chat.group.map(ChatId::into_string),
                thread: message.chat.thread,
                title: message.chat.title,
            },
            sender: wire::Sender {
                id: message.sender.id.into_string(),
                name: message.sender.name,
                is_bot: message.sender.is_bot,
            },
            text: message.text,
            sent_at: message.sent_at,
            addressed: message.addressed,
            edited: message.edited,
            reply_to: message.reply_to.map(MessageId::into_string),
            attachments: message
                .attachments
                .into_iter()
                .map(|attachment| wire::Attachment {
                    id: attachment.id,
                    kind: attachment.kind.into(),
                    name: attachment.name,
                    media_type: attachment.media_type,
                    size: attachment.size,
                    local: None,
                })
                .collect(),
            album: message.album,
            extra: message.extra,
        }
    }
}
