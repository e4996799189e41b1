//! Tests of storing the token at a terminal, and of what `tidegate doctor` reports about it.

use std::{
    fs::{self, Permissions},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use fake_telegram::{Fault, TOKEN};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use super::stage::{Stage, ada};
use crate::harness::{PATIENCE, Server};

/// A token of the right form that no bot has.
const WRONG: &str = "8086174200:AAwrong-token_of_the_right_shape_0";

/// The `PATH` of the system's programs, for processes that a test starts.
const PATH: &str = "/usr/bin:/bin";

/// The program at its own controlling terminal, with a person who types.
struct Conversation {
    terminal: Arc<OwnedFd>,
    path: String,
    status: PathBuf,
    shown: Arc<Mutex<Vec<u8>>>,
    /// The end of the output that was already waited for.
    read: usize,
}

impl Conversation {
    fn begin(program: &Command, status: PathBuf) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let path = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        // The shell ends at once, and what it leaves behind begins then: whatever runs these tests is no ancestor.
        let script = "exec 3<&0; { read -r _ <&3; exec 3<&-; setsid --ctty --wait \"$@\" <\"$TERMINAL\" >\"$TERMINAL\" 2>&1; \
                      echo $? >\"$STATUS\"; } &";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh"]).arg(program.get_program()).args(program.get_args());
        command.env_clear().env("PATH", PATH);
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERMINAL", &path).env("STATUS", &status);
        let mut shell = command.stdin(Stdio::piped()).spawn().unwrap();
        let gate = shell.stdin.take();
        assert!(shell.wait().unwrap().success());
        drop(gate);
        let (terminal, shown) = (Arc::new(terminal), Arc::new(Mutex::new(Vec::new())));
        let (from, to) = (Arc::clone(&terminal), Arc::clone(&shown));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Once nobody has the other end any more, reading fails.
            while let Ok(length) = rustix::io::read(&*from, &mut buffer) {
                to.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { terminal, path, status, shown, read: 0 }
    }

    /// Returns all output on the screen.
    fn shown(&self) -> String {
        String::from_utf8(self.shown.lock().unwrap().clone()).unwrap()
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "{what} does not come: {}", self.shown());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until this text is shown, after the text of the previous wait.
    fn wait(&mut self, text: &str) {
        self.until(text, || self.shown()[self.read..].contains(text));
        self.read += self.shown()[self.read..].find(text).unwrap() + text.len();
    }

    /// Types a secret once the program asks for it with echo off.
    fn secret(&mut self, secret: &str) {
        self.wait("(not shown): ");
        let hidden = || {
            let output = Command::new("stty").arg("-F").arg(&self.path).arg("-a").output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains("-echo ")
        };
        self.until("a terminal that echoes nothing", hidden);
        rustix::io::write(&*self.terminal, format!("{secret}\n").as_bytes()).unwrap();
    }

    /// Confirms that the stored token may be replaced.
    fn replace(&mut self) {
        self.wait("it is \u{1b}[1m@fake_telegram_bot");
        self.wait("Replace it? [y/N] ");
        rustix::io::write(&*self.terminal, b"y\n").unwrap();
    }

    /// Waits for the end; returns the exit code and all output.
    fn end(&self) -> (i32, String) {
        let status = || fs::read_to_string(&self.status).unwrap_or_default();
        self.until("its end", || status().ends_with('\n'));
        // What it has written last may still be on its way.
        let mut shown = self.shown();
        loop {
            thread::sleep(Duration::from_millis(20));
            let now = self.shown();
            if now.len() == shown.len() {
                return (status().trim().parse().unwrap(), shown);
            }
            shown = now;
        }
    }
}

/// Runs `tidegate configure telegram` with these additional arguments and variables.
fn configure(stage: &Stage, arguments: &[&str], environment: &[(&str, &str)]) -> Conversation {
    let mut command = stage.home.command(["configure", "telegram"].iter().chain(arguments));
    command.envs(environment.iter().copied());
    Conversation::begin(&command, stage.home.path().join("status"))
}

fn env(stage: &Stage) -> PathBuf {
    stage.folder().join(".env")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Checks that messages arrive with the current token.
fn works(stage: &Stage, server: &mut Server) {
    stage.platform.says(&ada(), &ada().chat(), "hello");
    assert_eq!(server.content(), "hello");
    assert!(!server.reply("42", "hello yourself").1);
}

/// Checks that messages arrive, and that the session is told so.
fn works_again(stage: &Stage, server: &mut Server) {
    stage.platform.says(&ada(), &ada().chat(), "at last");
    let mut told = [server.content(), server.content()];
    told.sort();
    assert_eq!(told, ["at last", "telegram: messages arrive again"]);
    works(stage, server);
}

#[test]
fn a_wrong_token_is_asked_for_again_and_the_right_one_is_kept() {
    let stage = Stage::new();
    fs::write(env(&stage), "# mine\nexport TELEGRAM_BOT_TOKEN=\"old\"\nOTHER=1\n").unwrap();
    fs::set_permissions(env(&stage), Permissions::from_mode(0o644)).unwrap();
    let mut conversation = configure(&stage, &[], &[]);
    conversation.wait("@BotFather");
    conversation.secret(WRONG);
    conversation.wait("✗");
    conversation.secret(TOKEN);
    let (code, shown) = conversation.end();
    assert_eq!(code, 0, "{shown}");
    for expected in [
        "@fake_telegram_bot",
        "https://t.me/fake_telegram_bot",
        "server:telegram",
        "tidegate try telegram",
        "tidegate access telegram pair CODE",
        env(&stage).to_str().unwrap(),
    ] {
        assert!(shown.contains(expected), "{expected} is not in {shown}");
    }
    for secret in [TOKEN, WRONG] {
        assert!(!shown.contains(secret.split_once(':').unwrap().1), "{shown}");
    }
    assert_eq!(
        fs::read_to_string(env(&stage)).unwrap(),
        format!("# mine\nOTHER=1\nTELEGRAM_BOT_TOKEN={TOKEN}\n")
    );
    assert_eq!(mode(&env(&stage)), 0o600);
    let mut server = stage.serve();
    works(&stage, &mut server);
}

#[test]
fn what_is_no_token_is_not_kept() {
    // Another paste goes to the prompt, and not to the shell. \x03 is Ctrl-C.
    for (typed, expected) in [
        (&[WRONG, WRONG, WRONG][..], "does not accept the bot token"),
        (&["https://api.telegram.org/bot1:x/getMe", "\x03"], "Was it copied whole"),
        (&["abc", "\x03"], "That is no TELEGRAM_BOT_TOKEN, which looks like 123456789:AA"),
        (&["", "\x03"], "Nothing was entered."),
        (&["two words", "abc", "\x03"], "spaces"),
    ] {
        let stage = Stage::new();
        let before = fs::read_to_string(env(&stage)).unwrap();
        let mut conversation = configure(&stage, &[], &[]);
        conversation.replace();
        for line in typed {
            conversation.secret(line);
        }
        let (code, shown) = conversation.end();
        assert!(code == 1 && shown.contains(expected), "{typed:?}: {code}: {shown}");
        assert!(shown.contains("nothing was stored"), "{typed:?}: {shown}");
        assert_eq!(fs::read_to_string(env(&stage)).unwrap(), before, "{typed:?}");
    }
}

#[test]
fn a_token_that_is_there_is_shown_by_its_bot_and_stays_unless_asked() {
    let stage = Stage::new();
    let before = fs::read_to_string(env(&stage)).unwrap();
    let mut conversation = configure(&stage, &[], &[]);
    conversation.wait("Replace it? [y/N] ");
    rustix::io::write(&*conversation.terminal, b"\n").unwrap();
    let (code, shown) = conversation.end();
    assert!(
        code == 0 && shown.contains("@fake_telegram_bot") && shown.contains("It stays as it is."),
        "{shown}"
    );
    assert_eq!(fs::read_to_string(env(&stage)).unwrap(), before);
}

#[test]
fn a_token_that_cannot_be_checked_is_not_kept() {
    let stage = Stage::new();
    fs::remove_file(env(&stage)).unwrap();
    stage.platform.stop();
    let mut conversation = configure(&stage, &[], &[]);
    conversation.secret(TOKEN);
    let (code, shown) = conversation.end();
    assert!(
        code == 1 && shown.contains("could not be checked") && shown.contains("cannot be reached"),
        "{shown}"
    );
    assert!(!shown.contains(TOKEN) && !env(&stage).exists());
}

#[test]
fn without_a_person_there_is_nothing_to_configure() {
    let stage = Stage::new();
    let before = fs::read_to_string(env(&stage)).unwrap();
    let output = stage.home.run(["configure", "telegram"], &format!("{WRONG}\n"));
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout);
    assert!(output.stderr.contains("this needs a person"), "{}", output.stderr);
    // At a terminal, and yet a model's.
    let conversation = configure(&stage, &[], &[("CLAUDE_CODE_CHILD_SESSION", "1")]);
    let (code, shown) = conversation.end();
    assert!(code == 1 && shown.contains("this needs a person"), "{shown}");
    assert_eq!(stage.platform.calls().len(), 0);
    assert_eq!(fs::read_to_string(env(&stage)).unwrap(), before);
}

#[test]
fn a_session_that_waits_for_the_token_takes_it_up() {
    let stage = Stage::new();
    fs::remove_file(env(&stage)).unwrap();
    let mut server = stage.serve();
    assert!(server.content().contains("tidegate configure telegram"));
    let mut conversation = configure(&stage, &[], &[]);
    conversation.secret(TOKEN);
    let (code, shown) = conversation.end();
    assert!(code == 0 && shown.contains("A session serves the channel already"), "{shown}");
    assert!(stage.status()["last_error"]["text"].as_str().unwrap().contains("tidegate configure telegram"));
    works_again(&stage, &mut server);
    // What is over is not shown any more, and who may write has a name.
    assert_eq!(stage.status()["last_error"], Value::Null);
    let status = stage.home.run(["status", "telegram"], "").stdout;
    assert!(status.contains("42 (ada_l)") && status.contains("just now ("), "{status}");
}

#[test]
fn a_token_in_the_environment_is_pointed_out() {
    let stage = Stage::new();
    let mut conversation = configure(&stage, &[], &[("TELEGRAM_BOT_TOKEN", WRONG)]);
    conversation.secret(TOKEN);
    let (code, shown) = conversation.end();
    assert!(code == 0 && shown.contains("TELEGRAM_BOT_TOKEN is set in this environment too"), "{shown}");
    assert!(!shown.contains(WRONG), "{shown}");
}

/// Creates a folder with a keyring's tool, which records its calls and stores its input.
fn keyring(stage: &Stage) -> String {
    let folder = stage.home.path().join("keyring");
    fs::create_dir(&folder).unwrap();
    let tool = folder.join("secret-tool");
    let script = "#!/bin/sh\ncd \"${0%/*}\" || exit 1\nprintf '%s\\n' \"$*\" >>arguments\n\
                  case $1 in\nstore) cat >kept ;;\nlookup) [ -e kept ] && cat kept ;;\nesac\n";
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).unwrap();
    format!("{}:{PATH}", folder.display())
}

