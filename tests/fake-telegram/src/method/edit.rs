//! Methods that change messages: `edit…`, `delete…`, reactions.

use serde_json::{Map, Value};

use super::{
    keyboard,
    outgoing::{self},
};
use crate::{
    error::ApiError,
    request::Request,
    world::{World, now},
};

/// The emojis that a bot may react with, besides custom emoji: the list of `ReactionTypeEmoji`.
const REACTIONS: [&str; 73] = [
    "❤",
    "👍",
    "👎",
    "🔥",
    "🥰",
    "👏",
    "😁",
    "🤔",
    "🤯",
    "😱",
    "🤬",
    "😢",
    "🎉",
    "🤩",
    "🤮",
    "💩",
    "🙏",
    "👌",
    "🕊",
    "🤡",
    "🥱",
    "🥴",
    "😍",
    "🐳",
    "❤‍🔥",
    "🌚",
    "🌭",
    "💯",
    "🤣",
    "⚡",
    "🍌",
    "🏆",
    "💔",
    "🤨",
    "😐",
    "🍓",
    "🍾",
    "💋",
    "🖕",
    "😈",
    "😴",
    "😭",
    "🤓",
    "👻",
    "👨‍💻",
    "👀",
    "🎃",
    "🙈",
    "😇",
    "😨",
    "🤝",
    "✍",
    "🤗",
    "🫡",
    "🎅",
    "🎄",
    "☃",
    "💅",
    "🤪",
    "🗿",
    "🆒",
    "💘",
    "🙉",
    "🦄",
    "😘",
    "💊",
    "🙊",
    "😎",
    "👾",
    "🤷‍♂",
    "🤷",
    "🤷‍♀",
    "😡",
];

/// Returns the chat and the id of the target message.
fn target(world: &World, request: &Request, what: &str) -> Result<(i64, i64), ApiError> {
    let (chat, id) = (request.text("chat_id"), request.number("message_id"));
    if chat.is_empty() && id == 0 {
        return Err(ApiError::bad_request(if request.text("inline_message_id").is_empty() {
            "message identifier is not specified"
        } else {
            "MESSAGE_ID_INVALID"
        }));
    }
    let chat = world.writable(&chat)?.chat.id;
    if id <= 0 {
        return Err(ApiError::bad_request(format!("{what} not found")));
    }
    Ok((chat, id))
}

/// Replaces some fields of one of the bot's messages; removes fields whose value is `None`.
fn edit(
    world: &mut World,
    request: &Request,
    without: &str,
    change: impl FnOnce(&Map<String, Value>) -> Result<Map<String, Value>, ApiError>,
    replaced: &[&str],
) -> Result<Value, ApiError> {
    let markup = keyboard::inline(request)?;
    let (chat, id) = target(world, request, "message to edit")?;
    let message = world.message(chat, id, "message to edit")?;
    let Value::Object(fields) = &mut message.value else {
        return Err(ApiError::bad_request("message can't be edited"));
    };
    if !message.own {
        return Err(ApiError::bad_request("message can't be edited"));
    }
    if !without.is_empty() && fields.contains_key("text") != (without == "text") {
        return Err(ApiError::bad_request(format!("there is no {without} in the message to edit")));
    }
    let mut edited = fields.clone();
    for field in replaced.iter().copied().chain(["reply_markup"]) {
        edited.remove(field);
    }
    edited.extend(change(fields)?);
    keyboard::check(markup.as_ref())?;
    edited.extend(markup.map(|markup| ("reply_markup".to_owned(), markup)));
    if edited == *fields {
        return Err(ApiError::bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
        ));
    }
    edited.insert("edit_date".into(), now().into());
    *fields = edited;
    Ok(message.value.clone())
}

pub(super) fn edit_message_text(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let text = outgoing::text(request)?;
    let in_bytes = world.counts_bytes;
    edit(world, request, "text", |_| outgoing::text_fields(&text, in_bytes), &["text", "entities"])
}

pub(super) fn edit_message_caption(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let caption = outgoing::caption(request)?;
    edit(world, request, "caption", |_| outgoing::caption_fields(&caption), &["caption", "caption_entities"])
}

pub(super) fn edit_message_reply_markup(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    edit(world, request, "", |_| Ok(Map::new()), &[])
}

pub(super) fn delete_message(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let (chat, id) = target(world, request, "message to delete")?;
    world.message(chat, id, "message to delete")?;
    if let Some(place) = world.chats.get_mut(&chat) {
        place.messages.remove(&id);
    }
    Ok(true.into())
}

pub(super) fn delete_messages(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let ids = request.json("message_ids").ok().flatten();
    let ids = ids.ok_or_else(|| ApiError::bad_request("message identifiers are not specified"))?;
    let ids =
        ids.as_array().ok_or_else(|| ApiError::bad_request("expected an Array of message identifiers"))?;
    if ids.len() > 100 {
        return Err(ApiError::bad_request("too many message identifiers specified"));
    }
    let chat = world.writable(&request.text("chat_id"))?.chat.id;
    if let Some(place) = world.chats.get_mut(&chat) {
        for id in ids.iter().filter_map(Value::as_i64) {
            place.messages.remove(&id);
        }
    }
    Ok(true.into())
}

pub(super) fn set_message_reaction(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let reaction = request
        .json("reaction")
        .map_err(|()| ApiError::bad_request("can't parse reaction types JSON object"))?
        .unwrap_or_else(|| Value::Array(Vec::new()));
    let reactions =
        reaction.as_array().ok_or_else(|| ApiError::bad_request("expected an Array of ReactionType"))?;
    for reaction in reactions {
        let known = match reaction["type"].as_str() {
            Some("emoji") => reaction["emoji"].is_string(),
            Some("custom_emoji") => reaction["custom_emoji_id"].is_string(),
            _ => false,
        };
        if !known {
            return Err(ApiError::bad_request("can't parse ReactionType: invalid reaction type specified"));
        }
    }
    let (chat, id) = target(world, request, "message to react")?;
    let message = world.message(chat, id, "message to react")?;
    if reactions.len() > 1 {
        return Err(ApiError::bad_request("REACTIONS_TOO_MANY"));
    }
    if reactions
        .iter()
        .any(|reaction| reaction["emoji"].as_str().is_none_or(|emoji| !REACTIONS.contains(&emoji)))
    {
        return Err(ApiError::bad_request("REACTION_INVALID"));
    }
    message.reaction =
        reactions.first().and_then(|reaction| reaction["emoji"].as_str()).map(ToOwned::to_owned);
    Ok(true.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn there_are_seventy_three_reactions() {
        assert_eq!(super::REACTIONS.iter().collect::<HashSet<_>>().len(), 73);
    }
}
