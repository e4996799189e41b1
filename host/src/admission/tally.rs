//! Counts of refused events, held in memory until they are written.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    event::{Chat, ChatId, Happening, Sender, SenderId},
    gate::Reason,
    journal::Refusal,
    text,
};

/// Maximum number of different refusals held at a time. It bounds the memory that a flood of strangers can use.
const MOST: usize = 128;

/// Refused events that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Tally(HashMap<(String, String, Reason), Refusal>);

impl Tally {
    /// Counts a refused event. Returns true if no other refusal waits to be written.
    pub(super) fn count(&mut self, what: &Happening, reason: Reason, now: u64) -> bool {
        let (chat, sender): (&Chat, &Sender) = match what {
            Happening::Message(message) => (&message.chat, &message.sender),
            Happening::Press(press) => (&press.chat, &press.sender),
            Happening::Question(question) => (&question.chat, &question.sender),
            Happening::Moved { .. } => return false,
        };
        // A malformed id may have any content and any length, so it is cleaned like a name.
        let id = |id: &str| if text::is_identifier(id) { id.to_owned() } else { text::name(id).into_owned() };
        let (chat_id, sender_id) = (id(&chat.id), id(&sender.id));
        let first = self.0.is_empty();
        let key = (chat_id.clone(), sender_id.clone(), reason);
        let full = self.0.len() >= MOST && !self.0.contains_key(&key);
        // If the tally is full, further refusals are counted without their names.
        let (key, chat_id, sender_id) = if full {
            let others = || "(others)".to_owned();
            ((others(), others(), reason), others(), others())
        } else {
            (key, chat_id, sender_id)
        };
        match self.0.entry(key) {
            Entry::Occupied(mut refusal) => {
                let refusal = refusal.get_mut();
                refusal.count += 1;
                refusal.last = now;
            }
            Entry::Vacant(place) => {
                place.insert(Refusal {
                    chat: ChatId::new(chat_id),
                    sender: SenderId::new(sender_id),
                    reason,
                    title: chat
                        .title
                        .as_deref()
                        .map(|title| text::name(title).into_owned())
                        .unwrap_or_default(),
                    name: text::name(&sender.name).into_owned(),
                    count: 1,
                    last: now,
                });
            }
        }
        first
    }

    /// Puts back refusals that could not be written. Adds what was counted in the meantime.
    pub(super) fn put_back(&mut self, refusals: Vec<Refusal>) {
        for refusal in refusals {
            let key = (refusal.chat.to_string(), refusal.sender.to_string(), refusal.reason);
            self.0.entry(key).and_modify(|later| later.count += refusal.count).or_insert(refusal);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}
