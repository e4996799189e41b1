//! The server's data: chats, messages, files, updates.

use std::{
    collections::{BTreeMap, HashMap},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use crate::{
    draft::Draft,
    entity::Formatted,
    error::ApiError,
    file::{File, Files, MediaKind},
    people::{Chat, ChatKind, User},
    poll::Poll,
};

/// The data of one bot.
pub(crate) struct World {
    pub(crate) bot: User,
    /// `None` after it was revoked.
    pub(crate) token: Option<String>,
    pub(crate) poll: Poll,
    pub(crate) files: Files,
    pub(crate) chats: HashMap<i64, Place>,
    /// The presses that can be answered.
    pub(crate) queries: HashMap<String, i64>,
    pub(crate) commands: BTreeMap<String, Value>,
    /// Whether texts are counted in bytes.
    pub(crate) counts_bytes: bool,
    /// The bot's messages that are not recorded yet: chat and message.
    pub(crate) sent: Vec<(i64, Value)>,
    count: i64,
}

/// A chat and its messages.
pub(crate) struct Place {
    pub(crate) chat: Chat,
    pub(crate) messages: BTreeMap<i64, Message>,
    pub(crate) topics: BTreeMap<i64, String>,
    pub(crate) standing: Standing,
    next: i64,
}

/// Whether the bot may write to a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Welcome,
    /// The user has blocked the bot.
    Blocked,
    /// The bot was removed from the group.
    Removed,
    /// The group has become a supergroup.
    Migrated(i64),
}

pub(crate) struct Message {
    pub(crate) value: Value,
    /// Whether the bot sent it.
    pub(crate) own: bool,
    /// The bot's reaction.
    pub(crate) reaction: Option<String>,
}

