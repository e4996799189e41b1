//! Faults on demand.

use std::time::Duration;

use serde::Deserialize;

/// A fault: its kind, its method, and when and how often it happens.
///
/// ```
/// # use fake_telegram::{Fault, Server};
/// # let server = Server::start();
/// server.fault(Fault::too_many_requests(3).on("sendMessage").times(2));
/// server.fault(Fault::reset().on("getUpdates").after(5));
/// ```
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    #[serde(flatten)]
    pub(crate) damage: Damage,
    #[serde(default)]
    pub(crate) method: Option<String>,
    #[serde(default = "once")]
    pub(crate) times: u32,
    #[serde(default)]
    pub(crate) after: u32,
    #[serde(default)]
    handled: Option<bool>,
}

fn once() -> u32 {
    1
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Damage {
    TooManyRequests { retry_after: u32 },
    Status { status: u16 },
    Refusal { code: u16, description: String },
    Reset,
    Hang,
    Hold,
    Slow { bytes: usize, pause_ms: u64 },
    Cut { bytes: usize },
    Large { bytes: usize },
    Redirect { status: u16, location: String },
    Malformed { text: String },
}

impl Fault {
    fn new(damage: Damage) -> Self {
        Self { damage, method: None, times: 1, after: 0, handled: None }
    }

    /// Answers with 429 and `retry_after`, in seconds, in the body and as a header.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self::new(Damage::TooManyRequests { retry_after })
    }

    /// Answers with this status and an HTML page, like a proxy: 502, 504, …
    pub fn status(status: u16) -> Self {
        Self::new(Damage::Status { status })
    }

    /// Answers with a refusal in Telegram's format; the description includes its prefix.
    pub fn refusal(code: u16, description: impl Into<String>) -> Self {
        Self::new(Damage::Refusal { code, description: description.into() })
    }

    /// Resets the connection before the answer.
    pub fn reset() -> Self {
        Self::new(Damage::Reset)
    }

    /// Does not answer while the client waits.
    pub fn hang() -> Self {
        Self::new(Damage::Hang)
    }

    /// Carries the call out, and holds its answer until [`Server::release`](crate::Server::release).
    pub fn hold() -> Self {
        Self::new(Damage::Hold)
    }

    /// Sends the answer in pieces of this size with a pause after each.
    pub fn slow(bytes: usize, pause: Duration) -> Self {
        Self::new(Damage::Slow { bytes, pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) })
    }

    /// Ends the answer after this number of bytes of its body, although its stated length is the whole.
    pub fn cut(bytes: usize) -> Self {
        Self::new(Damage::Cut { bytes })
    }

    /// Answers with a text of this size as its result, without a stated length.
    pub fn large(bytes: usize) -> Self {
        Self::new(Damage::Large { bytes })
    }

    /// Answers with a 302 to this address.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::new(Damage::Redirect { status: 302, location: location.into() })
    }

    /// Answers with 200 and exactly this body.
    pub fn malformed(text: impl Into<String>) -> Self {
        Self::new(Damage::Malformed { text: text.into() })
    }

    /// Limits the fault to this method; `file` means downloads. The default is every method.
    #[must_use]
    pub fn on(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// Applies the fault to this number of calls; the default is one.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Skips this number of matching calls first.
    #[must_use]
    pub fn after(self, calls: u32) -> Self {
        Self { after: calls, ..self }
    }

    /// Sets whether the call takes effect. By default it does only for faults that damage only the answer: hold, slow
    /// and cut.
    #[must_use]
    pub fn handled(self, handled: bool) -> Self {
        Self { handled: Some(handled), ..self }
    }

    pub(crate) fn is_handled(&self) -> bool {
        self.handled.unwrap_or(matches!(self.damage, Damage::Hold | Damage::Slow { .. } | Damage::Cut { .. }))
    }
}

/// The pending faults.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the fault for this call: the oldest one that matches.
    pub(crate) fn next(&mut self, method: &str) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        for fault in &mut self.0 {
            if fault.method.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(method)) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_the_calls_that_it_is_meant_for() {
        let mut faults = Faults::default();
        faults.add(Fault::reset().on("sendmessage").after(1).times(2));
        faults.add(Fault::hang().on("getMe"));
        let mut hits = |method: &str| faults.next(method).is_some();
        assert!(!hits("sendMessage"));
        assert!(!hits("getUpdates"));
        assert!(hits("sendMessage"));
        assert!(hits("sendMessage"));
        assert!(!hits("sendMessage"));
        assert!(hits("getMe"));
        assert!(!hits("getMe"));
    }

    #[test]
    fn the_control_api_has_the_same_words() {
        let fault: Fault = serde_json::from_str(
            r#"{"kind": "slow", "bytes": 3, "pause_ms": 5, "method": "getMe", "times": 2}"#,
        )
        .unwrap();
        assert!(matches!(fault.damage, Damage::Slow { bytes: 3, pause_ms: 5 }));
        assert_eq!((fault.method.as_deref(), fault.times, fault.after), (Some("getMe"), 2, 0));
        assert!(fault.is_handled());
    }
}
