//! Tests of essential fields.

use serde_json::json;

use super::{rejected, sample::*, *};

#[test]
fn what_is_no_update_is_rejected() {
    for payload in ["", "[]", "7", "null", "\"x\"", "{", "{}", r#"{"update_id":"1"}"#, r#"{"update_id":1.5}"#]
    {
        assert!(rejected(payload.as_bytes()).starts_with("Telegram sent an update "), "{payload}");
    }
    assert!(rejected(&[0xff]).contains("no JSON object"));
}

#[test]
fn a_message_without_an_essential_field_is_rejected_by_name() {
    let message = direct(&json!({"text": "hi"}));
    let query = json!({"id": "q", "from": ada(), "message": message.clone(), "data": "x"});
    let reaction = json!({"chat": harbour(), "message_id": 1, "date": DATE});
    for (kind, sample, field) in [
        ("message", &message, "message_id"),
        ("message", &message, "chat.id"),
        ("message", &message, "date"),
        ("edited_message", &message, "date"),
        ("callback_query", &query, "id"),
        ("callback_query", &query, "from.id"),
        ("callback_query", &query, "message"),
        ("callback_query", &query, "message.message_id"),
        ("callback_query", &query, "message.chat.id"),
        ("message_reaction", &reaction, "message_id"),
        ("message_reaction", &reaction, "chat.id"),
        ("message_reaction", &reaction, "date"),
    ] {
        let pointer = format!("/{kind}/{}", field.replace('.', "/"));
        for wrong in [json!(null), json!([]), json!({}), json!(true), json!(1.5)] {
            let mut update = update(kind, sample);
            *update.pointer_mut(&pointer).unwrap() = wrong.clone();
            let reason = rejected(update.to_string().as_bytes());
            let usable = reason.rsplit(' ').next().unwrap();
            // If a message is not an object, the error names its first missing field.
            assert!(field == usable || usable.starts_with(field), "{field} as {wrong}: {reason}");
            assert!(reason.contains(kind) && reason.contains(&UPDATE.to_string()), "{reason}");
        }
    }
    assert!(rejected(update("message", &json!(7)).to_string().as_bytes()).contains("message_id"));
}

#[test]
fn what_is_of_no_concern_tells_nothing() {
    let post = json!({"message_id": 4, "chat": {"id": -1_001, "type": "channel", "title": "News"}, "date": DATE,
                      "text": "extra"});
    for (kind, content) in [
        ("channel_post", post.clone()),
        ("edited_channel_post", post.clone()),
        ("message", post),
        ("my_chat_member", json!({"chat": harbour(), "from": ada(), "date": DATE})),
        ("business_message", direct(&json!({"text": "hi"}))),
        ("some_future_thing", json!(7)),
    ] {
        assert!(events(&update(kind, &content)).is_empty(), "{kind}");
    }
    assert!(events(&json!({"update_id": 1})).is_empty());
    for service in [
        json!({"new_chat_members": [ada()]}),
        json!({"left_chat_member": ada()}),
        json!({"pinned_message": direct(&json!({"text": "old"}))}),
        json!({"forum_topic_created": {"name": "Tides", "icon_color": 1}}),
        json!({"forum_topic_edited": {"name": "Tides"}}),
        json!({"forum_topic_closed": {}}),
        json!({"new_chat_title": "Harbour"}),
        json!({"new_chat_photo": photo()}),
        json!({"message_auto_delete_timer_changed": {"message_auto_delete_time": 86_400}}),
        json!({"group_chat_created": true}),
        json!({"video_chat_started": {}}),
        json!({}),
    ] {
        assert!(events(&update("message", &grouped(&service))).is_empty(), "{service}");
    }
}

#[test]
fn odd_json_costs_nothing_but_itself() {
    let message = |fields: &str| {
        format!(
            r#"{{"update_id":1,"message":{{"message_id":2,"chat":{{"id":5,"type":"private"}},"date":3,{fields}}}}}"#
        )
    };
    let nested = format!("{}{}", r#"{"blocks":["#.repeat(20_000), "]}".repeat(20_000));
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    for (fields, expected) in [
        (r#""text":"a\ud800b""#.to_owned(), "a\u{fffd}b"),
        (r#""\ud800":1,"text":"a""#.into(), "a"),
        (r#""text":"a","from":1e999,"entities":1e999"#.into(), "a"),
        (r#""text":7,"caption":"c","photo":"p""#.into(), "c"),
        (r#""text":"a","text":"b""#.into(), "b"),
        (r#""text":"","caption":"","sticker":{}"#.into(), "(sticker)"),
        (format!(r#""text":"a","from":{deep},"reply_to_message":{deep}"#), "a"),
        (format!(r#""rich_message":{{"blocks":[{nested},{{"text":"b"}}]}}"#), "b"),
        (format!(r#""rich_message":{{"blocks":[{{"text":{deep}}},{{"text":"b"}}]}}"#), "b"),
    ] {
        let [event] = <[_; 1]>::try_from(translate(message(&fields).as_bytes(), &bot()).unwrap()).unwrap();
        let Happening::Message(message) = event.what else { panic!("{fields}") };
        assert_eq!(message.text, expected);
        assert_eq!((message.sender.id.as_str(), message.sender.name.as_str()), ("5", "5"));
    }
}
