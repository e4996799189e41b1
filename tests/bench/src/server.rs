//! A server under measurement.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// A server under measurement, with a session that reads its output.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
    /// The version that it reports.
    version: String,
}

impl Server {
    /// Starts it, and waits for the answer to `initialize`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        home: &Path,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .env("TIDEGATE_HOME", home)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().context("no stdin")?;
        let output = BufReader::with_capacity(1 << 20, child.stdout.take().context("no stdout")?);
        let mut server = Self { child, input, output, line: String::new(), version: String::new() };
        server.request(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"}}}))?;
        let answer: Value = serde_json::from_str(&server.line)?;
        let version = answer.pointer("/result/serverInfo/version").and_then(Value::as_str);
        version.unwrap_or_default().clone_into(&mut server.version);
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(server)
    }

    /// Returns the version that it reported in the handshake.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.input.write_all(format!("{message}\n").as_bytes())?)
    }

    fn line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        if self.output.read_line(&mut self.line)? == 0 {
            bail!("the server has gone");
        }
        Ok(&self.line)
    }

    /// Returns the next event, as a line.
    pub(crate) fn event(&mut self) -> anyhow::Result<&str> {
        while !self.line()?.contains("notifications/claude/channel") {}
        Ok(&self.line)
    }

    fn request(&mut self, message: &Value) -> anyhow::Result<()> {
        self.send(message)?;
        while !self.line()?.contains("\"result\"") {}
        Ok(())
    }

    /// Sends a reply, and waits for the result.
    pub(crate) fn reply(&mut self, chat: &str, text: &str) -> anyhow::Result<()> {
        self.request(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
            "name": "reply", "arguments": {"chat_id": chat, "text": text}}}))
    }

    /// Returns the proportional set size in MiB: shared pages count in part. Works only on Linux.
    pub(crate) fn memory(&self) -> f64 {
        let rollup =
            std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap_or_default();
        let kibibytes = rollup.lines().find_map(|line| {
            line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()
        });
        kibibytes.map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
    }

    /// Returns the processor time so far in seconds, with a resolution of a hundredth. Works only on Linux.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<f64> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        fields.iter().skip(11).take(2).sum::<f64>() / 100.0
    }

    /// Closes its input, and waits for its end.
    pub(crate) fn stop(mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        drop(self.input);
        self.child.wait()?;
        Ok(begun.elapsed())
    }

    /// Returns how often its threads have waited so far. Works only on Linux.
    pub(crate) fn wakeups(&self) -> f64 {
        let threads =
            std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let waits = threads.filter_map(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
            status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<f64>().ok())
        });
        waits.sum()
    }
}
