//! Recognises a Claude Code process by its command line.

use super::Process;

/// An interpreter, with what is needed to find the script among its arguments.
struct Interpreter {
    names: &'static [&'static str],
    /// The subcommand that may come before a script.
    subcommand: Option<&'static str>,
    /// Options whose value is the next argument. All other options have no value, or the value follows `=`.
    valued: &'static [&'static str],
    /// Options whose value is code. An interpreter that has one of them runs no script.
    code: &'static [&'static str],
}

/// The interpreters, from each program's `--help`. Node's options for testing, profiling and reports are omitted.
const INTERPRETERS: [Interpreter; 3] = [
    Interpreter {
        names: &["node", "nodejs"],
        subcommand: None,
        valued: &[
            "-C",
            "--conditions",
            "--debug-port",
            "--diagnostic-dir",
            "--disable-proto",
            "--disable-warning",
            "--dns-result-order",
            "--env-file",
            "--env-file-if-exists",
            "--experimental-default-type",
            "--experimental-loader",
            "--icu-data-dir",
            "--import",
            "--input-type",
            "--inspect-port",
            "--loader",
            "--max-http-header-size",
            "--openssl-config",
            "-r",
            "--redirect-warnings",
            "--require",
            "--secure-heap",
            "--secure-heap-min",
            "--title",
            "--tls-cipher-list",
            "--tls-keylog",
            "--trace-event-categories",
            "--unhandled-rejections",
            "--use-largepages",
            "--v8-pool-size",
        ],
        code: &["-e", "--eval", "-p", "-pe", "--print"],
    },
    Interpreter {
        names: &["bun"],
        subcommand: Some("run"),
        valued: &[
            "-c",
            "--conditions",
            "--config",
            "--cwd",
            "-d",
            "--define",
            "--env-file",
            "--import",
            "-l",
            "--loader",
            "-r",
            "--preload",
            "--require",
            "--title",
            "--tsconfig-override",
        ],
        code: &["-e", "--eval", "-p", "--print"],
    },
    Interpreter {
        names: &["deno"],
        subcommand: Some("run"),
        valued: &[
            "-c",
            "--cert",
            "--config",
            "--ext",
            "--import-map",
            "-L",
            "--location",
            "--log-level",
            "--preload",
            "--seed",
        ],
        code: &[],
    },
];

/// Returns true if this is the command line of Claude Code: its own program (`claude`, or a version of it such as
/// `…/claude/versions/2.1.197`), or an interpreter with its script. Returns false for a shell that starts Claude
/// Code, and for a program with `claude` among its arguments.
pub fn is_claude_code(arguments: &[String]) -> bool {
    own_arguments(arguments).is_some()
}

/// Returns the first of these processes that is Claude Code.
pub fn nearest_claude_code(ancestors: &[Process]) -> Option<&Process> {
    ancestors.iter().find(|process| is_claude_code(&process.arguments))
}

/// Returns the arguments of Claude Code itself, which follow its program or script, or `None` if this is not Claude
/// Code.
pub(in crate::claude) fn own_arguments(arguments: &[String]) -> Option<&[String]> {
    let (program, rest) = arguments.split_first()?;
    if is_program(program) {
        return Some(rest);
    }
    let name = file_name(program);
    let interpreter = INTERPRETERS.iter().find(|interpreter| interpreter.names.contains(&name))?;
    let (script, rest) = interpreter.script(rest)?;
    is_script(script).then_some(rest)
}

