//! The interface that every channel implements, for all kinds of sources.

use crate::{
    Button, Descriptor, Fault, Format, Identity, Message, Outgoing, Range, Saved, Sent, Wanted,
    bindings::exports::tidegate::channel::{channel, outbound},
    panic,
};

/// The functions of every channel, for all kinds of sources. See `wit/exports.wit` for each call's contract.
pub trait Channel {
    /// Returns the channel's descriptor: its name, features and needs. Must not call any import.
    fn describe() -> Descriptor;

    /// Asks the platform for the bot's identity. The default is for a platform without accounts.
    fn identify() -> Result<Identity, Fault> {
        Err(Fault::Unsupported)
    }

    /// Sends one message. The default is for a one-way channel.
    fn send(_outgoing: Outgoing) -> Sent {
        Sent { ids: Vec::new(), fault: Some(Fault::Unsupported) }
    }

    /// Replaces one of the bot's messages.
    fn edit(
        _chat: String,
        _message: String,
        _text: String,
        _format: Format,
        _buttons: Vec<Button>,
    ) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// Sets an emoji as reaction on a message.
    fn react(_chat: String, _message: String, _emoji: String) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// Shows that the session is working on an answer.
    fn typing(_chat: String, _thread: Option<String>) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// Returns the messages of a chat, oldest first.
    fn history(_chat: String, _range: Range, _limit: u32) -> Result<Vec<Message>, Fault> {
        Err(Fault::Unsupported)
    }

    /// Downloads files of a message into the inbox.
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
