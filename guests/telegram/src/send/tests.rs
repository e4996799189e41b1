//! Tests of sending, against scripted responses.

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

fn plan(message: &Outgoing, parse: Parse) -> Result<Vec<Step>, Fault> {
    super::plan(message, parse, &Lengths::default())
}

/// Sends a message without reduced lengths.
fn send(message: &Outgoing, call: impl FnMut(&Request) -> Result<Vec<String>, Error>) -> Sent {
    carry_out(message, Parse::Markdown, &mut Lengths::default(), call)
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
    let message = outgoing(&"word ".repeat(2500));
    assert_eq!(plan(&message, Parse::Markdown).unwrap().len(), 4);
    let mut calls = 0;
    let sent = send(&message, |_| {
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
        let sent = send(&outgoing("x"), |_| Err(error.take().unwrap()));
        let Some(Fault::Unavailable(text) | Fault::Rejected(text)) = sent.fault else { panic!("{shown}") };
        let told = text.ends_with("; it may have arrived all the same: look before it is sent again");
        assert_eq!(told, may_have_arrived, "{shown}: {text}");
    }
}

#[test]
fn markup_that_telegram_rejects_goes_as_plain_text() {
    let mut texts = Vec::new();
    let sent = send(&outgoing("**a**"), |request| {
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
    // An album is one call: either all of it exists, or nothing.
    assert_eq!(left(&steps, 4).len(), 1);
}

#[test]
fn another_refusal_is_not_tried_again() {
    for (code, description) in
        [(403, "Forbidden: bot was blocked by the user"), (400, "Bad Request: chat not found")]
    {
        let mut calls = 0;
        let sent = send(&outgoing("**a**"), |_| {
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
    let mut methods = Vec::new();
    let sent = send(&Outgoing { uploads: vec![picture], ..outgoing("") }, |request| {
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

/// A server that counts the bytes of a text. It records the accepted texts, and may ask for a pause.
struct Bytes {
    limit: usize,
    refusal: &'static str,
    taken: Vec<String>,
    refused: usize,
    /// The index of the message at which it asks for a pause instead.
    pause: Option<usize>,
}

impl Bytes {
    fn new(limit: usize) -> Self {
        let refusal = "Bad Request: message is too long";
        Self { limit, refusal, taken: Vec::new(), refused: 0, pause: None }
    }

    fn call(&mut self, request: &Request) -> Result<Vec<String>, Error> {
        let parameters = match &request.content {
            Content::Form { .. } => json!({"text": "a file"}),
            Content::Json(_) => request.parameters(),
        };
        // This server does not know the markup.
        if parameters.get("parse_mode").is_some() {
            return Err(refused(400, "Bad Request: can't parse entities: x"));
        }
        let text = parameters["text"].as_str().unwrap();
        if text.len() > self.limit {
            self.refused += 1;
            return Err(refused(400, self.refusal));
        }
        if self.pause.take_if(|pause| *pause == self.taken.len()).is_some() {
            return Err(refused(429, "Too Many Requests"));
        }
        self.taken.push(text.to_owned());
        Ok(vec![self.taken.len().to_string()])
    }

    fn words(&self) -> Vec<&str> {
        self.taken.iter().flat_map(|text| text.split_whitespace()).collect()
    }
}

/// Returns a text of Latin words, then of words with two or three bytes for each unit.
fn words() -> String {
    let words = (0..2000).map(|n| match n / 700 {
        0 => format!("word{n} "),
        1 => format!("слово{n} "),
        _ => format!("言葉{n} "),
    });
    words.collect()
}

#[test]
fn what_is_too_long_for_a_server_is_cut_again_and_sent_once() {
    let text = words();
    let expected: Vec<&str> = text.split_whitespace().collect();
    for refusal in
        ["Bad Request: message is too long", "Bad Request: MESSAGE_TOO_LONG", "Bad Request: text is too long"]
    {
        for (format, limit) in [(Format::Markdown, 4096), (Format::Plain, 4096), (Format::Markdown, 1000)] {
            let mut server = Bytes { refusal, ..Bytes::new(limit) };
            let message =
                Outgoing { format, reply_to: Some("7".into()), uploads: vec![upload()], ..outgoing(&text) };
            let sent = send(&message, |request| server.call(request));
            assert!(sent.fault.is_none(), "{sent:?}");
            assert_eq!(sent.ids, (1..=server.taken.len()).map(|id| id.to_string()).collect::<Vec<_>>());
            assert_eq!(server.taken.pop().as_deref(), Some("a file"));
            assert_eq!(server.words(), expected, "{format:?} {limit}");
            assert!((1..=5).contains(&server.refused), "{}", server.refused);
        }
    }
}

#[test]
fn a_pause_between_shorter_pieces_loses_nothing_and_repeats_nothing() {
    let text = words();
    let expected: Vec<&str> = text.split_whitespace().collect();
    let all = {
        let mut server = Bytes::new(4096);
        send(&outgoing(&text), |request| server.call(request));
        server.taken.len()
    };
    assert!(all > 6, "{all}");
    for pause in 0..all {
        let mut server = Bytes { pause: Some(pause), ..Bytes::new(4096) };
        let mut lengths = Lengths::default();
        let first =
            carry_out(&outgoing(&text), Parse::Markdown, &mut lengths, |request| server.call(request));
        assert!(matches!(first.fault, Some(Fault::RateLimited(_))), "{first:?}");
        assert_eq!(first.ids.len(), pause);
        // Another instance continues, with the stored lengths.
        let mut lengths = Lengths::read(&lengths.write("k"), "k").unwrap();
        let left = Outgoing { done: u32::try_from(pause).unwrap(), ..outgoing(&text) };
        let second = carry_out(&left, Parse::Markdown, &mut lengths, |request| server.call(request));
        assert!(second.fault.is_none(), "{second:?}");
        assert_eq!(first.ids.len() + second.ids.len(), server.taken.len());
        assert_eq!(server.words(), expected, "a pause at {pause}");
    }
}

#[test]
fn a_server_that_finds_everything_too_long_is_not_asked_for_ever() {
    let mut server = Bytes::new(0);
    let sent = send(&outgoing(&"word ".repeat(2000)), |request| server.call(request));
    assert!(matches!(&sent.fault, Some(Fault::Rejected(text)) if text.contains("too long")), "{sent:?}");
    assert!(sent.ids.is_empty());
    assert!(server.refused <= 6, "{}", server.refused);
}
