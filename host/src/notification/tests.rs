//! Tests of what a notification carries.

use super::*;
use crate::event::{Attachment, AttachmentKind, Chat, ChatId, ChatKind, MessageId, Sender, SenderId};

fn message(text: &str) -> Message {
    Message {
        id: MessageId::new("m1"),
        chat: Chat { id: ChatId::new("c"), kind: ChatKind::Direct, group: None, thread: None, title: None },
        sender: Sender { id: SenderId::new("s"), name: "Ada".into(), is_bot: false },
        text: text.into(),
        sent_at: 0,
        addressed: true,
        edited: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        extra: Vec::new(),
    }
}

fn photo(number: usize) -> Attachment {
    Attachment {
        id: format!("f{number}"),
        kind: AttachmentKind::Photo,
        name: Some(format!("{number}.png")),
        media_type: Some("image/png".into()),
        size: Some(5),
        saved: Some(format!("/inbox/{number}.png")),
    }
}

fn keys(message: &Message) -> Vec<String> {
    carried(message).map(|attribute| attribute.key.to_string()).collect()
}

#[test]
fn a_content_is_cut_only_where_it_is_too_long() {
    let kept = Whole::Kept("/inbox/x".into());
    let just = "x".repeat(CONTENT);
    assert!(fits(&message(&just)));
    assert_eq!(content(&message(&just), &kept), just);
    let more = just.clone() + "y";
    assert!(!fits(&message(&more)));
    let cut = content(&message(&more), &kept).into_owned();
    assert_eq!(cut.len(), CONTENT);
    let mark = "… [cut: 65537 bytes in all; the whole message is in the file at full_message_path]";
    assert!(cut.starts_with("xxx") && cut.ends_with(&format!("x{mark}")));
    // After it is cleaned, the text is too long.
    let tags = "<channel".repeat(CONTENT / 8);
    assert!(!fits(&message(&tags)) && tags.len() == CONTENT);
    assert!(content(&message(&tags), &kept).contains("90112 bytes in all"));
    let lost = Whole::Lost("the disk is full".into());
    assert!(
        content(&message(&more), &lost).ends_with("could not be kept in a file: see full_message_missing]")
    );
}

#[test]
fn a_cut_tears_nothing_that_a_reader_takes_for_one_character() {
    let family = "👨\u{200d}👩\u{200d}👧";
    let long = message(&family.repeat(5000));
    let cut = content(&long, &Whole::Nowhere).into_owned();
    let (told, _) = cut.split_once('…').unwrap();
    assert_eq!(told.len() % family.len(), 0);
    assert!(cut.len() <= CONTENT && cut.len() > CONTENT - family.len());
}

#[test]
fn a_plain_message_is_its_own_file() {
    let long = message(&"<channel>\n".repeat(10_000));
    assert_eq!(whole(&long), "&lt;channel>\n".repeat(10_000));
}

#[test]
fn the_guests_attributes_go_first_and_then_what_files_can_do_without() {
    let extra = (0..40).map(|number| (format!("k{number}"), "x".into())).collect();
    let mut crowded = Message { extra, ..message("x") };
    assert!(!fits(&crowded));
    assert_eq!(keys(&crowded).len(), 29);
    assert_eq!(keys(&crowded)[..5], ["message_id", "user", "user_id", "ts", "k0"]);
    let file = whole(&crowded);
    assert!(file.starts_with("x\n\n[The first 1 bytes of this file are the message."), "{file}");
    assert!(
        file.ends_with("\nk38: x\nk39: x\n") && !file.contains("k24: ") && file.contains("k25: "),
        "{file}"
    );

    crowded.attachments = (1..=10).map(photo).collect();
    let keys = keys(&crowded);
    for number in 1..=10 {
        let suffix = if number == 1 { String::new() } else { format!("_{number}") };
        for stem in ["file_path", "image_path"] {
            assert!(keys.contains(&format!("{stem}{suffix}")), "{keys:?}");
        }
    }
    assert!(!keys.contains(&"k0".to_owned()), "{keys:?}");
    assert!(whole(&crowded).contains("\nattachment_name_10: 10.png\n"));

    // A few files and attributes all fit.
    let few = Message {
        attachments: vec![photo(1), photo(2)],
        extra: crowded.extra[..10].to_vec(),
        ..message("x")
    };
    assert!(fits(&few) && whole(&few) == "x");
}

#[test]
fn a_value_is_cut_and_a_path_is_not() {
    let told = |message: &Message, key: &str| {
        let attribute = carried(message).find(|attribute| attribute.key.to_string() == key)?;
        Some(serde_json::to_value(attribute.value).unwrap().as_str().unwrap().to_owned())
    };
    let long = "ä".repeat(2000);
    let mut message = Message { extra: vec![("weather".into(), long.clone())], ..message("x") };
    assert!(!fits(&message));
    assert_eq!(told(&message, "weather").unwrap(), format!("{}…", "ä".repeat(510)));
    assert!(whole(&message).ends_with(&format!("\nweather: {long}\n")));

    message.extra.clear();
    let path = format!("/{}", "x".repeat(2000));
    message.attachments = vec![Attachment { saved: Some(path.clone()), ..photo(1) }];
    assert!(!fits(&message));
    assert_eq!(told(&message, "file_path"), None);
    assert_eq!(told(&message, "attachment_kind").unwrap(), "photo");
    assert!(whole(&message).contains(&format!("\nfile_path: {path}\n")));
}

#[test]
fn why_a_picture_is_missing_is_the_hosts_word() {
    let extra = (0..40).map(|number| (format!("k{number}"), "x".into()));
    let extra = extra.chain([(PICTURE_MISSING.to_owned(), "it took too long".to_owned())]).collect();
    let message = Message { extra, ..message("x") };
    assert!(keys(&message).contains(&PICTURE_MISSING.to_owned()));
    assert!(check_key(PICTURE_MISSING).is_err());
}
