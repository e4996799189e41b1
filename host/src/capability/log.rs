//! The import `log`, and all other output of a guest: lines for the log.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::Tenant;
use crate::contract::imports::log::{Host, Level};

/// The most lines that one call writes. Further lines are only counted.
const LINES: u32 = 64;
/// The longest line, in bytes.
pub(super) const LENGTH: usize = 4096;

/// The lines that one call writes, through `log.write` or WASI.
///
/// Complaints are kept until the call ends. If it fails, they explain why, and become part of the failure's report.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    count: u32,
    complaints: Vec<Line>,
}

/// One line of a guest: cut to 4096 bytes, and printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    level: Level,
    /// The line without its line break.
    pub text: String,
}

/// When a line is written to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// At once.
    Remark(Level),
    /// When the call ends.
    Complaint(Level),
}

impl Lines {
    /// Starts the record of another call.
    pub(super) fn reset(&self) {
        *self.lock() = Record::default();
    }

    /// Writes one line, unless the call has written too many.
    pub(super) fn write(&self, channel: &str, kind: Kind, text: &str) {
        let mut record = self.lock();
        let line = record.count;
        record.count = line.saturating_add(1);
        if line < LINES {
            let text =
                text.get(..text.floor_char_boundary(LENGTH)).unwrap_or_default().escape_debug().to_string();
            match kind {
                Kind::Remark(level) => log(channel, level, &text),
                Kind::Complaint(level) => record.complaints.push(Line { level, text }),
            }
        } else if line == LINES {
            tracing::warn!(target: "guest", channel, "more than {LINES} lines in one call: the rest is dropped");
        }
    }

    /// Logs the complaints of a call that has succeeded, as ordinary lines.
    pub(super) fn settle(&self, channel: &str) {
        for Line { level, text } in self.take_complaints() {
            log(channel, level, &text);
        }
    }

    /// Removes and returns the complaints of a call that has failed.
    pub fn take_complaints(&self) -> Vec<Line> {
        std::mem::take(&mut self.lock().complaints)
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock()
    }
}

impl Line {
    #[cfg(test)]
    pub(crate) fn printed(text: &str) -> Self {
        Self { level: Level::Warn, text: text.to_owned() }
    }

    /// Returns whether the guest itself reported an error, rather than its language's runtime.
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

fn log(channel: &str, level: Level, text: &str) {
    match level {
        Level::Debug => tracing::debug!(target: "guest", channel, "{text}"),
        Level::Info => tracing::info!(target: "guest", channel, "{text}"),
        Level::Warn => tracing::warn!(target: "guest", channel, "{text}"),
        Level::Error => tracing::error!(target: "guest", channel, "{text}"),
    }
}

impl Host for Tenant {
    fn write(&mut self, level: Level, text: String) -> wasmtime::Result<()> {
        let channel = &*self.surroundings()?.name;
        let kind = if level == Level::Error { Kind::Complaint(level) } else { Kind::Remark(level) };
        // The text of a panic has several lines.
        for line in text.lines() {
            self.lines.write(channel, kind, line);
        }
        Ok(())
    }
}
