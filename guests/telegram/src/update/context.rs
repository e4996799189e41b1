//! What a message refers to: the one that it answers, where it was forwarded from.

use super::{Bot, content, json::Object, place::Place, sender, time};

/// How much of another message is told, in characters.
const EXCERPT: usize = 200;

/// What stands around a message.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The message of the same chat that this one answers.
    pub(super) reply_to: Option<String>,
    /// That message is the bot's.
    pub(super) answers_bot: bool,
    /// For the session: `reply_to_user`, `reply_to_text`, `quote`, `external_reply`, `forwarded_from`, `forwarded_at`,
    /// `via_bot`.
    pub(super) extra: Vec<(String, String)>,
}

impl Context {
    pub(super) fn of(message: &Object<'_>, place: &Place<'_>, bot: &Bot) -> Self {
        let mut context = Self::default();
        if let Some(answered) = message.object("reply_to_message").filter(|it| !is_root(it, place)) {
            context.reply_to = answered.integer("message_id").map(|id| id.to_string());
            context.answers_bot = answered.object("from").is_some_and(|user| bot.is(&user));
            context.tell("reply_to_user", author(&answered));
            context.tell("reply_to_text", excerpt(&answered, bot));
        }
        if let Some(answered) = message.object("external_reply") {
            context.tell("external_reply", Some(elsewhere(&answered)));
            context.tell("reply_to_text", excerpt(&answered, bot));
        }
        let quote = message.object("quote").and_then(|quote| quote.text("text").map(Into::into));
        context.tell("quote", quote);
        if let Some(origin) = message.object("forward_origin") {
            context.tell("forwarded_from", Some(origin_name(&origin)));
            context.tell("forwarded_at", origin.integer("date").map(time::iso));
        }
        context.tell("via_bot", message.object("via_bot").and_then(|bot| sender::name(&bot)));
        context
    }

    fn tell(&mut self, key: &str, value: Option<String>) {
        self.extra.extend(value.map(|value| (key.to_owned(), value)));
    }
}

/// What Telegram says is answered by everything in a topic that answers nothing else: the topic's own beginning.
fn is_root(answered: &Object<'_>, place: &Place<'_>) -> bool {
    place.id.thread.is_some()
        && (answered.has("forum_topic_created") || answered.integer("message_id") == place.id.thread)
}

/// Who wrote a message, for people to read.
fn author(message: &Object<'_>) -> Option<String> {
    ["sender_chat", "from"].into_iter().find_map(|field| sender::name(&message.object(field)?))
}

/// What a message says, shortened.
fn excerpt(message: &Object<'_>, bot: &Bot) -> Option<String> {
    let text = content::content(message, bot)?.text;
    let Some((end, _)) = text.char_indices().nth(EXCERPT) else { return Some(text) };
    let kept = text.get(..end).unwrap_or_default().trim_end();
    Some(format!("{kept}…"))
}

/// Where a message of another chat or topic is from: `Ada in Harbour`.
fn elsewhere(answered: &Object<'_>) -> String {
    let author = answered.object("origin").map_or_else(|| "unknown".into(), |origin| origin_name(&origin));
    match answered.object("chat").and_then(|chat| sender::name(&chat)) {
        Some(chat) if chat != author => format!("{author} in {chat}"),
        _ => author,
    }
}

/// `MessageOrigin`: a person, somebody who hides behind a name, a chat, or a channel.
fn origin_name(origin: &Object<'_>) -> String {
    ["sender_user", "sender_chat", "chat"]
        .into_iter()
        .find_map(|field| sender::name(&origin.object(field)?))
        .or_else(|| origin.text("sender_user_name").map(Into::into))
        .unwrap_or_else(|| "unknown".into())
}
