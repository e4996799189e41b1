//! Tests of what goes over the wire.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    event::{Attachment, AttachmentKind, Chat, ChatKind, MessageId, Sender, SenderId},
    text,
};

fn message() -> Message {
    Message {
        id: MessageId::new("m1"),
        chat: Chat { id: ChatId::new("web"), kind: ChatKind::Direct, group: None, thread: None, title: None },
        sender: Sender { id: SenderId::new("7"), name: "Ada".into(), is_bot: false },
        text: "one\ntwo".into(),
        sent_at: 0,
        addressed: true,
        edited: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        extra: Vec::new(),
    }
}

fn told(channel: Option<&str>, message: &Message, redelivered: bool) -> Value {
    let channel = channel.map(|name| ChannelName::new(name).unwrap());
    let mut buffer = Vec::new();
    notify(&mut buffer, channel.as_ref(), message, redelivered, &Whole::Nowhere);
    assert_eq!(buffer.pop(), Some(b'\n'));
    assert!(!buffer.contains(&b'\n'), "one event is one line");
    serde_json::from_slice(&buffer).unwrap()
}

#[test]
fn an_event_has_the_shape_that_the_client_takes() {
    assert_eq!(
        told(None, &message(), false),
        json!({
            "jsonrpc": "2.0",
            "method": "notifications/claude/channel",
            "params": {
                "content": "one\ntwo",
                "meta": {
                    "chat_id": "web", "message_id": "m1", "user": "Ada", "user_id": "7",
                    "ts": "1970-01-01T00:00:00.000Z"
                }
            }
        })
    );
}

#[test]
fn with_several_channels_the_chat_names_its_own() {
    let told = told(Some("fakechat"), &message(), true);
    assert_eq!(told["params"]["meta"]["chat_id"], "fakechat:web");
    assert_eq!(told["params"]["meta"]["redelivered"], "true");
}

#[test]
fn a_guest_cannot_set_what_the_host_sets() {
    let extra = ["chat_id", "file_path", "file_path_2", "attachment_name", "Bad Key", "", "weather"];
    let message = Message { extra: extra.map(|key| (key.to_owned(), "x".to_owned())).to_vec(), ..message() };
    let told = told(None, &message, false);
    let meta = told["params"]["meta"].as_object().unwrap();
    assert_eq!(meta.len(), 6);
    assert_eq!(meta["chat_id"], "web");
    assert_eq!(meta["weather"], "x");
}

#[test]
fn each_file_has_its_own_keys_and_all_values_are_strings() {
    let picture = Attachment {
        id: "a".into(),
        kind: AttachmentKind::Photo,
        name: Some("a.png".into()),
        media_type: Some("image/png".into()),
        size: Some(3),
        saved: Some("/inbox/a.png".into()),
    };
    let remote = Attachment { kind: AttachmentKind::Document, saved: None, ..picture.clone() };
    let told = told(None, &Message { attachments: vec![picture, remote], ..message() }, false);
    let meta = told["params"]["meta"].as_object().unwrap();
    assert_eq!(meta["image_path"], "/inbox/a.png");
    assert_eq!(meta["file_path"], "/inbox/a.png");
    assert_eq!(meta["attachment_size"], "3");
    assert_eq!(meta["attachment_file_id_2"], "a");
    assert_eq!(meta["attachment_kind_2"], "document");
    assert!(!meta.contains_key("file_path_2"));
    assert!(meta.values().all(Value::is_string));
}

/// Generates texts of up to about 90,000 bytes, with parts that are counted, escaped or replaced.
fn text(most: usize) -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "<channel",
        "👨\u{200d}👩\u{200d}👧",
        "e\u{301}",
        "\u{301}",
        "\n",
        "\"",
        "\\",
        "\0",
        "漢",
        "🇩🇪",
        " ",
    ]);
    prop::collection::vec((part, 0..most), 0..5).prop_map(|parts| {
        parts.into_iter().map(|(part, count)| part.repeat(count)).collect::<Vec<_>>().concat()
    })
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let saved = prop::option::of(prop_oneof![8 => "/inbox/[a-z]{1,9}", 1 => "/[a-z]{1025,1100}"]);
    (any::<bool>(), "[a-z0-9]{1,256}", prop::option::of("[a-zä]{1,64}"), prop::option::of(text(300)), saved)
        .prop_map(|(photo, id, name, media_type, saved)| Attachment {
            id,
            kind: if photo { AttachmentKind::Photo } else { AttachmentKind::Document },
            name,
            media_type,
            size: Some(7),
            saved,
        })
}

