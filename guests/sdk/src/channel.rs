//! What every channel is, whatever its source.

use crate::{
    Button, Descriptor, Fault, Format, Identity, Message, Outgoing, Range, Saved, Sent, Wanted,
    bindings::exports::tidegate::channel::{channel, outbound},
    panic,
};

/// What every channel is and does, whatever its source. See `wit/exports.wit` for each call's contract.
pub trait Channel {
    /// Says what the channel is and what it asks for. Must not call any import.
    fn describe() -> Descriptor;

    /// Asks the platform who this bot is. The default suits a platform without accounts.
    fn identify() -> Result<Identity, Fault> {
        Err(Fault::Unsupported)
    }

    /// Sends one message. The default suits a one-way channel.
    fn send(_outgoing: Outgoing) -> Sent {
        Sent { ids: Vec::new(), fault: Some(Fault::Unsupported) }
    }

    /// Replaces a message of the bot's own.
    fn edit(
        _chat: String,
        _message: String,
        _text: String,
        _format: Format,
        _buttons: Vec<Button>,
    ) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// Puts an emoji on a message.
    fn react(_chat: String, _message: String, _emoji: String) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// Shows that an answer is being worked on.
    fn typing(_chat: String, _thread: Option<String>) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// What was written in a chat, oldest first.
    fn history(_chat: String, _range: Range, _limit: u32) -> Result<Vec<Message>, Fault> {
        Err(Fault::Unsupported)
    }

    /// Brings files of a message into the inbox.
    fn fetch(_chat: String, _message: String, _wanted: Vec<Wanted>) -> Result<Vec<Saved>, Fault> {
        Err(Fault::Unsupported)
    }

    /// Answers a press of a button.
    fn acknowledge(_press: String, _notice: Option<String>) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }
}

impl<T: Channel> channel::Guest for T {
    fn describe() -> Descriptor {
        <T as Channel>::describe()
    }
    fn identify() -> Result<Identity, Fault> {
        panic::report();
        <T as Channel>::identify()
    }
}

impl<T: Channel> outbound::Guest for T {
    fn send(outgoing: Outgoing) -> Sent {
        panic::report();
        <T as Channel>::send(outgoing)
    }
    fn edit(
        chat: String,
        message: String,
        text: String,
        format: Format,
        buttons: Vec<Button>,
    ) -> Result<(), Fault> {
        panic::report();
        <T as Channel>::edit(chat, message, text, format, buttons)
    }
    fn react(chat: String, message: String, emoji: String) -> Result<(), Fault> {
        panic::report();
        <T as Channel>::react(chat, message, emoji)
    }
    fn typing(chat: String, thread: Option<String>) -> Result<(), Fault> {
        panic::report();
        <T as Channel>::typing(chat, thread)
    }
    fn history(chat: String, range: Range, limit: u32) -> Result<Vec<Message>, Fault> {
        panic::report();
        <T as Channel>::history(chat, range, limit)
    }
    fn fetch(chat: String, message: String, wanted: Vec<Wanted>) -> Result<Vec<Saved>, Fault> {
        panic::report();
        <T as Channel>::fetch(chat, message, wanted)
    }
    fn acknowledge(press: String, notice: Option<String>) -> Result<(), Fault> {
        panic::report();
        <T as Channel>::acknowledge(press, notice)
    }
}
