//! Reactions of people.

use std::borrow::Cow;

use tidegate_guest::{ChatKind, Happening, Message};

use super::{Bot, Missing, json::Object, place::Place, sender, time};

/// Translates a changed reaction, if the session wants reactions.
///
/// The event is a message with the id of the message that the reaction refers to. Telegram does not report that
/// message's author or topic: the reaction is addressed to the bot only in a direct chat, and an answer goes to the
/// group.
pub(super) fn happening(reaction: &Object<'_>, bot: &Bot) -> Result<Option<Happening>, Missing> {
    let id = reaction.integer("message_id").ok_or(Missing("message_id"))?;
    let place = Place::of(reaction)?;
    let date = reaction.integer("date").ok_or(Missing("date"))?;
    let Some(kind) = place.kind.filter(|_| bot.reactions) else { return Ok(None) };
    let (before, after) = (Reaction::all(reaction, "old_reaction"), Reaction::all(reaction, "new_reaction"));
    let new: Vec<_> = after.iter().filter(|reaction| !before.contains(reaction)).collect();
    if new.is_empty() && before.iter().all(|reaction| after.contains(reaction)) {
        return Ok(None);
    }
    let (text, value) = if new.is_empty() {
        ("(took back the reaction)".into(), "removed".into())
    } else {
        let new = new.into_iter().map(Reaction::shown).collect::<Vec<_>>().join(" ");
        (format!("(reacted {new})"), new)
    };
    Ok(Some(Happening::Message(Message {
        id: id.to_string(),
        sender: sender::of_reaction(reaction, &place),
        chat: place.to_chat(kind),
        text,
        sent_at: time::milliseconds(date),
        addressed: kind == ChatKind::Direct,
        edited: false,
        reply_to: Some(id.to_string()),
        attachments: Vec::new(),
        album: None,
        extra: vec![("reaction".into(), value)],
    })))
}

/// `ReactionType`, with the id of a custom emoji.
#[derive(PartialEq)]
enum Reaction<'a> {
    Emoji(Cow<'a, str>),
    Custom(Option<Cow<'a, str>>),
    Star,
}

impl<'a> Reaction<'a> {
    fn all(update: &Object<'a>, name: &str) -> Vec<Self> {
        update.list(name).into_iter().filter_map(|reaction| Self::read(&reaction.object()?)).collect()
    }

    fn read(reaction: &Object<'a>) -> Option<Self> {
        match reaction.text("type").as_deref() {
            Some("custom_emoji") => Some(Self::Custom(reaction.text("custom_emoji_id"))),
            Some("paid") => Some(Self::Star),
            _ => reaction.text("emoji").map(Self::Emoji),
        }
    }

    fn shown(&self) -> &str {
        match self {
            Self::Emoji(emoji) => emoji,
            // A custom emoji has no character.
            Self::Custom(_) => "custom emoji",
            Self::Star => "⭐",
        }
    }
}
