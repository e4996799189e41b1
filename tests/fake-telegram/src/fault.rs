//! What goes wrong on demand.

use std::time::Duration;

use serde::Deserialize;

/// Something that goes wrong: with which method, when and how often.
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

    /// 429 with `retry_after`, in seconds, in the body and as a header.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self::new(Damage::TooManyRequests { retry_after })
    }

    /// An answer with this status and a page of HTML, as a proxy in between gives: 502, 504, …
    pub fn status(status: u16) -> Self {
        Self::new(Damage::Status { status })
    }

    /// A refusal in Telegram's own shape; the description with its prefix.
    pub fn refusal(code: u16, description: impl Into<String>) -> Self {
        Self::new(Damage::Refusal { code, description: description.into() })
    }

    /// The connection is reset before anything is answered.
    pub fn reset() -> Self {
        Self::new(Damage::Reset)
    }

    /// Nothing is answered for as long as the client waits.
    pub fn hang() -> Self {
        Self::new(Damage::Hang)
    }

    /// The call takes effect, and its answer waits for [`Server::release`](crate::Server::release).
    pub fn hold() -> Self {
        Self::new(Damage::Hold)
    }

    /// The answer comes in pieces of so many bytes with a pause after each.
    pub fn slow(bytes: usize, pause: Duration) -> Self {
        Self::new(Damage::Slow { bytes, pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) })
    }

    /// The answer ends after so many bytes of its body, though its length was said to be the whole.
    pub fn cut(bytes: usize) -> Self {
        Self::new(Damage::Cut { bytes })
    }

    /// An answer whose result is a text of so many bytes; its length is not told beforehand.
    pub fn large(bytes: usize) -> Self {
        Self::new(Damage::Large { bytes })
    }

    /// 302 to somewhere else.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::new(Damage::Redirect { status: 302, location: location.into() })
    }

    /// An answer of 200 with exactly this as its body.
    pub fn malformed(text: impl Into<String>) -> Self {
        Self::new(Damage::Malformed { text: text.into() })
    }

    /// Only with this method; `file` stands for downloads. Else with every one.
    #[must_use]
    pub fn on(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// With so many calls; else with one.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Only after so many calls that it could have hit.
    #[must_use]
    pub fn after(self, calls: u32) -> Self {
        Self { after: calls, ..self }
    }

    /// Does the call take effect all the same? As it stands, only where nothing but the answer is damaged: hold, slow
    /// and cut.
    #[must_use]
    pub fn handled(self, handled: bool) -> Self {
        Self { handled: Some(handled), ..self }
    }

    pub(crate) fn is_handled(&self) -> bool {
        self.handled.unwrap_or(matches!(self.damage, Damage::Hold | Damage::Slow { .. } | Damage::Cut { .. }))
    }
}

/// The faults that are still to come.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What goes wrong with this call: the oldest fault that fits.
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
