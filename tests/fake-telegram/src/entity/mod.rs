//! Texts with entities: parsed from HTML, cleaned, and ordered by Telegram's rules.

mod find;
mod html;
mod link;
mod order;

use serde_json::{Value, json};

use crate::error::ApiError;

/// The longest text with markup that is parsed, in bytes.
const MARKUP: usize = 1 << 15;

/// The kind of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blockquote,
    Bold,
    BotCommand,
    /// The language is only for a `pre` around it; it is not shown in the end.
    Code {
        language: String,
    },
    CustomEmoji(i64),
    DateTime {
        unix: i64,
        format: String,
    },
    ExpandableBlockquote,
    Hashtag,
    Italic,
    Mention,
    Pre {
        language: String,
    },
    Spoiler,
    Strikethrough,
    TextLink(String),
    TextMention(i64),
    Underline,
    Url,
}

/// A part of a text, in UTF-16 units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entity {
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) kind: Kind,
}

impl Entity {
    fn end(&self) -> usize {
        self.offset + self.length
    }

    /// Converts to the Bot API's form.
    fn to_json(&self) -> Value {
        let mut value = json!({"offset": self.offset, "length": self.length});
        let name = match &self.kind {
            Kind::Blockquote => "blockquote",
            Kind::Bold => "bold",
            Kind::BotCommand => "bot_command",
            Kind::Code { .. } => "code",
            Kind::CustomEmoji(id) => {
                value["custom_emoji_id"] = id.to_string().into();
                "custom_emoji"
            }
            Kind::DateTime { unix, format } => {
                value["unix_time"] = (*unix).into();
                value["date_time_format"] = format.as_str().into();
                "date_time"
            }
            Kind::ExpandableBlockquote => "expandable_blockquote",
            Kind::Hashtag => "hashtag",
            Kind::Italic => "italic",
            Kind::Mention => "mention",
            Kind::Pre { language } => {
                if !language.is_empty() {
                    value["language"] = language.as_str().into();
                }
                "pre"
            }
            Kind::Spoiler => "spoiler",
            Kind::Strikethrough => "strikethrough",
            Kind::TextLink(url) => {
                value["url"] = url.as_str().into();
                "text_link"
            }
            Kind::TextMention(user) => {
                value["user"] = json!({"id": user, "is_bot": false, "first_name": ""});
                "text_mention"
            }
            Kind::Underline => "underline",
            Kind::Url => "url",
        };
        value["type"] = name.into();
        value
    }

    /// Reads a bot's entity; returns `None` for kinds that only Telegram finds.
    fn from_json(value: &Value) -> Result<Option<Self>, &'static str> {
        let number =
            |name: &str| value.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let offset = number("offset").ok_or("can't find field \"offset\"")?;
        let length = number("length").ok_or("can't find field \"length\"")?;
        let kind = match text("type").as_str() {
            "blockquote" => Kind::Blockquote,
            "bold" => Kind::Bold,
            "code" => Kind::Code { language: String::new() },
            "custom_emoji" => Kind::CustomEmoji(text("custom_emoji_id").parse().unwrap_or(0)),
            "expandable_blockquote" => Kind::ExpandableBlockquote,
            "italic" => Kind::Italic,
            "pre" => Kind::Pre { language: text("language") },
            "spoiler" => Kind::Spoiler,
            "strikethrough" => Kind::Strikethrough,
            "text_link" => match link::checked(&text("url")) {
                Some(url) => Kind::TextLink(url),
                None => return Ok(None),
            },
            "text_mention" => Kind::TextMention(value["user"]["id"].as_i64().unwrap_or(0)),
            "underline" => Kind::Underline,
            "bank_card_number" | "bot_command" | "cashtag" | "email" | "hashtag" | "mention"
            | "phone_number" | "url" => return Ok(None),
            _ => return Err("Unsupported type specified"),
        };
        Ok(Some(Self { offset, length, kind }))
    }
}

/// A text and its entities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

impl Formatted {
    /// Reads a bot's text: plain, with entities, or as HTML.
    pub(crate) fn from_bot(text: &str, parse_mode: &str, entities: Option<&Value>) -> Result<Self, ApiError> {
        if text.len() > MARKUP {
            return Err(ApiError::bad_request("text is too long"));
        }
        let formatted = match parse_mode.to_ascii_lowercase().as_str() {
            _ if text.is_empty() => Self::default(),
            "" | "none" => Self { text: text.to_owned(), entities: given(entities)? },
            "html" => html::parse(text)
                .map_err(|error| ApiError::bad_request(format!("can't parse entities: {error}")))?,
            // Telegram takes these, this server does not.
            _ => return Err(ApiError::bad_request("unsupported parse_mode")),
        };
        order::cleaned(formatted)
    }

    /// Reads a person's text.
    pub(crate) fn from_person(text: &str) -> Self {
        let entities = find::entities(text);
        Self { text: text.to_owned(), entities }
    }

    /// Returns the length in UTF-16 units, which Telegram's limits count.
    pub(crate) fn units(&self) -> usize {
        self.text.encode_utf16().count()
    }

    /// Returns the `MessageEntity` objects, `None` if there are none.
    pub(crate) fn entities(&self) -> Option<Value> {
        let entities: Vec<Value> = self.entities.iter().map(Entity::to_json).collect();
        (!entities.is_empty()).then(|| entities.into())
    }
}

fn given(entities: Option<&Value>) -> Result<Vec<Entity>, ApiError> {
    let Some(Value::Array(entities)) = entities else { return Ok(Vec::new()) };
    let mut given = Vec::new();
    for entity in entities {
        let entity = Entity::from_json(entity)
            .map_err(|error| ApiError::bad_request(format!("can't parse MessageEntity: {error}")))?;
        given.extend(entity);
    }
    Ok(given)
}