#[test]
fn a_token_in_the_keyring_is_in_no_file_and_on_no_command_line() {
    let stage = Stage::new();
    let path = keyring(&stage);
    let mut conversation = configure(&stage, &["--keyring"], &[("PATH", &path)]);
    conversation.replace();
    conversation.secret(TOKEN);
    let (code, shown) = conversation.end();
    assert!(code == 0 && shown.contains("the system's keyring"), "{shown}");
    let keyring = stage.home.path().join("keyring");
    assert_eq!(fs::read_to_string(keyring.join("kept")).unwrap(), TOKEN);
    let stored = fs::read_to_string(env(&stage)).unwrap();
    assert!(stored.starts_with("TELEGRAM_BOT_TOKEN=keyring:") && stored.lines().count() == 1, "{stored}");

    let mut command = stage.command();
    command.env("PATH", &path);
    let mut server = Server::start(command);
    server.initialize();
    works(&stage, &mut server);
    let output = stage.home.command(["doctor", "telegram"]).env("PATH", &path).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("accepted: this is @fake_telegram_bot"), "{shown}");

    let called = fs::read_to_string(keyring.join("arguments")).unwrap();
    assert!(called.starts_with("store ") && called.contains("\nlookup "), "{called}");
    for text in [&stored, &called, &shown] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_keyring_that_is_locked_is_told_and_tried_again() {
    let stage = Stage::new();
    let before = fs::read_to_string(env(&stage)).unwrap();
    let script = stage.home.path().join("secret-tool");
    fs::write(&script, "#!/bin/sh\necho 'the collection is locked' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{PATH}", stage.home.path().display());
    let mut conversation = configure(&stage, &["--keyring"], &[("PATH", &path)]);
    conversation.replace();
    conversation.secret(TOKEN);
    let (code, shown) = conversation.end();
    assert!(code == 1 && shown.contains("the collection is locked"), "{shown}");
    assert_eq!(fs::read_to_string(env(&stage)).unwrap(), before);

    // A session that finds it locked says so, and goes on trying.
    fs::write(env(&stage), "TELEGRAM_BOT_TOKEN=keyring:TELEGRAM_BOT_TOKEN of somewhere\n").unwrap();
    let mut command = stage.command();
    command.env("PATH", &path);
    let mut server = Server::start(command);
    server.initialize();
    let text = server.content();
    assert!(text.contains("the collection is locked"), "{text}");
    fs::write(&script, format!("#!/bin/sh\nprintf '%s' '{TOKEN}'\n")).unwrap();
    works_again(&stage, &mut server);
}

