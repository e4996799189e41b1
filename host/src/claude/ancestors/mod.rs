//! The processes above this one, from its parent up to the first process of the system.

mod client;
#[cfg(target_os = "linux")]
mod procfs;
#[cfg(any(not(target_os = "linux"), test))]
mod ps;

use std::{ffi::OsString, io, path::PathBuf};

use rustix::process::{Pid, getppid};

#[cfg(target_os = "linux")]
use self::procfs::look;
#[cfg(not(target_os = "linux"))]
use self::ps::look;

pub(super) use client::own_arguments;
pub use client::{is_claude_code, nearest_claude_code};

/// The largest number of processes to look at. A session in a terminal has about ten above it.
const LIMIT: usize = 64;

/// A process above this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// Its command line, starting with the program. Bytes that are not UTF-8 are replaced. Empty for kernel threads,
    /// and possibly for process 1. A process can overwrite its command line.
    pub arguments: Vec<String>,
}

impl Process {
    /// Returns a variable from the environment that the process was started with, where the system shows that.
    pub(in crate::claude) fn variable(&self, name: &str) -> Option<OsString> {
        #[cfg(target_os = "linux")]
        return procfs::variable(self.pid, name);
        #[cfg(not(target_os = "linux"))]
        return None;
    }

    /// Returns the working directory of the process, where the system shows that.
    pub(in crate::claude) fn directory(&self) -> Option<PathBuf> {
        #[cfg(target_os = "linux")]
        return procfs::directory(self.pid);
        #[cfg(not(target_os = "linux"))]
        return None;
    }
}

/// An ancestor that could not be read. The processes above it are then unknown too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("process {pid}, from which this one descends, cannot be looked at: {why}")]
pub struct Unreadable {
    /// Its process id.
    pub pid: i32,
    /// The reason.
    pub why: Why,
}

/// The reason why a process could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The system does not list it.
    #[error("it has just ended, or the system hides other users' processes")]
    Gone,
    /// It runs no program at the moment.
    #[error("it has no arguments: it is ending, or just beginning another program")]
    NoArguments,
    /// The system reports an error.
    #[error("{0}")]
    Failed(io::ErrorKind),
    /// The system's answer has an unknown format.
    #[error("what the system says about it is not understood")]
    NotUnderstood,
    /// There are more than 64 processes.
    #[error("there are already {LIMIT} processes between it and this one")]
    TooMany,
}

/// What the system reports about one process.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    parent: i32,
    arguments: Vec<String>,
}

/// Returns all processes above this one, starting with the parent. The last is the first process of the system or
/// container, or the process whose parent is outside of the container.
///
/// Fails if any of them cannot be read, because an incomplete list could lack Claude Code. Also fails for more than 64
/// processes.
pub fn ancestors() -> Result<Vec<Process>, Unreadable> {
    climb(parent(), look).collect()
}

/// Returns a process and all processes above it, starting with the process itself. Otherwise like [`ancestors`].
pub(super) fn line(pid: i32) -> Result<Vec<Process>, Unreadable> {
    climb(pid, look).collect()
}

/// Returns the nearest Claude Code process above this one. Does not look at the processes above that one, so they may
/// be unreadable.
pub fn claude_code() -> Result<Option<Process>, Unreadable> {
    first_claude_code(climb(parent(), look))
}

/// Returns a non-empty variable from the environment in which the nearest Claude Code above this process was started,
/// where the system shows it.
pub(super) fn client_variable(name: &str) -> Option<OsString> {
    // Other systems do not show the environment of a process, and the search for Claude Code is slow there.
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    claude_code().ok()??.variable(name).filter(|value| !value.is_empty())
}

fn parent() -> i32 {
    Pid::as_raw(getppid())
}

fn first_claude_code(
    mut steps: impl Iterator<Item = Result<Process, Unreadable>>,
) -> Result<Option<Process>, Unreadable> {
    steps.find(|step| step.as_ref().map_or(true, |process| is_claude_code(&process.arguments))).transpose()
}

