//! Panics, reported in the log before the trap.

use std::sync::Once;

use crate::log;

/// Installs a panic hook that writes the message into the host's log. A trap alone has no message.
pub(crate) fn report() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
    });
}
