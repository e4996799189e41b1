//! A prompt at the bottom of what has been said, in a terminal.

use std::io;

use crossterm::{
    cursor::{MoveToColumn, MoveUp},
    event::{DisableBracketedPaste, EnableBracketedPaste, EventStream},
    queue,
    style::Print,
    terminal::{self, Clear, ClearType},
};
use futures_util::StreamExt as _;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Signal, getpid, kill_process},
};
use tokio::task::JoinHandle;

use super::{
    super::output::{self, Paint},
    completion::Vocabulary,
    editor::{Editor, Outcome},
    layout::{Content, Rows},
};

/// What the prompt says, and what Tab knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Situation {
    /// Who gets the next line.
    pub(super) prompt: String,
    /// What waits for an answer.
    pub(super) notice: Option<String>,
    pub(super) vocabulary: Vocabulary,
}

/// The terminal is in raw mode as long as this exists.
pub(super) struct Screen {
    events: EventStream,
    hangup: JoinHandle<()>,
    editor: Editor,
    situation: Situation,
    /// What is shown below what has been said.
    painted: Option<Rows>,
    paint: Paint,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        enter()?;
        Ok(Self {
            events: EventStream::new(),
            hangup: tokio::task::spawn_blocking(watch),
            editor: Editor::default(),
            situation: Situation::default(),
            painted: None,
            paint: Paint::stdout(),
        })
    }

    /// The next line. None at the end. What has been typed is kept if this is dropped.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            self.repaint()?;
            let event = tokio::select! {
                event = self.events.next() => event,
                () = hung_up(&mut self.hangup) => None,
            };
            let Some(event) = event else { return Ok(None) };
            match self.editor.handle(&event?, &self.situation.vocabulary) {
                Outcome::Edited | Outcome::Ignored => {}
                Outcome::Line(line) => {
                    let said = format!("{}{}", self.situation.prompt, output::harmless(&line));
                    self.print(&self.paint.dim(&said))?;
                    return Ok(Some(line));
                }
                Outcome::End => {
                    self.erase()?;
                    return Ok(None);
                }
                Outcome::Clear => {
                    self.painted = None;
                    output::print("\u{1b}[H\u{1b}[2J")?;
                }
                Outcome::Suspend => {
                    self.erase()?;
                    leave()?;
                    let _ = kill_process(getpid(), Signal::TSTP);
                    enter()?;
                }
            }
        }
    }

    /// Prints whole lines. The prompt comes back below them when the next line is waited for.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let text = text.trim_end_matches('\n').replace('\n', "\r\n") + "\r\n";
        let shown = format!("{}{text}", self.erasure()?);
        output::print(&shown)
    }

    /// What is shown from now on.
    pub(super) fn set(&mut self, situation: Situation) {
        self.situation = situation;
    }

    fn erase(&mut self) -> io::Result<()> {
        let erasure = self.erasure()?;
        output::print(&erasure)
    }

    /// What removes the prompt from the screen.
    fn erasure(&mut self) -> io::Result<String> {
        let Some(painted) = self.painted.take() else { return Ok(String::new()) };
        let mut bytes = Vec::new();
        let (columns, _) = terminal::size()?;
        move_up(&mut bytes, painted.above(columns.into()))?;
        queue!(bytes, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn repaint(&mut self) -> io::Result<()> {
        let (columns, height) = terminal::size()?;
        let mut bytes = self.erasure()?.into_bytes();
        let text = self.editor.text();
        let before = self.editor.before();
        let after = text.get(before.len()..).unwrap_or_default();
        let content = Content { prompt: &self.situation.prompt, before, after };
        let hint = self.hint();
        let hint = hint.as_deref().map(|hint| fitting(hint, columns.into()));
        let room = usize::from(height).saturating_sub(1 + usize::from(hint.is_some()));
        let rows = Rows::new(content, columns.into()).window(room);
        for (place, row) in rows.rows.iter().enumerate() {
            if place > 0 {
                queue!(bytes, Print("\r\n"))?;
            }
            // The prompt is at the beginning of the first row, unless that is out of sight.
            match row.strip_prefix(&self.situation.prompt) {
                Some(rest) if place == 0 => {
                    queue!(bytes, Print(self.paint.cyan(&self.situation.prompt)), Print(rest))?;
                }
                _ => queue!(bytes, Print(row))?,
            }
        }
        let (row, column) = rows.cursor;
        let mut below = rows.rows.len() - 1 - row;
        if let Some(hint) = hint {
            queue!(bytes, Print("\r\n"), Print(self.paint.dim(&hint)))?;
            below += 1;
        }
        move_up(&mut bytes, below)?;
        queue!(bytes, MoveToColumn(column.try_into().unwrap_or(u16::MAX)))?;
        self.painted = Some(rows);
        output::print(&String::from_utf8_lossy(&bytes))
    }

    /// The line below the prompt.
    fn hint(&self) -> Option<String> {
        if !self.editor.offered.is_empty() {
            return Some(self.editor.offered.join("  "));
        }
        self.situation.vocabulary.hint(self.editor.text()).or_else(|| self.situation.notice.clone())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.erase();
        let _ = leave();
    }
}

/// Notices that the terminal has gone. A program that it does not control gets no signal then, and crossterm goes on
/// reading from it without a pause.
async fn hung_up(watch: &mut JoinHandle<()>) {
    if watch.await.is_err() {
        // There could be no thread: then the signal has to do.
        std::future::pending::<()>().await;
    }
}

/// Waits for the hangup alone, and not for what is typed.
fn watch() {
    let terminal = rustix::stdio::stdin();
    loop {
        let mut looked = [PollFd::new(&terminal, PollFlags::empty())];
        match poll(&mut looked, None) {
            Err(Errno::INTR) => {}
            _ => return,
        }
    }
}

fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    write_command(EnableBracketedPaste)
}

fn leave() -> io::Result<()> {
    write_command(DisableBracketedPaste)?;
    terminal::disable_raw_mode()
}

fn write_command(command: impl crossterm::Command) -> io::Result<()> {
    let mut bytes = Vec::new();
    queue!(bytes, command)?;
    output::print(&String::from_utf8_lossy(&bytes))
}

fn move_up(bytes: &mut Vec<u8>, rows: usize) -> io::Result<()> {
    match u16::try_from(rows) {
        Ok(0) | Err(_) => Ok(()),
        Ok(rows) => queue!(bytes, MoveUp(rows)),
    }
}

/// As much of a text as fits into one row.
fn fitting(text: &str, columns: usize) -> String {
    let content = Content { prompt: "", before: "", after: text };
    Rows::new(content, columns).rows.into_iter().next().unwrap_or_default()
}
