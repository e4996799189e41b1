//! A guest that misbehaves on command.
//!
//! The marker chooses the fault in `describe`. A test overwrites it in the component's bytes (same length, padded with
//! dots). The text of a frame chooses later faults.

use std::hint::black_box;

use tidegate_guest::{
    Answer, Attachment, AttachmentKind, Audience, Body, Channel, Chat, ChatKind, Descriptor, Event, Fault,
    Features, Happening, Message, Outgoing, Request, Response, Sender, Sent, Signal, TextUnit, WebSource,
    environment, log, page, state,
};

static MARKER: [u8; 32] = *b"BEHAVIOUR=good..................";

struct Chameleon;

tidegate_guest::web_channel!(Chameleon);

fn behaviour() -> String {
    let marker = String::from_utf8_lossy(black_box(&MARKER)).into_owned();
    marker.trim_start_matches("BEHAVIOUR=").trim_end_matches('.').to_owned()
}

impl Channel for Chameleon {
    fn describe() -> Descriptor {
        let mut name = "chameleon".to_owned();
        let mut features = Features::REPLY | Features::EDIT | Features::REACT | Features::UPLOADS;
        match behaviour().as_str() {
            "mute" => features = Features::empty(),
            "trap" => trap(),
            "loop" => spin(),
            "grow" => grow(),
            "import" => log::write(log::Level::Info, "describe must not call this"),
            "huge" => name = "x".repeat(32 << 20),
            "claim" => name = "fakechat".into(),
            "path" => name = "../chameleon".into(),
            _ => {}
        }
        Descriptor {
            name,
            title: "Chameleon".into(),
            version: "1".into(),
            summary: "Misbehaves as it is told".into(),
            instructions: String::new(),
            hosts: Vec::new(),
            credentials: Vec::new(),
            settings: Vec::new(),
            sender_ids: None,
            group_ids: None,
            reactions: Vec::new(),
            features,
            max_text: 1000,
            text_unit: TextUnit::Byte,
            max_upload: 1 << 20,
            max_uploads: 2,
            port: Some(0),
        }
    }

    fn send(outgoing: Outgoing) -> Sent {
        match outgoing.text.as_str() {
            "trap" => trap(),
            "loop" => spin(),
            "partial" => {
                return Sent {
                    ids: vec!["1".into()],
                    fault: Some(Fault::Unavailable("the second half is missing".into())),
                };
            }
            _ => {}
        }
        Sent { ids: vec!["1".into()], fault: None }
    }
}

impl WebSource for Chameleon {
    fn handle(request: Request) -> Result<Answer, Fault> {
        let (mut status, mut events, mut headers) = (200, Vec::new(), Vec::new());
        match request.path.as_str() {
            "/trap" => trap(),
            "/loop" => spin(),
            "/status" => status = 99,
            "/framing" => headers.push(("Content-Length".into(), "5".into())),
            "/form" => events.push(event("form", "form")),
            _ => {}
        }
        let body = match request.body {
            Body::Bytes(bytes) => bytes,
            Body::Form(fields) => format!("{} fields", fields.len()).into_bytes(),
        };
        if request.path == "/hook" {
            let text = String::from_utf8_lossy(&body);
            let mut event = event(&text.replace(' ', "-"), &text);
            // `/hook?from=ID`
            if let (Happening::Message(message), Some(from)) =
                (&mut event.what, request.query.strip_prefix("from="))
            {
                from.clone_into(&mut message.sender.id);
            }
            events.push(event);
        }
        Ok(Answer { response: Response { status, headers, body }, events })
    }

    fn receive(connection: u64, signal: Signal) -> Result<Vec<Event>, Fault> {
        let Signal::Frame(text) = signal else { return Ok(Vec::new()) };
        let id = format!("{}-{}", connection, environment::now());
        match text.as_str() {
            "trap" => {
                page::push(Audience::All, "a frame of a call that failed");
                let _ = state::set("trapped", b"yes");
                trap()
            }
            "loop" => spin(),
            "grow" => grow(),
            "hoard" => loop {
                page::push(Audience::All, &"x".repeat(1 << 20));
            },
            "trapped?" => {
                let answer = if state::get("trapped").is_some() { "yes" } else { "no" };
                page::push(Audience::All, answer);
                Ok(Vec::new())
            }
            "keys" => {
                let mut event = event(&id, "keys");
                if let Happening::Message(message) = &mut event.what {
                    message.extra = vec![
                        ("chat_id".into(), "stolen".into()),
                        ("file_path".into(), "/etc/passwd".into()),
                        ("Bad Key".into(), "x".into()),
                        ("weather".into(), "fine".into()),
                    ];
                    message.attachments = vec![Attachment {
                        id: "1".into(),
                        kind: AttachmentKind::Document,
                        name: None,
                        media_type: None,
                        size: None,
                        local: Some(4711),
                    }];
                }
                Ok(vec![event])
            }
            "huge state" => {
                let answer = state::set("huge", &vec![0; 1 << 20]).err().unwrap_or_default();
                page::push(Audience::One(connection), &answer);
                Ok(Vec::new())
            }
            "flood" => {
                for n in 0..1000 {
                    log::write(log::Level::Warn, &format!("flood {n}"));
                }
                Ok((0..500).map(|n| event(&format!("{id}-{n}"), &format!("flood {n}"))).collect())
            }
            "twice" => Ok(vec![event("the-same", "twice"), event("the-same", "twice")]),
            _ => Ok(vec![event(&id, &text)]),
        }
    }
}

fn event(id: &str, text: &str) -> Event {
    Event {
        id: id.to_owned(),
        what: Happening::Message(Message {
            id: id.to_owned(),
            chat: Chat { id: "c".into(), kind: ChatKind::Direct, group: None, thread: None, title: None },
            sender: Sender { id: "s".into(), name: "S".into(), is_bot: false },
            text: text.to_owned(),
            sent_at: environment::now(),
            addressed: true,
            edited: false,
            reply_to: None,
            attachments: Vec::new(),
            album: None,
            extra: Vec::new(),
        }),
    }
}

#[expect(clippy::panic, reason = "this is what the guest is for")]
fn trap() -> ! {
    panic!("as it was told")
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn grow() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}
