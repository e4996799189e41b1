use serde_json::{Value, json};
use tidegate_guest::{Button, ButtonStyle, Upload};

use super::*;
use crate::api::Content;

fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        key: "k".into(),
        chat: "-1001234/45".into(),
        thread: Some("45".into()),
        text: text.into(),
        format: Format::Markdown,
        reply_to: None,
        uploads: Vec::new(),
        buttons: Vec::new(),
        done: 0,
    }
}

fn button() -> Button {
    Button { action: "yes".into(), label: "Yes".into(), style: ButtonStyle::Positive }
}

fn upload() -> Upload {
    Upload { handle: 1, name: "a.txt".into(), media_type: "text/plain".into(), size: 3 }
}

fn parameters(steps: &[Step]) -> Vec<Value> {
    steps.iter().map(|step| step.request.parameters()).collect()
}

fn refused(code: u16, description: &str) -> Error {
    Error::Refused(Refusal::new(code, description))
}

#[test]
fn a_message_goes_to_its_topic_as_html() {
    let steps = plan(&outgoing("**a** < b"), Parse::Markdown).unwrap();
    let [step] = steps.as_slice() else { panic!("{steps:?}") };
    assert_eq!(step.request.method, "sendMessage");
    assert_eq!(
        step.request.parameters(),
        json!({
            "chat_id": -1_001_234, "message_thread_id": 45, "text": "<b>a</b> &lt; b", "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": true}
        })
    );
    let Some((Complaint::Markup, instead)) = &step.instead else { panic!("{step:?}") };
    assert_eq!(
        instead.parameters(),
        json!({
            "chat_id": -1_001_234, "message_thread_id": 45, "text": "a < b",
            "link_preview_options": {"is_disabled": true}
        })
    );
}

#[test]
fn a_text_that_is_not_to_be_rendered_is_left_alone() {
    let plain = Outgoing { format: Format::Plain, ..outgoing("**a** < b") };
    for (message, parse) in
        [(plain.clone(), Parse::Markdown), (plain, Parse::Plain), (outgoing("**a** < b"), Parse::Plain)]
    {
        let steps = plan(&message, parse).unwrap();
        let [step] = steps.as_slice() else { panic!("{steps:?}") };
        assert!(step.instead.is_none());
        assert_eq!(
            step.request.parameters(),
            json!({
                "chat_id": -1_001_234, "message_thread_id": 45, "text": "**a** < b",
                "link_preview_options": {"is_disabled": true}
            })
        );
    }
}

#[test]
fn the_first_piece_quotes_and_the_last_has_the_buttons() {
    for format in [Format::Markdown, Format::Plain] {
        let message = Outgoing {
            reply_to: Some("7".into()),
            buttons: vec![button()],
            format,
            ..outgoing(&"word ".repeat(1500))
        };
        let found = parameters(&plan(&message, Parse::Markdown).unwrap());
        let [first, last] = found.as_slice() else { panic!("{}", found.len()) };
        assert_eq!(first["reply_parameters"], json!({"message_id": 7, "allow_sending_without_reply": true}));
        assert!(first.get("reply_markup").is_none());
        assert!(last.get("reply_parameters").is_none());
        assert_eq!(
            last["reply_markup"],
            json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "yes", "style": "success"}]]})
        );
    }
}

