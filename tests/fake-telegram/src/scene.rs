//! The actions of people.

use serde_json::{Map, Value, json};

use crate::{
    draft::Draft,
    people::{Chat, ChatKind, User},
    server::Server,
    world::{Standing, now},
};

/// The result of a person's action.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    /// The update's id, unless the bot has not asked for such updates.
    pub update_id: Option<i64>,
    /// The message's id.
    pub message_id: i64,
}

/// The result of a press.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pressed {
    /// The update's id, unless the bot has not asked for such updates.
    pub update_id: Option<i64>,
    /// The id of the callback query, which the bot answers.
    pub callback_query_id: String,
}

/// Returns the kind of update for a message.
fn kind(chat: &Chat, edited: bool) -> &'static str {
    match (chat.kind, edited) {
        (ChatKind::Channel, false) => "channel_post",
        (ChatKind::Channel, true) => "edited_channel_post",
        (_, false) => "message",
        (_, true) => "edited_message",
    }
}

impl Server {
    /// Sends a person's message: a plain text, or any [`Draft`].
    ///
    /// ```
    /// # use fake_telegram::{Chat, Draft, Server, User};
    /// # let server = Server::start();
    /// let ada = User::new(42, "Ada");
    /// let hello = server.says(&ada, &ada.chat(), "hello");
    /// server.says(&ada, &ada.chat(), Draft::document("log.txt", "all well").reply_to(hello.message_id));
    /// ```
    pub fn says(&self, user: &User, chat: &Chat, draft: impl Into<Draft>) -> Told {
        let draft = draft.into();
        let mut world = self.shared.world();
        world.place(chat);
        let fields = world.content(chat, &draft);
        let message = world.keep(chat, user, false, fields);
        let update_id = world.poll.push(kind(chat, false), &message);
        Told { update_id, message_id: message["message_id"].as_i64().unwrap_or(0) }
    }

    /// Sends an album: one message for each draft, with one `media_group_id`.
    pub fn album(&self, user: &User, chat: &Chat, drafts: impl IntoIterator<Item = Draft>) -> Vec<Told> {
        let group = format!("1384{:014}", self.shared.world().fresh());
        let drafts = drafts.into_iter();
        drafts.map(|draft| self.says(user, chat, draft.with("media_group_id", group.as_str()))).collect()
    }

    /// Edits a person's message: its text, or its caption if it has no text.
    pub fn edits(&self, user: &User, chat: &Chat, message: i64, text: &str) -> Told {
        let mut world = self.shared.world();
        let mut fields = world.content(chat, &Draft::text(text));
        let kept = world.chats.get_mut(&chat.id).and_then(|place| place.messages.get_mut(&message));
        let edited = if let Some(kept) = kept {
            if kept.value.get("text").is_none() {
                fields = captioned(fields);
            }
            if let Some(kept) = kept.value.as_object_mut() {
                for stale in ["text", "entities", "caption_entities"] {
                    kept.remove(stale);
                }
                kept.extend(fields);
                kept.insert("edit_date".into(), now().into());
            }
            kept.value.clone()
        } else {
            // Older than anything that the server knows of.
            fields.insert("message_id".into(), message.into());
            fields.insert("from".into(), user.to_json());
            fields.insert("chat".into(), Chat { thread: None, ..chat.clone() }.to_json());
            fields.insert("date".into(), (now() - 60).into());
            fields.insert("edit_date".into(), now().into());
            fields.into()
        };
        let update_id = world.poll.push(kind(chat, true), &edited);
        Told { update_id, message_id: message }
    }

    /// Presses a button with this data. The button is not checked, so that tests can forge presses.
    pub fn presses(&self, user: &User, chat: &Chat, message: i64, data: &str) -> Pressed {
        let mut world = self.shared.world();
        world.place(chat);
        let shown = world.quoted(chat.id, message).unwrap_or_else(
            || json!({"message_id": message, "chat": Chat { thread: None, ..chat.clone() }.to_json(), "date": 0}),
        );
        let id = format!("{}", 4_382_610_000_000_000_000_i64 + world.fresh());
        world.queries.insert(id.clone(), user.id);
        let query = json!({
            "id": id,
            "from": user.to_json(),
            "message": shown,
            "chat_instance": format!("{}", chat.id.wrapping_mul(7_919)),
            "data": data,
        });
        let update_id = world.poll.push("callback_query", &query);
        Pressed { update_id, callback_query_id: id }
    }

    /// Makes a press too old to be answered.
    pub fn expires(&self, callback_query_id: &str) {
        self.shared.world().queries.remove(callback_query_id);
    }

