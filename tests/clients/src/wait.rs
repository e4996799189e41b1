//! Waits for a condition.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `look` until it returns a value. The timeout error names `what`; an error of `look` ends the wait at once.
pub(crate) fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > patience {
            bail!("{what}: not within {} s", patience.as_secs());
        }
        thread::sleep(PAUSE);
    }
}
