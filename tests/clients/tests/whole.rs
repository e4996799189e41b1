//! Tests of the whole run, against a small client that does everything correctly, or makes one mistake.

#![cfg(target_os = "linux")]
#![expect(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The replacement for `clients.toml`; `FLAW` is one more argument for both runs.
const DESCRIPTION: &str = r#"
[stand-in]
title = "Stand-in"
program = "PROGRAM"
version = ["--version"]
tool = "{server}/{tool}"
# Whoever runs these tests may be a session that was started without this channel.
opt_in = "always"
# Shared, so that each component is compiled once.
environment = { STAND_IN_MODEL = "{model}", XDG_CACHE_HOME = "COMPILED" }

[stand-in.headless]
arguments = ["--print", "--mcp-config", "{config}", "--log", "{log}", FLAW]

[stand-in.interactive]
arguments = ["--log", "{log}", "--channel", "{server}", FLAW]
ready = ["ready for a prompt"]
cursor = "❯"
exit = "/exit"
onboarding = {}

[stand-in.plugin]
install = [["--install", "{marketplace}/plugins/{plugin}", FLAW]]
server = "plugin:{plugin}:{plugin}"
tools = "plugin:{plugin}:{plugin}"
arguments = ["--log", "{log}", "--channel", "{server}", "--plugin", "{plugin}", FLAW]
data = "data/{plugin}-tidegate"

[stand-in.plugin.reconnect]
command = "/restart"
done = "All have started again"
dialogs = [{ shows = "All servers", choose = "Start again" }]

[stand-in.verdict]
pattern = 'stand-in: {server} (?:registered|skipped: (?<reason>.*))'
unavailable = ["not on this day"]

[stand-in.permission]
tool = "Shell"
input = { command = "touch {file}" }

[stand-in.form]
shows = "A server has a question"
accept = "Send"

[[stand-in.dialogs]]
shows = "Do you trust this folder?"
choose = "Yes"
"#;

/// Returns the program under test. `cargo test --workspace` builds it.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_clients")).with_file_name("tidegate");
    assert!(program.is_file(), "{} is not there: `cargo build` first", program.display());
    program
}

fn clients(folder: &Path, description: &str, arguments: &[&str]) -> Output {
    let descriptions = folder.join("clients.toml");
    fs::write(&descriptions, description).unwrap();
    Command::new(env!("CARGO_BIN_EXE_clients"))
        .arg("--program")
        .arg(program())
        .arg("--cache")
        .arg(folder)
        .arg("--descriptions")
        .arg(&descriptions)
        .args(arguments)
        .output()
        .unwrap()
}

/// A run's output lines, and whether it succeeded.
struct Run {
    lines: Vec<String>,
    success: bool,
}

impl Run {
    fn new(flaw: Option<&str>) -> Self {
        Self::described(DESCRIPTION, flaw)
    }

