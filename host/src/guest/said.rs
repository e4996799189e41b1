//! What a guest answers, in the host's own types.

use std::time::Duration;

use crate::{
    capability::{Effects, files::LocalFile, web::Push},
    event::{ChatId, Event, Format, Happening, MessageId, SenderId},
};

/// What a guest says that stands in the way.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The platform wants a pause.
    #[error("the platform asks to wait {:.1} s", .0.as_secs_f32())]
    RateLimited(Duration),
    /// The credential is missing or not accepted.
    #[error("not authorised: {0}")]
    Unauthorized(String),
    /// Another consumer holds the bot.
    #[error("conflict: {0}")]
    Conflict(String),
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(String),
    /// The platform refused.
    #[error("rejected: {0}")]
    Rejected(String),
    /// The platform is failing.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The channel cannot do that.
    #[error("this channel cannot do that")]
    Unsupported,
}

/// What a call that returned has brought. What it did takes effect even if it says no.
#[derive(Debug)]
pub struct Answered<R> {
    /// What was asked for, or why not.
    pub result: Result<R, Fault>,
    /// To be carried out.
    pub effects: Effects,
}

/// What a call that brings news leaves.
#[derive(Debug)]
pub struct News {
    /// In the guest's order.
    pub events: Vec<Event>,
    /// To be carried out together with storing the events.
    pub effects: Effects,
}

impl News {
    /// What it takes in memory, roughly, in bytes.
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

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The same for every try; the hub fills it in.
    pub key: String,
    /// Where to.
    pub chat: ChatId,
    /// A topic inside the chat.
    pub thread: Option<String>,
    /// No longer than the channel takes.
    pub text: String,
    /// How it is marked up.
    pub format: Format,
    /// The message to quote.
    pub reply_to: Option<MessageId>,
    /// Vetted and opened.
    pub files: Vec<LocalFile>,
    /// Below the message.
    pub buttons: Vec<Button>,
    /// Messages of it that an earlier try has sent; the hub fills it in.
    pub done: u32,
}

impl Outgoing {
    /// A text and nothing else.
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
    /// What comes back when it is pressed; at most 64 bytes.
    pub action: String,
    /// What stands on it.
    pub label: String,
    /// What it says about its consequence.
    pub style: ButtonStyle,
}

/// What a button says about its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum ButtonStyle {
    Neutral,
    Positive,
    Negative,
}

/// Who the bot is on its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As a sender of its own messages.
    pub id: SenderId,
    /// What it is called there.
    pub name: String,
    /// Where people find it.
    pub link: Option<String>,
    /// What a person should know about what it may do there.
    pub notes: Vec<String>,
}

/// What came of a send.
#[derive(Debug, Default)]
pub struct Sent {
    /// The messages that now exist.
    pub ids: Vec<MessageId>,
    /// Why it stopped, if it did.
    pub fault: Option<Fault>,
}
