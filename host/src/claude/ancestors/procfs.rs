//! Linux: `/proc/PID/stat` and `/proc/PID/cmdline`, as proc(5) describes them.

use std::{ffi::OsString, fs, io, os::unix::ffi::OsStringExt as _, path::PathBuf};

use rustix::io::Errno;

use super::{Seen, Why};

/// `PF_KTHREAD` from the kernel's `include/linux/sched.h`: the process is a kernel thread and runs no program.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Reads one process.
pub(super) fn look(pid: i32) -> Result<Seen, Why> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).map_err(|error| why(&error));
    see(pid, &read("stat")?, &read("cmdline")?)
}

/// Returns a variable of a process's environment, with the value from when the process started.
pub(super) fn variable(pid: i32, name: &str) -> Option<OsString> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|&byte| byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(OsString::from_vec(value.to_owned()))
}

/// Returns a process's working directory.
pub(super) fn directory(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn why(error: &io::Error) -> Why {
    match error.kind() {
        io::ErrorKind::NotFound => Why::Gone,
        // The process ended between opening and reading.
        _ if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Why::Gone,
        kind => Why::Failed(kind),
    }
}

fn see(pid: i32, stat: &[u8], cmdline: &[u8]) -> Result<Seen, Why> {
    let (parent, flags) = parent_and_flags(stat).ok_or(Why::NotUnderstood)?;
    // The process has ended or is between two programs. Do not confuse it with a kernel thread, which never had
    // arguments.
    if cmdline.is_empty() && pid != 1 && flags & KERNEL_THREAD == 0 {
        return Err(Why::NoArguments);
    }
    Ok(Seen { parent, arguments: arguments(cmdline) })
}

/// Parses `PID (NAME) STATE PARENT GROUP SESSION TERMINAL FOREGROUND FLAGS …`. The name may contain any character,
/// including spaces and parentheses.
fn parent_and_flags(stat: &[u8]) -> Option<(i32, u32)> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace().skip(1);
    Some((fields.next()?.parse().ok()?, fields.nth(4)?.parse().ok()?))
}

/// Splits the command line into arguments. Each ends with a zero byte, unless the process has overwritten them.
fn arguments(cmdline: &[u8]) -> Vec<String> {
    if cmdline.is_empty() {
        return Vec::new();
    }
    let cmdline = cmdline.strip_suffix(&[0]).unwrap_or(cmdline);
    cmdline.split(|&byte| byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_follows_any_name() {
        for (stat, expected) in [
            (&b"7 (bash) S 6 7 8 34816 -1 4194304 10"[..], Some((6, 0x0040_0000))),
            (b"7 (a) R 1 (b) S 6 7 7 0 -1 5 0", Some((6, 5))),
            (b"7 (tmux: server) S 1 7 7 0 -1 5 0", Some((1, 5))),
            (b"7 (\xff\n) Z 6 7 7 0 -1 5", Some((6, 5))),
            (b"2 (kthreadd) S 0 0 0 0 -1 2129984 0\n", Some((0, 0x0020_8040))),
            (b"7 (bash) S 6 7 7 0 -1", None),
            (b"7 (bash) S x 7 7 0 -1 5", None),
            (b"7 bash S 6 7 7 0 -1 5", None),
            (b"", None),
        ] {
            assert_eq!(parent_and_flags(stat), expected, "{}", stat.escape_ascii());
        }
    }

    #[test]
    fn arguments_are_separate_and_empty_ones_are_kept() {
        for (cmdline, expected) in [
            (&b""[..], &[][..]),
            (b"bash\0", &["bash"]),
            (b"bash\0-c\0claude \"a b\"\0", &["bash", "-c", "claude \"a b\""]),
            (b"claude\0\0", &["claude", ""]),
            (b"\0", &[""]),
            (b"nginx: master process", &["nginx: master process"]),
            (b"a\xff\0b\0", &["a\u{fffd}", "b"]),
        ] {
            assert_eq!(arguments(cmdline), expected, "{}", cmdline.escape_ascii());
        }
    }

    #[test]
    fn only_processes_of_the_system_have_no_arguments() {
        let none = Ok(Seen { parent: 0, arguments: Vec::new() });
        assert_eq!(see(2, b"2 (kthreadd) S 0 0 0 0 -1 2129984 0", b""), none);
        assert_eq!(see(1, b"1 (init) S 0 1 1 0 -1 4194560 0", b""), none);
        assert_eq!(see(9, b"9 (claude) Z 5 9 9 0 -1 4194304 0", b""), Err(Why::NoArguments));
        assert_eq!(see(9, b"9 (claude) S 5 9 9 0 -1 4194304 0", b""), Err(Why::NoArguments));
        assert_eq!(see(9, b"nonsense", b"a\0"), Err(Why::NotUnderstood));
    }

    #[test]
    fn environment_and_directory_of_a_process_are_seen() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo; read line"])
            .current_dir("/")
            .env_clear()
            .env("PLACE", "a=b c")
            .env("PLACE2", "other")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(variable(pid, "PLACE"), Some("a=b c".into()));
        assert_eq!(variable(pid, "PLAC"), None);
        assert_eq!(directory(pid), Some("/".into()));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!((variable(pid, "PLACE"), directory(pid)), (None, None));
    }

    #[test]
    fn every_failure_has_its_reason() {
        for (error, expected) in [
            (Errno::NOENT, Why::Gone),
            (Errno::SRCH, Why::Gone),
            (Errno::ACCESS, Why::Failed(io::ErrorKind::PermissionDenied)),
            (Errno::PERM, Why::Failed(io::ErrorKind::PermissionDenied)),
        ] {
            assert_eq!(why(&error.into()), expected, "{error:?}");
        }
    }
}
