//! A prompt below the printed text, in a terminal.

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

/// What the prompt shows, and what Tab completes.
#[derive(Clone, Debug, Default)]
pub(super) struct Situation {
    /// The text of the prompt, which names the target of the next line.
    pub(super) prompt: String,
    /// A notice about an open question.
    pub(super) notice: Option<String>,
    pub(super) vocabulary: Vocabulary,
}

/// A terminal in raw mode, for as long as this exists.
pub(super) struct Screen {
    events: EventStream,
    hangup: JoinHandle<()>,
    editor: Editor,
    situation: Situation,
    /// The rows of the prompt that are on the screen now.
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

    /// Returns the next line, or `None` at the end. Keeps the typed text if this future is dropped.
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

    /// Prints whole lines. The prompt appears again below them at the next call of `line`.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let text = text.trim_end_matches('\n').replace('\n', "\r\n") + "\r\n";
        let shown = format!("{}{text}", self.erasure()?);
        output::print(&shown)
    }

    /// Sets what the prompt shows from now on.
    pub(super) fn set(&mut self, situation: Situation) {
        self.situation = situation;
    }

    fn erase(&mut self) -> io::Result<()> {
        let erasure = self.erasure()?;
        output::print(&erasure)
    }

    /// Returns the control sequence that removes the prompt from the screen.
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
            // The prompt is at the beginning of the first row, unless that row is not visible.
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

    /// Returns the text for the line below the prompt.
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

/// Returns when the terminal has hung up. A process that the terminal does not control gets no signal then, and
/// crossterm would keep reading in a busy loop.
async fn hung_up(watch: &mut JoinHandle<()>) {
    if watch.await.is_err() {
        // The thread could not run, so only the signal can end the program.
        std::future::pending::<()>().await;
    }
}

/// Waits only for a hangup, not for input.
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

/// Returns the beginning of a text that fits into one row.
fn fitting(text: &str, columns: usize) -> String {
    let content = Content { prompt: "", before: "", after: text };
    Rows::new(content, columns).rows.into_iter().next().unwrap_or_default()
}
