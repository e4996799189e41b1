//! What a person types in answer to questions, a line each.

use std::io;

use tokio::task::JoinHandle;

use super::output;

/// At most one line is being read, and only once it is wanted: a secret is read by other means.
#[derive(Default)]
pub(super) struct Answers {
    reading: Option<JoinHandle<io::Result<Option<String>>>>,
}

impl Answers {
    /// The next line without its end. None where there is none any more. One that has begun to be read is not lost when
    /// this is dropped.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        let reading = self.reading.get_or_insert_with(|| tokio::task::spawn_blocking(read));
        let line = reading.await.map_err(io::Error::other).flatten();
        self.reading = None;
        line
    }

    /// What is typed behind this question; nothing counts as the end of everything.
    pub(super) async fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        output::print(question)?;
        match self.line().await? {
            Some(line) => Ok(line.trim().to_owned()),
            None => anyhow::bail!(
                "there was no answer: what was done so far is kept, and the same command goes on"
            ),
        }
    }

    /// Whether the answer is yes. An empty one is no.
    pub(super) async fn confirm(&mut self, question: &str) -> anyhow::Result<bool> {
        let answer = self.ask(&format!("{question} [y/N] ")).await?;
        Ok(["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)))
    }
}

fn read() -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = io::stdin().read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}
