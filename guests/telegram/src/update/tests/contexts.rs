//! Tests of quotes, replies and forwards.

use serde_json::json;

use super::{sample::*, *};

#[test]
fn a_reply_tells_what_it_answers() {
    let long = "word ".repeat(60);
    let answered = grouped(&json!({"message_id": 9, "from": the_bot(), "text": long}));
    let message = told(
        "message",
        &grouped(&json!({"text": "why?", "reply_to_message": answered,
                                                   "quote": {"text": "word", "position": 5, "is_manual": true}})),
    );
    assert_eq!(message.reply_to.as_deref(), Some("9"));
    assert_eq!(extra(&message, "reply_to_user"), Some("tide_bot"));
    let excerpt = extra(&message, "reply_to_text").unwrap();
    assert!(excerpt.starts_with("word word") && excerpt.ends_with("word…"), "{excerpt}");
    assert_eq!(excerpt.chars().count(), 200);
    assert_eq!(extra(&message, "quote"), Some("word"));
    let administrator = grouped(&json!({"from": the_bot(), "sender_chat": harbour(), "text": "no"}));
    let message = told("message", &grouped(&json!({"text": "why?", "reply_to_message": administrator})));
    assert_eq!(extra(&message, "reply_to_user"), Some("Harbour"));
    let whole = "é".repeat(200);
    for (answered, expected) in [
        (json!({"text": whole}), Some(whole.as_str())),
        (json!({"caption": "the quay", "photo": photo()}), Some("the quay")),
        (json!({"voice": {"file_id": "a"}}), Some("(voice message)")),
        (json!({"dice": {"emoji": "🎲", "value": 4}}), Some("(dice 🎲: 4)")),
        (json!({"pinned_message": {}}), None),
    ] {
        let message = told("message", &direct(&json!({"text": "hm", "reply_to_message": direct(&answered)})));
        assert_eq!(extra(&message, "reply_to_text"), expected);
        assert_eq!(message.reply_to.as_deref(), Some("365"));
    }
}

#[test]
fn a_topics_beginning_is_no_reply() {
    for message in [
        in_topic(&json!({"text": "hi"})),
        in_topic(
            &json!({"text": "hi", "reply_to_message": grouped(&json!({"message_id": 45, "text": "root"}))}),
        ),
        in_topic(&json!({"text": "hi", "reply_to_message": {"from": the_bot(), "forum_topic_created": {}}})),
    ] {
        let message = told("message", &message);
        assert_eq!(message.reply_to, None);
        assert!(message.extra.is_empty(), "{:?}", message.extra);
    }
    let answered = grouped(&json!({"message_id": 46, "text": "so"}));
    let reply = told("message", &in_topic(&json!({"text": "hi", "reply_to_message": answered})));
    assert_eq!(reply.reply_to.as_deref(), Some("46"));
    // Outside of a topic, the message with the thread's number is an ordinary one.
    let unknown = told("message", &grouped(&json!({"text": "hi", "reply_to_message": {"text": "so"}})));
    assert_eq!((unknown.reply_to.as_deref(), extra(&unknown, "reply_to_text")), (None, Some("so")));
    let thread = json!({"text": "hi", "message_thread_id": 46, "reply_to_message": answered});
    assert_eq!(told("message", &grouped(&thread)).reply_to.as_deref(), Some("46"));
}

#[test]
fn a_reply_to_another_chat_says_which() {
    let origin =
        |origin: Value| json!({"origin": origin, "chat": harbour(), "message_id": 8, "photo": photo()});
    for (answered, expected) in [
        (origin(json!({"type": "user", "sender_user": ada(), "date": DATE})), "ada_l in Harbour"),
        (origin(json!({"type": "chat", "sender_chat": harbour(), "date": DATE})), "Harbour"),
        (json!({"origin": {"type": "hidden_user", "sender_user_name": "Ada"}}), "Ada"),
        (json!({}), "unknown"),
    ] {
        let message = told("message", &direct(&json!({"text": "hm", "external_reply": answered})));
        assert_eq!(extra(&message, "external_reply"), Some(expected));
        assert_eq!(extra(&message, "reply_to_text"), answered.get("photo").map(|_| "(photo)"));
        assert_eq!(message.reply_to, None);
    }
}

#[test]
fn what_was_forwarded_says_from_whom_and_when() {
    for (origin, from, at) in [
        (json!({"type": "user", "date": 0, "sender_user": ada()}), "ada_l", Some("1970-01-01T00:00:00Z")),
        (
            json!({"type": "hidden_user", "date": DATE, "sender_user_name": "Ada"}),
            "Ada",
            Some("2026-08-01T12:00:00Z"),
        ),
        (
            json!({"type": "chat", "date": DATE, "sender_chat": harbour()}),
            "Harbour",
            Some("2026-08-01T12:00:00Z"),
        ),
        (json!({"type": "channel", "chat": {"id": -5, "title": "News"}, "message_id": 3}), "News", None),
        (json!({"type": "comet"}), "unknown", None),
    ] {
        let message = told("message", &direct(&json!({"text": "look", "forward_origin": origin})));
        assert_eq!(extra(&message, "forwarded_from"), Some(from));
        assert_eq!(extra(&message, "forwarded_at"), at);
        assert_eq!(message.sender.name, "ada_l");
    }
    let via = told("message", &direct(&json!({"text": "look", "via_bot": {"id": 9, "username": "gif"}})));
    assert_eq!(extra(&via, "via_bot"), Some("gif"));
}
