//! Translates a Telegram update into the contract's events.
//!
//! One update is one JSON object of the Bot API, translated without further requests. Few fields are essential:
//! `update_id`, and `message_id`, `chat.id` and `date` of a message. If another field is missing, has another type or
//! is unknown, at most that field is lost.

mod attachment;
mod command;
mod content;
mod context;
mod entity;
mod json;
mod message;
mod place;
mod press;
mod reaction;
mod rich;
mod sender;
#[cfg(test)]
mod tests;
mod time;

use tidegate_guest::{Event, Fault, Happening};

use self::json::Object;

/// The facts about the bot that the translation needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bot {
    /// The bot's id. 0 if it is unknown: then no reply and no mention by id refers to the bot.
    pub(crate) id: i64,
    /// The username without the `@`. Empty if it is unknown: then no mention refers to the bot.
    pub(crate) username: String,
    /// Whether the session receives reactions: the setting `reactions`.
    pub(crate) reactions: bool,
}

impl Bot {
    /// Returns whether this is the bot's username. Telegram ignores case.
    fn is_called(&self, username: &str) -> bool {
        !self.username.is_empty() && self.username.eq_ignore_ascii_case(username)
    }

    /// Returns whether this `User` is the bot.
    fn is(&self, user: &Object<'_>) -> bool {
        self.id != 0 && user.integer("id") == Some(self.id)
    }
}

/// The path of an essential field that is missing or has another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing(&'static str);

/// Translates one update. The result is empty if the update does not concern a session.
///
/// Events have the id `<bot>:<update_id>`, because each bot has its own counter; presses have the id of their callback
/// query, which is needed to answer them. An update without an essential field is rejected.
pub(crate) fn translate(payload: &[u8], bot: &Bot) -> Result<Vec<Event>, Fault> {
    let payload = String::from_utf8_lossy(payload);
    let Some(update) = Object::parse(&payload) else {
        return Err(Fault::Rejected("Telegram sent an update that is no JSON object".into()));
    };
    let Some(number) = update.integer("update_id") else {
        return Err(Fault::Rejected("Telegram sent an update without an update_id".into()));
    };
    let event = told(&update, number, bot).map_err(|(kind, Missing(field))| {
        Fault::Rejected(format!("Telegram sent a {kind} (update {number}) without a usable {field}"))
    })?;
    Ok(event.into_iter().collect())
}

fn told(update: &Object<'_>, number: i64, bot: &Bot) -> Result<Option<Event>, (&'static str, Missing)> {
    let of_update =
        |what: Option<Happening>| what.map(|what| Event { id: format!("{}:{number}", bot.id), what });
    for kind in ["message", "edited_message", "callback_query", "message_reaction"] {
        let Some(value) = update.get(kind) else { continue };
        // A value that is not an object lacks all essential fields.
        let object = value.object().unwrap_or_default();
        let event = match kind {
            "message" => message::happening(&object, false, bot).map(of_update),
            "edited_message" => message::happening(&object, true, bot).map(of_update),
            "callback_query" => press::event(&object),
            _ => reaction::happening(&object, bot).map(of_update),
        };
        return event.map_err(|missing| (kind, missing));
    }
    // Channel posts, changes of membership, and update types that Telegram may add later.
    Ok(None)
}
