//! Panics, reported in the log before the trap.

use std::sync::Once;

use crate::log;

/// From here on a panic says in the host's log what it was. A trap alone says nothing.
pub(crate) fn report() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
    });
}
