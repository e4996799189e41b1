//! From a Telegram update to the contract's events.
//!
//! One update is one JSON object of the Bot API, translated without asking anybody. What has to be there is little:
//! `update_id`, and of a message `message_id`, `chat.id` and `date`. Whatever else is missing, of another type, or
//! unknown costs at most itself.

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

/// What translating takes to know of the bot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bot {
    /// 0 where it is not known: then no reply and no mention by id is the bot's.
    pub(crate) id: i64,
    /// Without the `@`. Empty where it is not known: then no mention is the bot's.
    pub(crate) username: String,
    /// Does the session hear of reactions? The setting `reactions`.
    pub(crate) reactions: bool,
}

impl Bot {
    /// Is this the bot's username? Telegram does not tell upper from lower case.
    fn is_called(&self, username: &str) -> bool {
        !self.username.is_empty() && self.username.eq_ignore_ascii_case(username)
    }

    /// Is this `User` the bot?
    fn is(&self, user: &Object<'_>) -> bool {
        self.id != 0 && user.integer("id") == Some(self.id)
    }
}

/// An essential field, by its path, that is not there or of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing(&'static str);

/// Says what one update tells: nothing where it is of no concern to a session.
///
/// Events have the id `<bot>:<update_id>`, because each bot counts by itself; presses have that of their callback query,
/// which it takes to answer them. An update without an essential field is rejected.
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
        // Without any field it lacks the essential ones.
        let object = value.object().unwrap_or_default();
        let event = match kind {
            "message" => message::happening(&object, false, bot).map(of_update),
            "edited_message" => message::happening(&object, true, bot).map(of_update),
            "callback_query" => press::event(&object),
            _ => reaction::happening(&object, bot).map(of_update),
        };
        return event.map_err(|missing| (kind, missing));
    }
    // Channel posts, changes of membership, and whatever Telegram comes to send.
    Ok(None)
}
