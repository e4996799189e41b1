//! The program under test, as an entry of a client's configuration.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::wait;

/// A shell script that becomes the program, with its log in the run's own file, because clients treat their servers'
/// standard error differently. The client stays the program's parent.
const START: &str = "exec \"$0\" \"$@\" 2>>\"$SERVER_LOG\"";

/// `tidegate serve CHANNEL`, with its own state root. The client starts it.
pub(crate) struct Server {
    /// Its name in the client's configuration, which is also the channel's name.
    pub(crate) name: &'static str,
    /// The port of its page, if it has one.
    pub(crate) port: u16,
    root: PathBuf,
    log: PathBuf,
    command: Value,
}

impl Server {
    /// Chooses a free port, and creates the state root below `work`. `label` distinguishes servers of one channel.
    pub(crate) fn new(
        program: &Path,
        channel: &'static str,
        opt_in: &str,
        work: &Path,
        label: &str,
    ) -> anyhow::Result<Self> {
        let root = work.join(format!("{label}-state"));
        fs::create_dir_all(root.join(channel))?;
        let log = work.join(format!("{label}-server.log"));
        // Free a moment ago, and nobody else asks for ports in here.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let command = json!({
            "command": "/bin/sh",
            "args": ["-c", START, program, "serve", channel, "--opt-in", opt_in, "--log", "debug"],
            "env": {"TIDEGATE_HOME": root, "SERVER_LOG": log, "FAKECHAT_PORT": port.to_string()},
        });
        Ok(Self { name: channel, port, root, log, command })
    }

    /// Returns the variables that a client must pass to a server that is configured elsewhere.
    pub(crate) fn environment(&self) -> [(String, String); 2] {
        let root = self.root.to_string_lossy().into_owned();
        [("TIDEGATE_HOME".to_owned(), root), ("FAKECHAT_PORT".to_owned(), self.port.to_string())]
    }

    /// Returns the program's report on the channel: the output of `tidegate status --json`.
    pub(crate) fn status(&self, program: &Path) -> anyhow::Result<Value> {
        let mut command = Command::new(program);
        command.args(["status", self.name, "--json", "--home"]).arg(&self.root).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
        let reports: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))?;
        reports.get(0).cloned().with_context(|| format!("{command:?} has no report"))
    }

    /// Returns the channel's own folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join(self.name)
    }

    /// Writes its settings.
    pub(crate) fn settings(&self, text: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.root.join("channels.toml"), text)?)
    }

    /// Returns the key that opens the page's permission prompts, from the newest link in the log.
    pub(crate) fn key(
        &self,
        patience: Duration,
        mut alive: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<String> {
        wait::until("the link with the key in the server's log", patience, || {
            alive()?;
            let log = self.log_text();
            Ok(log
                .rsplit_once("#key=")
                .map(|(_, key)| key.chars().take_while(char::is_ascii_alphanumeric).collect()))
        })
    }

    /// Returns whether a process still listens on the page's port.
    pub(crate) fn is_listening(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// Returns its output on standard error.
    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Writes these servers in the configuration format that MCP clients have in common.
pub(crate) fn configure(file: &Path, servers: &[&Server]) -> anyhow::Result<()> {
    let entries = servers.iter().map(|server| (server.name.to_owned(), server.command.clone()));
    let entries: serde_json::Map<String, Value> = entries.collect();
    let text = serde_json::to_string_pretty(&json!({"mcpServers": entries})).map_err(io::Error::from)?;
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
