//! The import `state`: small durable values.

use super::Tenant;
use crate::{
    contract::imports::state::Host,
    journal::{STATE_KEY_LIMIT, STATE_LIMIT, STATE_VALUE_LIMIT},
};

impl Host for Tenant {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        match self.effects.state.get(&key) {
            Some(written) => Ok(written.clone()),
            None => self.surroundings()?.journal.state(&key).map_err(wasmtime::Error::new),
        }
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        let journal = &self.surroundings()?.journal;
        if key.len() > STATE_KEY_LIMIT {
            return Ok(Err(format!("the key has {} bytes; {STATE_KEY_LIMIT} are allowed", key.len())));
        }
        if value.len() > STATE_VALUE_LIMIT {
            return Ok(Err(format!("the value has {} bytes; {STATE_VALUE_LIMIT} are allowed", value.len())));
        }
        if !journal.reserve_state(key.len() + value.len(), self.spent).map_err(wasmtime::Error::new)? {
            return Ok(Err(format!(
                "this channel's values would take more than {} MiB together",
                STATE_LIMIT >> 20
            )));
        }
        self.spend(key.len() + value.len())?;
        self.effects.state.insert(key, Some(value));
        Ok(Ok(()))
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<()> {
        self.surroundings()?;
        if key.len() <= STATE_KEY_LIMIT {
            self.spend(key.len())?;
            self.effects.state.insert(key, None);
        }
        Ok(())
    }
}
