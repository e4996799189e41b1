//! Waiting for a condition.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is something. The error names `what` did not come; an error of `look` ends the waiting at once.
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
