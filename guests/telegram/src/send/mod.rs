//! Translates the session's calls into calls of the Bot API.
//!
//! This module creates [`Request`]s from the contract's types; the caller passes in the function that carries them out.

mod edit;
mod file;
mod gesture;
mod length;
mod text;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_guest::{Fault, Format, Outgoing, Sent};

pub(crate) use self::{
    edit::edit,
    gesture::{acknowledge, react, typing},
    length::Lengths,
    text::LIMIT,
};
use crate::{
    api::{self, Error, Refusal, Request},
    chat::ChatId,
    keyboard::Keyboard,
};

/// How Markdown is treated: the setting `parse`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Parse {
    /// Markdown is rendered.
    Markdown,
    /// Markdown is sent without conversion.
    Plain,
}

impl Parse {
    /// Returns whether this text is to be rendered.
    fn renders(self, format: Format) -> bool {
        self == Self::Markdown && format == Format::Markdown
    }
}

/// One call, and an alternative for when Telegram refuses its format.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) request: Request,
    /// The number of messages that it creates.
    pub(crate) messages: u32,
    /// The length of the text that it sends, if it sends one, in UTF-16 units.
    pub(crate) length: Option<usize>,
    pub(crate) instead: Option<(Complaint, Request)>,
}

/// The reason of a refusal for which there is an alternative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Complaint {
    /// Telegram rejects the markup of a text.
    Markup,
    /// Telegram rejects a file as the kind of file that it was sent as.
    Media,
}

impl Complaint {
    fn explains(self, refusal: &Refusal) -> bool {
        match self {
            Self::Markup => refusal.is_about_markup(),
            Self::Media => refusal.is_about_media(),
        }
    }
}

impl Step {
    /// Makes the call; if Telegram refuses it for the expected reason, makes the alternative call.
    fn attempt<R>(&self, mut call: impl FnMut(&Request) -> Result<R, Error>) -> Result<R, Error> {
        match (call(&self.request), &self.instead) {
            (Err(Error::Refused(refusal)), Some((complaint, request))) if complaint.explains(&refusal) => {
                call(request)
            }
            (result, _) => result,
        }
    }
}

/// The message to reply to. If it is deleted, the message is sent without a reference to it.
#[derive(Clone, Copy, Debug, Serialize)]
struct Reply {
    message_id: i64,
    allow_sending_without_reply: bool,
}

/// Plans the calls for a message, in order: the text, then the files. The first call has the reply; the last text has
/// the buttons.
fn plan(outgoing: &Outgoing, parse: Parse, lengths: &Lengths) -> Result<Vec<Step>, Fault> {
    let target = target(&outgoing.chat, outgoing.thread.as_deref())?;
    let reply = match &outgoing.reply_to {
        Some(id) => Some(Reply { message_id: message(id)?, allow_sending_without_reply: true }),
        None => None,
    };
    let keyboard = Keyboard::new(&outgoing.buttons)?.some();
    let drafts = text::drafts(&outgoing.text, parse.renders(outgoing.format), lengths);
    if drafts.is_empty() && keyboard.is_some() {
        return Err(Fault::Rejected("Telegram shows buttons below a text: there is none".to_owned()));
    }
    let mut steps = text::steps(target, reply, &drafts, keyboard.as_ref());
    let reply = reply.filter(|_| steps.is_empty());
    steps.extend(file::steps(target, reply, &outgoing.uploads));
    if steps.is_empty() {
        return Err(Fault::Rejected("there is nothing in this message that Telegram could show".to_owned()));
    }
    Ok(steps)
}

/// Returns the rest of a plan of which `done` messages were sent. The same message and lengths always give the same
/// plan.
fn left(steps: &[Step], mut done: u32) -> &[Step] {
    let sent = steps
        .iter()
        .take_while(|step| {
            let sent = done >= step.messages;
            done = done.saturating_sub(step.messages);
            sent
        })
        .count();
    steps.get(sent..).unwrap_or_default()
}

/// Sends a message, or the rest of it. Messages that were sent before a failure stay. If Telegram calls a text too
/// long, that text and all after it are cut again, into pieces half as long.
pub(crate) fn carry_out(
    outgoing: &Outgoing,
    parse: Parse,
    lengths: &mut Lengths,
    mut call: impl FnMut(&Request) -> Result<Vec<String>, Error>,
) -> Sent {
    let (mut ids, mut done) = (Vec::new(), outgoing.done);
    loop {
        let steps = match plan(outgoing, parse, lengths) {
            Ok(steps) => steps,
            Err(fault) => return Sent { ids, fault: Some(fault) },
        };
        let mut failed = None;
        for step in left(&steps, done) {
            match step.attempt(&mut call) {
                Ok(sent) => ids.extend(sent),
                Err(error) => {
                    failed = Some((error, step.length));
                    break;
                }
            }
            done = done.saturating_add(step.messages);
        }
        let Some((error, length)) = failed else { return Sent { ids, fault: None } };
        let too_long = matches!(&error, Error::Refused(refusal) if refusal.is_about_length());
        if !(too_long && length.is_some_and(|length| lengths.halve(done, length))) {
            return Sent { ids, fault: Some(fault(error)) };
        }
    }
}

/// Converts an error. If Telegram's answer is missing, the fault says that the message may have been sent, so that it
/// is not sent twice without a check.
fn fault(error: Error) -> Fault {
    let is_open = error.is_open();
    match error.into() {
        Fault::Unavailable(text) if is_open => Fault::Unavailable(format!(
            "{text}; it may have arrived all the same: look before it is sent again"
        )),
        fault => fault,
    }
}

/// Returns the ids of the message, or of the album's messages, that now exist. A message whose id is missing exists
/// too.
#[expect(clippy::unnecessary_wraps, reason = "a result that cannot be read is no reason to send again")]
pub(crate) fn ids(result: &RawValue) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Made<'a> {
        #[serde(borrow)]
        message_id: Option<&'a RawValue>,
    }
    let made: Vec<Made> = api::parse(Some(result))
        .or_else(|| Some(vec![api::parse::<Made>(Some(result))?]))
        .unwrap_or_default();
    Some(made.into_iter().filter_map(|made| api::integer(made.message_id)).collect())
}

fn target(chat: &str, thread: Option<&str>) -> Result<ChatId, Fault> {
    let id: ChatId = chat.parse()?;
    Ok(ChatId { thread: id.thread.or_else(|| thread?.parse().ok()), ..id })
}

fn message(id: &str) -> Result<i64, Fault> {
    id.parse().map_err(|_| {
        let shown: String = id.chars().take(40).flat_map(char::escape_debug).collect();
        Fault::Rejected(format!("\"{shown}\" is no Telegram message: message ids are numbers"))
    })
}

#[cfg(test)]
mod tests;
