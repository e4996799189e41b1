//! Values in the channel's state, as JSON.

use serde::{Serialize, de::DeserializeOwned};
use tidegate_guest::{log, state};

/// Returns the value of a key; without a value, the default.
pub(crate) fn load<T: DeserializeOwned + Default>(key: &str) -> T {
    state::get(key).and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Stores a value. The error is the host's reason, for example that the value is too large.
pub(crate) fn store(key: &str, value: &impl Serialize) -> Result<(), String> {
    serde_json::to_vec(value)
        .map_err(|error| error.to_string())
        .and_then(|bytes| state::set(key, &bytes))
        .map_err(|reason| format!("{key} is not remembered: {reason}"))
}

/// Stores a value; writes an error into the log, where no caller can handle it.
pub(crate) fn keep(key: &str, value: &impl Serialize) {
    if let Err(reason) = store(key, value) {
        log::write(log::Level::Error, &reason);
    }
}
