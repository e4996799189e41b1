//! Work that may wait for another process, while a person waits for it.

use std::{sync::mpsc, thread, time::Duration};

use super::output;

/// After so long a person wants to know why nothing happens.
const SILENT: Duration = Duration::from_secs(1);

/// Does this, and says on standard error what it most likely waits for, if it takes long.
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
        // It says its line before that of the result.
        let _ = watch.join();
    }
    result
}
