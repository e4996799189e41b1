use std::io::{self, IsTerminal as _};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::{DefaultEditor, ExternalPrinter, error::ReadlineError};
use tokio::sync::mpsc;

use super::super::output;

const PROMPT: &str = "> ";

/// Lines in, text out. At a terminal the line being typed stays whole while text appears above it.
pub(super) struct Terminal {
    lines: mpsc::UnboundedReceiver<String>,
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    /// How the terminal was before a line editor took it over.
    before: Option<Termios>,
}

impl Terminal {
    pub(super) fn open() -> anyhow::Result<Self> {
        let (sender, lines) = mpsc::unbounded_channel();
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let before = tcgetattr(io::stdin()).ok();
            let mut editor = DefaultEditor::new()?;
            let printer = editor.create_external_printer()?;
            std::thread::Builder::new().name("terminal".into()).spawn(move || edit(&mut editor, &sender))?;
            return Ok(Self { lines, printer: Some(Box::new(printer)), before });
        }
        std::thread::Builder::new().name("stdin".into()).spawn(move || read(&sender))?;
        Ok(Self { lines, printer: None, before: None })
    }

    /// The next line; None at the end.
    pub(super) async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    pub(super) fn print(&mut self, text: &str) -> anyhow::Result<()> {
        match &mut self.printer {
            Some(printer) => printer.print(text.to_owned())?,
            None => output::print(text)?,
        }
        Ok(())
    }

    /// Gives the terminal back as it was, even if the line editor is still at work.
    pub(super) fn close(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

fn edit(editor: &mut DefaultEditor, lines: &mpsc::UnboundedSender<String>) {
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                // Only for the arrow keys.
                let _ = editor.add_history_entry(&line);
                if lines.send(line).is_err() {
                    return;
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return,
            Err(error) => return tracing::error!("the terminal cannot be read: {error}"),
        }
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