    fn described(description: &str, flaw: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flaw = flaw.map(|flaw| format!("\"--flaw={flaw}\"")).unwrap_or_default();
        let description = description
            .replace("PROGRAM", env!("CARGO_BIN_EXE_stand-in"))
            .replace("COMPILED", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
            .replace("FLAW", &flaw);
        let keep = folder.path().join("keep");
        let keep = format!("--keep={}", keep.display());
        Self::of(&clients(folder.path(), &description, &["--in-place", &keep, "stand-in"]))
    }

    fn of(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        println!("{text}{errors}");
        Self { lines: text.lines().map(str::to_owned).collect(), success: output.status.success() }
    }

    /// Returns the cell of a step.
    fn cell(&self, step: &str) -> &str {
        let row = self.lines.iter().find_map(|line| line.strip_prefix(step));
        row.unwrap_or_else(|| panic!("no row {step}")).trim()
    }

    /// Returns the failed steps.
    fn failed(&self) -> Vec<&str> {
        STEPS.into_iter().filter(|step| self.cell(step) == "FAIL").collect()
    }
}

const STEPS: [&str; 15] = [
    "handshake ",
    "tools listed and loaded ",
    "reply  ",
    "edit ",
    "failing call ",
    "push ",
    "reply to a push ",
    "permission request and verdict ",
    "dialogs ",
    "end without orphans ",
    "plugin: installed ",
    "plugin: without tidegate ",
    "plugin: /mcp, Reconnect ",
    "plugin: push ",
    "plugin: tools called ",
];

#[test]
fn a_client_that_does_everything_right_passes_every_step() {
    let run = Run::new(None);
    for step in STEPS {
        assert_eq!(run.cell(step), "PASS", "{step}");
    }
    assert!(run.success);
    assert_eq!(run.cell("step "), concat!("Stand-in ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_a_client_does_wrong_is_seen_in_its_step_and_in_no_other() {
    for (flaw, step, why) in [
        ("unread", STEPS[0], "instructions did not reach the model"),
        ("unloaded", STEPS[1], "fakechat/reply is listed but not loaded"),
        ("rosy", STEPS[4], "is_error: false"),
        ("disobedient", STEPS[7], "what was denied is not taken as denied"),
        ("fragile", STEPS[8], "the client has ended"),
        ("untidy", STEPS[9], "sleep 1000"),
        ("picky", STEPS[10], "this plugin is not good enough"),
        ("stuck", STEPS[12], "the model does not have plugin:fakechat:fakechat/reply"),
    ] {
        let run = Run::new(Some(flaw));
        let expected = match flaw {
            // Without the handshake no call is tried.
            "unread" => [&STEPS[..5], &STEPS[11..12]].concat(),
            // Nor does the model hear that what was denied has failed.
            "rosy" => vec![step, STEPS[7]],
            "fragile" => vec![step, STEPS[9]],
            // What comes after it is not tried.
            "picky" => STEPS[10..].to_vec(),
            "stuck" => STEPS[12..].to_vec(),
            _ => vec![step],
        };
        assert_eq!(run.failed(), expected, "{flaw}");
        assert!(run.lines.iter().any(|line| line.starts_with("  ") && line.contains(why)), "{flaw}");
        assert!(!run.success, "{flaw}");
    }
}

#[test]
fn a_client_without_plugins_fails_none_of_their_steps() {
    let (start, rest) = DESCRIPTION.split_once("[stand-in.plugin]").unwrap();
    let (_, end) = rest.split_once("[stand-in.verdict]").unwrap();
    let run = Run::described(&format!("{start}[stand-in.verdict]{end}"), None);
    for step in &STEPS[10..] {
        assert_eq!(run.cell(step), "not available here: it takes no plugins");
    }
    assert!(run.success);
}

#[test]
fn a_reason_of_the_clients_own_is_no_failure_and_any_other_is() {
    let pushed = [STEPS[5], STEPS[6], STEPS[7]];
    let run = Run::new(Some("unavailable"));
    for step in pushed {
        assert_eq!(run.cell(step), "not available here: not on this day");
    }
    assert!(run.failed().is_empty() && run.success);
    let run = Run::new(Some("refusing"));
    assert_eq!(run.failed(), pushed);
    assert!(run.lines.iter().any(|line| line.contains("the server is not to my taste")));
    assert!(!run.success);
}

#[test]
fn a_client_that_does_not_run_fails_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let description = DESCRIPTION.replace("PROGRAM", "/bin/false").replace("FLAW", "");
    let run = Run::of(&clients(folder.path(), &description, &["--in-place", "stand-in=/bin/false"]));
    assert_eq!(run.failed(), STEPS);
    assert!(!run.success);
    let kept = run.lines.iter().find_map(|line| line.strip_prefix("The logs are kept in ")).unwrap();
    assert!(Path::new(kept).is_dir());
    fs::remove_dir_all(kept).unwrap();
}

#[test]
fn clients_that_are_not_here_are_skipped_by_name_unless_they_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let description = DESCRIPTION.replace("PROGRAM", "no-such-program-anywhere").replace("FLAW", "");
    let output = clients(folder.path(), &description, &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{errors}");
    assert!(errors.starts_with("SKIPPED stand-in: Stand-in is not installed"), "{errors}");
    let output = clients(folder.path(), &description, &["stand-in"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("is not installed"), "{errors}");
}

/// A client that only records its network routes, in place of one that would use them.
const LISTS_ROUTES: &str = "#!/bin/sh\ncat /proc/net/dev /proc/net/route >\"$0.seen\"\nexit 1\n";

#[test]
fn a_client_is_started_where_no_route_leads_out_or_not_at_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("client");
    fs::write(&program, LISTS_ROUTES).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let description = DESCRIPTION.replace("PROGRAM", &program.to_string_lossy()).replace("FLAW", "");
    let named = format!("stand-in={}", program.display());
    let output = clients(
        folder.path(),
        &description,
        &["--keep", &format!("{}/keep", folder.path().display()), &named],
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{errors}");
    match fs::read_to_string(program.with_extension("seen")) {
        Ok(seen) => {
            let interfaces =
                seen.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
            assert_eq!(interfaces.filter(|name| *name == "lo").count(), 1, "{seen}");
            // The table of routes has its heading alone.
            assert!(seen.trim_end().lines().last().unwrap().starts_with("Iface"), "{seen}");
        }
        // This system gives no namespace to whoever runs the tests: then nothing may have been started.
        Err(_) => assert!(errors.contains("no client is started"), "{errors}"),
    }
}
