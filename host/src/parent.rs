//! Notices when the process that started this one is gone.
//!
//! A client that is killed closes our stdin, unless something that it started holds the other end open: then
//! nothing but this tells us that we are an orphan.

use std::time::Duration;

use rustix::process::{Pid, getppid};

/// How often to look, where the system does not tell.
const LOOK: Duration = Duration::from_secs(5);

/// Waits until the parent is gone. A process without a parent to speak of waits for ever.
pub async fn gone() {
    match getppid() {
        // The first process of a system or container is no client.
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
        // It may have ended, and its number been given to another, before it was opened.
        && getppid() == Some(parent)
    {
        // Readable means ended; an error means that nobody will ever tell.
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
