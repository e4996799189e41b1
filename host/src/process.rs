//! Other processes: whether a process runs, and which process has a port.

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// Returns true if a process with this number runs, whichever user owns it. A zombie, which has ended but was not
/// reaped by its parent, does not count where the system can tell.
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
    // Readable means that the process has ended.
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(not(target_os = "linux"))]
fn has_ended(_pid: Pid) -> bool {
    false
}

/// Returns the number and name of the process that listens on this TCP port. The system usually shows only processes of
/// the same user.
#[cfg(target_os = "linux")]
pub fn listens_on(port: u16) -> Option<(u32, String)> {
    use std::fs;
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: Vec<String> =
        tables.iter().flat_map(|table| table.lines().filter_map(|line| listening(line, port))).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.into_iter().find(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.into_iter().any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().to_owned()))
}

/// Returns `None`: this system does not show which process listens on a port.
#[cfg(not(target_os = "linux"))]
pub fn listens_on(_port: u16) -> Option<(u32, String)> {
    None
}

/// Returns `socket:[INODE]` from a line of `/proc/net/tcp` if the socket listens on this port: see `proc_net_tcp` in
/// the kernel's documentation.
#[cfg(target_os = "linux")]
fn listening(line: &str, port: u16) -> Option<String> {
    /// `TCP_LISTEN` in the kernel's `include/net/tcp_states.h`.
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let at = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    (at == port && *state == LISTEN).then(|| format!("socket:[{inode}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_that_has_a_port_is_found() {
        let line = "   2: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0 100 0";
        assert_eq!(listening(line, 8787).as_deref(), Some("socket:[12345]"));
        assert_eq!(listening(line, 8788), None);
        assert_eq!(listening(&line.replace(" 0A ", " 01 "), 8787), None);
        assert_eq!(listening("  sl  local_address rem_address   st tx_queue", 8787), None);
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listens_on(port).map(|(pid, _)| pid), Some(std::process::id()));
    }

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
