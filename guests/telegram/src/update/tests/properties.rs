//! Property tests: no update makes the translation fail without a reason.

use proptest::{prelude::*, sample::Index};
use serde_json::json;

use super::{sample::all, *};

/// The fields that the translation reads, and an unused field.
const NAMES: [&str; 24] = [
    "update_id",
    "message",
    "edited_message",
    "callback_query",
    "message_reaction",
    "message_id",
    "chat",
    "id",
    "date",
    "type",
    "from",
    "text",
    "entities",
    "offset",
    "length",
    "url",
    "photo",
    "file_id",
    "reply_to_message",
    "blocks",
    "migrate_to_chat_id",
    "data",
    "new_reaction",
    "other",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-2..40_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "text_link",
            "mention",
            "private",
            "channel",
            "emoji",
            "/start",
            "@tide_bot"
        ])
        .prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(&NAMES[..]), inner), 0..8).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// A place in a document and its replacement: another value, or nothing.
fn mutation() -> impl Strategy<Value = (Index, Option<Value>)> {
    (any::<Index>(), prop::option::of(anything()))
}

fn pointers(value: &Value, at: &str, pointers: &mut Vec<String>) {
    pointers.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| self::pointers(value, &format!("{at}/{name}"), pointers));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| self::pointers(item, &format!("{at}/{index}"), pointers));
        }
        _ => {}
    }
}

fn mutate(document: &mut Value, index: Index, value: Option<Value>) {
    let mut places = Vec::new();
    pointers(document, "", &mut places);
    let place = index.get(&places);
    match (value, place.rsplit_once('/')) {
        (Some(value), _) => *document.pointer_mut(place).unwrap() = value,
        (None, Some((parent, name))) => match document.pointer_mut(parent) {
            Some(Value::Object(members)) => drop(members.remove(name)),
            Some(Value::Array(items)) => drop(items.pop()),
            _ => {}
        },
        (None, None) => *document = Value::Null,
    }
}

/// Returns whether all essential fields are present.
fn is_whole(update: &Value) -> bool {
    let Some(update) = update.as_object().filter(|update| update.get("update_id").is_some_and(Value::is_i64))
    else {
        return false;
    };
    let integers = |value: &Value, pointers: &[&str]| {
        pointers.iter().all(|pointer| value.pointer(pointer).is_some_and(Value::is_i64))
    };
    let kinds = ["message", "edited_message", "callback_query", "message_reaction"];
    let Some(kind) = kinds.into_iter().find(|kind| update.get(*kind).is_some_and(|value| !value.is_null()))
    else {
        return true;
    };
    let value = &update[kind];
    if kind != "callback_query" {
        return integers(value, &["/message_id", "/chat/id", "/date"]);
    }
    let is_known = value.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    let message = value.get("message").filter(|message| message.is_object());
    let is_inline = value.get("inline_message_id").is_some_and(|id| !id.is_null());
    is_known
        && integers(value, &["/from/id"])
        && message.map_or(is_inline, |message| integers(message, &["/message_id", "/chat/id"]))
}

/// Returns whether the host accepts this id.
fn is_identifier(id: &str) -> bool {
    (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check(update: &Value) -> Result<(), TestCaseError> {
    let told = translate(update.to_string().as_bytes(), &bot());
    prop_assert_eq!(told.is_ok(), is_whole(update), "{:?}: {}", told, update);
    for event in told.unwrap_or_default() {
        let number = format!("{}:{}", bot().id, update["update_id"]);
        match event.what {
            Happening::Message(message) => {
                prop_assert_eq!(event.id, number);
                prop_assert!(!message.text.is_empty() || message.album.is_some());
                prop_assert!(message.sent_at <= 253_402_300_799_000 && message.sent_at % 1000 == 0);
                let ids = [&message.id, &message.chat.id, &message.sender.id].into_iter();
                let ids = ids.chain(&message.reply_to).chain(&message.chat.group).chain(&message.chat.thread);
                let mut ids = ids.chain(message.attachments.iter().map(|attachment| &attachment.id));
                prop_assert!(ids.all(|id| is_identifier(id)), "{:?}", message);
                prop_assert!(message.chat.id.parse::<crate::chat::ChatId>().is_ok());
                prop_assert!(message.extra.iter().all(|(_, value)| !value.is_empty()));
            }
            Happening::Press(press) => {
                prop_assert!(is_identifier(&press.message) && is_identifier(&press.sender.id));
            }
            Happening::Question(_) | Happening::Moved(_) => prop_assert_eq!(event.id, number),
        }
    }
    Ok(())
}

#[test]
fn every_sample_is_whole() {
    for update in all() {
        assert!(is_whole(&update), "{update}");
        check(&update).unwrap();
    }
}

#[test]
fn every_loss_and_every_other_type_is_survived() {
    for sample in all() {
        let mut places = Vec::new();
        pointers(&sample, "", &mut places);
        for place in places {
            for wrong in [
                json!(null),
                json!(true),
                json!(-1),
                json!(u64::MAX),
                json!(0.5),
                json!(""),
                json!("x"),
                json!([]),
                json!({}),
            ] {
                let mut update = sample.clone();
                *update.pointer_mut(&place).unwrap() = wrong;
                check(&update).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn any_json_is_told_or_rejected_for_what_is_essential(update in anything()) {
        check(&update)?;
    }

    #[test]
    fn any_message_is_told_or_rejected_for_what_is_essential(
        kind in prop::sample::select(&NAMES[1..5]),
        content in anything(),
        id: i64,
    ) {
        check(&json!({"update_id": id, kind: content}))?;
    }

    #[test]
    fn a_changed_update_is_told_or_rejected_for_what_is_essential(
        sample: Index,
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut update = sample.get(&all()).clone();
        for (index, value) in mutations {
            mutate(&mut update, index, value);
        }
        check(&update)?;
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>, cut: Index, sample: Index) {
        drop(translate(&bytes, &bot()));
        let mut payload = sample.get(&all()).to_string().into_bytes();
        let at = cut.index(payload.len());
        payload[at] = bytes.first().copied().unwrap_or_default();
        drop(translate(&payload, &bot()));
        payload.truncate(at);
        prop_assert!(translate(&payload, &bot()).is_err());
    }
}
