//! Telegram, through a bot of the user's own.
//!
//! [`update`] makes events of what Telegram tells, [`send`] makes requests of what the session says, [`api`] carries
//! requests out. All but [`api`] and [`identity`] is pure and tested natively.

mod api;
mod chat;
mod descriptor;
mod emoji;
mod fetch;
mod identity;
mod keyboard;
mod markdown;
mod poll;
mod send;
mod settings;
mod update;

use tidegate_guest::{
    Batch, Button, Channel, Descriptor, Event, Fault, Format, Identity, Outgoing, PollSource, Saved, Sent,
    Wanted, environment,
};

struct Telegram;

tidegate_guest::poll_channel!(Telegram);

impl Channel for Telegram {
    fn describe() -> Descriptor {
        descriptor::describe()
    }

    fn identify() -> Result<Identity, Fault> {
        identity::identify()
    }

    fn send(outgoing: Outgoing) -> Sent {
        match send::plan(&outgoing, settings::parse(environment::setting)) {
            Ok(steps) => {
                let left = send::left(&steps, outgoing.done);
                send::carry_out(left, |request| api::call(request, send::ids))
            }
            Err(fault) => Sent { ids: Vec::new(), fault: Some(fault) },
        }
    }

    fn edit(
        chat: String,
        message: String,
        text: String,
        format: Format,
        buttons: Vec<Button>,
    ) -> Result<(), Fault> {
        let parse = settings::parse(environment::setting);
        send::edit((&chat, &message), &text, format, &buttons, parse, api::command)
    }

    fn react(chat: String, message: String, emoji: String) -> Result<(), Fault> {
        send::react(&chat, &message, &emoji, api::command)
    }

    fn typing(chat: String, thread: Option<String>) -> Result<(), Fault> {
        Ok(api::command(&send::typing(&chat, thread.as_deref())?)?)
    }

    fn fetch(_chat: String, _message: String, wanted: Vec<Wanted>) -> Result<Vec<Saved>, Fault> {
        fetch::fetch(&wanted)
    }

    fn acknowledge(press: String, notice: Option<String>) -> Result<(), Fault> {
        send::acknowledge(&press, notice.as_deref(), api::command)
    }
}

impl PollSource for Telegram {
    fn poll(cursor: Option<String>) -> Result<Batch, Fault> {
        let reactions = settings::reactions(environment::setting);
        let ask = |request: &api::Request, offset| api::call(request, |result| poll::batch(result, offset));
        Ok(poll::poll(cursor.as_deref(), reactions, ask)?)
    }

    fn translate(payload: Vec<u8>) -> Result<Vec<Event>, Fault> {
        update::translate(&payload, &identity::bot())
    }
}
