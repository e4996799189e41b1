//! Notices when the process that started this one is gone.
//!
//! A client that is killed closes our stdin, unless one of its other child processes holds the other end open. In that
//! case, only this module notices that the client is gone.

use std::time::Duration;

use rustix::process::{Pid, getppid};

/// How often to check the parent if the system sends no notice.
const LOOK: Duration = Duration::from_secs(5);

/// Waits until the parent is gone. Without a real parent, waits forever.
pub async fn gone() {
    match getppid() {
        // The first process of a system or container is not a client.
        None | Some(Pid::INIT) => std::future::pending().await,
        Some(parent) => {
            wait(parent).await;
            tracing::info!("the process that started this one is gone");
        }
    }
}

#[cfg(target_os = "linux")]
async fn wait(parent: Pid) {
    use std::os::fd::OwnedFd;

    use rustix::process::{PidfdFlags, pidfd_open};
    use tokio::io::{Interest, unix::AsyncFd};
    let register = |descriptor: OwnedFd| {
        // SAFETY: the descriptor is open, and the `AsyncFd` owns it until both are dropped.
        #[expect(unsafe_code, reason = "tokio cannot see that an OwnedFd keeps its descriptor")]
        unsafe {
            AsyncFd::register_with_interest(descriptor, Interest::READABLE)
        }
    };
    if let Ok(descriptor) = pidfd_open(parent, PidfdFlags::NONBLOCK)
        && let Ok(descriptor) = register(descriptor)
        // The parent may have ended, and its number may have been reused, before this descriptor was opened.
        && getppid() == Some(parent)
    {
        // Readable means that the parent has ended. After an error, no notice will come.
        if descriptor.readable().await.is_ok() {
            return;
        }
    }
    look(parent).await;
}

#[cfg(not(target_os = "linux"))]
async fn wait(parent: Pid) {
    look(parent).await;
}

async fn look(parent: Pid) {
    while getppid() == Some(parent) {
        tokio::time::sleep(LOOK).await;
    }
}
