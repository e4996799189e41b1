//! The decision about one event: a pure function of the event and of who may write.

use std::fmt;

use serde::Serialize;

use super::{
    access::{Access, DmPolicy, Members},
    pairing::{self, Pending},
    permission::{self, Answer, RequestId, Standing},
};
use crate::event::{Chat, ChatKind, Happening, Message, Press, Question, Sender, Topic};

/// Where an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a platform, which knows its senders; or from a browser that came through the link with the key.
    Trusted,
    /// From whoever can reach the loopback port: good for chat, not for permission.
    Visitor,
}

/// What a decision depends on, beside the event.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// Who may speak.
    pub access: &'a Access,
    /// Whose codes wait to be confirmed.
    pub pending: &'a [Pending],
    /// Which permission requests this channel may answer.
    pub requests: &'a dyn Fn(&RequestId) -> Standing,
    /// Where the event came in.
    pub origin: Origin,
    /// Milliseconds since the Unix epoch.
    pub now: u64,
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The session gets it.
    Deliver,
    /// The sender is told something about pairing, and the session gets nothing.
    Pair(pairing::Step),
    /// It was asked of the bot itself, by somebody who may.
    Answer(Topic),
    /// It answers a permission request, and is no chat.
    Permission(RequestId, Answer),
    /// It answers a permission request that is settled: whoever tried is told so.
    Settled(RequestId),
    /// A group has another id from now on.
    Move,
    /// Nobody gets it.
    Drop(Reason),
}

/// Why an event goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// `dmPolicy` is `disabled`.
    Disabled,
    /// The sender is not in `allowFrom`.
    Stranger,
    /// The sender has a code already, and was reminded of it.
    AlreadyAnswered,
    /// The sender's code was turned down.
    Denied,
    /// As many codes as there may be wait already.
    PairingFull,
    /// The group is not in `groups`.
    Group,
    /// The group's own `allowFrom` does not have the sender.
    Member,
    /// A program wrote it, and no allowlist names that.
    Bot,
    /// The group wants the bot to be addressed.
    Unaddressed,
    /// Too much from one sender in a minute.
    Rate,
    /// A button that means nothing here.
    Button,
    /// A permission prompt's button, by somebody who may not decide.
    Approver,
    /// What the guest calls an id cannot be one.
    Malformed,
}

impl Reason {
    /// All of them, for whoever reads one back.
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

/// What becomes of an event.
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

/// What becomes of what a stranger says directly, whatever it is.
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

/// Only direct chats have them: in a group anybody could have the bot talk.
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

/// Why a message in a group is not heard, if so.
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

/// A typed answer to a permission request counts from an approver, in a direct chat, as first written.
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
        // Also one that was asked before this process began.
        Standing::Settled | Standing::Unknown => Decision::Settled(request),
    }
}

/// May the session read what this sender wrote in this chat? Unlike a delivery that takes no mention: history is
/// asked for.
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