/// Returns the time in seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl World {
    pub(crate) fn new(token: String) -> Self {
        let id = token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(8_086_174_200);
        Self {
            bot: User::new(id, "Fake").username("fake_telegram_bot").bot(),
            token: Some(token),
            poll: Poll::new(),
            files: Files::default(),
            chats: HashMap::new(),
            queries: HashMap::new(),
            commands: BTreeMap::new(),
            counts_bytes: false,
            sent: Vec::new(),
            count: 0,
        }
    }

    /// Returns a new unique number.
    pub(crate) fn fresh(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    /// Returns the stored chat; adds it if it is new.
    pub(crate) fn place(&mut self, chat: &Chat) -> &mut Place {
        let place = self.chats.entry(chat.id).or_insert_with(|| Place {
            chat: Chat { thread: None, ..chat.clone() },
            messages: BTreeMap::new(),
            topics: BTreeMap::new(),
            standing: Standing::Welcome,
            // In a group the first is that it was made.
            next: if chat.kind == ChatKind::Private { 1 } else { 2 },
        });
        // Titles and names change, and the newest holds.
        if place.chat.title != chat.title
            || place.chat.username != chat.username
            || place.chat.is_forum != chat.is_forum
        {
            place.chat = Chat { thread: None, ..chat.clone() };
        }
        place
    }

    /// Returns the chat for a bot's `chat_id`.
    pub(crate) fn find(&self, id: &str) -> Result<&Place, ApiError> {
        if id.is_empty() {
            return Err(ApiError::bad_request("chat_id is empty"));
        }
        let found = match id.strip_prefix('@') {
            Some(name) => self.chats.values().find(|place| {
                place.chat.kind != ChatKind::Private
                    && place.chat.username.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
            }),
            None => id.parse().ok().and_then(|id: i64| self.chats.get(&id)),
        };
        found.ok_or_else(|| ApiError::bad_request("chat not found"))
    }

    /// Returns the chat, if the bot may write to it.
    pub(crate) fn writable(&self, id: &str) -> Result<&Place, ApiError> {
        let place = self.find(id)?;
        match place.standing {
            Standing::Welcome => Ok(place),
            Standing::Blocked => Err(ApiError::forbidden("bot was blocked by the user")),
            Standing::Removed => {
                Err(ApiError::forbidden(format!("bot was kicked from the {} chat", place.chat.kind.as_str())))
            }
            Standing::Migrated(to) => Err(ApiError {
                migrate_to: Some(to),
                ..ApiError::bad_request("group chat was upgraded to a supergroup chat")
            }),
        }
    }

    /// Returns the message in the form that a reply to it shows.
    pub(crate) fn quoted(&self, chat: i64, id: i64) -> Option<Value> {
        let mut value = self.chats.get(&chat)?.messages.get(&id)?.value.clone();
        if let Value::Object(fields) = &mut value {
            fields.remove("reply_to_message");
        }
        Some(value)
    }

    /// Stores a message: adds its id, its chat, its date, and the other fields that every message has.
    pub(crate) fn keep(
        &mut self,
        chat: &Chat,
        from: &User,
        own: bool,
        mut fields: Map<String, Value>,
    ) -> Value {
        let from = from.to_json();
        let place = self.place(chat);
        let id = place.next;
        place.next += 1;
        fields.insert("message_id".into(), id.into());
        fields.insert("chat".into(), place.chat.to_json());
        fields.insert("date".into(), now().into());
        if chat.kind == ChatKind::Channel {
            fields.insert("sender_chat".into(), place.chat.to_json());
        } else {
            fields.insert("from".into(), from);
        }
        if let Some(thread) = chat.thread {
            fields.insert("message_thread_id".into(), thread.into());
            if place.chat.is_forum {
                fields.insert("is_topic_message".into(), true.into());
            }
        }
        let value = Value::Object(fields);
        place.messages.insert(id, Message { value: value.clone(), own, reaction: None });
        value
    }

    /// Returns the fields of a person's message.
    pub(crate) fn content(&mut self, chat: &Chat, draft: &Draft) -> Map<String, Value> {
        let mut fields = Map::new();
        let formatted = Formatted::from_person(&draft.text);
        let (text, entities) = match &draft.media {
            Some(media) => {
                let shown = self.show(media.kind, &media.file);
                if media.kind == MediaKind::Animation {
                    fields.insert("document".into(), shown.clone());
                }
                fields.insert(media.kind.as_str().into(), shown);
                ("caption", "caption_entities")
            }
            None => ("text", "entities"),
        };
        if !draft.text.is_empty() {
            fields.insert(text.into(), draft.text.as_str().into());
            fields.extend(formatted.entities().map(|found| (entities.to_owned(), found)));
        }
        if let Some(quoted) = draft.reply_to.and_then(|id| self.quoted(chat.id, id)) {
            if let Some(quote) = &draft.quote {
                fields.insert("quote".into(), quote_of(&quoted, quote));
            }
            fields.insert("reply_to_message".into(), quoted);
        }
        if let Some(user) = &draft.forwarded_from {
            let user = user.to_json();
            let origin = serde_json::json!({"type": "user", "sender_user": user, "date": now() - 60});
            fields.insert("forward_origin".into(), origin);
            fields.insert("forward_from".into(), user);
            fields.insert("forward_date".into(), (now() - 60).into());
        }
        fields.extend(draft.fields.clone());
        fields
    }

    fn show(&mut self, kind: MediaKind, file: &File) -> Value {
        self.files.add(kind, file)
    }

    /// Returns a message of this chat; the error names `what` and says that there is no such message.
    pub(crate) fn message(&mut self, chat: i64, id: i64, what: &str) -> Result<&mut Message, ApiError> {
        let place = self.chats.get_mut(&chat);
        place
            .and_then(|place| place.messages.get_mut(&id))
            .ok_or_else(|| ApiError::bad_request(format!("{what} not found")))
    }
}

/// Returns a `TextQuote` of this part of a message.
pub(crate) fn quote_of(message: &Value, quote: &str) -> Value {
    let text = message["text"].as_str().or(message["caption"].as_str()).unwrap_or_default();
    let before = text.find(quote).and_then(|at| text.get(..at)).unwrap_or_default();
    serde_json::json!({"text": quote, "position": before.encode_utf16().count(), "is_manual": true})
}
