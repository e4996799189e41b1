//! A polled channel whose platform is a bag of letters, some of which make the call that opens them fail.

use tidegate_guest::{
    Batch, Channel, Chat, ChatKind, Descriptor, Event, Fault, Features, Happening, Message, PollSource,
    Sender, TextUnit, Update, state,
};

/// The letters in the bag, in order.
const BAG: [&str; 5] = ["first", "trap", "later", "sulk", "last"];

struct Postman;

tidegate_guest::poll_channel!(Postman);

impl Channel for Postman {
    fn describe() -> Descriptor {
        Descriptor {
            name: "postman".into(),
            title: "Postman".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Letters, good and bad".into(),
            instructions: String::new(),
            hosts: Vec::new(),
            credentials: Vec::new(),
            settings: Vec::new(),
            sender_ids: None,
            group_ids: None,
            reactions: Vec::new(),
            features: Features::empty(),
            max_text: 100,
            text_unit: TextUnit::Scalar,
            max_upload: 0,
            max_uploads: 0,
            port: None,
        }
    }
}

impl PollSource for Postman {
    fn poll(cursor: Option<String>) -> Result<Batch, Fault> {
        let begin = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let letters = BAG.iter().enumerate().skip(begin);
        let updates = letters.map(|(index, letter)| Update {
            id: format!("letter-{index}"),
            cursor: (index + 1).to_string(),
            payload: letter.as_bytes().to_vec(),
        });
        Ok(Batch { updates: updates.collect(), pause_ms: 200 })
    }

    fn translate(payload: Vec<u8>) -> Result<Vec<Event>, Fault> {
        let letter = String::from_utf8_lossy(&payload).into_owned();
        match letter.as_str() {
            "trap" => trap(),
            // Not now: the first three times it is asked.
            "sulk" => sulk(letter),
            _ => Ok(vec![message(letter)]),
        }
    }
}

/// Fails the first three times: a call that returns an error still keeps its state.
fn sulk(letter: String) -> Result<Vec<Event>, Fault> {
    let asked = state::get("asked").and_then(|bytes| bytes.first().copied()).unwrap_or(0);
    if asked >= 3 {
        return Ok(vec![message(letter)]);
    }
    state::set("asked", &[asked + 1]).map_err(Fault::Rejected)?;
    Err(Fault::Unavailable("not now".into()))
}

#[expect(clippy::panic, reason = "this is what the guest is for")]
fn trap() -> ! {
    panic!("a bad letter")
}

fn message(text: String) -> Event {
    Event {
        id: text.clone(),
        what: Happening::Message(Message {
            id: text.clone(),
            chat: Chat { id: "c".into(), kind: ChatKind::Direct, group: None, thread: None, title: None },
            sender: Sender { id: "s".into(), name: "S".into(), is_bot: false },
            text,
            sent_at: 0,
            addressed: true,
            edited: false,
            reply_to: None,
            attachments: Vec::new(),
            album: None,
            extra: Vec::new(),
        }),
    }
}
