//! Tests that only the command line and the environment choose the folder of the state.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use fake_telegram::Server as Platform;
use serde_json::Value;

use crate::harness::{Home, PATIENCE, Server, free_port, http};

/// A person's home directory, with the files of the official plugin.
struct Person {
    home: Home,
    platform: Platform,
}

impl Person {
    fn new() -> Self {
        let person = Self { home: Home::new(), platform: Platform::start() };
        std::fs::create_dir_all(person.plugin()).unwrap();
        let token = format!("TELEGRAM_BOT_TOKEN={}\n", person.platform.token());
        std::fs::write(person.plugin().join(".env"), token).unwrap();
        person.settings(&person.path(".claude/channels"), "");
        // Shared, so that each component is compiled once.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        std::fs::create_dir_all(&cache).unwrap();
        std::os::unix::fs::symlink(cache, person.path(".cache")).unwrap();
        person
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().canonicalize().unwrap().join(below)
    }

    /// Returns the folder of the official plugin's bot.
    fn plugin(&self) -> PathBuf {
        self.path(".claude/channels/telegram")
    }

    /// Creates a state root, whose channels use the test's platform.
    fn settings(&self, root: &Path, more: &str) {
        std::fs::create_dir_all(root).unwrap();
        let platform = self.platform.address();
        let text = format!("[telegram.settings]\napi_base = \"{platform}\"\n{more}");
        std::fs::write(root.join("channels.toml"), text).unwrap();
    }

    /// Returns the program with these arguments, and with the variables that Claude Code passes to every server.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).env_clear().envs([
            ("HOME", self.home.path().to_str().unwrap()),
            ("PATH", "/usr/bin:/bin"),
            ("TERM", "xterm"),
            ("CLAUDE_PROJECT_DIR", "/"),
            ("CLAUDE_CODE_SESSION_ID", "7f6f5b1e-0000-4000-8000-000000000000"),
            ("CLAUDECODE", "1"),
        ]);
        command
    }

    /// Returns telegram's folder, with these arguments and variables.
    fn folder(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> PathBuf {
        let arguments = [&["status", "telegram", "--json"], arguments].concat();
        let output = self.command(&arguments).envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        PathBuf::from(status[0]["folder"].as_str().unwrap())
    }
}

#[test]
fn the_first_that_names_a_folder_decides() {
    let person = Person::new();
    let [named, own, config, bot] = ["named", "own", "config", "bot"].map(|name| person.path(name));
    let customary = person.plugin();
    let (tidegate, claude, single) =
        (("TIDEGATE_HOME", &*own), ("CLAUDE_CONFIG_DIR", &*config), ("TELEGRAM_STATE_DIR", &*bot));
    let home = ["--home", named.to_str().unwrap()];
    for (arguments, variables, folder) in [
        (&[][..], &[][..], &customary),
        (&[], &[claude], &config.join("channels/telegram")),
        (&[], &[claude, tidegate], &own.join("telegram")),
        (&[], &[claude, tidegate, single], &bot),
        (&[], &[single], &bot),
        (&home, &[], &named.join("telegram")),
        (&home, &[claude, tidegate, single], &named.join("telegram")),
    ] {
        assert_eq!(person.folder(arguments, variables), *folder, "{arguments:?} {variables:?}");
    }
}

#[test]
fn a_trial_in_a_folder_of_its_own_takes_nothing_of_the_real_bot() {
    let person = Person::new();
    for (arguments, variable) in
        [(&["--home", "named"][..], None), (&[], Some("TIDEGATE_HOME")), (&[], Some("CLAUDE_CONFIG_DIR"))]
    {
        let root = person.path("named");
        person.settings(&root, "");
        person.settings(&root.join("channels"), "");
        let mut command = person.command(&[&["serve", "telegram", "--opt-in", "always"], arguments].concat());
        command.current_dir(person.home.path()).envs(variable.map(|variable| (variable, &root)));
        let mut server = Server::start(command);
        server.initialize();
        let line = server.log("it has no TELEGRAM_BOT_TOKEN yet");
        assert!(line.contains(root.to_str().unwrap()), "{line}");
        drop(server);
        assert!(person.platform.calls().is_empty(), "{arguments:?} {variable:?}");
        let left: Vec<_> = std::fs::read_dir(person.plugin()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        std::fs::remove_dir_all(root).unwrap();
    }
    // Whoever looks for what is wrong is told of it.
    let root = person.path("named");
    let doctor = person.command(&["doctor", "telegram", "--home", root.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(text.contains(&format!("{} is not used, because", person.plugin().display())), "{text}");
}

/// With `CLAUDE_CODE_MCP_ALLOWLIST_ENV=1` Claude Code passes no other variable to servers.
#[test]
fn files_and_arguments_are_enough_where_a_client_hands_on_no_variables() {
    let person = Person::new();
    let root = person.path("elsewhere");
    let port = free_port();
    person.settings(&root, &format!("[fakechat]\nport = {port}\n"));
    std::fs::create_dir(root.join("telegram")).unwrap();
    std::fs::rename(person.plugin().join(".env"), root.join("telegram/.env")).unwrap();
    let root = root.to_str().unwrap();
    let command = person.command(&["serve", "telegram", "fakechat", "--home", root, "--opt-in", "always"]);
    let mut server = Server::start(command);
    server.initialize();
    person.platform.wait_for("getUpdates", PATIENCE);
    assert_eq!(server.port("fakechat"), port);
    assert_eq!(http(port, "GET", "/", &[], b"").status, 200);
}

#[test]
fn a_home_that_no_shell_has_expanded_is_refused() {
    let person = Person::new();
    let output = person.command(&["--home", "~/channels", "status"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("in place of the ~"), "{text}");
}
