use std::io;

use tokio::sync::mpsc;

use super::super::output;

/// Lines in, text out. The terminal's own line editing is used: whatever appears while somebody types begins on a
/// line of its own and takes nothing from what was typed.
pub(super) struct Terminal {
    lines: mpsc::UnboundedReceiver<String>,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("stdin".into()).spawn(move || read(&sender))?;
        Ok(Self { lines })
    }

    /// The next line; None at the end.
    pub(super) async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

/// Something that came by itself, in the middle of whatever is being typed.
pub(super) fn interject(text: &str) -> io::Result<()> {
    let fresh = if output::is_interactive() { "\n" } else { "" };
    output::print(&format!("{fresh}{text}"))
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
