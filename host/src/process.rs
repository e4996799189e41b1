//! Whether another process still runs.

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// Whether a process with this number runs, whoever it belongs to. One that has ended and that its parent has not asked
/// about does not, where the system can tell.
pub fn runs(process: u32) -> bool {
    let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return false };
    if matches!(test_kill_process(pid), Err(Errno::SRCH)) {
        return false;
    }
    !has_ended(pid)
}

#[cfg(target_os = "linux")]
fn has_ended(pid: Pid) -> bool {
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{PidfdFlags, pidfd_open},
    };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // Readable means ended.
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(not(target_os = "linux"))]
fn has_ended(_pid: Pid) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_has_ended() {
        assert!(runs(std::process::id()));
        assert!(!runs(0) && !runs(u32::MAX));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(runs(child.id()));
        child.kill().unwrap();
        if cfg!(target_os = "linux") {
            while runs(child.id()) {
                std::thread::yield_now();
            }
        }
        child.wait().unwrap();
        assert!(!runs(child.id()));
    }
}
