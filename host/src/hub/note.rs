//! What this process tells others about its session: they see it by `tidegate status`.

use super::{Channel, channel::lock};
use crate::{
    claude::Reception,
    clock,
    journal::{NotedAttention, SessionNote},
};

impl Channel {
    /// Notes whether the session takes messages.
    pub fn note(&self, reception: &Reception) {
        let attention = match reception {
            Reception::Awaited => NotedAttention::Awaited,
            Reception::Open(basis) => NotedAttention::Open(basis.to_string()),
            Reception::Closed { word, reason } => NotedAttention::Closed {
                word: word.as_deref().map(str::to_owned),
                reason: reason.to_string(),
            },
        };
        let (written, received) = self.outstanding.counts();
        let directory = std::env::current_dir().unwrap_or_default();
        let mut note = lock(&self.note);
        let since = note.as_ref().map_or_else(clock::now, |note| note.since);
        *note = Some(SessionNote {
            process: std::process::id(),
            since,
            directory: directory.to_string_lossy().into_owned(),
            attention,
            written,
            received,
        });
        drop(note);
        self.store_note();
    }

    /// Notes how many messages the session has taken, if that is news.
    pub(super) fn note_counts(&self) {
        let (written, received) = self.outstanding.counts();
        match &mut *lock(&self.note) {
            Some(note) if (note.written, note.received) != (written, received) => {
                (note.written, note.received) = (written, received);
            }
            _ => return,
        }
        self.store_note();
    }

    /// Takes the note back, because the process ends.
    pub(super) fn drop_note(&self) {
        if lock(&self.note).take().is_none() {
            return;
        }
        // Where another process writes, the row stays: it names a process that has ended.
        let dropped = self.journal().try_store(|transaction| transaction.drop_session(std::process::id()));
        if let Err(error) = dropped {
            tracing::debug!("{}: {error}", self.name());
        }
    }

    fn store_note(&self) {
        if let Some(note) = lock(&self.note).clone() {
            self.journal().store_soon(move |transaction| transaction.note_session(&note));
        }
    }
}
