use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::Tenant;
use crate::contract::imports::log::{Host, Level};

/// Lines of one call that are written; the rest is counted.
const LINES: u32 = 64;
/// The longest line, in bytes.
pub(super) const LENGTH: usize = 4096;

/// The lines that one call has written, whichever way.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<AtomicU32>);

impl Lines {
    /// Another call begins.
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Writes one line, cut to [`LENGTH`], if the call has not written too many.
    pub(super) fn write(&self, channel: &str, level: Level, text: &str) {
        let line = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |line| line.checked_add(1));
        let line = line.unwrap_or(u32::MAX);
        if line < LINES {
            let text = text.get(..text.floor_char_boundary(LENGTH)).unwrap_or_default().escape_debug();
            match level {
                Level::Debug => tracing::debug!(target: "guest", channel, "{text}"),
                Level::Info => tracing::info!(target: "guest", channel, "{text}"),
                Level::Warn => tracing::warn!(target: "guest", channel, "{text}"),
                Level::Error => tracing::error!(target: "guest", channel, "{text}"),
            }
        } else if line == LINES {
            tracing::warn!(target: "guest", channel, "more than {LINES} lines in one call: the rest is dropped");
        }
    }
}

impl Host for Tenant {
    fn write(&mut self, level: Level, text: String) -> wasmtime::Result<()> {
        let channel = &*self.surroundings()?.name;
        self.lines.write(channel, level, &text);
        Ok(())
    }
}
