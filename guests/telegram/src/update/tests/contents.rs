//! Tests of a message's content.

use serde_json::json;
use tidegate_guest::AttachmentKind;

use super::{sample::*, *};

#[test]
fn a_text_comes_as_it_was_written() {
    let message = told("message", &direct(&json!({"text": "one\n<two> 😀 \u{200d}"})));
    assert_eq!(message.text, "one\n<two> 😀 \u{200d}");
    assert_eq!(message.id, "365");
    assert_eq!(message.sent_at, 1_785_585_600_000);
    assert!(!message.edited && message.attachments.is_empty() && message.extra.is_empty());
    assert!(message.reply_to.is_none() && message.album.is_none());
    let link = json!([{"type": "text_link", "offset": 0, "length": 3, "url": "https://a.example/x"}]);
    let linked = told("message", &direct(&json!({"text": "one two", "entities": link})));
    assert_eq!(linked.text, "one (https://a.example/x) two");
    let captioned =
        told("message", &direct(&json!({"photo": photo(), "caption": "one", "caption_entities": link})));
    assert_eq!(captioned.text, "one (https://a.example/x)");
}

#[test]
fn an_edit_says_so_and_when() {
    let edit = told("edited_message", &direct(&json!({"text": "new", "edit_date": DATE + 60})));
    assert!(edit.edited);
    assert_eq!(edit.sent_at, 1_785_585_660_000);
    let undated = told("edited_message", &direct(&json!({"text": "new", "edit_date": "x"})));
    assert_eq!(undated.sent_at, 1_785_585_600_000);
    // A message that arrives late may have been edited already.
    let late = told("message", &direct(&json!({"text": "new", "edit_date": DATE + 60})));
    assert_eq!((late.edited, late.sent_at), (false, 1_785_585_600_000));
    for (date, expected) in [(-1, 0), (0, 0), (i64::MAX, 253_402_300_799_000)] {
        assert_eq!(told("message", &direct(&json!({"text": "a", "date": date}))).sent_at, expected);
    }
}

#[test]
fn a_live_location_is_told_once() {
    let live = direct(&json!({"location": {"latitude": 52.5, "longitude": 13.4, "live_period": 3_600}}));
    assert_eq!(told("message", &live).text, "(live location: 52.5, 13.4)");
    assert!(events(&update("edited_message", &live)).is_empty());
}

#[test]
fn each_file_has_its_kind_its_text_and_what_telegram_knows_of_it() {
    let file = |fields: Value| {
        with(json!({"file_id": "BQAC-_1", "file_unique_id": "u", "file_size": 4_096}), &fields)
    };
    let named = || file(json!({"file_name": "log.txt", "mime_type": "text/plain"}));
    for (fields, text, kind, name, media_type) in [
        (
            json!({"document": named()}),
            "(document: log.txt)",
            AttachmentKind::Document,
            Some("log.txt"),
            Some("text/plain"),
        ),
        (json!({"document": file(json!({}))}), "(document)", AttachmentKind::Document, None, None),
        (
            json!({"audio": file(json!({"title": "Sea", "performer": "Ada", "file_name": "a.mp3",
                                        "mime_type": "audio/mpeg"}))}),
            "(audio: Sea)",
            AttachmentKind::Audio,
            Some("a.mp3"),
            Some("audio/mpeg"),
        ),
        (
            json!({"audio": named()}),
            "(audio: log.txt)",
            AttachmentKind::Audio,
            Some("log.txt"),
            Some("text/plain"),
        ),
        (
            json!({"voice": file(json!({"duration": 2}))}),
            "(voice message)",
            AttachmentKind::Voice,
            None,
            Some("audio/ogg"),
        ),
        (
            json!({"video": file(json!({"file_name": "v.mov", "mime_type": "video/quicktime"}))}),
            "(video)",
            AttachmentKind::Video,
            Some("v.mov"),
            Some("video/quicktime"),
        ),
        (
            json!({"video_note": file(json!({"length": 240}))}),
            "(video note)",
            AttachmentKind::Video,
            None,
            Some("video/mp4"),
        ),
        (
            json!({"animation": named(), "document": named()}),
            "(animation)",
            AttachmentKind::Video,
            Some("log.txt"),
            Some("text/plain"),
        ),
        (
            json!({"sticker": file(json!({"emoji": "😀"}))}),
            "(sticker 😀)",
            AttachmentKind::Sticker,
            None,
            Some("image/webp"),
        ),
        (
            json!({"sticker": file(json!({"is_animated": true}))}),
            "(sticker)",
            AttachmentKind::Sticker,
            None,
            Some("application/x-tgsticker"),
        ),
        (
            json!({"sticker": file(json!({"is_video": true, "emoji": 7}))}),
            "(sticker)",
            AttachmentKind::Sticker,
            None,
            Some("video/webm"),
        ),
    ] {
        let message = told("message", &direct(&fields));
        assert_eq!(message.text, text);
        let [attachment] = &message.attachments[..] else { panic!("{:?}", message.attachments) };
        assert_eq!(attachment.id, "BQAC-_1");
        assert_eq!(attachment.kind, kind, "{text}");
        assert_eq!(attachment.name.as_deref(), name, "{text}");
        assert_eq!(attachment.media_type.as_deref(), media_type, "{text}");
        assert_eq!(attachment.size, Some(4_096));
        assert_eq!(attachment.local, None);
    }
}

