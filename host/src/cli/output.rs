//! The only place that writes to the terminal.

use std::io::{self, IsTerminal as _, Write as _};

use super::stderr;

/// Writes to standard output. A closed reader (`| head`) is not an error.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Returns true if input and output are both terminals.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Writes a line to standard error.
pub(super) fn complain(line: &str) {
    stderr::say(&harmless(line));
}

/// Formats a count with its noun, such as `1 message` or `2 messages`.
pub(super) fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// Whether to colour the output.
#[derive(Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// Returns the colours for standard output: on for a terminal, off for a script or with `NO_COLOR`.
    pub(super) fn stdout() -> Self {
        Self(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(super) fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Replaces control characters in text from others, so that it cannot control the terminal.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|character| {
            let control = character.is_control() && character != '\n' && character != '\t';
            // Characters that reverse the writing direction can show `gpj.exe` as `exe.jpg`.
            let turn = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if control || turn { '\u{fffd}' } else { character }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_others_do_nothing() {
        assert_eq!(harmless("\u{202e}gpj.exe\u{2067}"), "\u{fffd}gpj.exe\u{fffd}");
        assert_eq!(harmless("a\u{1b}[2Jb\nc\u{9b}d\r"), "a\u{fffd}[2Jb\nc\u{fffd}d\u{fffd}");
    }
}
