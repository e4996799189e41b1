//! The report of a failed call to its channel's author, as one log entry.

use std::fmt;

use crate::{
    capability::log::{Line, Lines},
    sandbox::CallError,
};

/// What a guest was asked to do.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The function, by its name in the contract.
    function: &'static str,
    /// The subject of the call, in a few words; may be empty.
    about: String,
}

impl Asked {
    pub(super) fn to(function: &'static str) -> Self {
        Self { function, about: String::new() }
    }

    pub(super) fn about(function: &'static str, about: impl Into<String>) -> Self {
        Self { function, about: about.into() }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.about.as_str() {
            "" => write!(formatter, "`{}`", self.function),
            about => write!(formatter, "`{}` ({about})", self.function),
        }
    }
}

/// Logs the failure with the lines that the call has printed. Returns the error; for a trap, with the guest's own
/// cause.
pub(super) fn told(channel: &str, asked: &Asked, error: CallError, lines: Option<&Lines>) -> CallError {
    let printed = lines.map(Lines::take_complaints).unwrap_or_default();
    let error = match (error, cause(&printed)) {
        (CallError::Trap(_), Some(cause)) => CallError::Trap(cause),
        (error, _) => error,
    };
    let report = Report { channel, asked, error: &error, printed: &printed };
    tracing::error!(target: "guest", "{report}");
    error
}

struct Report<'a> {
    channel: &'a str,
    asked: &'a Asked,
    error: &'a CallError,
    printed: &'a [Line],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} failed in {}: {}", self.channel, self.asked, self.error)?;
        if !self.printed.is_empty() {
            write!(formatter, "\n  what it said:")?;
        }
        self.printed.iter().try_for_each(|line| write!(formatter, "\n  | {}", line.text))
    }
}

/// Finds the cause of a failure in what the guest has printed, and returns it in one line. A panic in Rust has its
/// location in one line and its text in the next; runtimes of other languages write the error last, after the stack
/// trace.
fn cause(printed: &[Line]) -> Option<String> {
    let text = |line: &Line| line.text.trim().to_owned();
    if let Some(at) = printed.iter().position(|line| line.text.contains("panicked at ")) {
        let mut lines = printed.iter().skip(at).map(text);
        let place = lines.next()?;
        // Older versions of Rust print both in one line.
        return Some(match lines.next().filter(|_| place.ends_with(':')) {
            Some(message) => format!("{place} {message}"),
            None => place,
        });
    }
    if let Some(panic) = printed.iter().find(|line| line.text.starts_with("panic: ")) {
        return Some(text(panic));
    }
    if let Some(error) = printed.iter().rev().find(|line| line.is_error()) {
        return Some(text(error));
    }
    let own = |line: &&Line| !line.text.trim().is_empty() && !line.text.starts_with([' ', '\t']);
    printed.iter().rev().find(own).map(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line::printed(text)).collect()
    }

    #[test]
    fn the_cause_is_found_in_what_languages_print() {
        for (printed, expected) in [
            (
                &["panicked at src/lib.rs:4:9:", "index out of bounds"][..],
                Some("panicked at src/lib.rs:4:9: index out of bounds"),
            ),
            (&["panicked at 'boom', src/lib.rs:4:9"], Some("panicked at 'boom', src/lib.rs:4:9")),
            (
                &[
                    "Traceback (most recent call last):",
                    "  File \"app.py\", line 7, in handle",
                    "KeyError: 'text'",
                ],
                Some("KeyError: 'text'"),
            ),
            (
                &["panic: oops", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:7"],
                Some("panic: oops"),
            ),
            (&["", "   "], None),
            (&[], None),
        ] {
            assert_eq!(cause(&lines(printed)).as_deref(), expected, "{printed:?}");
        }
    }

    #[test]
    fn a_failure_is_one_block() {
        let asked = Asked::about("handle", "POST /hook");
        let error = CallError::Trap("wasm trap: unreachable".into());
        let printed = lines(&["panicked at src/lib.rs:4:9:", "boom"]);
        let report = Report { channel: "bakery", asked: &asked, error: &error, printed: &printed };
        assert_eq!(
            report.to_string(),
            "bakery failed in `handle` (POST /hook): it crashed: wasm trap: unreachable\n  what it said:\n  | panicked at \
             src/lib.rs:4:9:\n  | boom"
        );
        assert_eq!(Asked::to("poll").to_string(), "`poll`");
    }
}
