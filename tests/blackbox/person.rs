//! A person at a terminal, with a running program.

use std::process::{Command, ExitStatus};

use terminal::Terminal;

use crate::harness::{Home, PATIENCE, Page};

/// A terminal of 24 rows and 80 columns, with a program in it.
pub(crate) struct Person(Terminal);

impl Person {
    /// Starts the program below the shell that runs these tests.
    pub(crate) fn start<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(home: &Home, arguments: I) -> Self {
        Self::before(home.command(arguments))
    }

    /// Starts this command without changes.
    pub(crate) fn before(command: Command) -> Self {
        Self(Terminal::start_with(command, 24, 80).unwrap())
    }

    /// Starts the program below no other: its user counts as a person in every environment of the tests.
    pub(crate) fn start_alone(home: &Home, program: &Command) -> Self {
        let go = home.path().join("go");
        let _ = std::fs::remove_file(&go);
        let mut command = Command::new("/bin/sh");
        let script =
            "exec 3<&0; { until [ -e \"$GO\" ]; do sleep 0.01; done; exec setsid --ctty \"$@\" <&3 3<&-; } &";
        command.args(["-c", script, "sh"]).arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("GO", &go).env("PATH", "/usr/bin:/bin");
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        let mut terminal = Terminal::start_uncontrolled(command, 24, 80).unwrap();
        assert!(terminal.wait_for_end(PATIENCE).unwrap().success());
        std::fs::write(go, "").unwrap();
        Self(terminal)
    }

    /// Waits until this text is on the screen.
    pub(crate) fn see(&self, text: &str) -> String {
        self.look(text, |screen| screen.contains(text))
    }

    /// Waits until this text is not on the screen.
    pub(crate) fn miss(&self, text: &str) -> String {
        self.look(text, |screen| !screen.contains(text))
    }

    /// Waits until this text is on the screen, and the prompt with this line below it.
    pub(crate) fn see_above(&self, text: &str, prompt: &str) -> String {
        self.look(text, |screen| {
            screen.split_once(text).is_some_and(|(_, below)| below.replace('\n', "").ends_with(prompt))
        })
    }

    fn look(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.0.wait_for(PATIENCE, wanted).unwrap_or_else(|error| panic!("{what:?}: {error}"))
    }

    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.0.send(keys).unwrap();
    }

    pub(crate) fn enter(&mut self, line: &str) {
        self.press(format!("{line}\r").as_bytes());
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        self.0.wait_for_end(PATIENCE).unwrap()
    }

    /// Opens the page whose link is on the screen.
    pub(crate) fn page(&self) -> Page {
        Page::open(self.port())
    }

    /// Returns the port of the page whose address the screen shows.
    pub(crate) fn port(&self) -> u16 {
        let screen = self.see("http://127.0.0.1:");
        let (_, rest) = screen.split_once("http://127.0.0.1:").unwrap();
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        port.parse().unwrap()
    }
}
