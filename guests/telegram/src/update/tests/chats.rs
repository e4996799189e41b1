//! Tests of chats, topics and senders.

use serde_json::json;
use tidegate_guest::{Chat, ChatKind};

use super::{sample::*, *};

fn spelled(chat: &Chat) -> (&str, ChatKind, Option<&str>, Option<&str>, Option<&str>) {
    (&chat.id, chat.kind, chat.group.as_deref(), chat.thread.as_deref(), chat.title.as_deref())
}

#[test]
fn an_answer_goes_where_the_message_came_from() {
    let text = json!({"text": "hi"});
    let (group, harbour_) = ("-1002147483649123", Some("Harbour"));
    let topic = (
        "-1002147483649123/9007199254740993",
        ChatKind::Group,
        Some(group),
        Some("9007199254740993"),
        harbour_,
    );
    let thread = |chat: fn(&Value) -> Value, is_topic: bool| {
        let fields = json!({"text": "hi", "message_thread_id": UPDATE, "is_topic_message": is_topic});
        chat(&fields)
    };
    let untyped = |chat: fn(&Value) -> Value, id: i64| chat(&json!({"text": "hi", "chat": {"id": id}}));
    for (message, expected) in [
        (direct(&text), ("412587349", ChatKind::Direct, None, None, None)),
        (grouped(&text), (group, ChatKind::Group, None, None, harbour_)),
        (thread(grouped, true), topic),
        // The thread of replies below a message is not a topic.
        (thread(grouped, false), (group, ChatKind::Group, None, None, harbour_)),
        (
            thread(direct, true),
            ("412587349/9007199254740993", ChatKind::Direct, None, Some("9007199254740993"), None),
        ),
        (untyped(direct, UPDATE), ("9007199254740993", ChatKind::Direct, None, None, None)),
        (untyped(grouped, -5), ("-5", ChatKind::Group, None, None, None)),
        (untyped(direct, i64::MIN), ("-9223372036854775808", ChatKind::Group, None, None, None)),
    ] {
        assert_eq!(spelled(&told("message", &message).chat), expected);
    }
}

#[test]
fn the_sender_is_whoever_speaks() {
    let stand_in =
        json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot"});
    let channel =
        json!({"id": -1_009_876_543_210_i64, "title": "News", "type": "channel", "username": "news"});
    let telegram = json!({"id": 777_000, "is_bot": false, "first_name": "Telegram"});
    let grouped = |fields: Value| with(grouped(&json!({"text": "hi"})), &fields);
    let direct = |fields: Value| with(direct(&json!({"text": "hi"})), &fields);
    for (message, id, name, is_bot) in [
        (direct(json!({})), "412587349", "ada_l", false),
        (direct(json!({"from": with(ada(), &json!({"username": null}))})), "412587349", "Ada L.", false),
        (direct(json!({"from": {"id": UPDATE, "first_name": "Ada"}})), "9007199254740993", "Ada", false),
        (direct(json!({"from": {"id": 8, "is_bot": "yes"}})), "8", "8", false),
        (grouped(json!({"from": the_bot()})), "7000000001", "tide_bot", true),
        // An anonymous administrator, and a person who writes as a channel.
        (grouped(json!({"from": stand_in, "sender_chat": harbour()})), "-1002147483649123", "Harbour", false),
        (grouped(json!({"from": stand_in, "sender_chat": channel})), "-1009876543210", "News", false),
        (
            grouped(json!({"from": stand_in, "sender_chat": {"title": "x"}})),
            "1087968824",
            "GroupAnonymousBot",
            true,
        ),
        // A post of a linked channel.
        (
            grouped(json!({"from": telegram, "sender_chat": channel, "is_automatic_forward": true})),
            "777000",
            "Telegram",
            false,
        ),
        (
            grouped(json!({"from": null, "sender_chat": channel, "is_automatic_forward": true})),
            "-1009876543210",
            "News",
            false,
        ),
        // In a direct chat there is only one possible sender.
        (direct(json!({"sender_chat": channel})), "412587349", "ada_l", false),
        (direct(json!({"from": null})), "412587349", "ada_l", false),
        (grouped(json!({"from": null})), "0", "unknown", false),
        (grouped(json!({"from": {"id": "412587349"}})), "0", "unknown", false),
    ] {
        let sender = told("message", &message).sender;
        assert_eq!(
            (sender.id.as_str(), sender.name.as_str(), sender.is_bot),
            (id, name, is_bot),
            "{message}"
        );
    }
}

#[test]
fn the_bot_is_addressed_by_name_by_reply_or_in_private() {
    let mention = |text: &str| json!({"text": text, "entities": [{"type": "mention", "offset": 0, "length": text.len()}]});
    let from_bot =
        json!({"message_id": 9, "from": the_bot(), "chat": harbour(), "date": DATE, "text": "done"});
    let caption = json!({"photo": photo(), "caption": "@tide_bot",
                         "caption_entities": [{"type": "mention", "offset": 0, "length": 9}]});
    let rich =
        |mark: Value| json!({"rich_message": {"blocks": [{"type": "paragraph", "text": ["hi ", mark]}]}});
    for (message, expected) in [
        (direct(&json!({"text": "hi"})), true),
        (grouped(&json!({"text": "hi"})), false),
        (grouped(&mention("@tide_bot")), true),
        (grouped(&mention("@tide_bots")), false),
        (grouped(&caption), true),
        (grouped(&json!({"text": "hi", "caption_entities": caption["caption_entities"]})), false),
        (grouped(&json!({"text": "hi", "reply_to_message": from_bot})), true),
        (in_topic(&json!({"text": "hi", "reply_to_message": from_bot})), true),
        (grouped(&json!({"text": "hi", "reply_to_message": grouped(&json!({"text": "hi"}))})), false),
        // The bot may have created the topic: the message is still not a reply to the bot.
        (in_topic(&json!({"text": "hi"})), false),
        (grouped(&rich(json!({"type": "mention", "text": "@Tide_Bot", "username": "Tide_Bot"}))), true),
        (grouped(&rich(json!({"type": "mention", "text": "@other", "username": "other"}))), false),
        (
            grouped(&rich(
                json!({"type": "bold", "text": {"type": "text_mention", "text": "it", "user": the_bot()}}),
            )),
            true,
        ),
    ] {
        assert_eq!(told("message", &message).addressed, expected, "{message}");
    }
    let unknown = translate(
        update("message", &grouped(&json!({"text": "hi", "reply_to_message": {"from": {"id": 0}}})))
            .to_string()
            .as_bytes(),
        &Bot::default(),
    );
    assert!(matches!(&unknown.unwrap()[0].what, Happening::Message(message) if !message.addressed));
}
