//! The decision about one event: a pure function of the event and of who may write.

use std::fmt;

use serde::Serialize;

use super::{
    access::{Access, DmPolicy, Members},
    pairing::{self, Pending},
    permission::{self, Answer, RequestId, Standing},
};
use crate::event::{Chat, ChatKind, Happening, Message, Press, Question, Sender, Topic};

/// The source of an event, which says how far its sender can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A platform that knows its senders, or a browser that used the link with the key.
    Trusted,
    /// Any client that can reach the loopback port. It may chat, but may not answer permission requests.
    Visitor,
}

/// The input of a decision, besides the event.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// Who may speak.
    pub access: &'a Access,
    /// The pairing requests whose codes wait to be confirmed.
    pub pending: &'a [Pending],
    /// Returns whether this channel may answer a permission request.
    pub requests: &'a dyn Fn(&RequestId) -> Standing,
    /// The source of the event.
    pub origin: Origin,
    /// Milliseconds since the Unix epoch.
    pub now: u64,
}

/// The decision about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The session gets the event.
    Deliver,
    /// The sender is told something about pairing, and the session gets nothing.
    Pair(pairing::Step),
    /// The bot itself answers: a sender who may write asked about this topic.
    Answer(Topic),
    /// The event answers a permission request. It is not delivered as chat.
    Permission(RequestId, Answer),
    /// The event answers a permission request that is already settled. The sender is told so.
    Settled(RequestId),
    /// A group has a new id.
    Move,
    /// The event is dropped.
    Drop(Reason),
}

/// Why an event is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// `dmPolicy` is `disabled`.
    Disabled,
    /// The sender is not in `allowFrom`.
    Stranger,
    /// The sender has a code, and was already reminded of it.
    AlreadyAnswered,
    /// The sender's code was denied.
    Denied,
    /// The maximum number of pending codes is reached.
    PairingFull,
    /// The group is not in `groups`.
    Group,
    /// The group's own `allowFrom` does not contain the sender.
    Member,
    /// The sender is a bot that no allowlist names.
    Bot,
    /// The group requires a mention, and the message does not address the bot.
    Unaddressed,
    /// The sender has sent too many messages in a minute.
    Rate,
    /// The button has no meaning here.
    Button,
    /// The button belongs to a permission prompt, and its sender may not decide.
    Approver,
    /// An id that the guest gave is malformed.
    Malformed,
}

impl Reason {
    /// All reasons, used to read a stored reason.
    pub const ALL: [Self; 13] = [
        Self::Disabled,
        Self::Stranger,
        Self::AlreadyAnswered,
        Self::Denied,
        Self::PairingFull,
        Self::Group,
        Self::Member,
        Self::Bot,
        Self::Unaddressed,
        Self::Rate,
        Self::Button,
        Self::Approver,
        Self::Malformed,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Disabled => "dmPolicy is disabled",
            Self::Stranger => "the sender is not in allowFrom",
            Self::AlreadyAnswered => "the sender's code waits to be confirmed",
            Self::Denied => "the sender's code was denied",
            Self::PairingFull => "three codes were given out within the hour already",
            Self::Group => "the group is not in groups",
            Self::Member => "the group's allowFrom does not have the sender",
            Self::Bot => "a bot that no allowlist names",
            Self::Unaddressed => "the bot was not addressed",
            Self::Rate => "too many messages in a minute",
            Self::Button => "a button without a meaning",
            Self::Approver => "a permission prompt's button, by somebody who is no approver",
            Self::Malformed => "the channel gave it an id that cannot be one",
        })
    }
}

/// Decides what happens to an event.
pub fn decide(what: &Happening, situation: Situation<'_>) -> Decision {
    match what {
        Happening::Message(message) => message_decision(message, situation),
        Happening::Press(press) => press_decision(press, situation),
        Happening::Question(question) => question_decision(question, situation),
        Happening::Moved { .. } => Decision::Move,
    }
}

fn message_decision(message: &Message, situation: Situation<'_>) -> Decision {
    let access = situation.access;
    if access.dm_policy == DmPolicy::Disabled {
        return Decision::Drop(Reason::Disabled);
    }
    if message.chat.kind == ChatKind::Group {
        return in_group(message, access).map_or(Decision::Deliver, Decision::Drop);
    }
    let sender = &message.sender;
    if access.allow_from.contains(&sender.id) {
        return answer(message, situation).unwrap_or(Decision::Deliver);
    }
    stranger(sender, situation)
}

