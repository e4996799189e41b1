//! A guest's answers, in the host's own types.

use std::time::Duration;

use crate::{
    capability::{Effects, files::LocalFile, web::Push},
    event::{ChatId, Event, Format, Happening, MessageId, SenderId},
};

/// The reason why a guest could not do something.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The platform asks for a pause of this length.
    #[error("the platform asks to wait {:.1} s", .0.as_secs_f32())]
    RateLimited(Duration),
    /// The credential is missing or not accepted.
    #[error("not authorised: {0}")]
    Unauthorized(String),
    /// Another consumer uses the bot.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The chat, message or file does not exist.
    #[error("not found: {0}")]
    NotFound(String),
    /// The platform refused.
    #[error("rejected: {0}")]
    Rejected(String),
    /// The platform cannot be reached, or is failing.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The channel does not support this.
    #[error("this channel cannot do that")]
    Unsupported,
}

/// The answer of a call that has returned. Its effects are applied even if the result is a fault.
#[derive(Debug)]
pub struct Answered<R> {
    /// The result, or the reason why there is none.
    pub result: Result<R, Fault>,
    /// The effects to apply.
    pub effects: Effects,
}

/// The events that a call brings, and its effects.
#[derive(Debug)]
pub struct News {
    /// The events, in the guest's order.
    pub events: Vec<Event>,
    /// The effects, to be applied together with storing the events.
    pub effects: Effects,
}

impl News {
    /// Returns the approximate size in memory, in bytes.
    pub fn weight(&self) -> usize {
        let events = self.events.iter().map(|event| match &event.what {
            Happening::Message(message) => {
                let extra: usize = message.extra.iter().map(|(key, value)| key.len() + value.len()).sum();
                512 + message.text.len() + extra + message.attachments.len() * 512
            }
            Happening::Press(_) | Happening::Question(_) | Happening::Moved { .. } => 1024,
        });
        let values = self.effects.state.values().flatten().map(Vec::len);
        let pushes = self.effects.pushes.iter().map(Push::weight);
        events.chain(values).chain(pushes).sum()
    }
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// A key that is the same for every try; the hub sets it.
    pub key: String,
    /// The chat to send to.
    pub chat: ChatId,
    /// A topic inside the chat.
    pub thread: Option<String>,
    /// The text, no longer than the channel accepts.
    pub text: String,
    /// The markup of the text.
    pub format: Format,
    /// The message to quote.
    pub reply_to: Option<MessageId>,
    /// The files to send, vetted and opened.
    pub files: Vec<LocalFile>,
    /// The buttons below the message.
    pub buttons: Vec<Button>,
    /// How many of its messages an earlier try has already sent; the hub sets it.
    pub done: u32,
}

impl Outgoing {
    /// Creates a message with a text and nothing else.
    pub fn text(chat: ChatId, thread: Option<String>, text: String, format: Format) -> Self {
        Self {
            key: String::new(),
            chat,
            thread,
            text,
            format,
            reply_to: None,
            files: Vec::new(),
            buttons: Vec::new(),
            done: 0,
        }
    }
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// The text that comes back when the button is pressed; at most 64 bytes.
    pub action: String,
    /// The text on the button.
    pub label: String,
    /// What the button's look says about its consequence.
    pub style: ButtonStyle,
}

/// What a button's look says about its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum ButtonStyle {
    Neutral,
    Positive,
    Negative,
}

/// The bot's account on its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the bot as the sender of its own messages.
    pub id: SenderId,
    /// The name of the bot on its platform.
    pub name: String,
    /// The link under which people find the bot.
    pub link: Option<String>,
    /// Notes for people about what the bot may do on its platform.
    pub notes: Vec<String>,
}

/// The result of sending a message.
#[derive(Debug, Default)]
pub struct Sent {
    /// The messages that now exist.
    pub ids: Vec<MessageId>,
    /// Why the send stopped early, if it did.
    pub fault: Option<Fault>,
}