#[test]
fn files_come_after_the_text() {
    let message = Outgoing { reply_to: Some("7".into()), uploads: vec![upload()], ..outgoing("see") };
    let steps = plan(&message, Parse::Markdown).unwrap();
    let methods: Vec<_> = steps.iter().map(|step| step.request.method).collect();
    assert_eq!(methods, ["sendMessage", "sendDocument"]);
    let quotes = |step: &Step| match &step.request.content {
        Content::Form { fields, .. } => fields.iter().any(|(name, _)| *name == "reply_parameters"),
        Content::Json(_) => step.request.parameters().get("reply_parameters").is_some(),
    };
    assert_eq!(steps.iter().map(quotes).collect::<Vec<_>>(), [true, false]);

    let steps = plan(&Outgoing { text: String::new(), ..message }, Parse::Markdown).unwrap();
    assert_eq!(steps.iter().map(quotes).collect::<Vec<_>>(), [true]);
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is() {
    for message in [
        outgoing(" \n"),
        Outgoing { buttons: vec![button()], uploads: vec![upload()], ..outgoing("") },
        Outgoing { chat: "somewhere".into(), ..outgoing("x") },
        Outgoing { reply_to: Some("m7".into()), ..outgoing("x") },
        Outgoing { buttons: vec![Button { action: "x".repeat(65), ..button() }], ..outgoing("x") },
    ] {
        let planned = plan(&message, Parse::Markdown);
        assert!(matches!(planned, Err(Fault::Rejected(_))), "{message:?}: {planned:?}");
    }
}

#[test]
fn what_was_sent_before_a_failure_is_told() {
    let steps = plan(&outgoing(&"word ".repeat(2500)), Parse::Markdown).unwrap();
    assert_eq!(steps.len(), 4);
    let mut calls = 0;
    let sent = carry_out(&steps, |_| {
        calls += 1;
        if calls == 3 { Err(refused(429, "Too Many Requests")) } else { Ok(vec![calls.to_string()]) }
    });
    assert_eq!(sent.ids, ["1", "2"]);
    assert!(matches!(sent.fault, Some(Fault::RateLimited(5000))), "{sent:?}");
    assert_eq!(calls, 3, "nothing is sent after a failure");
}

#[test]
fn no_text_has_telegram_open_its_links() {
    let link = "[docs](https://example.org/?q=secret) ";
    for format in [Format::Markdown, Format::Plain] {
        let steps = plan(&Outgoing { format, ..outgoing(&link.repeat(1200)) }, Parse::Markdown).unwrap();
        assert!(steps.len() > 1, "{format:?}");
        for step in &steps {
            for request in [Some(&step.request), step.instead.as_ref().map(|(_, request)| request)] {
                let Some(request) = request else { continue };
                assert_eq!(request.parameters()["link_preview_options"], json!({"is_disabled": true}));
            }
        }
    }
}

#[test]
fn what_was_never_answered_may_have_arrived() {
    use tidegate_guest::http::Failure;
    let steps = plan(&outgoing("x"), Parse::Markdown).unwrap();
    for (error, may_have_arrived) in [
        (Failure::Timeout.into(), true),
        (Failure::Network("reset".into()).into(), true),
        (Failure::TooLarge(5).into(), true),
        (Failure::Denied("add a line".into()).into(), false),
        (refused(500, "Internal Server Error"), false),
        (refused(400, "Bad Request: the file is temporarily unavailable"), false),
        (refused(403, "Forbidden: bot was blocked by the user"), false),
    ] {
        let shown = format!("{error:?}");
        let mut error = Some(error);
        let sent = carry_out(&steps, |_| Err(error.take().unwrap()));
        let Some(Fault::Unavailable(text) | Fault::Rejected(text)) = sent.fault else { panic!("{shown}") };
        let told = text.ends_with("; it may have arrived all the same: look before it is sent again");
        assert_eq!(told, may_have_arrived, "{shown}: {text}");
    }
}

#[test]
fn markup_that_telegram_rejects_goes_as_plain_text() {
    let steps = plan(&outgoing("**a**"), Parse::Markdown).unwrap();
    let mut texts = Vec::new();
    let sent = carry_out(&steps, |request| {
        let parameters = request.parameters();
        texts.push(parameters["text"].clone());
        match parameters.get("parse_mode") {
            Some(_) => Err(refused(400, "Bad Request: can't parse entities: x")),
            None => Ok(vec!["9".to_owned()]),
        }
    });
    assert_eq!((sent.ids, sent.fault.is_none()), (vec!["9".to_owned()], true));
    assert_eq!(texts, ["<b>a</b>", "a"]);
}

#[test]
fn after_a_pause_it_goes_on_with_what_is_left() {
    let text = "word ".repeat(2000);
    let file = |name: &str| Upload { name: name.into(), ..upload() };
    let message = Outgoing { uploads: vec![file("a.txt"), file("b.txt")], ..outgoing(&text) };
    let steps = plan(&message, Parse::Markdown).unwrap();
    assert_eq!(steps.iter().map(|step| step.messages).collect::<Vec<_>>(), [1, 1, 1, 2]);
    for (done, expected) in [(0, 4), (1, 3), (3, 1), (5, 0), (9, 0)] {
        assert_eq!(left(&steps, done).len(), expected, "{done}");
    }
    // An album is one call: it is there, or it is not.
    assert_eq!(left(&steps, 4).len(), 1);
}

#[test]
fn another_refusal_is_not_tried_again() {
    let steps = plan(&outgoing("**a**"), Parse::Markdown).unwrap();
    for (code, description) in
        [(403, "Forbidden: bot was blocked by the user"), (400, "Bad Request: chat not found")]
    {
        let mut calls = 0;
        let sent = carry_out(&steps, |_| {
            calls += 1;
            Err(refused(code, description))
        });
        assert_eq!(calls, 1, "{description}");
        assert!(sent.ids.is_empty() && sent.fault.is_some());
    }
}

#[test]
fn a_picture_that_telegram_rejects_goes_as_a_document() {
    let picture = Upload { media_type: "image/png".into(), ..upload() };
    let steps = plan(&Outgoing { uploads: vec![picture], ..outgoing("") }, Parse::Markdown).unwrap();
    let mut methods = Vec::new();
    let sent = carry_out(&steps, |request| {
        methods.push(request.method);
        match request.method {
            "sendPhoto" => Err(refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")),
            _ => Ok(vec!["9".to_owned()]),
        }
    });
    assert_eq!(methods, ["sendPhoto", "sendDocument"]);
    assert!(sent.fault.is_none());
}

#[test]
fn the_ids_of_what_now_exists_are_read() {
    for (result, expected) in [
        (r#"{"message_id":7,"chat":{}}"#, vec!["7"]),
        (r#"[{"message_id":7},{"message_id":9007199254740993}]"#, vec!["7", "9007199254740993"]),
        (r#"[{"message_id":"x"},{"message_id":8},{}]"#, vec!["8"]),
        ("true", vec![]),
        ("{}", vec![]),
    ] {
        let raw = RawValue::from_string(result.to_owned()).unwrap();
        assert_eq!(ids(&raw).unwrap(), expected, "{result}");
    }
}
