//! fakechat: a chat page on loopback between the session and the person at the browser.
//!
//! The wire contract is that of existing fakechat clients; [`frame`] has all of it. Features beyond that contract
//! (history, acknowledgements, the typing indicator) are opt-in, so that an old client gets no frames that it cannot
//! ignore.

mod asset;
mod frame;
mod history;
mod inbound;
mod prompt;

use frame::{Draft, Said, ToPage};
use tidegate_guest::{
    Answer, Audience, Body, Button, Channel, Descriptor, Event, Fault, Features, Format, Identity, Outgoing,
    Request, Response, Sent, Signal, TextUnit, Upload, WebSource, environment, page,
};

/// The only chat.
pub(crate) const CHAT: &str = "web";

struct Fakechat;

tidegate_guest::web_channel!(Fakechat);

impl Channel for Fakechat {
    fn describe() -> Descriptor {
        Descriptor {
            name: "fakechat".into(),
            title: "Fakechat".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "A chat page in your browser, on this machine only".into(),
            instructions: "The sender reads a local web page, not this session: whatever they should see goes \
                through the reply tool. Markdown is rendered. If the meta has a file_path, that is a file they \
                uploaded: read it. Use edit_message for progress on a long task; an edit makes no sound, so finish with a new reply."
                .into(),
            hosts: Vec::new(),
            credentials: Vec::new(),
            settings: Vec::new(),
            sender_ids: None,
            group_ids: None,
            reactions: Vec::new(),
            features: Features::REPLY
                | Features::EDIT
                | Features::TYPING
                | Features::UPLOADS
                | Features::BUTTONS,
            max_text: 200_000,
            text_unit: TextUnit::Scalar,
            max_upload: 50 << 20,
            max_uploads: 10,
            port: Some(8787),
        }
    }

    fn identify() -> Result<Identity, Fault> {
        Ok(Identity { id: CHAT.into(), name: "Fakechat".into(), link: None, notes: Vec::new() })
    }

    fn send(outgoing: Outgoing) -> Sent {
        if let Err(fault) = only_chat(&outgoing.chat) {
            return Sent { ids: Vec::new(), fault: Some(fault) };
        }
        if !outgoing.buttons.is_empty() {
            return match prompt::ask(outgoing) {
                Ok(id) => Sent { ids: vec![id], fault: None },
                Err(fault) => Sent { ids: Vec::new(), fault: Some(fault) },
            };
        }
        let mut ids = Vec::new();
        let mut drafts = vec![Draft {
            text: outgoing.text,
            reply_to: outgoing.reply_to,
            file: None,
            format: outgoing.format,
        }];
        // The contract allows one file in a message: the first file goes with the text, each further one alone.
        for (index, upload) in outgoing.uploads.iter().enumerate() {
            let file = match publish(upload) {
                Ok(file) => file,
                Err(fault) => return Sent { ids, fault: Some(fault) },
            };
            match (index, drafts.first_mut()) {
                (0, Some(first)) => first.file = Some(file),
                _ => drafts.push(Draft { file: Some(file), ..Draft::default() }),
            }
        }
        for draft in drafts {
            let said = draft.said(environment::now(), &environment::random(4));
            history::remember(&said);
            page::push(Audience::All, &ToPage::Msg(&said).encode());
            ids.push(said.id.into_owned());
        }
        Sent { ids, fault: None }
    }

    fn edit(
        chat: String,
        message: String,
        text: String,
        format: Format,
        buttons: Vec<Button>,
    ) -> Result<(), Fault> {
        only_chat(&chat)?;
        if prompt::revise(&message, &text, format, buttons)? {
            return Ok(());
        }
        if !history::revise(&message, &text)? {
            return Err(Fault::NotFound(format!(
                "fakechat has no message {message} of yours among the last {}",
                history::SLOTS
            )));
        }
        page::push(Audience::All, &ToPage::Edit { id: &message, text: &text }.encode());
        Ok(())
    }

    fn typing(_chat: String, _thread: Option<String>) -> Result<(), Fault> {
        page::push(Audience::All, &ToPage::Typing { ts: environment::now() }.encode());
        Ok(())
    }

    fn acknowledge(press: String, notice: Option<String>) -> Result<(), Fault> {
        let connection = inbound::presser(&press)
            .ok_or_else(|| Fault::NotFound(format!("{press} is no press on fakechat's page")))?;
        if let Some(text) = notice {
            page::push(Audience::One(connection), &ToPage::Notice { text: &text }.encode());
        }
        Ok(())
    }
}

impl WebSource for Fakechat {
    fn handle(request: Request) -> Result<Answer, Fault> {
        match (request.method.as_str(), request.path.as_str(), request.body) {
            ("POST", "/upload", Body::Form(fields)) => match inbound::upload(fields) {
                Ok((event, said)) => {
                    page::push(Audience::All, &ToPage::Msg(&said).encode());
                    Ok(Answer { response: asset::empty(204), events: vec![event] })
                }
                Err(reason) => Ok(plain(asset::text(400, &reason))),
            },
            ("POST", "/upload", Body::Bytes(_)) => {
                Ok(plain(asset::text(415, "Send multipart/form-data with the fields id, text and file.\n")))
            }
            ("GET" | "HEAD", path, _) => Ok(plain(asset::find(path))),
            _ => Ok(plain(asset::text(405, "This page accepts GET, and POST on /upload.\n"))),
        }
    }

    fn receive(connection: u64, signal: Signal) -> Result<Vec<Event>, Fault> {
        match signal {
            Signal::Opened => {
                let past = history::past();
                page::push(Audience::One(connection), &ToPage::History { messages: &past }.encode());
                prompt::show_all();
                Ok(Vec::new())
            }
            Signal::Frame(text) => inbound::frame(connection, &text).map(|event| vec![event]),
            Signal::Closed => Ok(Vec::new()),
        }
    }
}

fn only_chat(chat: &str) -> Result<(), Fault> {
    if chat == CHAT {
        return Ok(());
    }
    Err(Fault::NotFound(format!("fakechat has no chat \"{chat}\": the page is the chat \"{CHAT}\"")))
}

fn plain(response: Response) -> Answer {
    Answer { response, events: Vec::new() }
}

fn publish(upload: &Upload) -> Result<frame::File<'static>, Fault> {
    let url = page::publish(upload).map_err(Fault::Rejected)?;
    Ok(frame::File { url: url.into(), name: upload.name.clone().into(), size: Some(upload.size) })
}

/// The content of a message from the page, as a frame for other pages.
pub(crate) type Shown = Said<'static>;
