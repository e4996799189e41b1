//! Checks that a person is at this terminal, rather than a model with a shell.
//!
//! Only a person may let a sender in. A model that follows an instruction from a chat would run the same command, so
//! the command refuses to run below Claude Code. No setting overrides that, because a model can change every setting
//! that a person can change.

use std::io::{IsTerminal as _, stdin};

use super::ancestors::{self, Process, Unreadable, ancestors, nearest_claude_code};

/// The variable that is set in the shells that Claude Code opens for a model.
const CHILD_SESSION: &str = "CLAUDE_CODE_CHILD_SESSION";

/// Why the command refuses to run, and what a person has to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The environment says that a Claude Code session started this process.
    #[error(
        "this needs a person, and {CHILD_SESSION} says that it was started by a Claude Code session: run it yourself \
         in a terminal of your own, outside of Claude Code"
    )]
    ChildSession,
    /// The process with this id, above this one, is Claude Code.
    #[error(
        "this needs a person, and it was started from within Claude Code (process {0}): run it yourself in a terminal \
         of your own, outside of Claude Code"
    )]
    InsideClaudeCode(i32),
    /// The processes above this one cannot be read, so it is unknown which programs started it.
    #[error(
        "this needs a person, and whether Claude Code has started it cannot be seen ({0}): run it yourself in a \
         terminal of your own, outside of Claude Code, as a user who may see the processes above it"
    )]
    Unreadable(Unreadable),
    /// The standard input is not a terminal.
    #[error(
        "this needs a person, and its input is not a terminal: run it yourself in a terminal of your own, outside of \
         Claude Code, with nothing piped into it"
    )]
    NoTerminal,
}

/// The facts that the decision depends on.
struct Facts<'a> {
    child_session: bool,
    ancestors: &'a Result<Vec<Process>, Unreadable>,
}

/// Returns an error unless a person has started this process and its standard input is a terminal, as far as that is
/// visible.
pub fn at_terminal() -> Result<(), Refused> {
    Facts { child_session: in_models_shell(), ancestors: &ancestors() }.at_terminal(stdin().is_terminal())
}

/// Returns an error if Claude Code, and so perhaps a model, may have started this process. Does not require a terminal,
/// so that a user's script may run it.
pub fn outside() -> Result<(), Refused> {
    Facts { child_session: in_models_shell(), ancestors: &ancestors() }.outside()
}

/// Returns an error if Claude Code, and so perhaps a model, may have started that process.
pub fn is_behind(pid: i32) -> Result<(), Refused> {
    let line = ancestors::line(pid);
    let child_session = line
        .as_ref()
        .is_ok_and(|line| line.first().is_some_and(|process| process.variable(CHILD_SESSION).is_some()));
    Facts { child_session, ancestors: &line }.outside()
}

/// Returns true if this process was started from a shell that a model uses. Claude Code sets the variable in those
/// shells, but not for the servers that it starts.
pub fn in_models_shell() -> bool {
    std::env::var_os(CHILD_SESSION).is_some()
}

impl Facts<'_> {
    fn outside(&self) -> Result<(), Refused> {
        if self.child_session {
            return Err(Refused::ChildSession);
        }
        let ancestors =
            self.ancestors.as_ref().map_err(|unreadable| Refused::Unreadable(unreadable.clone()))?;
        match nearest_claude_code(ancestors) {
            Some(claude) => Err(Refused::InsideClaudeCode(claude.pid)),
            None => Ok(()),
        }
    }

    fn at_terminal(&self, terminal: bool) -> Result<(), Refused> {
        self.outside()?;
        if terminal { Ok(()) } else { Err(Refused::NoTerminal) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude::ancestors::Why;

    fn process(pid: i32, arguments: &[&str]) -> Process {
        Process { pid, arguments: arguments.iter().map(|&argument| argument.to_owned()).collect() }
    }

    #[test]
    fn only_a_terminal_outside_of_claude_code_has_a_person() {
        let outside = Ok(vec![process(9, &["-zsh"]), process(1, &[])]);
        let inside = Ok(vec![
            process(9, &["bash", "-c", "tidegate"]),
            process(8, &["node", "/usr/bin/claude"]),
            process(7, &["-zsh"]),
            process(1, &[]),
        ]);
        let unreadable = Unreadable { pid: 7, why: Why::Gone };
        let hidden = Err(unreadable.clone());
        for (child_session, ancestors, terminal, expected) in [
            (false, &outside, true, Ok(())),
            (false, &Ok(Vec::new()), true, Ok(())),
            (false, &outside, false, Err(Refused::NoTerminal)),
            (true, &outside, true, Err(Refused::ChildSession)),
            (false, &inside, true, Err(Refused::InsideClaudeCode(8))),
            (false, &inside, false, Err(Refused::InsideClaudeCode(8))),
            (false, &hidden, true, Err(Refused::Unreadable(unreadable))),
        ] {
            let facts = Facts { child_session, ancestors };
            assert_eq!(facts.at_terminal(terminal), expected, "{child_session} {ancestors:?} {terminal}");
            let outside = if expected == Err(Refused::NoTerminal) { Ok(()) } else { expected };
            assert_eq!(facts.outside(), outside, "{child_session} {ancestors:?}");
        }
    }

    #[test]
    fn every_refusal_says_what_a_person_has_to_do() {
        let unreadable = Unreadable { pid: 7, why: Why::Gone };
        for (refused, part) in [
            (Refused::ChildSession, "CLAUDE_CODE_CHILD_SESSION"),
            (Refused::InsideClaudeCode(8), "process 8"),
            (Refused::Unreadable(unreadable), "process 7, from which"),
            (Refused::NoTerminal, "not a terminal"),
        ] {
            let text = refused.to_string();
            assert!(text.contains(part), "{text}");
            let advice = "run it yourself in a terminal of your own, outside of Claude Code";
            assert!(text.contains(advice), "{text}");
        }
    }
}
