//! The command that lets in somebody whose events go nowhere.

use crate::{
    event::{Chat, Happening, Sender},
    gate::Reason,
    text,
};

/// What a person at a terminal would type to have such events reach the session. None where no command does that, or
/// where everybody knows why (a message in a group that does not address the bot).
pub(super) fn command(channel: &str, what: &Happening, reason: Reason) -> Option<String> {
    let (chat, sender) = parties(what)?;
    let action = match reason {
        Reason::Stranger | Reason::Denied => format!("allow {}", word(&sender.id)?),
        Reason::AlreadyAnswered => "pair CODE".to_owned(),
        Reason::PairingFull => "status".to_owned(),
        Reason::Disabled => "policy pairing".to_owned(),
        Reason::Group => format!("group add {}", word(chat.group.as_deref().unwrap_or(&chat.id))?),
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

/// Where an event happened, and through whom.
pub(super) fn parties(what: &Happening) -> Option<(&Chat, &Sender)> {
    match what {
        Happening::Message(message) => Some((&message.chat, &message.sender)),
        Happening::Press(press) => Some((&press.chat, &press.sender)),
        Happening::Question(question) => Some((&question.chat, &question.sender)),
        Happening::Moved { .. } => None,
    }
}

/// An id as a shell takes it for one word. None for what cannot be an id: no id has a quote or a space.
fn word(id: &str) -> Option<String> {
    if !text::is_identifier(id) {
        return None;
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-@.:/+=,".contains(letter);
    Some(if id.chars().all(plain) { id.to_owned() } else { format!("'{id}'") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_word_for_a_shell() {
        for (id, expected) in [
            ("42", Some("42")),
            ("U0/ab@c", Some("U0/ab@c")),
            ("-100", Some("-100")),
            ("a;b$(c)", Some("'a;b$(c)'")),
            ("it's", None),
            ("a b", None),
            ("a\nb", None),
        ] {
            assert_eq!(word(id).as_deref(), expected, "{id:?}");
        }
    }
}
