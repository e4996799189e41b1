//! A guest that a test controls: the test, connected to `/ws`, is the whole platform.
//!
//! The test reports events (a person writes, presses a button, a group moves: [`told`]), and the guest shows it every
//! call of the host ([`shown`]). A test can make a call fail ([`failure`]). Data that must outlive a call are in the
//! channel's state.
//!
//! The marker chooses the guest's descriptor. A test overwrites it in the component's bytes (same length, padded with
//! dots): `good`; `plain`, which has no buttons; `other`, which is called `bazaar2`.

mod failure;
mod history;
mod memory;
mod shown;
mod told;

use std::hint::black_box;

use failure::{Failing, Failure};
use shown::{ButtonShown, Shown, UploadShown};
use tidegate_guest::{
    Answer, Audience, Button, Channel, Descriptor, Event, Fault, Features, Format, Identity, Message,
    Outgoing, Range, Request, Response, Saved, Sent, Signal, TextUnit, Wanted, WebSource, page,
};
use told::Told;

static MARKER: [u8; 32] = *b"BEHAVIOUR=good..................";

/// The key of the number of messages that the bot has sent. The host serialises calls only within a chat, but a call
/// here never waits, so that two calls do not overlap.
const SENT: &str = "sent";

struct Bazaar;

tidegate_guest::web_channel!(Bazaar);

fn behaviour() -> String {
    let marker = String::from_utf8_lossy(black_box(&MARKER)).into_owned();
    marker.trim_start_matches("BEHAVIOUR=").trim_end_matches('.').to_owned()
}

impl Channel for Bazaar {
    fn describe() -> Descriptor {
        let (mut name, mut buttons) = ("bazaar", Features::BUTTONS);
        match behaviour().as_str() {
            "plain" => buttons = Features::empty(),
            "other" => name = "bazaar2",
            _ => {}
        }
        Descriptor {
            name: name.into(),
            title: "Bazaar".into(),
            version: "1".into(),
            summary: "A platform of which a test pulls the strings".into(),
            instructions: String::new(),
            hosts: Vec::new(),
            credentials: Vec::new(),
            settings: Vec::new(),
            sender_ids: None,
            group_ids: None,
            reactions: Vec::new(),
            features: Features::REPLY
                | Features::EDIT
                | Features::REACT
                | Features::HISTORY
                | Features::ATTACHMENTS
                | Features::UPLOADS
                | buttons
                | Features::THREADS,
            max_text: 200,
            text_unit: TextUnit::Utf16,
            max_upload: 1 << 20,
            max_uploads: 2,
            port: Some(0),
        }
    }

    fn identify() -> Result<Identity, Fault> {
        if let Some(failure) = failure::due(Failing::Identify) {
            return Err(failure.fault());
        }
        Ok(Identity { id: "bot".into(), name: "Bazaar Bot".into(), link: None, notes: Vec::new() })
    }

    fn send(outgoing: Outgoing) -> Sent {
        let failure = failure::due(Failing::Send);
        let id = failure.is_none().then(next);
        let call = Shown::Send {
            id: id.as_deref(),
            key: &outgoing.key,
            chat: &outgoing.chat,
            thread: outgoing.thread.as_deref(),
            text: &outgoing.text,
            format: outgoing.format,
            reply_to: outgoing.reply_to.as_deref(),
            uploads: outgoing.uploads.iter().map(UploadShown::from).collect(),
            buttons: outgoing.buttons.iter().map(ButtonShown::from).collect(),
        };
        shown::push(&call, failure.as_ref());
        Sent { ids: id.into_iter().collect(), fault: failure.map(Failure::fault) }
    }

    fn edit(
        chat: String,
        message: String,
        text: String,
        format: Format,
        buttons: Vec<Button>,
    ) -> Result<(), Fault> {
        let buttons = buttons.iter().map(ButtonShown::from).collect();
        let call = Shown::Edit { chat: &chat, message: &message, text: &text, format, buttons };
        perform(Failing::Edit, &call)
    }

    fn react(chat: String, message: String, emoji: String) -> Result<(), Fault> {
        perform(Failing::React, &Shown::React { chat: &chat, message: &message, emoji: &emoji })
    }

    fn history(chat: String, range: Range, limit: u32) -> Result<Vec<Message>, Fault> {
        perform(Failing::History, &Shown::History { chat: &chat, limit })?;
        Ok(history::of(&chat, &range, limit))
    }

    /// Shows the call, and downloads nothing, because there is no network.
    fn fetch(chat: String, message: String, wanted: Vec<Wanted>) -> Result<Vec<Saved>, Fault> {
        let wanted = wanted.iter().map(|wanted| wanted.id.as_str()).collect();
        let call = Shown::Fetch { chat: &chat, message: &message, wanted };
        perform(Failing::Fetch, &call)?;
        Ok(Vec::new())
    }

    fn acknowledge(press: String, notice: Option<String>) -> Result<(), Fault> {
        perform(Failing::Acknowledge, &Shown::Acknowledge { press: &press, notice: notice.as_deref() })
    }
}

impl WebSource for Bazaar {
    fn handle(request: Request) -> Result<Answer, Fault> {
        let (status, body) = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => (200, "bazaar"),
            _ => (404, "The bazaar has GET / and /ws only.\n"),
        };
        let response = Response { status, headers: Vec::new(), body: body.into() };
        Ok(Answer { response, events: Vec::new() })
    }

    fn receive(connection: u64, signal: Signal) -> Result<Vec<Event>, Fault> {
        let Signal::Frame(text) = signal else { return Ok(Vec::new()) };
        Ok(obey(connection, &text).unwrap_or_else(|reason| {
            page::push(Audience::One(connection), &shown::error(&reason));
            Vec::new()
        }))
    }
}

/// Carries out a frame's command. The error says why the frame is not valid.
fn obey(connection: u64, text: &str) -> Result<Vec<Event>, String> {
    let told = serde_json::from_str(text).map_err(|error| format!("not a frame of the bazaar's: {error}"))?;
    match told {
        Told::Message(draft) => return Ok(vec![draft.event()]),
        Told::Messages(drafts) => return Ok(drafts.into_iter().map(told::Draft::event).collect()),
        Told::Press(pressed) => return Ok(vec![pressed.event()]),
        Told::Moved(moved) => return Ok(vec![moved.event()]),
        Told::History(drafts) => history::remember(drafts)?,
        Told::Fail(failure) => failure::remember(failure)?,
        Told::Ping(word) => page::push(Audience::One(connection), &shown::pong(&word)),
    }
    Ok(Vec::new())
}

/// Shows a call, and returns its failure if there is one.
fn perform(name: Failing, call: &Shown) -> Result<(), Fault> {
    let failure = failure::due(name);
    shown::push(call, failure.as_ref());
    failure.map(Failure::fault).map_or(Ok(()), Err)
}

/// Returns the id of a new message.
fn next() -> String {
    let count = memory::load::<u64>(SENT) + 1;
    memory::keep(SENT, &count);
    format!("b{count}")
}
