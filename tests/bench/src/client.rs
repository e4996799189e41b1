//! A stand-in for Claude Code that writes a log of its server, like the real one: with a verdict, and a receipt for
//! each message, written once a second.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::json;

/// The interval at which the client writes its collected lines.
const FLUSH: Duration = Duration::from_secs(1);

/// The log of one server.
pub(crate) struct Log {
    file: File,
    collected: String,
    flushed: Instant,
}

/// Creates a program that looks like the client: a shell of that name, which starts its command and stays.
pub(crate) fn program(home: &Path) -> anyhow::Result<PathBuf> {
    let link = home.join("claude");
    if !link.exists() {
        std::os::unix::fs::symlink("/bin/sh", &link)?;
    }
    Ok(link)
}

/// Returns the arguments that make it start this server, and look like a session that receives its messages.
pub(crate) fn arguments(server: &Path) -> Vec<String> {
    let script = format!("\"{}\" serve fakechat; exit $?", server.display());
    ["-c", &script, "--dangerously-load-development-channels", "server:fakechat"].map(str::to_owned).to_vec()
}

impl Log {
    /// Opens the log below these caches, for a server of this version and a client in this folder.
    pub(crate) fn open(caches: &Path, directory: &Path, version: &str) -> anyhow::Result<Self> {
        let directory = directory.to_str().context("a folder that is not UTF-8")?;
        let folder = directory.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
        let folder = caches.join("claude-cli-nodejs").join(folder).join("mcp-logs-fakechat");
        fs::create_dir_all(&folder)?;
        let file = File::create(folder.join("2026-11-24T10-00-00-000Z.jsonl"))?;
        let mut log = Self { file, collected: String::new(), flushed: Instant::now() };
        let capabilities = json!({"serverVersion": {"name": "tidegate", "version": version}});
        log.collect(&format!("Connection established with capabilities: {capabilities}"));
        log.collect("Channel notifications registered");
        log.flush()?;
        Ok(log)
    }

    /// Writes a receipt: the client has processed a message of this length.
    pub(crate) fn receipt(&mut self, length: usize) -> anyhow::Result<()> {
        self.collect(&format!("notifications/claude/channel ({length} chars)"));
        if self.flushed.elapsed() >= FLUSH { self.flush() } else { Ok(()) }
    }

    fn collect(&mut self, text: &str) {
        // In the client's order of keys. The time is later than the start of any server.
        let text = json!(text).to_string();
        let rest = r#","timestamp":"9999-01-01T00:00:00.000Z","sessionId":"bench","cwd":"/"}"#;
        self.collected.extend([r#"{"debug":"#, &text, rest, "\n"]);
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.file.write_all(self.collected.as_bytes())?;
        self.collected.clear();
        self.flushed = Instant::now();
        Ok(())
    }
}
