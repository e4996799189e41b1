//! The target of the bot's message, and the message that it replies to.

use serde_json::{Map, Value};

use super::keyboard;
use crate::{
    entity::Formatted,
    error::ApiError,
    people::{Chat, ChatKind},
    request::Request,
    world::{World, quote_of},
};

/// The longest text, in UTF-16 units, after parsing.
const TEXT: usize = 4096;
/// The longest caption, in UTF-16 units, after parsing.
const CAPTION: usize = 1024;

/// A message without its content.
pub(super) struct Outgoing {
    chat: Chat,
    fields: Map<String, Value>,
}

/// The requested reply.
#[derive(Default)]
struct Reply {
    message: i64,
    chat: String,
    without: bool,
    quote: String,
}

impl Reply {
    fn read(request: &Request) -> Result<Self, ApiError> {
        let wrong = |what: &str| ApiError::bad_request(what);
        let parameters = request
            .json("reply_parameters")
            .map_err(|()| wrong("can't parse reply parameters JSON object"))?;
        let Some(parameters) = parameters else {
            // As it was before there were parameters.
            let message = request.number("reply_to_message_id");
            return Ok(Self {
                message,
                without: request.flag("allow_sending_without_reply"),
                ..Self::default()
            });
        };
        let parameters =
            parameters.as_object().ok_or_else(|| wrong("object expected as reply parameters"))?;
        if parameters.is_empty() {
            return Ok(Self::default());
        }
        let message = parameters.get("message_id").ok_or_else(|| wrong("can't find field \"message_id\""))?;
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let text = |name: &str| match parameters.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Ok(Self {
            message: number(message).ok_or_else(|| wrong("field \"message_id\" must be a valid Number"))?,
            chat: text("chat_id"),
            without: parameters.get("allow_sending_without_reply").and_then(Value::as_bool).unwrap_or(false),
            quote: text("quote"),
        })
    }
}

impl Outgoing {
    /// Reads and checks the parameters in Telegram's order.
    pub(super) fn read(world: &World, request: &Request) -> Result<Self, ApiError> {
        let reply = Reply::read(request)?;
        let markup = keyboard::inline(request)?;
        let place = world.writable(&request.text("chat_id"))?;
        let mut chat = place.chat.clone();
        let thread = request.number("message_thread_id");
        // Where there are no topics a thread means nothing.
        if thread != 0 && (chat.is_forum || chat.kind == ChatKind::Private) {
            if !place.topics.contains_key(&thread) {
                return Err(ApiError::bad_request("message thread not found"));
            }
            chat.thread = Some(thread);
        }
        let mut fields = Map::new();
        if reply.message > 0 {
            let from = if reply.chat.is_empty() { chat.id } else { world.find(&reply.chat)?.chat.id };
            match world.quoted(from, reply.message) {
                Some(quoted) => {
                    reply_to(&mut fields, quoted, &reply, &mut chat)?;
                }
                None if reply.without => {}
                None => return Err(ApiError::bad_request("message to be replied not found")),
            }
        }
        if place.chat.kind == ChatKind::Private && world.bot.id == chat.id {
            return Err(ApiError::forbidden("bots can't send messages to bots"));
        }
        keyboard::check(markup.as_ref())?;
        if let Some(markup) = markup {
            fields.insert("reply_markup".into(), markup);
        }
        if request.flag("protect_content") {
            fields.insert("has_protected_content".into(), true.into());
        }
        Ok(Self { chat, fields })
    }

    /// Sends the message and returns it.
    pub(super) fn deliver(&self, world: &mut World, content: Map<String, Value>) -> Value {
        let mut fields = self.fields.clone();
        fields.extend(content);
        let bot = world.bot.clone();
        let message = world.keep(&self.chat, &bot, true, fields);
        world.sent.push((self.chat.id, message.clone()));
        message
    }
}

fn reply_to(
    fields: &mut Map<String, Value>,
    quoted: Value,
    reply: &Reply,
    chat: &mut Chat,
) -> Result<(), ApiError> {
    if !reply.quote.is_empty() {
        let text = quoted["text"].as_str().or(quoted["caption"].as_str()).unwrap_or_default();
        if !text.contains(&reply.quote) {
            return Err(ApiError::bad_request("QUOTE_TEXT_INVALID"));
        }
        fields.insert("quote".into(), quote_of(&quoted, &reply.quote));
    }
    if quoted["chat"]["id"] != chat.id {
        let origin = serde_json::json!({
            "origin": {"type": "user", "sender_user": quoted["from"], "date": quoted["date"]},
            "chat": quoted["chat"],
            "message_id": quoted["message_id"],
        });
        fields.insert("external_reply".into(), origin);
        return Ok(());
    }
    // An answer goes to the topic of what it answers.
    if chat.is_forum && chat.thread.is_none() {
        chat.thread = quoted["message_thread_id"].as_i64();
    }
    fields.insert("reply_to_message".into(), quoted);
    Ok(())
}

/// Returns the text of a message. Its length is checked later.
pub(super) fn text(request: &Request) -> Result<Formatted, ApiError> {
    let text = request.text("text");
    if text.is_empty() {
        return Err(ApiError::bad_request("message text is empty"));
    }
    formatted(request, &text, "entities")
}

/// Returns the caption of a message.
pub(super) fn caption(request: &Request) -> Result<Formatted, ApiError> {
    formatted(request, &request.text("caption"), "caption_entities")
}

fn formatted(request: &Request, text: &str, entities: &str) -> Result<Formatted, ApiError> {
    let entities = request.json(entities).unwrap_or_default();
    Formatted::from_bot(text, &request.text("parse_mode"), entities.as_ref())
}

/// Returns `text` and `entities`; fails if the text is too long or empty.
pub(super) fn text_fields(formatted: &Formatted, in_bytes: bool) -> Result<Map<String, Value>, ApiError> {
    if formatted.text.is_empty() {
        return Err(ApiError::bad_request("text must be non-empty"));
    }
    let length = if in_bytes { formatted.text.len() } else { formatted.units() };
    if length > TEXT {
        return Err(ApiError::bad_request("message is too long"));
    }
    Ok(fields(formatted, "text", "entities"))
}

/// Returns `caption` and `caption_entities`; fails if the caption is too long.
pub(super) fn caption_fields(formatted: &Formatted) -> Result<Map<String, Value>, ApiError> {
    if formatted.units() > CAPTION {
        return Err(ApiError::bad_request("message caption is too long"));
    }
    Ok(fields(formatted, "caption", "caption_entities"))
}

fn fields(formatted: &Formatted, text: &str, entities: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    if !formatted.text.is_empty() {
        fields.insert(text.into(), formatted.text.as_str().into());
    }
    fields.extend(formatted.entities().map(|found| (entities.to_owned(), found)));
    fields
}
