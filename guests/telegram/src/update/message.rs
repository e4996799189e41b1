//! Messages, new and edited.

use tidegate_guest::{ChatKind, Happening, Message, Move, Question};

use super::{Bot, Missing, command, content, context::Context, json::Object, place::Place, sender, time};
use crate::chat::ChatId;

/// Translates a new or edited message. Returns `None` if it has no content for the session.
pub(super) fn happening(message: &Object<'_>, edited: bool, bot: &Bot) -> Result<Option<Happening>, Missing> {
    let id = message.integer("message_id").ok_or(Missing("message_id"))?;
    let place = Place::of(message)?;
    let date = message.integer("date").ok_or(Missing("date"))?;
    let Some(kind) = place.kind else { return Ok(None) };
    if let Some(moved) = moved(message, &place) {
        return Ok(Some(Happening::Moved(moved)));
    }
    // A person who shares a live location would otherwise send an event every few seconds, for hours.
    if edited && message.has("location") {
        return Ok(None);
    }
    let (chat, sender) = (place.to_chat(kind), sender::of_message(message, &place));
    let is_direct = kind == ChatKind::Direct;
    if is_direct && let Some(topic) = message.text("text").and_then(|text| command::question(&text, bot)) {
        return Ok(Some(Happening::Question(Question { topic, sender, chat })));
    }
    let Some(content) = content::content(message, bot) else { return Ok(None) };
    let around = Context::of(message, &place, bot);
    let is_part = message.has("media_group_id") && !edited;
    let written = message.integer("edit_date").filter(|_| edited).unwrap_or(date);
    Ok(Some(Happening::Message(Message {
        id: id.to_string(),
        chat,
        sender,
        // The host joins an album into one message, so a part without a caption has an empty text.
        text: if is_part && !content.is_written { String::new() } else { content.text },
        sent_at: time::milliseconds(written),
        addressed: is_direct || content.mentions_bot || around.answers_bot,
        edited,
        reply_to: around.reply_to,
        attachments: content.attachments,
        album: message.text("media_group_id").map(Into::into),
        extra: around.extra,
    })))
}

/// Returns the move of a group that became a supergroup, which has another id. Both chats report it.
fn moved(message: &Object<'_>, place: &Place<'_>) -> Option<Move> {
    let here = place.id.chat;
    if place.kind != Some(ChatKind::Group) {
        return None;
    }
    let (from, to) = match (message.integer("migrate_to_chat_id"), message.integer("migrate_from_chat_id")) {
        (Some(to), _) => (here, to),
        (None, Some(from)) => (from, here),
        (None, None) => return None,
    };
    let spelled = |chat| ChatId { chat, thread: None }.to_string();
    Some(Move { from_chat: spelled(from), to_chat: spelled(to) })
}
