//! The content of a message.

use tidegate_guest::Attachment;

use super::{
    Bot, attachment, entity,
    entity::Reading,
    json::{Object, Value},
    rich, sender,
};

/// The content of a message as readable text.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) text: String,
    /// Whether a person wrote the text, so that it is not a placeholder.
    pub(super) is_written: bool,
    pub(super) mentions_bot: bool,
    pub(super) attachments: Vec<Attachment>,
}

/// Returns the content, or `None` for service messages: members who join and leave, pinned messages, a topic's new
/// name.
pub(super) fn content(message: &Object<'_>, bot: &Bot) -> Option<Content> {
    let mut files = attachment::files(message);
    let written = [("text", "entities"), ("caption", "caption_entities")];
    let written = written.into_iter().find_map(|(text, entities)| Some((message.text(text)?, entities)));
    let is_written = written.is_some();
    let silent = |text| Reading { text, mentions_bot: false };
    let reading = if let Some((text, entities)) = written {
        entity::read(text.into_owned(), &message.list(entities), bot)
    } else if !files.placeholder.is_empty() {
        silent(files.placeholder)
    } else if let Some((reading, attachments)) = rich::read(message, bot) {
        files.attachments = attachments;
        reading
    } else {
        silent(note(message)?)
    };
    Some(Content {
        text: reading.text,
        is_written,
        mentions_bot: reading.mentions_bot,
        attachments: files.attachments,
    })
}

/// Describes content that is neither text nor file, in parentheses. Numbers keep Telegram's spelling.
fn note(message: &Object<'_>) -> Option<String> {
    // A venue is repeated as a location.
    for kind in [
        "venue",
        "location",
        "contact",
        "poll",
        "dice",
        "checklist",
        "story",
        "game",
        "invoice",
        "paid_media",
        "giveaway",
    ] {
        let Some(value) = message.get(kind) else { continue };
        let thing = value.object().unwrap_or_default();
        let named = |word: &str, detail: &str| match thing.text(detail) {
            Some(detail) => format!("({word}: {detail})"),
            None => format!("({word})"),
        };
        return Some(match kind {
            "venue" => venue(&thing),
            "location" => location(&thing),
            "contact" => contact(&thing),
            "poll" => list("poll", thing.text("question").as_deref(), &thing.list("options")),
            "checklist" => list("checklist", thing.text("title").as_deref(), &thing.list("tasks")),
            "dice" => dice(&thing),
            "game" | "invoice" => named(kind, "title"),
            "paid_media" => "(paid media)".into(),
            other => format!("({other})"),
        });
    }
    None
}

/// Formats a location: `52.5, 13.4`.
fn coordinates(location: &Object<'_>) -> Option<String> {
    Some(format!("{}, {}", location.number("latitude")?, location.number("longitude")?))
}

fn location(location: &Object<'_>) -> String {
    let word = if location.has("live_period") { "live location" } else { "location" };
    coordinates(location).map_or_else(|| format!("({word})"), |at| format!("({word}: {at})"))
}

fn venue(venue: &Object<'_>) -> String {
    let parts = [
        venue.text("title").map(Into::into),
        venue.text("address").map(Into::into),
        venue.object("location").and_then(|location| coordinates(&location)),
    ];
    enumerated("venue", parts)
}

fn contact(contact: &Object<'_>) -> String {
    enumerated("contact", [sender::full_name(contact), contact.text("phone_number").map(Into::into)])
}

/// Formats `(word: a, b)`.
fn enumerated<const N: usize>(word: &str, parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { format!("({word})") } else { format!("({word}: {})", parts.join(", ")) }
}

/// Formats `(word: title — a / b)`.
fn list(word: &str, title: Option<&str>, items: &[Value<'_>]) -> String {
    let items: Vec<_> = items.iter().filter_map(|item| item.object()?.text("text")).collect();
    let items = items.join(" / ");
    match (title, items.as_str()) {
        (None, "") => format!("({word})"),
        (Some(title), "") => format!("({word}: {title})"),
        (None, items) => format!("({word}: {items})"),
        (Some(title), items) => format!("({word}: {title} — {items})"),
    }
}

fn dice(dice: &Object<'_>) -> String {
    let emoji = dice.text("emoji").map(|emoji| format!(" {emoji}")).unwrap_or_default();
    let value = dice.number("value").map(|value| format!(": {value}")).unwrap_or_default();
    format!("(dice{emoji}{value})")
}
