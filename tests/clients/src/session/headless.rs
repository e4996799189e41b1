//! A client without a terminal: one JSON object per line for each prompt.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::wait;

/// A running client, which is killed when this is dropped.
pub(crate) struct Headless {
    child: Child,
    input: Option<ChildStdin>,
    errors: PathBuf,
}

impl Headless {
    pub(super) fn start(mut command: Command, logs: &Path, run: &str) -> anyhow::Result<Self> {
        let errors = logs.join(format!("{run}-stderr.log"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(File::create(logs.join(format!("{run}-stdout.log")))?)
            .stderr(File::create(&errors)?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let input = child.stdin.take();
        Ok(Self { child, input, errors })
    }

    pub(super) fn say(&mut self, prompt: &str) -> anyhow::Result<()> {
        let content = json!([{"type": "text", "text": prompt}]);
        let line = json!({"type": "user", "message": {"role": "user", "content": content}});
        self.alive()?;
        let input = self.input.as_mut().context("the client's input was closed")?;
        input.write_all(format!("{line}\n").as_bytes()).context("the client does not read its input")
    }

    pub(super) fn alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let errors = fs::read_to_string(&self.errors).unwrap_or_default();
                bail!("the client has ended with {status}: {}", errors.trim());
            }
        }
    }

    pub(super) fn end(mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        self.input = None;
        wait::until("the client's end after that of its input", patience, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Headless {
    fn drop(&mut self) {
        // Nothing happens to a child that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
