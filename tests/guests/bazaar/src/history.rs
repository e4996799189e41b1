//! The platform's history of its chats, as a test has defined it.

use tidegate_guest::{Message, Range};

use crate::{memory, told::Draft};

const KEY: &str = "history";

/// Replaces the history.
pub(crate) fn remember(drafts: Vec<Draft>) -> Result<(), String> {
    let drafts: Vec<Draft> = drafts.into_iter().map(Draft::complete).collect();
    memory::store(KEY, &drafts)
}

/// Returns a chat's messages, oldest first: the newest of the range; after a message, those that directly follow it.
/// For a message that does not exist, all messages are before it and none after it.
pub(crate) fn of(chat: &str, range: &Range, limit: u32) -> Vec<Message> {
    let drafts = memory::load::<Vec<Draft>>(KEY).into_iter();
    let mut messages: Vec<Message> = drafts.filter(|draft| draft.chat == chat).map(Draft::message).collect();
    let at = |id: &str| messages.iter().position(|message| message.id == id).unwrap_or(messages.len());
    let limit = limit as usize;
    match range {
        Range::Latest => {}
        Range::Before(id) => messages.truncate(at(id)),
        Range::After(id) => {
            let after = at(id) + 1;
            return messages.into_iter().skip(after).take(limit).collect();
        }
    }
    messages.split_off(messages.len().saturating_sub(limit))
}
