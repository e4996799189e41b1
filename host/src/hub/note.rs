//! What this process tells other processes about its session. `tidegate status` shows it.

use super::Channel;
use crate::{
    claude::Reception,
    clock,
    journal::{NotedAttention, SessionNote},
};

impl Channel {
    /// Notes whether the session receives messages.
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
        let mut note = self.note.lock();
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

    /// Notes how many messages were written to the session and received by it, if that has changed.
    pub(super) fn note_counts(&self) {
        let (written, received) = self.outstanding.counts();
        match &mut *self.note.lock() {
            Some(note) if (note.written, note.received) != (written, received) => {
                (note.written, note.received) = (written, received);
            }
            _ => return,
        }
        self.store_note();
    }

    /// Removes the note, because the process ends.
    pub(super) fn drop_note(&self) {
        if self.note.lock().take().is_none() {
            return;
        }
        // If another process is writing, the row stays. It then names a process that has ended.
        let dropped = self.journal().try_store(|transaction| transaction.drop_session(std::process::id()));
        if let Err(error) = dropped {
            tracing::debug!("{}: {error}", self.name());
        }
    }

    fn store_note(&self) {
        if let Some(note) = self.note.lock().clone() {
            self.journal().store_soon(move |transaction| transaction.note_session(&note));
        }
    }
}
