//! The reaction that tells the sender of a message that the session has received it. The host adds it after the
//! delivery.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::Channel;
use crate::event::{ChatId, Happening, Message, MessageId};

/// The most reactions that wait. When more messages arrive at once, nobody looks at the reactions.
const MOST: usize = 64;

/// The age at which a waiting reaction is dropped, because it no longer tells the sender anything.
const STALE: Duration = Duration::from_mins(1);

/// The messages that still get a reaction.
#[derive(Debug, Default)]
pub(super) struct Confirmations(Mutex<Queue>);

/// A message that a reaction can be put on.
pub(super) type Confirmable = (ChatId, MessageId);

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(ChatId, MessageId, Instant)>,
    /// A task adds the reactions.
    running: bool,
}

impl Channel {
    /// Returns the emoji for the reaction, if the user wants one.
    fn ack_reaction(&self) -> Option<String> {
        if !self.descriptor().features.react {
            return None;
        }
        // Uses the rules as they were last read: to look at the file again costs a system call for each message.
        let own = match &*self.rules.lock() {
            Some(Ok(rules)) => rules.manners.ack_reaction.clone(),
            Some(Err(_)) | None => None,
        };
        own.or_else(|| self.surroundings().settings.get("ack_reaction").cloned())
            .filter(|emoji| !emoji.is_empty())
    }

    /// Returns the messages among these that get a reaction once the session has received them.
    pub(super) fn confirmable<'a>(
        &self,
        happenings: impl Iterator<Item = &'a Happening>,
    ) -> Vec<Confirmable> {
        if self.ack_reaction().is_none() {
            return Vec::new();
        }
        let message = |happening: &'a Happening| match happening {
            Happening::Message(Message { chat, id, edited: false, .. }) => {
                Some((chat.id.clone(), id.clone()))
            }
            _ => None,
        };
        happenings.filter_map(message).take(MOST).collect()
    }

    /// Queues reactions on messages that the session has received.
    pub(super) fn confirm(self: &Arc<Self>, delivered: Vec<Confirmable>) {
        if delivered.is_empty() {
            return;
        }
        let Some(emoji) = self.ack_reaction() else { return };
        let mut queue = self.confirmations.0.lock();
        for (chat, message) in delivered {
            if queue.waiting.len() < MOST {
                queue.waiting.push_back((chat, message, Instant::now()));
            }
        }
        if !queue.waiting.is_empty() && !std::mem::replace(&mut queue.running, true) {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.react_to_all(&emoji).await });
        }
    }

    async fn react_to_all(&self, emoji: &str) {
        loop {
            let next = {
                let mut queue = self.confirmations.0.lock();
                let next = queue.waiting.pop_front();
                queue.running = next.is_some();
                next
            };
            let Some((chat, message, since)) = next else { return };
            self.pace.ready(&chat).await;
            if since.elapsed() > STALE {
                continue;
            }
            // An optional extra, so a failure is only logged: its cause also shows where it matters.
            let reacted = self.guest.react(chat.clone(), message, emoji.to_owned()).await;
            let reacted = self.conclude(reacted).await;
            self.heed(&chat, &reacted);
            if let Err(error) = reacted {
                tracing::warn!("{}: the reaction after delivery: {error}", self.name());
            }
        }
    }
}
