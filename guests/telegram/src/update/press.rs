//! Presses of buttons.

use tidegate_guest::{Event, Happening, Press};

use super::{Missing, json::Object, place::Place, sender};

/// Translates a callback query: a person pressed a button. Returns `None` for buttons of a game, and of a message that
/// was sent via the bot into a chat without the bot.
///
/// The sender is essential: it decides whether the press counts.
pub(super) fn event(query: &Object<'_>) -> Result<Option<Event>, Missing> {
    let id = query.text("id").ok_or(Missing("id"))?;
    let from = query.object("from").ok_or(Missing("from.id"))?;
    let sender = sender::user_sender(&from).ok_or(Missing("from.id"))?;
    // Of a message that the bot cannot see any more, Telegram sends only the id and the chat.
    let Some(message) = query.object("message") else {
        return if query.has("inline_message_id") { Ok(None) } else { Err(Missing("message")) };
    };
    let pressed = message.integer("message_id").ok_or(Missing("message.message_id"))?;
    let place = Place::of(&message).map_err(|_| Missing("message.chat.id"))?;
    let (Some(kind), Some(action)) = (place.kind, query.text("data")) else { return Ok(None) };
    let press =
        Press { action: action.into(), sender, chat: place.to_chat(kind), message: pressed.to_string() };
    Ok(Some(Event { id: id.into(), what: Happening::Press(press) }))
}
