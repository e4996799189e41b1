//! Runs work that may wait for another process, and tells the waiting person about it.

use std::{sync::mpsc, thread, time::Duration};

use super::output;

/// The time after which a person wants to know why nothing happens.
const SILENT: Duration = Duration::from_secs(1);

/// Runs the work. If it takes long, prints to standard error what it most likely waits for.
pub(super) fn announced<T>(channel: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    let notice =
        format!("Waiting for another process that is writing to the files of {channel}, for up to 5 s …");
    let watch = thread::Builder::new().name("patience".into()).spawn(move || {
        if waiting.recv_timeout(SILENT) == Err(mpsc::RecvTimeoutError::Timeout) {
            output::complain(&notice);
        }
    });
    let result = work();
    drop(done);
    if let Ok(watch) = watch {
        // Join, so that the notice comes before the result.
        let _ = watch.join();
    }
    result
}
