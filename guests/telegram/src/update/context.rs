//! The context of a message: the message that it replies to, and the source of a forward.

use super::{Bot, content, json::Object, place::Place, sender, time};

/// The maximum length of an excerpt of another message, in characters.
const EXCERPT: usize = 200;

/// The context of a message.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The message of the same chat that this one replies to.
    pub(super) reply_to: Option<String>,
    /// Whether that message is the bot's.
    pub(super) answers_bot: bool,
    /// Attributes for the session: `reply_to_user`, `reply_to_text`, `quote`, `external_reply`, `forwarded_from`,
    /// `forwarded_at`, `via_bot`.
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

/// Whether this is the topic's root message. Telegram reports it as the message replied to for every message in a topic
/// that replies to nothing else.
fn is_root(answered: &Object<'_>, place: &Place<'_>) -> bool {
    place.id.thread.is_some()
        && (answered.has("forum_topic_created") || answered.integer("message_id") == place.id.thread)
}

/// Returns the author's name of a message, for display.
fn author(message: &Object<'_>) -> Option<String> {
    ["sender_chat", "from"].into_iter().find_map(|field| sender::name(&message.object(field)?))
}

/// Returns the content of a message, shortened to [`EXCERPT`].
fn excerpt(message: &Object<'_>, bot: &Bot) -> Option<String> {
    let text = content::content(message, bot)?.text;
    let Some((end, _)) = text.char_indices().nth(EXCERPT) else { return Some(text) };
    let kept = text.get(..end).unwrap_or_default().trim_end();
    Some(format!("{kept}…"))
}

/// Describes the source of a message of another chat or topic: `Ada in Harbour`.
fn elsewhere(answered: &Object<'_>) -> String {
    let author = answered.object("origin").map_or_else(|| "unknown".into(), |origin| origin_name(&origin));
    match answered.object("chat").and_then(|chat| sender::name(&chat)) {
        Some(chat) if chat != author => format!("{author} in {chat}"),
        _ => author,
    }
}

/// Returns the name in a `MessageOrigin`: a person, a person who hides the account, a chat, or a channel.
fn origin_name(origin: &Object<'_>) -> String {
    ["sender_user", "sender_chat", "chat"]
        .into_iter()
        .find_map(|field| sender::name(&origin.object(field)?))
        .or_else(|| origin.text("sender_user_name").map(Into::into))
        .unwrap_or_else(|| "unknown".into())
}