#[test]
fn of_a_photo_the_largest_size_counts() {
    let message = told("message", &direct(&json!({"photo": photo(), "media_group_id": "13370001"})));
    let [attachment] = &message.attachments[..] else { panic!("{:?}", message.attachments) };
    assert_eq!((attachment.id.as_str(), attachment.size), ("AgAClarge", Some(98_301)));
    assert_eq!(attachment.media_type.as_deref(), Some("image/jpeg"));
    // A part of an album has no text.
    assert_eq!((message.text.as_str(), message.album.as_deref()), ("", Some("13370001")));
    // Without sizes the last one is chosen, which Telegram makes the largest.
    let bare =
        told("message", &direct(&json!({"photo": [{"file_id": "a"}, {"file_id": "b"}, {"width": 9}, 7]})));
    assert_eq!(bare.attachments[0].id, "b");
    let huge = json!([{"file_id": "a", "width": i64::MAX, "height": i64::MAX},
                      {"file_id": "b", "width": 5, "height": 5}]);
    assert_eq!(told("message", &direct(&json!({"photo": huge}))).attachments[0].id, "a");
    let absurd =
        json!([{"file_id": "a", "width": 2, "height": 2}, {"file_id": "b", "width": -5, "height": -5}]);
    assert_eq!(told("message", &direct(&json!({"photo": absurd}))).attachments[0].id, "a");
}

#[test]
fn a_file_whose_id_cannot_be_one_is_told_without_it() {
    for id in
        [json!(null), json!(7), json!(""), json!("a b"), json!("a\"b"), json!("é"), json!("a".repeat(257))]
    {
        let message = told("message", &direct(&json!({"document": {"file_id": id, "file_size": -1}})));
        assert!(message.attachments.is_empty(), "{id}");
        assert_eq!(message.text, "(document)");
    }
    let longest =
        told("message", &direct(&json!({"document": {"file_id": "a".repeat(256), "file_size": -1}})));
    assert_eq!(longest.attachments[0].size, None);
}

#[test]
fn what_is_neither_text_nor_file_is_told_in_words() {
    for (fields, expected) in [
        (
            r#"{"location":{"latitude":52.50,"longitude":-13.400000000000000001}}"#,
            "(location: 52.50, -13.400000000000000001)",
        ),
        (r#"{"location":{"latitude":52.5}}"#, "(location)"),
        (
            r#"{"venue":{"location":{"latitude":1,"longitude":2e1},"title":"Quay","address":"1 Road"},
                "location":{"latitude":1,"longitude":2}}"#,
            "(venue: Quay, 1 Road, 1, 2e1)",
        ),
        (
            r#"{"contact":{"first_name":"Ada","last_name":"L.","phone_number":"+4930123"}}"#,
            "(contact: Ada L., +4930123)",
        ),
        (r#"{"contact":{"phone_number":"+4930123"}}"#, "(contact: +4930123)"),
        (r#"{"contact":[]}"#, "(contact)"),
        (
            r#"{"poll":{"question":"Tea?","options":[{"text":"yes"},{"text":"no"},7,{"text":"both"}]}}"#,
            "(poll: Tea? — yes / no / both)",
        ),
        (r#"{"poll":{"question":"Tea?"}}"#, "(poll: Tea?)"),
        (
            r#"{"checklist":{"title":"Boat","tasks":[{"id":1,"text":"oars"},{"id":2,"text":"sail"}]}}"#,
            "(checklist: Boat — oars / sail)",
        ),
        (r#"{"dice":{"emoji":"🎲","value":4}}"#, "(dice 🎲: 4)"),
        (r#"{"dice":{}}"#, "(dice)"),
        (r#"{"story":{"chat":{"id":5},"id":1}}"#, "(story)"),
        (r#"{"game":{"title":"Waves"}}"#, "(game: Waves)"),
        (r#"{"paid_media":{"star_count":5,"paid_media":[]}}"#, "(paid media)"),
    ] {
        let fields = fields.strip_prefix('{').unwrap();
        let payload = format!(
            r#"{{"update_id":1,"message":{{"message_id":2,"chat":{{"id":5,"type":"private"}},"date":3,{fields}}}"#
        );
        let events = translate(payload.as_bytes(), &bot()).unwrap();
        let Happening::Message(message) = &events[0].what else { panic!("{expected}") };
        assert_eq!(message.text, expected);
    }
}

#[test]
fn a_rich_message_is_read_block_by_block() {
    let blocks = json!([
        {"type": "heading", "size": 1, "text": "Tides"},
        {"type": "paragraph", "text": [
            "High at ", {"type": "bold", "text": ["six", {"type": "custom_emoji", "alternative_text": "🌊"}]},
            ", see ", {"type": "url", "text": "the table", "url": "https://a.example/t"}, "."
        ]},
        {"type": "divider"},
        {"type": "list", "items": [{"label": "1.", "blocks": [{"type": "paragraph", "text": "oars"}]},
                                   {"label": "2.", "blocks": [{"type": "paragraph", "text": "sail"}]}]},
        {"type": "table", "cells": [[{"text": "a"}, {"text": "b"}], [{}, {"text": "c"}]]},
        {"type": "photo", "photo": photo(), "caption": {"text": "the quay"}},
        {"type": "blockquote", "blocks": [{"type": "paragraph", "text": "slack"}], "credit": "Ada"}
    ]);
    let message = told("message", &direct(&json!({"rich_message": {"blocks": blocks}})));
    assert_eq!(
        message.text,
        "Tides\nHigh at six🌊, see the table (https://a.example/t).\n1. oars\n2. sail\na | b\n | c\n(photo)\n\
         the quay\nslack\nAda"
    );
    assert_eq!(message.attachments[0].id, "AgAClarge");
    assert_eq!(told("message", &direct(&json!({"rich_message": {}}))).text, "(rich message)");
}
