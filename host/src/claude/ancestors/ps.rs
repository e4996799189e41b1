//! Other systems (macOS): `/bin/ps`, which may read more than this process may, and needs no unsafe code here.
//!
//! `ps` prints the arguments on one line, so they can only be split at white space: an argument that contains a space
//! becomes several, and an empty one disappears. The program's path is requested separately and keeps its spaces.

use std::{
    io,
    process::{Command, Stdio},
};

use super::{Seen, Why};

/// Reads one process.
pub(super) fn look(pid: i32) -> Result<Seen, Why> {
    // Use one option per column: BSD's ps reads a comma after `=` as text of the heading.
    let line = ask(pid, &["-o", "ppid=", "-o", "command="])?;
    see(&line, ask(pid, &["-o", "comm="])?.trim())
}

fn ask(pid: i32, columns: &[&str]) -> Result<String, Why> {
    let output = Command::new("/bin/ps")
        .args(columns)
        .args(["-ww", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| Why::Failed(error.kind()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // For a process id that does not exist, ps fails and prints no line.
    if text.trim().is_empty() { Err(Why::Gone) } else { Ok(text) }
}

fn see(line: &str, program: &str) -> Result<Seen, Why> {
    let line = line.trim();
    let (parent, command) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let parent = parent.parse().map_err(|_| Why::NotUnderstood)?;
    let command = command.trim_start();
    if command.ends_with("<defunct>") {
        return Err(Why::NoArguments);
    }
    // The command is only a name in parentheses: ps was not allowed to read the arguments, or they no longer exist.
    if command.starts_with('(') && command.ends_with(')') {
        return Err(Why::Failed(io::ErrorKind::PermissionDenied));
    }
    Ok(Seen { parent, arguments: arguments(command, program) })
}

fn arguments(command: &str, program: &str) -> Vec<String> {
    let rest = command.strip_prefix(program).filter(|rest| rest.is_empty() || rest.starts_with(' '));
    let (program, rest) = match rest {
        Some(rest) if !program.is_empty() => (Some(program), rest),
        _ => (None, command),
    };
    program.into_iter().chain(rest.split_whitespace()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::look_at_a_child, *};

    #[test]
    fn a_line_is_a_parent_and_arguments() {
        for (line, program, parent, arguments) in [
            ("  501 claude --channels a\n", "claude", 501, &["claude", "--channels", "a"][..]),
            ("1 -zsh", "-zsh", 1, &["-zsh"]),
            ("    0 /sbin/launchd\n", "/sbin/launchd", 0, &["/sbin/launchd"]),
            (
                "5 /Library/Application Support/claude -p",
                "/Library/Application Support/claude",
                5,
                &["/Library/Application Support/claude", "-p"],
            ),
            // A program path is ignored if it is truncated or if the command does not begin with it.
            ("5 /opt/claude-wrapper -p", "/opt/claude", 5, &["/opt/claude-wrapper", "-p"]),
            ("5 node /x/cli.js", "MainThread", 5, &["node", "/x/cli.js"]),
            ("5 node x", "", 5, &["node", "x"]),
            ("2", "", 2, &[]),
        ] {
            let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
            assert_eq!(see(line, program), Ok(Seen { parent, arguments }), "{line}");
        }
    }

    #[test]
    fn a_line_without_arguments_to_read_is_an_error() {
        let denied = Why::Failed(io::ErrorKind::PermissionDenied);
        for (line, expected) in [
            ("5 (claude)", denied),
            ("5 <defunct>", Why::NoArguments),
            ("5 [claude] <defunct>", Why::NoArguments),
            ("claude", Why::NotUnderstood),
            ("", Why::NotUnderstood),
        ] {
            assert_eq!(see(line, "claude"), Err(expected), "{line}");
        }
    }

    #[test]
    fn ps_reports_a_real_process() {
        // Some Linux systems have no ps, and tidegate does not use it there.
        if cfg!(target_os = "linux") && !std::path::Path::new("/bin/ps").exists() {
            return;
        }
        let (pid, seen) = look_at_a_child("a b", look);
        let seen = seen.unwrap();
        assert_eq!(seen.parent, i32::try_from(std::process::id()).unwrap());
        assert_eq!(seen.arguments, ["sh", "-c", "echo;", "read", "line", "a", "b"]);
        assert_eq!(look(pid), Err(Why::Gone));
    }
}
