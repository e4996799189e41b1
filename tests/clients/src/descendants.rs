//! The processes that this process has started, directly or indirectly. Other processes are not affected.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

use crate::wait;

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Descendant {
    id: i32,
    /// Its command line.
    pub(crate) command: String,
}

/// Makes this process the parent of all orphans below it, so that it can find all of them.
pub(crate) fn adopt() -> anyhow::Result<()> {
    set_child_subreaper(Some(getpid())).context("cannot become the parent of orphans")
}

/// Returns all running descendants. Reaps orphans that have ended.
pub(crate) fn running() -> BTreeSet<Descendant> {
    let mut found = BTreeSet::new();
    let own = getpid().as_raw_nonzero().get();
    let mut parents = vec![own];
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            parents.push(child);
            if has_ended(child) {
                // A client's own end is for its session to see; it is waited for there before anyone looks here.
                if parent == own
                    && let Some(pid) = Pid::from_raw(child)
                {
                    let _ = waitpid(Some(pid), WaitOptions::NOHANG);
                }
                continue;
            }
            found.insert(Descendant { id: child, command: command(child) });
        }
    }
    found
}

/// Waits until all have ended; otherwise kills the remaining ones by id, and returns them.
pub(crate) fn gone(patience: Duration) -> BTreeSet<Descendant> {
    let end = |signal: Option<Signal>| {
        wait::until("the end of all processes", patience, || {
            let left = running();
            if let Some(signal) = signal {
                for process in &left {
                    if let Some(pid) = Pid::from_raw(process.id) {
                        let _ = kill_process(pid, signal);
                    }
                }
            }
            Ok(left.is_empty().then_some(()))
        })
    };
    if end(None).is_ok() {
        return BTreeSet::new();
    }
    let left = running();
    let _ = end(Some(Signal::KILL));
    left
}

fn children(parent: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

/// Returns whether it is only a zombie that its parent has not reaped yet.
fn has_ended(id: i32) -> bool {
    // The state follows the name, which is in parentheses and may contain any character: proc_pid_stat(5).
    fs::read_to_string(format!("/proc/{id}/stat"))
        .map_or(true, |stat| stat.rsplit_once(") ").is_none_or(|(_, fields)| fields.starts_with(['Z', 'X'])))
}

fn command(id: i32) -> String {
    let text = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words: Vec<_> = text.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.join(" ").trim().to_owned()
}
