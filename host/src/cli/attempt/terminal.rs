//! The source of lines and the target of text: a terminal with a prompt, or a pipe.

use std::{io, thread};

use tokio::sync::mpsc;

use super::{
    super::output,
    screen::{Screen, Situation},
};

pub(super) enum Terminal {
    /// A terminal where a person types and reads.
    Screen(Box<Screen>),
    /// Input or output is not a terminal.
    Pipe(mpsc::UnboundedReceiver<String>),
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        if output::is_interactive() && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb") {
            return Ok(Self::Screen(Box::new(Screen::open()?)));
        }
        let (sender, lines) = mpsc::unbounded_channel();
        thread::Builder::new().name("stdin".into()).spawn(move || read(&sender))?;
        Ok(Self::Pipe(lines))
    }

    /// Returns the next line, or `None` at the end.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        match self {
            Self::Screen(screen) => screen.line().await,
            Self::Pipe(lines) => Ok(lines.recv().await),
        }
    }

    /// Prints whole lines.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.print(text),
            Self::Pipe(_) => output::print(text),
        }
    }

    /// Sets the target of the next line and the notice about an open question.
    pub(super) fn set(&mut self, situation: Situation) {
        match self {
            Self::Screen(screen) => screen.set(situation),
            Self::Pipe(_) => {}
        }
    }

    /// Returns true if a person can continue typing while a line is being carried out.
    pub(super) fn is_screen(&self) -> bool {
        matches!(self, Self::Screen(_))
    }
}

fn read(lines: &mpsc::UnboundedSender<String>) {
    for line in io::stdin().lines() {
        match line {
            Ok(line) => {
                if lines.send(line).is_err() {
                    return;
                }
            }
            Err(error) => return tracing::error!("stdin cannot be read: {error}"),
        }
    }
}
