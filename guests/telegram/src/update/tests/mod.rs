//! Tests with whole updates, in the Bot API's spelling.

mod chats;
mod contents;
mod contexts;
mod essentials;
mod happenings;
mod properties;
mod sample;

use serde_json::Value;
use tidegate_guest::{Event, Fault, Happening, Message};

use super::{Bot, translate};

fn bot() -> Bot {
    Bot { id: 7_000_000_001, username: "Tide_Bot".into(), reactions: true }
}

fn events(update: &Value) -> Vec<Event> {
    translate(update.to_string().as_bytes(), &bot()).unwrap()
}

fn event(update: &Value) -> Event {
    let [event] = <[_; 1]>::try_from(events(update)).unwrap();
    event
}

/// Returns the message of the event for an update of this type with this message.
fn told(kind: &str, message: &Value) -> Message {
    match event(&sample::update(kind, message)).what {
        Happening::Message(message) => message,
        other => panic!("no message: {other:?}"),
    }
}

fn rejected(payload: &[u8]) -> String {
    match translate(payload, &bot()) {
        Err(Fault::Rejected(reason)) => reason,
        other => panic!("not rejected: {other:?}"),
    }
}

fn extra<'a>(message: &'a Message, key: &str) -> Option<&'a str> {
    message.extra.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}
