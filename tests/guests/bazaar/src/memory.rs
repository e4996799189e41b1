//! Values in the channel's state, as JSON.

use serde::{Serialize, de::DeserializeOwned};
use tidegate_guest::{log, state};

/// What is remembered under a key; nothing at all is the default.
pub(crate) fn load<T: DeserializeOwned + Default>(key: &str) -> T {
    state::get(key).and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Remembers a value. The host says why not where it is too large.
pub(crate) fn store(key: &str, value: &impl Serialize) -> Result<(), String> {
    serde_json::to_vec(value)
        .map_err(|error| error.to_string())
        .and_then(|bytes| state::set(key, &bytes))
        .map_err(|reason| format!("{key} is not remembered: {reason}"))
}

/// The same, for where nobody could be told.
pub(crate) fn keep(key: &str, value: &impl Serialize) {
    if let Err(reason) = store(key, value) {
        log::write(log::Level::Error, &reason);
    }
}
