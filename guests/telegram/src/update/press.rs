//! Presses of buttons.

use tidegate_guest::{Event, Happening, Press};

use super::{Missing, json::Object, place::Place, sender};

/// What a callback query tells: somebody pressed a button. None where it has no meaning here: the button of a game,
/// or of a message that was sent by way of the bot into a chat that the bot is not in.
///
/// Who pressed is essential: it decides whether the press counts.
pub(super) fn event(query: &Object<'_>) -> Result<Option<Event>, Missing> {
    let id = query.text("id").ok_or(Missing("id"))?;
    let from = query.object("from").ok_or(Missing("from.id"))?;
    let sender = sender::user_sender(&from).ok_or(Missing("from.id"))?;
    // Of a message that the bot cannot see any more there is nothing but its id and chat.
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