/// Returns the checks of `tidegate doctor telegram`, and whether all passed.
fn doctor(stage: &Stage) -> (Vec<Value>, bool) {
    let output = stage.home.run(["doctor", "telegram", "--json"], "");
    assert!(!output.stdout.contains(TOKEN) && !output.stderr.contains(TOKEN), "{}", output.stdout);
    (serde_json::from_str(&output.stdout).unwrap(), output.status.success())
}

/// Returns the results of this check, each with its state.
fn found<'a>(checks: &'a [Value], what: &str) -> Vec<(&'a str, &'a str)> {
    let checks = checks.iter().filter(|check| check["what"] == what);
    checks.map(|check| (check["state"].as_str().unwrap(), check["found"].as_str().unwrap())).collect()
}

#[test]
fn the_doctor_knows_whether_the_token_is_good_and_what_the_bot_hears() {
    let stage = Stage::new();
    fs::set_permissions(env(&stage), Permissions::from_mode(0o600)).unwrap();
    let (checks, _) = doctor(&stage);
    let credential = found(&checks, "credential");
    let [(accepted, who), (privacy, note)] = credential[..] else { panic!("{credential:?}") };
    assert!(accepted == "good" && who.contains("@fake_telegram_bot (8086174200)"), "{who}");
    assert!(privacy == "notice" && note.contains("privacy mode is on"), "{note}");
    assert!(
        checks.iter().any(|check| check["cure"].as_str().is_some_and(|cure| cure.contains("/setprivacy")))
    );
    let [("good", _)] = found(&checks, "secrets")[..] else { panic!("{checks:?}") };

    let complaint = |expected: &str| {
        let (checks, healthy) = doctor(&stage);
        let credential = found(&checks, "credential");
        let [("bad", text)] = credential[..] else { panic!("{credential:?}") };
        assert!(!healthy && text.contains(expected), "{text}");
    };
    stage.platform.revoke();
    complaint("tidegate configure telegram");
    stage.platform.issue(TOKEN);
    stage.platform.fault(Fault::status(502));
    complaint("HTTP 502");
    stage.platform.stop();
    complaint("cannot be reached");
    fs::remove_file(env(&stage)).unwrap();
    complaint("TELEGRAM_BOT_TOKEN is not set");

    stage.token(TOKEN);
    fs::set_permissions(env(&stage), Permissions::from_mode(0o644)).unwrap();
    let (checks, healthy) = doctor(&stage);
    let secrets = found(&checks, "secrets");
    let [("bad", text)] = secrets[..] else { panic!("{secrets:?}") };
    assert!(!healthy && text.contains("open to others"), "{text}");
}

#[test]
fn a_look_at_the_bot_takes_none_of_its_messages() {
    let stage = Stage::new();
    stage.platform.says(&ada(), &ada().chat(), "for the session");
    doctor(&stage);
    let mut conversation = configure(&stage, &[], &[]);
    conversation.replace();
    conversation.secret(TOKEN);
    assert_eq!(conversation.end().0, 0);
    assert_eq!(stage.platform.calls_of("getUpdates").len(), 0);
    let mut server = stage.serve();
    assert_eq!(server.content(), "for the session");
}
