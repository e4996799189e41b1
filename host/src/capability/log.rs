use super::Tenant;
use crate::contract::imports::log::{Host, Level};

/// Lines of one call that are written; the rest is counted.
const LINES: u32 = 64;
/// The longest line, in bytes.
const LENGTH: usize = 4096;

impl Host for Tenant {
    fn write(&mut self, level: Level, text: String) -> wasmtime::Result<()> {
        let channel = &*self.surroundings()?.name;
        let line = self.lines;
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
        self.lines = line.saturating_add(1);
        Ok(())
    }
}
