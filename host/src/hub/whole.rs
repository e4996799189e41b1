//! Messages that one notification cannot carry: each is stored whole, as a file in the channel's inbox.

use std::{collections::HashSet, io};

use tokio::task::spawn_blocking;

use super::{Channel, Delivery};
use crate::{
    capability::files::Files,
    event::{EventId, Happening, Message},
    notification::{self, Whole},
    sandbox::Digest,
};

/// The prefix of these files' names.
const PREFIX: &str = "message-";

impl Channel {
    /// Stores each message that a notification cannot carry in a file, before the notification names that file.
    pub(super) async fn keep_whole(&self, deliveries: &mut [Delivery]) {
        for delivery in deliveries {
            if let Happening::Message(message) = &delivery.event.what
                && !notification::fits(message)
            {
                // Boxed, so that this rare future does not enlarge the one of all other deliveries.
                delivery.whole = Box::pin(self.keep(delivery.event.id.clone(), message.clone())).await;
            }
        }
    }

    /// Writes the file, on threads that may block on the disk.
    async fn keep(&self, event: EventId, message: Message) -> Whole {
        let id = message.id.clone();
        let made = spawn_blocking(move || {
            let text = notification::whole(&message);
            (name(&event, &text), text)
        });
        let kept = match made.await {
            Ok((name, text)) => self.surroundings().files.keep(name, text).await,
            Err(error) => Err(io::Error::other(error)),
        };
        let reason = match kept.map(|path| path.to_string_lossy().into_owned()) {
            Ok(path) if path.len() <= notification::VALUE => return Whole::Kept(path),
            Ok(_) => format!("its path is longer than {} bytes", notification::VALUE),
            Err(error) => error.to_string(),
        };
        tracing::warn!("{}: message {id} reaches the session cut, and not as a file: {reason}", self.name());
        Whole::Lost(reason)
    }
}

/// Returns a file name that depends only on the event and the text, so that a redelivery finds its file.
fn name(event: &EventId, text: &str) -> String {
    format!("{}{}.txt", stem(event), short(text))
}

/// Returns the beginning of the names for an event, such as `message-0123456789abcdef-`.
fn stem(event: &EventId) -> String {
    format!("{PREFIX}{}-", short(event))
}

/// Returns 64 bits of a digest, in hexadecimal: enough to tell the messages of one channel apart.
fn short(text: &str) -> String {
    let mut digest = Digest::of(text.as_bytes()).to_string();
    digest.truncate(16);
    digest
}

/// Erases the files of all events except these. Returns how many files there were.
pub fn erase_all_but(files: &Files, events: &[EventId]) -> io::Result<usize> {
    let stems: HashSet<String> = events.iter().map(stem).collect();
    let length = PREFIX.len() + 17;
    files.erase_blocking(|name| {
        name.starts_with(PREFIX) && name.get(..length).is_some_and(|stem| !stems.contains(stem))
    })
}
