//! Who did something, and what they are called.

use std::borrow::Cow;

use tidegate_guest::{ChatKind, Sender};

use super::{json::Object, place::Place};

/// An id that nobody on Telegram has, for whoever is not named: no allowlist has it.
const NOBODY: &str = "0";

/// Who wrote a message.
///
/// Who writes in a chat's name (an anonymous administrator, a channel) counts as that chat: `from` is then a stand-in
/// that all such writers of all chats share. What a linked channel posts comes here by Telegram's own account, which
/// stays the sender: the channel does not take part in the conversation.
pub(super) fn of_message(message: &Object<'_>, place: &Place<'_>) -> Sender {
    let stands_in = place.kind == Some(ChatKind::Group) && !message.flag("is_automatic_forward");
    first([
        message.object("sender_chat").filter(|_| stands_in).and_then(|chat| chat_sender(&chat)),
        message.object("from").and_then(|user| user_sender(&user)),
        message.object("sender_chat").and_then(|chat| chat_sender(&chat)),
    ])
    .unwrap_or_else(|| unnamed(place))
}

/// Who reacted to a message.
pub(super) fn of_reaction(reaction: &Object<'_>, place: &Place<'_>) -> Sender {
    first([
        reaction.object("user").and_then(|user| user_sender(&user)),
        reaction.object("actor_chat").and_then(|chat| chat_sender(&chat)),
    ])
    .unwrap_or_else(|| unnamed(place))
}

fn first<const N: usize>(senders: [Option<Sender>; N]) -> Option<Sender> {
    senders.into_iter().flatten().next()
}

/// Telegram's `User`, if it has an id.
pub(super) fn user_sender(user: &Object<'_>) -> Option<Sender> {
    let id = user.integer("id")?.to_string();
    let name = name(user).unwrap_or_else(|| id.clone());
    Some(Sender { id, name, is_bot: user.flag("is_bot") })
}

/// Telegram's `Chat`, if it has an id.
fn chat_sender(chat: &Object<'_>) -> Option<Sender> {
    let id = chat.integer("id")?.to_string();
    let name = name(chat).unwrap_or_else(|| id.clone());
    Some(Sender { id, name, is_bot: false })
}

/// In a direct chat there is only one person, who has the chat's id.
fn unnamed(place: &Place<'_>) -> Sender {
    let person = if place.kind == Some(ChatKind::Direct) { chat_sender(&place.chat) } else { None };
    person.unwrap_or_else(|| Sender { id: NOBODY.into(), name: "unknown".into(), is_bot: false })
}

/// A chat's title; a person's username, or else first and last name.
pub(super) fn name(user_or_chat: &Object<'_>) -> Option<String> {
    let whole = user_or_chat.text("title").or_else(|| user_or_chat.text("username"));
    match whole {
        Some(name) => Some(name.into_owned()),
        None => full_name(user_or_chat),
    }
}

/// First and last name.
pub(super) fn full_name(person: &Object<'_>) -> Option<String> {
    let names = [person.text("first_name"), person.text("last_name")];
    names.into_iter().flatten().map(Cow::into_owned).reduce(|first, last| format!("{first} {last}"))
}
