//! Calls that a test makes fail. Each failure happens once; several failures of one call happen one after the other.

use serde::{Deserialize, Serialize};
use tidegate_guest::Fault;

use crate::memory;

const KEY: &str = "failures";

/// A pending failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    call: Failing,
    /// The number of calls that succeed first.
    #[serde(default)]
    after: u32,
    pub(crate) fault: Kind,
    /// The text of the fault. For `rate-limited` it is the time to wait, in milliseconds; `unsupported` has no text.
    #[serde(default)]
    text: String,
}

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Failing {
    /// Takes effect only after a restart: before the first start no test can request it.
    Identify,
    Send,
    Edit,
    React,
    History,
    Fetch,
    Acknowledge,
}

/// The contract's faults.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    RateLimited,
    Unauthorized,
    Conflict,
    NotFound,
    Rejected,
    Unavailable,
    Unsupported,
}

impl Failure {
    /// Returns the fault for the host.
    pub(crate) fn fault(self) -> Fault {
        match self.fault {
            // `remember` has let numbers in only.
            Kind::RateLimited => Fault::RateLimited(self.text.parse().unwrap_or_default()),
            Kind::Unauthorized => Fault::Unauthorized(self.text),
            Kind::Conflict => Fault::Conflict(self.text),
            Kind::NotFound => Fault::NotFound(self.text),
            Kind::Rejected => Fault::Rejected(self.text),
            Kind::Unavailable => Fault::Unavailable(self.text),
            Kind::Unsupported => Fault::Unsupported,
        }
    }
}

/// Stores a failure for a later call.
pub(crate) fn remember(failure: Failure) -> Result<(), String> {
    if let (Kind::RateLimited, Err(error)) = (failure.fault, failure.text.parse::<u64>()) {
        return Err(format!(
            "the text of a rate-limited fault is milliseconds, not {:?}: {error}",
            failure.text
        ));
    }
    let mut failures = memory::load::<Vec<Failure>>(KEY);
    failures.push(failure);
    memory::store(KEY, &failures)
}

/// Removes and returns the failure for the current call, if there is one.
pub(crate) fn due(call: Failing) -> Option<Failure> {
    let mut failures = memory::load::<Vec<Failure>>(KEY);
    let index = failures.iter().position(|failure| failure.call == call)?;
    let next = failures.get_mut(index)?;
    let due = match next.after.checked_sub(1) {
        Some(left) => {
            next.after = left;
            None
        }
        None => Some(failures.remove(index)),
    };
    memory::keep(KEY, &failures);
    due
}