impl Interpreter {
    /// Returns the script and the arguments that follow it.
    fn script<'a>(&self, arguments: &'a [String]) -> Option<(&'a str, &'a [String])> {
        let mut left = arguments;
        let mut subcommand = self.subcommand;
        loop {
            let (argument, rest) = left.split_first()?;
            let option = argument.split_once('=').map_or(argument.as_str(), |(option, _)| option);
            left = match argument.as_str() {
                "--" => return rest.split_first().map(|(script, rest)| (script.as_str(), rest)),
                // The interpreter reads the script from standard input.
                "-" => return None,
                _ if self.code.contains(&option) => return None,
                whole if self.valued.contains(&whole) => rest.get(1..)?,
                whole if whole.starts_with('-') => rest,
                whole if subcommand.take() == Some(whole) => rest,
                script => return Some((script, rest)),
            };
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_program(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("claude" | "claude.exe"), ..) => true,
        (Some(version), Some("versions"), Some("claude")) => {
            version.starts_with(|first: char| first.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_script(path: &str) -> bool {
    // Makes a path relative to the working directory match like an absolute one.
    let path = format!("/{path}");
    file_name(&path) == "claude"
        || path.contains("/@anthropic-ai/claude-code/")
        || path.contains("/claude-code/cli.js")
        // Deno runs a package by its name.
        || path.starts_with("/npm:@anthropic-ai/claude-code")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(|&argument| argument.to_owned()).collect()
    }

    #[test]
    fn claude_code_is_known_by_its_program_or_script() {
        const NPM: &str = "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js";
        for arguments in [
            &["claude"][..],
            &["claude", "--channels", "plugin:a@b"],
            &["/home/ada/.local/bin/claude", "-p", "hello"],
            &["/mnt/c/bin/claude.exe"],
            &["/home/ada/.local/share/claude/versions/2.1.197", "--resume"],
            &["node", "/usr/local/bin/claude"],
            &["/usr/bin/node", NPM],
            &["/opt/node-22/bin/node", "--no-warnings", "--enable-source-maps", NPM, "-c"],
            &["node", "--require", "./hook.js", "--max-old-space-size=4096", NPM],
            &["node", "--import=./hook.js", "--", NPM],
            &["node", "./claude-code/cli.js"],
            &["node", "@anthropic-ai/claude-code/cli.js"],
            &["bun", "/home/ada/.bun/bin/claude"],
            &["bun", "run", "--cwd", "/tmp", "/x/claude-code/cli.js"],
            &["bun", "--preload", "./hook.ts", "run", "claude"],
            &["deno", "run", "-A", "--config", "deno.json", "npm:@anthropic-ai/claude-code@2.1.197"],
        ] {
            assert!(is_claude_code(&owned(arguments)), "{arguments:?}");
        }
    }

    #[test]
    fn a_program_that_only_mentions_claude_is_not_claude_code() {
        for arguments in [
            &[][..],
            &[""],
            &["bash", "-c", "claude --channels plugin:a@b"],
            &["sh", "/usr/local/bin/claude"],
            &["vim", "claude.md"],
            &["/home/claude/bin/zsh"],
            &["/claude/"],
            &["tidegate", "serve", "claude"],
            &["grep", "claude"],
            &["claude-desktop"],
            &["claude.sh"],
            &["Claude"],
            &["/opt/claude/versions/manager"],
            &["/opt/claude/versions/2.1.197/bin/zsh"],
            &["/opt/other/versions/2.1.197"],
            &["sudo", "claude"],
            &["node"],
            &["node", "server.js", "/usr/bin/claude"],
            &["node", "--no-warnings", "server.js", "claude"],
            &["node", "claude.js"],
            &["node", "run", "claude"],
            &["node", "-r", "/usr/bin/claude", "server.js"],
            &["node", "-r"],
            &["node", "-e", "code", "/usr/bin/claude"],
            &["node", "--eval=code", "/usr/bin/claude"],
            &["node", "-", "claude"],
            &["node", "--"],
            &["node", "/home/claude-code/cli.test.js"],
            &["node", "/opt/claude-code-router/cli.js"],
            &["bun", "run", "run", "claude"],
            &["deno", "task", "claude"],
            &["python3", "/usr/bin/claude"],
            &["nodemon", "/usr/bin/claude"],
        ] {
            assert!(!is_claude_code(&owned(arguments)), "{arguments:?}");
        }
    }

    #[test]
    fn arguments_of_an_interpreter_are_not_those_of_claude_code() {
        for (arguments, own) in [
            (&["claude", "-p", "hello"][..], &["-p", "hello"][..]),
            (&["node", "--title", "x", "--", "/usr/bin/claude", "--", "x"], &["--", "x"]),
            (&["bun", "run", "/usr/bin/claude"], &[]),
        ] {
            assert_eq!(own_arguments(&owned(arguments)), Some(&*owned(own)), "{arguments:?}");
        }
    }

    #[test]
    fn the_nearest_of_several_processes_counts() {
        let process = |pid, arguments: &[&str]| Process { pid, arguments: owned(arguments) };
        let all =
            [process(9, &["sh"]), process(8, &["claude", "a"]), process(7, &["claude"]), process(1, &[])];
        assert_eq!(nearest_claude_code(&all).map(|process| process.pid), Some(8));
        assert_eq!(nearest_claude_code(&all[..1]), None);
    }
}
