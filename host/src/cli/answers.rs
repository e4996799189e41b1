//! Reads the answers that a person types, one per line.

use std::io;

use tokio::task::JoinHandle;

use super::output;

/// Reads at most one line at a time, and only on request, so that it does not take a secret, which is read in a
/// different way.
#[derive(Default)]
pub(super) struct Answers {
    reading: Option<JoinHandle<io::Result<Option<String>>>>,
}

impl Answers {
    /// Returns the next line without its line ending, or `None` at the end of the input. If this future is dropped, the
    /// read continues and the next call returns its line.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        let reading = self.reading.get_or_insert_with(|| tokio::task::spawn_blocking(read));
        let line = reading.await.map_err(io::Error::other).flatten();
        self.reading = None;
        line
    }

    /// Asks a question and returns the trimmed answer. The end of the input is an error.
    pub(super) async fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        output::print(question)?;
        match self.line().await? {
            Some(line) => Ok(line.trim().to_owned()),
            None => anyhow::bail!(
                "there was no answer: what was done so far is kept, and the same command goes on"
            ),
        }
    }

    /// Asks a question and returns true if the answer is yes. An empty answer means no.
    pub(super) async fn confirm(&mut self, question: &str) -> anyhow::Result<bool> {
        let answer = self.ask(&format!("{question} [y/N] ")).await?;
        Ok(["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)))
    }
}

/// Reads a line, and returns true if it is "yes". For commands without a runtime.
pub(super) fn says_yes() -> io::Result<bool> {
    Ok(read()?.is_some_and(|line| line.trim().eq_ignore_ascii_case("yes")))
}

fn read() -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = io::stdin().read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}
