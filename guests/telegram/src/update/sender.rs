//! Senders of updates, and their names.

use std::borrow::Cow;

use tidegate_guest::{ChatKind, Sender};

use super::{json::Object, place::Place};

/// The id of an unnamed sender. No account on Telegram has it, so no allowlist has it.
const NOBODY: &str = "0";

/// Returns the sender of a message.
///
/// A sender who writes in a chat's name (an anonymous administrator, a channel) counts as that chat: `from` is then a
/// placeholder account that all such senders of all chats share. A post of a linked channel arrives through Telegram's
/// own account, which stays the sender: the channel does not take part in the conversation.
pub(super) fn of_message(message: &Object<'_>, place: &Place<'_>) -> Sender {
    let stands_in = place.kind == Some(ChatKind::Group) && !message.flag("is_automatic_forward");
    first([
        message.object("sender_chat").filter(|_| stands_in).and_then(|chat| chat_sender(&chat)),
        message.object("from").and_then(|user| user_sender(&user)),
        message.object("sender_chat").and_then(|chat| chat_sender(&chat)),
    ])
    .unwrap_or_else(|| unnamed(place))
}

/// Returns the sender of a reaction.
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

/// Converts Telegram's `User`, if it has an id.
pub(super) fn user_sender(user: &Object<'_>) -> Option<Sender> {
    let id = user.integer("id")?.to_string();
    let name = name(user).unwrap_or_else(|| id.clone());
    Some(Sender { id, name, is_bot: user.flag("is_bot") })
}

/// Converts Telegram's `Chat`, if it has an id.
fn chat_sender(chat: &Object<'_>) -> Option<Sender> {
    let id = chat.integer("id")?.to_string();
    let name = name(chat).unwrap_or_else(|| id.clone());
    Some(Sender { id, name, is_bot: false })
}

/// Returns the sender of an update that names none. In a direct chat this is the only person, who has the chat's id.
fn unnamed(place: &Place<'_>) -> Sender {
    let person = if place.kind == Some(ChatKind::Direct) { chat_sender(&place.chat) } else { None };
    person.unwrap_or_else(|| Sender { id: NOBODY.into(), name: "unknown".into(), is_bot: false })
}

/// Returns a chat's title, or a person's username, or else the person's first and last name.
pub(super) fn name(user_or_chat: &Object<'_>) -> Option<String> {
    let whole = user_or_chat.text("title").or_else(|| user_or_chat.text("username"));
    match whole {
        Some(name) => Some(name.into_owned()),
        None => full_name(user_or_chat),
    }
}

/// Returns the first and last name.
pub(super) fn full_name(person: &Object<'_>) -> Option<String> {
    let names = [person.text("first_name"), person.text("last_name")];
    names.into_iter().flatten().map(Cow::into_owned).reduce(|first, last| format!("{first} {last}"))
}
