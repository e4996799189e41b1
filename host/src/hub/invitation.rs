//! The command that lets in a sender whose events go nowhere.

use crate::{
    event::{Chat, ChatKind, Happening, Sender},
    gate::Reason,
    text::shell_word,
};

/// Returns the command that a person types at a terminal so that this sender's events in this chat reach the session.
/// None where no command does that, or where the reason is well known (a message in a group that does not address the
/// bot).
pub fn command(channel: &str, chat: &Chat, sender: &Sender, reason: Reason) -> Option<String> {
    let action = match reason {
        // No code will come in these cases; the person knows whose id this is.
        Reason::Stranger | Reason::Denied | Reason::PairingFull => {
            format!("allow {}", shell_word(&sender.id)?)
        }
        Reason::AlreadyAnswered => "pair CODE".to_owned(),
        Reason::Disabled => "policy pairing".to_owned(),
        Reason::Group => format!("group add {}", shell_word(chat.group.as_deref().unwrap_or(&chat.id))?),
        Reason::Member
        | Reason::Bot
        | Reason::Unaddressed
        | Reason::Rate
        | Reason::Button
        | Reason::Approver
        | Reason::Malformed => return None,
    };
    Some(format!("tidegate access {channel} {action}"))
}

/// Like [`command`], for events that wait for a person's decision.
pub fn of_waiting(channel: &str, chat: &Chat, sender: &Sender) -> Option<String> {
    let reason = match chat.kind {
        ChatKind::Group => Reason::Group,
        ChatKind::Direct => Reason::Stranger,
    };
    command(channel, chat, sender, reason)
}

/// Returns the chat and the sender of an event.
pub(super) fn parties(what: &Happening) -> Option<(&Chat, &Sender)> {
    match what {
        Happening::Message(message) => Some((&message.chat, &message.sender)),
        Happening::Press(press) => Some((&press.chat, &press.sender)),
        Happening::Question(question) => Some((&question.chat, &question.sender)),
        Happening::Moved { .. } => None,
    }
}
