//! Telegram, through the user's own bot.
//!
//! [`update`] translates Telegram's updates into events, [`send`] translates the session's calls into requests, [`api`]
//! carries requests out. All modules except [`api`] and [`identity`] are pure and tested natively.

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
    Wanted, environment, state,
};

use send::Lengths;

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
        let place = Lengths::place(&outgoing.chat);
        let kept = (outgoing.done > 0).then(|| state::get(&place)).flatten();
        let kept = kept.and_then(|kept| Lengths::read(&kept, &outgoing.key));
        let mut lengths = kept.unwrap_or_default();
        let parse = settings::parse(environment::setting);
        let mut sent =
            send::carry_out(&outgoing, parse, &mut lengths, |request| api::call(request, send::ids));
        if lengths.is_usual() {
            return sent;
        }
        // After a pause the rest of the message is sent, so it has to be cut the same way then.
        if !matches!(sent.fault, Some(Fault::RateLimited(_))) {
            state::remove(&place);
        } else if let Err(reason) = state::set(&place, &lengths.write(&outgoing.key)) {
            let text =
                format!("Telegram asks for a pause, and where to go on after it cannot be kept: {reason}");
            sent.fault = Some(Fault::Unavailable(text));
        }
        sent
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