/// Iterates over the processes from this one upwards. The first error is the last item. A cycle of parents ends at the
/// limit.
fn climb(
    from: i32,
    mut look: impl FnMut(i32) -> Result<Seen, Why>,
) -> impl Iterator<Item = Result<Process, Unreadable>> {
    let mut next = from;
    let mut left = LIMIT;
    std::iter::from_fn(move || {
        let pid = next;
        // The first process has no parent, which the system reports as 0.
        if pid <= 0 {
            return None;
        }
        let seen = if left == 0 { Err(Why::TooMany) } else { look(pid) };
        left = left.saturating_sub(1);
        Some(match seen {
            Ok(Seen { parent, arguments }) => {
                next = parent;
                Ok(Process { pid, arguments })
            }
            Err(why) => {
                next = 0;
                Err(Unreadable { pid, why })
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        process::{Command, Stdio},
    };

    use super::*;

    fn seen(parent: i32, arguments: &[&str]) -> Seen {
        Seen { parent, arguments: arguments.iter().map(|&argument| argument.to_owned()).collect() }
    }

    /// Simulates a process tree: 40 is `bash`, 30 is `claude`, 20 cannot be read, 10 is `sshd`, 1 is the first process.
    fn look_at_some(pid: i32) -> Result<Seen, Why> {
        match pid {
            40 => Ok(seen(30, &["bash"])),
            30 => Ok(seen(20, &["claude", "--channels"])),
            20 => Err(Why::Failed(io::ErrorKind::PermissionDenied)),
            10 => Ok(seen(1, &["sshd"])),
            1 => Ok(seen(0, &[])),
            _ => Err(Why::Gone),
        }
    }

    /// Returns the process id of a child and the result of `look` while it ran. The child has ended when this returns.
    pub(super) fn look_at_a_child<T>(argument: &str, look: fn(i32) -> T) -> (i32, T) {
        let mut child = Command::new("sh")
            .args(["-c", "echo; read line", argument])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // Until the child writes, it may still be between fork and exec.
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let seen = look(pid);
        drop(child.stdin.take());
        child.wait().unwrap();
        (pid, seen)
    }

    fn all(from: i32) -> Result<Vec<Process>, Unreadable> {
        climb(from, look_at_some).collect()
    }

    #[test]
    fn the_way_up_ends_at_the_first_process() {
        let pids: Vec<i32> = all(10).unwrap().iter().map(|process| process.pid).collect();
        assert_eq!(pids, [10, 1]);
        assert_eq!(all(0), Ok(Vec::new()), "the parent is outside of the container");
    }

    #[test]
    fn a_process_that_cannot_be_looked_at_is_named() {
        for (from, pid, why, text) in [
            (
                40,
                20,
                Why::Failed(io::ErrorKind::PermissionDenied),
                "process 20, from which this one descends, cannot be looked at: permission denied",
            ),
            (
                5,
                5,
                Why::Gone,
                "process 5, from which this one descends, cannot be looked at: it has just ended, or the \
                 system hides other users' processes",
            ),
        ] {
            let error = all(from).unwrap_err();
            assert_eq!(error, Unreadable { pid, why });
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn nothing_is_looked_at_above_an_error_or_without_end() {
        assert_eq!(climb(20, look_at_some).take(2).count(), 1);
        let circle = |pid| Ok(seen(5 - pid, &["a shell"]));
        let steps: Vec<_> = climb(2, circle).take(2 * LIMIT).collect();
        assert_eq!(steps.len(), LIMIT + 1);
        assert_eq!(steps.last(), Some(&Err(Unreadable { pid: 2, why: Why::TooMany })));
        let straight = |pid| Ok(seen(pid - 1, &["a shell"]));
        assert_eq!(climb(64, straight).count(), 64);
        assert!(climb(64, straight).all(|step| step.is_ok()), "as many as the limit are not too many");
    }

    #[test]
    fn processes_above_claude_code_need_not_be_readable() {
        let found = first_claude_code(climb(40, look_at_some)).unwrap().unwrap();
        assert_eq!(found.pid, 30);
        assert_eq!(first_claude_code(climb(10, look_at_some)), Ok(None));
        assert!(first_claude_code(climb(20, look_at_some)).is_err());
    }

    #[test]
    fn this_process_has_ancestors() {
        let found = ancestors().unwrap();
        assert_eq!(found.first().map(|process| process.pid), Some(parent()));
        // The process that starts a test has a command line.
        assert!(found.first().is_some_and(|process| !process.arguments.is_empty()));
        assert!(found.iter().all(|process| process.pid > 0));
        assert_eq!(claude_code().unwrap(), nearest_claude_code(&found).cloned());
    }

    #[test]
    fn a_child_sees_what_started_it() {
        let (pid, seen) = look_at_a_child("claude (1) ä", look);
        let seen = seen.unwrap();
        assert_eq!(seen.parent, Pid::as_raw(Some(rustix::process::getpid())));
        if cfg!(target_os = "linux") {
            assert_eq!(seen.arguments, ["sh", "-c", "echo; read line", "claude (1) ä"]);
        }
        assert_eq!(look(pid), Err(Why::Gone));
    }
}
