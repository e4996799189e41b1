//! The steps of a run, and their outcomes.

use std::collections::BTreeMap;

/// One row of the table, in the order of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Handshake,
    Tools,
    Reply,
    Edit,
    FailingCall,
    Push,
    ReplyToPush,
    Permission,
    Dialogs,
    PluginInstalled,
    PluginWithoutProgram,
    PluginReconnected,
    PluginChannel,
    PluginTools,
    End,
}

impl Step {
    pub(crate) const ALL: [Self; 15] = [
        Self::Handshake,
        Self::Tools,
        Self::Reply,
        Self::Edit,
        Self::FailingCall,
        Self::Push,
        Self::ReplyToPush,
        Self::Permission,
        Self::Dialogs,
        Self::PluginInstalled,
        Self::PluginWithoutProgram,
        Self::PluginReconnected,
        Self::PluginChannel,
        Self::PluginTools,
        Self::End,
    ];

    /// The steps of the plugin, in their order.
    pub(crate) const PLUGIN: [Self; 5] = [
        Self::PluginInstalled,
        Self::PluginWithoutProgram,
        Self::PluginReconnected,
        Self::PluginChannel,
        Self::PluginTools,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Tools => "tools listed and loaded",
            Self::Reply => "reply",
            Self::Edit => "edit",
            Self::FailingCall => "failing call",
            Self::Push => "push",
            Self::ReplyToPush => "reply to a push",
            Self::Permission => "permission request and verdict",
            Self::Dialogs => "dialogs",
            Self::PluginInstalled => "plugin: installed",
            Self::PluginWithoutProgram => "plugin: without tidegate",
            Self::PluginReconnected => "plugin: /mcp, Reconnect",
            Self::PluginChannel => "plugin: push",
            Self::PluginTools => "plugin: tools called",
            Self::End => "end without orphans",
        }
    }
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// The reason of the failure.
    Fail(String),
    /// The client's own reason why the step cannot run here.
    Unavailable(String),
}

/// One column of the table.
#[derive(Debug)]
pub(crate) struct Results {
    /// The heading.
    pub(crate) title: String,
    outcomes: BTreeMap<Step, Outcome>,
}

impl Results {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), outcomes: BTreeMap::new() }
    }

    /// Records an outcome. If a step is done more than once, one failure makes the step fail.
    pub(crate) fn note(&mut self, step: Step, outcome: Outcome) {
        match self.outcomes.get(&step) {
            Some(Outcome::Fail(_)) => {}
            _ => {
                self.outcomes.insert(step, outcome);
            }
        }
    }

    /// Records the result of a step, and returns whether it passed.
    pub(crate) fn note_result(&mut self, step: Step, result: anyhow::Result<()>) -> bool {
        let outcome = result.map_or_else(|error| Outcome::Fail(format!("{error:#}")), |()| Outcome::Pass);
        let passed = outcome == Outcome::Pass;
        self.note(step, outcome);
        passed
    }

    /// Returns the outcome of a step. A step that the run did not reach has failed.
    pub(crate) fn outcome(&self, step: Step) -> Outcome {
        let missing =
            || Outcome::Fail("the run did not come to it, because something before it failed".into());
        self.outcomes.get(&step).cloned().unwrap_or_else(missing)
    }

    pub(crate) fn failed(&self) -> bool {
        Step::ALL.into_iter().any(|step| matches!(self.outcome(step), Outcome::Fail(_)))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_step_that_the_run_did_not_come_to_has_failed() {
        let mut results = Results::new("x");
        for step in Step::ALL {
            assert!(results.failed());
            assert!(results.note_result(step, Ok(())));
        }
        assert!(!results.failed());
    }

    #[test]
    fn one_failure_of_several_tries_counts() {
        let mut results = Results::new("x");
        results.note_result(Step::End, Ok(()));
        results.note_result(Step::End, Err(anyhow!("first").context("outer")));
        results.note_result(Step::End, Ok(()));
        results.note(Step::End, Outcome::Unavailable("never".into()));
        assert_eq!(results.outcome(Step::End), Outcome::Fail("outer: first".into()));
    }

    #[test]
    fn what_is_not_available_is_no_failure() {
        let mut results = Results::new("x");
        for step in Step::ALL {
            results.note(step, Outcome::Unavailable("offline".into()));
        }
        assert!(!results.failed());
    }
}
