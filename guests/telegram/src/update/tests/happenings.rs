//! Tests that each update becomes the right event.

use serde_json::json;
use tidegate_guest::Topic;

use super::{rejected, sample::*, *};

#[test]
fn an_event_has_the_updates_number() {
    let expected = format!("{}:9007199254740993", bot().id);
    assert_eq!(event(&update("message", &direct(&json!({"text": "hi"})))).id, expected);
}

#[test]
fn a_press_has_the_id_that_answers_it() {
    let query = |fields: Value| {
        let query = json!({"id": "1772049270398110721", "from": ada(), "chat_instance": "-77", "data": "allow abcde",
                           "message": in_topic(&json!({"from": the_bot(), "text": "May it?"}))});
        update("callback_query", &with(query, &fields))
    };
    let event = event(&query(json!({})));
    assert_eq!(event.id, "1772049270398110721");
    let Happening::Press(press) = event.what else { panic!("{event:?}") };
    assert_eq!((press.action.as_str(), press.message.as_str()), ("allow abcde", "366"));
    assert_eq!((press.sender.id.as_str(), press.sender.name.as_str()), ("412587349", "ada_l"));
    assert_eq!((press.chat.id.as_str(), press.chat.thread.as_deref()), ("-1002147483649123/45", Some("45")));
    // A message that is too old for the bot to see.
    let old = json!({"chat": harbour(), "message_id": 12, "date": 0});
    let Happening::Press(press) = super::event(&query(json!({"message": old}))).what else { panic!() };
    assert_eq!((press.chat.id.as_str(), press.message.as_str()), ("-1002147483649123", "12"));
    // A game's button, and a message sent via the bot.
    assert!(events(&query(json!({"data": null, "game_short_name": "waves"}))).is_empty());
    assert!(events(&query(json!({"message": null, "inline_message_id": "AbC"}))).is_empty());
    assert!(
        rejected(query(json!({"from": {"first_name": "Ada"}})).to_string().as_bytes()).ends_with("from.id")
    );
}

#[test]
fn commands_are_questions_in_a_direct_chat_only() {
    let question = |message: &Value| match event(&update("message", message)).what {
        Happening::Question(question) => Some((question.topic, question.sender.id, question.chat.id)),
        Happening::Message(_) => None,
        other => panic!("{other:?}"),
    };
    let ada = || "412587349".to_owned();
    for (text, topic) in [
        ("/start", Some(Topic::Start)),
        ("/start Ab_-9", Some(Topic::Start)),
        ("/help@tide_bot", Some(Topic::Help)),
        ("/status", Some(Topic::Status)),
        ("/status please", None),
        ("/start@other_bot", None),
    ] {
        assert_eq!(
            question(&direct(&json!({"text": text}))),
            topic.map(|topic| (topic, ada(), ada())),
            "{text}"
        );
        assert_eq!(question(&grouped(&json!({"text": text}))), None, "{text}");
    }
    assert_eq!(question(&direct(&json!({"caption": "/start", "photo": photo()}))), None);
}

#[test]
fn both_chats_tell_of_a_migration() {
    let old = json!({"id": -4_012_345_678_i64, "title": "Harbour", "type": "group"});
    let leaving = grouped(&json!({"chat": old, "migrate_to_chat_id": -1_002_147_483_649_123_i64}));
    let arriving = grouped(&json!({"migrate_from_chat_id": -4_012_345_678_i64}));
    for message in [leaving, arriving] {
        let Happening::Moved(moved) = event(&update("message", &message)).what else { panic!("{message}") };
        assert_eq!((moved.from_chat.as_str(), moved.to_chat.as_str()), ("-4012345678", "-1002147483649123"));
    }
    // A person's chat never becomes a group.
    assert!(events(&update("message", &direct(&json!({"migrate_to_chat_id": -5})))).is_empty());
}

#[test]
fn a_reaction_is_a_message_where_it_is_wanted() {
    let emoji = |emoji: &str| json!({"type": "emoji", "emoji": emoji});
    let custom = |id: &str| json!({"type": "custom_emoji", "custom_emoji_id": id});
    let reaction = |old: Value, new: Value| {
        json!({"chat": harbour(), "message_id": UPDATE, "user": ada(), "date": DATE,
               "old_reaction": old, "new_reaction": new})
    };
    for (old, new, text, value) in [
        (json!([]), json!([emoji("👍")]), "(reacted 👍)", "👍"),
        (json!([emoji("👍")]), json!([emoji("❤"), emoji("🔥")]), "(reacted ❤ 🔥)", "❤ 🔥"),
        (json!([emoji("👍")]), json!([emoji("👍"), emoji("🔥")]), "(reacted 🔥)", "🔥"),
        (json!([emoji("👍")]), json!([]), "(took back the reaction)", "removed"),
        (json!([custom("1")]), json!([custom("2")]), "(reacted custom emoji)", "custom emoji"),
        (json!(7), json!([{"type": "paid"}, 7]), "(reacted ⭐)", "⭐"),
    ] {
        let message = told("message_reaction", &reaction(old, new));
        assert_eq!((message.text.as_str(), extra(&message, "reaction")), (text, Some(value)));
        assert_eq!(
            (message.id.as_str(), message.reply_to.as_deref()),
            ("9007199254740993", Some("9007199254740993"))
        );
        assert_eq!((message.sender.name.as_str(), message.addressed), ("ada_l", false));
        assert_eq!(message.sent_at, 1_785_585_600_000);
    }
    let added = reaction(json!([]), json!([emoji("👍")]));
    let anonymous = with(added.clone(), &json!({"user": null, "actor_chat": harbour()}));
    assert_eq!(told("message_reaction", &anonymous).sender.id, "-1002147483649123");
    let private = with(added.clone(), &json!({"chat": direct(&json!({}))["chat"]}));
    assert!(told("message_reaction", &private).addressed);
    assert!(
        events(&update("message_reaction", &reaction(json!([emoji("👍")]), json!([emoji("👍")])))).is_empty()
    );
    let quiet = Bot { reactions: false, ..bot() };
    let payload = update("message_reaction", &added).to_string();
    assert!(translate(payload.as_bytes(), &quiet).unwrap().is_empty());
}
