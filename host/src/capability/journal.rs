//! The import `journal`: the messages that the channel has received.

use super::Tenant;
use crate::contract::imports::{journal::Host, types::Message};

/// The most messages that one call returns.
const LIMIT: u32 = 1000;

impl Host for Tenant {
    fn recent(&mut self, limit: u32) -> wasmtime::Result<Vec<Message>> {
        let messages = self.surroundings()?.journal.recent(limit.min(LIMIT)).map_err(wasmtime::Error::new)?;
        Ok(messages.into_iter().map(Message::from).collect())
    }
}