/// Decides about a message or a question that a stranger sent directly.
fn stranger(sender: &Sender, situation: Situation<'_>) -> Decision {
    if sender.is_bot {
        return Decision::Drop(Reason::Bot);
    }
    match situation.access.dm_policy {
        DmPolicy::Pairing => match pairing::step(situation.pending, &sender.id, situation.now) {
            Ok(step) => Decision::Pair(step),
            Err(reason) => Decision::Drop(reason),
        },
        DmPolicy::Allowlist => Decision::Drop(Reason::Stranger),
        DmPolicy::Disabled => Decision::Drop(Reason::Disabled),
    }
}

/// Decides about a question to the bot. Only direct chats have questions: in a group, any member could make the bot
/// talk.
fn question_decision(question: &Question, situation: Situation<'_>) -> Decision {
    let access = situation.access;
    if access.dm_policy == DmPolicy::Disabled {
        return Decision::Drop(Reason::Disabled);
    }
    if question.chat.kind == ChatKind::Group {
        return Decision::Drop(Reason::Group);
    }
    if access.allow_from.contains(&question.sender.id) {
        return Decision::Answer(question.topic);
    }
    stranger(&question.sender, situation)
}

/// Returns why a message in a group is not heard, or `None` if it is heard.
fn in_group(message: &Message, access: &Access) -> Option<Reason> {
    let group = access.group(&message.chat.id, message.chat.group.as_ref());
    let Some(group) = group else { return Some(Reason::Group) };
    if let Some(reason) = speaker(&message.sender, &group.members) {
        return Some(reason);
    }
    let addressed =
        || message.addressed || access.mention_patterns.iter().any(|pattern| pattern.is_in(&message.text));
    (group.require_mention && !addressed()).then_some(Reason::Unaddressed)
}

fn speaker(sender: &Sender, members: &Members) -> Option<Reason> {
    match members {
        Members::Only(listed) => (!listed.contains(&sender.id)).then_some(Reason::Member),
        Members::Any => sender.is_bot.then_some(Reason::Bot),
    }
}

/// Returns the decision if this message answers a permission request. A typed answer counts only from an approver in a
/// direct chat, and only if it was not edited.
fn answer(message: &Message, situation: Situation<'_>) -> Option<Decision> {
    let (verdict, request) = permission::typed(&message.text)?;
    if message.edited
        || situation.origin != Origin::Trusted
        || !situation.access.is_approver(&message.sender.id)
    {
        return None;
    }
    match (situation.requests)(&request) {
        Standing::Open => Some(Decision::Permission(request, Answer::Verdict(verdict))),
        Standing::Settled => Some(Decision::Settled(request)),
        Standing::Unknown => None,
    }
}

fn press_decision(press: &Press, situation: Situation<'_>) -> Decision {
    if situation.access.dm_policy == DmPolicy::Disabled {
        return Decision::Drop(Reason::Disabled);
    }
    let Some((answer, request)) = permission::pressed(&press.action) else {
        return Decision::Drop(Reason::Button);
    };
    if situation.origin != Origin::Trusted || !situation.access.is_approver(&press.sender.id) {
        return Decision::Drop(Reason::Approver);
    }
    match (situation.requests)(&request) {
        Standing::Open => Decision::Permission(request, answer),
        // An unknown request may be one that was made before this process began.
        Standing::Settled | Standing::Unknown => Decision::Settled(request),
    }
}

/// Returns true if the session may read what this sender wrote in this chat. Unlike a delivery, this requires no
/// mention, because the session asks for the history.
pub fn may_be_read(access: &Access, chat: &Chat, sender: &Sender) -> bool {
    access.dm_policy != DmPolicy::Disabled
        && match chat.kind {
            ChatKind::Direct => access.allow_from.contains(&sender.id),
            ChatKind::Group => access
                .group(&chat.id, chat.group.as_ref())
                .is_some_and(|group| speaker(sender, &group.members).is_none()),
        }
}

#[cfg(test)]
mod tests;