    /// Sets a person's reaction to an emoji, or removes it (an empty text). Returns `None` unless the bot has asked for
    /// `message_reaction`.
    pub fn reacts(&self, user: &User, chat: &Chat, message: i64, emoji: &str) -> Option<i64> {
        let mut world = self.shared.world();
        let shown = world.place(chat).chat.to_json();
        let new: Vec<Value> =
            (!emoji.is_empty()).then(|| json!({"type": "emoji", "emoji": emoji})).into_iter().collect();
        let reaction = json!({
            "chat": shown,
            "message_id": message,
            "user": user.to_json(),
            "date": now(),
            "old_reaction": [],
            "new_reaction": new,
        });
        world.poll.push("message_reaction", &reaction)
    }

    /// Creates a topic; returns the chat as that topic.
    pub fn topic(&self, user: &User, chat: &Chat, name: &str) -> Chat {
        let chat = Chat { is_forum: true, thread: None, ..chat.clone() };
        let draft =
            Draft::default().with("forum_topic_created", json!({"name": name, "icon_color": 7_322_096}));
        let mut world = self.shared.world();
        world.place(&chat);
        let fields = world.content(&chat, &draft);
        let mut message = world.keep(&chat, user, false, fields);
        let thread = message["message_id"].as_i64().unwrap_or(0);
        message["message_thread_id"] = thread.into();
        message["is_topic_message"] = true.into();
        let place = world.place(&chat);
        place.topics.insert(thread, name.to_owned());
        if let Some(kept) = place.messages.get_mut(&thread) {
            kept.value = message.clone();
        }
        world.poll.push(kind(&chat, false), &message);
        chat.in_topic(thread)
    }

    /// Turns a group into a supergroup; returns the supergroup.
    pub fn migrates(&self, user: &User, group: &Chat) -> Chat {
        let supergroup = Chat {
            id: -1_000_000_000_000 - group.id.unsigned_abs().cast_signed() % 1_000_000_000_000,
            kind: ChatKind::Supergroup,
            ..group.clone()
        };
        self.says(user, group, Draft::default().with("migrate_to_chat_id", supergroup.id));
        self.shared.world().place(group).standing = Standing::Migrated(supergroup.id);
        self.says(user, &supergroup, Draft::default().with("migrate_from_chat_id", group.id));
        supergroup
    }

    /// Adds the bot to a group.
    pub fn adds_bot(&self, user: &User, chat: &Chat) -> Option<i64> {
        self.membership(user, chat, Standing::Welcome, "left", "member")
    }

    /// Removes the bot from a group.
    pub fn removes_bot(&self, user: &User, chat: &Chat) -> Option<i64> {
        self.membership(user, chat, Standing::Removed, "member", "kicked")
    }

    /// Makes a person block the bot.
    pub fn blocks_bot(&self, user: &User) -> Option<i64> {
        self.membership(user, &user.chat(), Standing::Blocked, "member", "kicked")
    }

    /// Makes a person unblock the bot.
    pub fn unblocks_bot(&self, user: &User) -> Option<i64> {
        self.membership(user, &user.chat(), Standing::Welcome, "kicked", "member")
    }

    fn membership(&self, user: &User, chat: &Chat, standing: Standing, old: &str, new: &str) -> Option<i64> {
        let mut world = self.shared.world();
        let bot = world.bot.to_json();
        let place = world.place(chat);
        place.standing = standing;
        let change = json!({
            "chat": place.chat.to_json(),
            "from": user.to_json(),
            "date": now(),
            "old_chat_member": {"user": bot, "status": old},
            "new_chat_member": {"user": bot, "status": new},
        });
        world.poll.push("my_chat_member", &change)
    }

    /// Allows the bot to write to this chat before anyone has written there.
    pub fn knows(&self, chat: &Chat) {
        self.shared.world().place(chat);
    }

    /// Adds an update of this kind with this content.
    pub fn update(&self, kind: &str, payload: &Value) -> Option<i64> {
        self.shared.world().poll.push(kind, payload)
    }

    /// Adds any text as an update, JSON or not. `{update_id}` in it is replaced by its id, by which it can be
    /// confirmed.
    pub fn raw(&self, text: &str) -> i64 {
        self.shared.world().poll.push_text(|id| text.replace("{update_id}", &id.to_string()))
    }
}

/// Renames the text fields to those of a caption.
fn captioned(fields: Map<String, Value>) -> Map<String, Value> {
    let named = |name: String| match name.as_str() {
        "text" => "caption".to_owned(),
        "entities" => "caption_entities".to_owned(),
        _ => name,
    };
    fields.into_iter().map(|(name, value)| (named(name), value)).collect()
}