fn any_message() -> impl Strategy<Value = Message> {
    let extra = prop::collection::btree_map("[A-Za-z_][a-z0-9]{0,9}|[9 ]{1,3}", text(300), 0..130);
    let few = prop::collection::btree_map("[a-z]{1,9}", text(60), 0..4);
    let attachments = prop_oneof![Just(Vec::new()), prop::collection::vec(attachment(), 0..40)];
    (text(3000), attachments, prop_oneof![few, extra], prop::option::of("[a-z]{1,256}"), any::<bool>())
        .prop_map(|(text, attachments, extra, reply_to, edited)| Message {
            text,
            attachments,
            extra: extra.into_iter().collect(),
            reply_to: reply_to.map(MessageId::new),
            edited,
            ..message()
        })
}

fn whole() -> impl Strategy<Value = Whole> {
    prop_oneof![Just(Whole::Nowhere), "/[a-z]{1,1023}".prop_map(Whole::Kept), text(300).prop_map(Whole::Lost)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_notification_is_one_line_of_a_size_that_clients_take(
        message in any_message(), whole in whole(), redelivered in any::<bool>(), several in any::<bool>(),
    ) {
        let channel = several.then(|| ChannelName::new("fakechat").unwrap());
        let mut line = Vec::new();
        notify(&mut line, channel.as_ref(), &message, redelivered, &whole);
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert!(!line.contains(&b'\n'));
        let told: Value = serde_json::from_slice(&line).unwrap();
        let (content, meta) = (told["params"]["content"].as_str().unwrap(), &told["params"]["meta"]);
        let meta: BTreeMap<&str, &str> =
            meta.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
        prop_assert!(content.len() <= 65_536, "{} bytes", content.len());
        prop_assert!(meta.len() <= 32, "{} attributes", meta.len());
        prop_assert!(meta.values().all(|value| value.len() <= 1024));
        // The content contains no tag of the client, whether it is cut or not.
        prop_assert_eq!(text::content(content), content);

        // The attributes that a reply is addressed with are always complete.
        prop_assert_eq!(meta["chat_id"], if several { "fakechat:web" } else { "web" });
        prop_assert_eq!((meta["message_id"], meta["user_id"]), ("m1", "7"));
        prop_assert_eq!(meta.get("reply_to").copied(), message.reply_to.as_deref());
        prop_assert_eq!(meta.contains_key("redelivered"), redelivered);
        let path = match &whole { Whole::Kept(path) => Some(path.as_str()), _ => None };
        prop_assert_eq!(meta.get("full_message_path").copied(), path);
        // The guest's attributes are left out before any of the host's.
        for attribute in notification::carried(&Message { extra: Vec::new(), ..message.clone() }) {
            prop_assert!(meta.contains_key(attribute.key.to_string().as_str()), "{}", attribute.key);
        }

        let clean = text::content(&message.text);
        let file = notification::whole(&message);
        if notification::fits(&message) {
            prop_assert_eq!(content, &*clean);
            prop_assert_eq!(&file, &*clean);
            for (key, value) in message.extra.iter().filter(|(key, _)| notification::check_key(key).is_ok()) {
                prop_assert_eq!(meta.get(key.as_str()).copied(), Some(value.as_str()));
            }
        } else {
            prop_assert!(file.starts_with(&*clean));
            let rest = &file[clean.len()..];
            prop_assert!(content != clean || !rest.is_empty());
            for (key, value) in message.extra.iter().filter(|(key, _)| notification::check_key(key).is_ok()) {
                let line = format!("\n{key}: {}\n", value.replace(char::is_control, " "));
                prop_assert!(meta.get(key.as_str()) == Some(&value.as_str()) || rest.contains(&line), "{key}");
            }
        }
    }
}

#[test]
fn a_notice_is_cut_as_well() {
    let mut buffer = Vec::new();
    notice(&mut buffer, &ChannelName::new("fakechat").unwrap(), &"x".repeat(100_000));
    let told: Value = serde_json::from_slice(&buffer).unwrap();
    let content = told["params"]["content"].as_str().unwrap();
    assert_eq!(content.len(), 65_536);
    assert!(content.ends_with("… [cut: 100000 bytes in all]"));
    assert_eq!(told["params"]["meta"], json!({"notice": "fakechat"}));
}
