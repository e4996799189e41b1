//! Realistic sample JSON.

use serde_json::{Value, json};

/// A number above the integers that a float represents exactly.
pub(super) const UPDATE: i64 = 9_007_199_254_740_993;
pub(super) const DATE: i64 = 1_785_585_600;

pub(super) fn update(kind: &str, content: &Value) -> Value {
    json!({"update_id": UPDATE, kind: content})
}

/// Sets these fields in the object; `null` removes a field.
pub(super) fn with(mut object: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

pub(super) fn ada() -> Value {
    json!({"id": 412_587_349, "is_bot": false, "first_name": "Ada", "last_name": "L.", "username": "ada_l",
           "language_code": "en"})
}

pub(super) fn the_bot() -> Value {
    json!({"id": 7_000_000_001_i64, "is_bot": true, "first_name": "Tide", "username": "tide_bot"})
}

pub(super) fn harbour() -> Value {
    json!({"id": -1_002_147_483_649_123_i64, "title": "Harbour", "type": "supergroup"})
}

/// Returns a message in a direct chat, without content.
pub(super) fn direct(fields: &Value) -> Value {
    let chat = json!({"id": 412_587_349, "first_name": "Ada", "last_name": "L.", "username": "ada_l",
                      "type": "private"});
    with(json!({"message_id": 365, "from": ada(), "chat": chat, "date": DATE}), fields)
}

/// Returns the same message in a supergroup.
pub(super) fn grouped(fields: &Value) -> Value {
    with(json!({"message_id": 366, "from": ada(), "chat": harbour(), "date": DATE}), fields)
}

/// Returns the same message in a forum's topic, where Telegram marks it as a reply to the topic's root message.
pub(super) fn in_topic(fields: &Value) -> Value {
    let root = json!({
        "message_id": 45, "from": the_bot(), "chat": with(harbour(), &json!({"is_forum": true})), "date": DATE,
        "message_thread_id": 45, "is_topic_message": true,
        "forum_topic_created": {"name": "Tides", "icon_color": 7_322_096}
    });
    let topic = json!({"message_thread_id": 45, "is_topic_message": true, "reply_to_message": root});
    with(with(grouped(&topic), &json!({"chat": with(harbour(), &json!({"is_forum": true}))})), fields)
}

pub(super) fn photo() -> Value {
    json!([
        {"file_id": "AgACsmall", "file_unique_id": "s", "file_size": 1_253, "width": 90, "height": 67},
        {"file_id": "AgAClarge", "file_unique_id": "l", "file_size": 98_301, "width": 1280, "height": 960},
        {"file_id": "AgACmiddle", "file_unique_id": "m", "file_size": 21_017, "width": 320, "height": 240}
    ])
}

/// Returns one update of each type that becomes an event, with every field that is read.
pub(super) fn all() -> Vec<Value> {
    let file = |name: &str| {
        json!({"file_id": format!("BQAC{name}"), "file_unique_id": "u", "file_name": name,
                                   "mime_type": "application/pdf", "file_size": 4_096, "duration": 3})
    };
    let entities = json!([
        {"type": "mention", "offset": 0, "length": 9}, {"type": "bot_command", "offset": 10, "length": 5},
        {"type": "text_link", "offset": 16, "length": 4, "url": "https://a.example/x"},
        {"type": "text_mention", "offset": 16, "length": 4, "user": ada()}
    ]);
    let text = json!({"text": "@tide_bot /look here 😀", "entities": entities});
    let query = json!({"id": "1772049270398110721", "from": ada(), "message": grouped(&json!({"text": "May it?"})),
                       "chat_instance": "-77", "data": "allow abcde"});
    let mut messages = vec![
        direct(&json!({"text": "hi \u{e9}"})),
        direct(&json!({"text": "/start Ab_-9"})),
        grouped(&text),
        in_topic(&text),
        in_topic(
            &json!({"text": "so", "reply_to_message": grouped(&json!({"from": the_bot(), "text": "no"})),
                         "quote": {"text": "n", "position": 0}}),
        ),
        grouped(
            &json!({"text": "so", "sender_chat": harbour(), "via_bot": the_bot(), "edit_date": DATE + 60,
                        "external_reply": {"origin": {"type": "chat", "sender_chat": harbour(), "date": DATE},
                                           "chat": harbour(), "photo": photo()}}),
        ),
        grouped(&json!({"text": "so", "is_automatic_forward": true, "sender_chat": harbour(),
                        "forward_origin": {"type": "channel", "chat": harbour(), "message_id": 3, "date": DATE}})),
        direct(&json!({"photo": photo(), "caption": "@tide_bot", "caption_entities": entities,
                       "media_group_id": "13370001"})),
        direct(
            &json!({"rich_message": {"blocks": [{"type": "paragraph", "text": ["a", {"type": "bold", "text": "b"}]}]}}),
        ),
        grouped(&json!({"migrate_to_chat_id": -1_001_234_567_890_i64})),
        grouped(&json!({"new_chat_members": [ada()]})),
    ];
    for name in ["document", "audio", "voice", "video", "video_note", "animation", "sticker"] {
        messages.push(direct(&json!({name: file(name)})));
    }
    for note in [
        json!({"location": {"latitude": 52.5, "longitude": 13.4}}),
        json!({"venue": {"title": "Quay", "address": "1 Quay", "location": {"latitude": 52.5, "longitude": 13.4}}}),
        json!({"contact": {"first_name": "Ada", "phone_number": "+49"}}),
        json!({"poll": {"question": "Tea?", "options": [{"text": "yes"}, {"text": "no"}]}}),
        json!({"dice": {"emoji": "🎲", "value": 4}}),
    ] {
        messages.push(direct(&note));
    }
    let reaction = json!({"chat": harbour(), "message_id": 12, "user": ada(), "date": DATE,
                          "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👍"}]});
    let messages =
        messages.iter().flat_map(|message| ["message", "edited_message"].map(|kind| update(kind, message)));
    messages.chain([update("callback_query", &query), update("message_reaction", &reaction)]).collect()
}
