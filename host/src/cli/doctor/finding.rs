//! The result of a check, and what to do about it.

use std::path::Path;

use serde::Serialize;

use crate::event::ChannelName;

/// The outcome of a check.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Good,
    Notice,
    Bad,
}

/// One check with its result.
#[derive(Serialize)]
pub(super) struct Check {
    /// The channel, or null for a check that concerns all channels.
    pub(super) channel: Option<ChannelName>,
    pub(super) what: &'static str,
    pub(super) state: State,
    pub(super) found: String,
    /// What to do.
    pub(super) cure: Option<String>,
}

#[derive(Default)]
pub(super) struct Checks(pub(super) Vec<Check>);

impl Checks {
    pub(super) fn add(&mut self, channel: Option<&ChannelName>, what: &'static str, finding: Finding) {
        let Finding { state, found, cure } = finding;
        self.0.push(Check { channel: channel.cloned(), what, state, found, cure });
    }
}

pub(super) struct Finding {
    pub(super) state: State,
    pub(super) found: String,
    pub(super) cure: Option<String>,
}

pub(super) fn good(found: impl Into<String>) -> Finding {
    Finding { state: State::Good, found: found.into(), cure: None }
}

/// Returns a finding without a problem, with the next step.
pub(super) fn ready(found: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding { state: State::Good, found: found.into(), cure: Some(next.into()) }
}

pub(super) fn notice(found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { state: State::Notice, found: found.into(), cure: Some(cure.into()) }
}

pub(super) fn bad(found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { state: State::Bad, found: found.into(), cure: Some(cure.into()) }
}

/// Returns how to correct a file.
pub(super) fn edit(path: &Path) -> String {
    format!("Correct it: `${{EDITOR:-vi}} {}`", path.display())
}

/// Splits a reason into what was found and what to do. A reason has two sentences or more. `word` is the client's own
/// text, which the first sentence may quote and which may contain full stops.
pub(super) fn split<'a>(reason: &'a str, word: Option<&str>) -> (&'a str, Option<&'a str>) {
    let quoted = word.and_then(|word| Some(reason.find(word)? + word.len())).unwrap_or(0);
    let end = reason.get(quoted..).and_then(|rest| rest.find(". ")).map(|end| quoted + end);
    match end.and_then(|end| reason.split_at_checked(end)) {
        Some((what, cure)) => (what, Some(cure.trim_start_matches(". "))),
        None => (reason, None),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_reason_is_a_finding_and_a_cure() {
        for (reason, word, expected) in [
            ("it is so. Do this. Do that", None, ("it is so", Some("Do this. Do that"))),
            ("it is so", None, ("it is so", None)),
            (
                "refused (\"no. Not now.\"). Do this",
                Some("no. Not now."),
                ("refused (\"no. Not now.\")", Some("Do this")),
            ),
            ("another text. Do this", Some("no"), ("another text", Some("Do this"))),
        ] {
            assert_eq!(split(reason, word), expected, "{reason}");
        }
    }
}
