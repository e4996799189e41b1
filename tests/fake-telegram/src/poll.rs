//! `getUpdates`: waiting polls, and conflicts between pollers.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{error::ApiError, queue::Queue};

/// The maximum time that a poll waits.
const LONGEST: Duration = Duration::from_secs(50);
/// The kinds of updates that are sent only on request.
const UNASKED: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];
/// All kinds of updates.
const KINDS: [&str; 24] = [
    "business_connection",
    "business_message",
    "callback_query",
    "channel_post",
    "chat_boost",
    "chat_join_request",
    "chat_member",
    "chosen_inline_result",
    "deleted_business_messages",
    "edited_business_message",
    "edited_channel_post",
    "edited_message",
    "inline_query",
    "message",
    "message_reaction",
    "message_reaction_count",
    "my_chat_member",
    "poll",
    "poll_answer",
    "pre_checkout_query",
    "purchased_paid_media",
    "removed_chat_boost",
    "shipping_query",
    "managed_bot",
];
/// The minimum time between two conflict errors: the second one is delayed, so that two pollers do not spin.
const CALM: Duration = Duration::from_secs(3);
/// A poller that repeats a poll within this time waits at least three seconds …
const AGAIN: Duration = Duration::from_secs(3);
/// … and within this time gets only one update.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The reason why a wait ends.
pub(crate) enum Wake {
    Updates,
    /// A refusal, after this time.
    Ended(ApiError, Duration),
}

/// The result of a poll.
pub(crate) enum Polled {
    Updates(Vec<Bytes>),
    /// There is no update yet. Wait for this time, and continue from this offset.
    Wait(Waiting),
}

pub(crate) struct Waiting {
    pub(crate) wake: oneshot::Receiver<Wake>,
    pub(crate) timeout: Duration,
    pub(crate) offset: i64,
    pub(crate) limit: usize,
}

pub(crate) struct Poll {
    pub(crate) queue: Queue,
    pub(crate) webhook: String,
    /// Whether pollers that poll too often are slowed down.
    pub(crate) throttled: bool,
    allowed: HashSet<String>,
    waiting: Option<oneshot::Sender<Wake>>,
    calm_until: Option<Instant>,
    last: Option<(i64, Instant)>,
}

impl Poll {
    pub(crate) fn new() -> Self {
        Self {
            queue: Queue::new(),
            webhook: String::new(),
            throttled: true,
            allowed: unasked(),
            waiting: None,
            calm_until: None,
            last: None,
        }
    }

    /// Adds an update and returns its id; returns `None` if the bot has not asked for its kind.
    pub(crate) fn push(&mut self, kind: &str, payload: &Value) -> Option<i64> {
        if KINDS.contains(&kind) && !self.allowed.contains(kind) {
            return None;
        }
        let id = self.queue.push(kind, &payload.to_string());
        self.wake();
        Some(id)
    }

    /// Adds any text as an update.
    pub(crate) fn push_text(&mut self, text: impl FnOnce(i64) -> String) -> i64 {
        let id = self.queue.push_text(text);
        self.wake();
        id
    }

    fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            // Whoever has gone asks again.
            let _ = waiting.send(Wake::Updates);
        }
    }

    /// Ends a wait at once.
    pub(crate) fn end(&mut self, error: ApiError) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(Wake::Ended(error, Duration::ZERO));
        }
    }

    /// Returns the kinds that the bot has asked for, if it has asked.
    pub(crate) fn asked(&self) -> Option<Vec<&str>> {
        let mut kinds: Vec<&str> = self.allowed.iter().map(String::as_str).collect();
        kinds.sort_unstable();
        (self.allowed != unasked()).then_some(kinds)
    }

    /// Stores `allowed_updates`. A value that is not a list of texts changes nothing; an empty list restores the
    /// default.
    pub(crate) fn allow(&mut self, kinds: Option<&Value>) {
        let Some(Value::Array(kinds)) = kinds else { return };
        let Some(kinds) = kinds.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else { return };
        let kinds: HashSet<String> = kinds.into_iter().map(str::to_ascii_lowercase).collect();
        let known: HashSet<String> =
            kinds.into_iter().filter(|kind| KINDS.contains(&kind.as_str())).collect();
        self.allowed = if known.is_empty() { unasked() } else { known };
    }

    pub(crate) fn poll(&mut self, offset: i64, limit: i64, timeout: i64) -> Result<Polled, ApiError> {
        if !self.webhook.is_empty() {
            return Err(ApiError::new(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            ));
        }
        // Telegram takes what is out of range for the nearest that is not, and 100 if there is none.
        let mut limit = if limit <= 0 { 100 } else { usize::try_from(limit).unwrap_or(100).min(100) };
        let mut timeout = Duration::from_secs(u64::try_from(timeout).unwrap_or(0)).min(LONGEST);
        let now = Instant::now();
        if let Some((last, at)) = self.last
            && last == offset
            && self.throttled
        {
            if at.elapsed() < AGAIN {
                timeout = timeout.max(AGAIN);
            }
            if at.elapsed() < AT_ONCE {
                limit = 1;
            }
        }
        self.last = Some((offset, now));
        let updates = self.queue.take(offset, limit);
        if !updates.is_empty() || timeout.is_zero() {
            return Ok(Polled::Updates(updates));
        }
        let (sender, wake) = oneshot::channel();
        if let Some(older) = self.waiting.replace(sender)
            && !older.is_closed()
        {
            let pause = if self.throttled && self.calm_until.is_some_and(|until| now < until) {
                CALM
            } else {
                Duration::ZERO
            };
            if pause.is_zero() {
                self.calm_until = Some(now + CALM);
            }
            let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
            let _ = older.send(Wake::Ended(ApiError::new(409, text), pause));
        }
        // What was to stay has stayed: later ones are all wanted.
        Ok(Polled::Wait(Waiting { wake, timeout, offset: offset.max(0), limit }))
    }
}

fn unasked() -> HashSet<String> {
    KINDS.into_iter().filter(|kind| !UNASKED.contains(kind)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn waits(polled: Result<Polled, ApiError>) -> Waiting {
        match polled {
            Ok(Polled::Wait(waiting)) => waiting,
            Ok(Polled::Updates(updates)) => panic!("updates came: {updates:?}"),
            Err(error) => panic!("{error}"),
        }
    }

    fn count(polled: Result<Polled, ApiError>) -> usize {
        match polled {
            Ok(Polled::Updates(updates)) => updates.len(),
            Ok(Polled::Wait(_)) => panic!("it waits"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_older_of_two_polls_is_sent_away() {
        let mut poll = Poll::new();
        let mut older = waits(poll.poll(0, 0, 50));
        let mut newer = waits(poll.poll(1, 0, 50));
        let Ok(Wake::Ended(error, pause)) = older.wake.try_recv() else { panic!("the older one waits on") };
        assert_eq!((error.code, pause), (409, Duration::ZERO));
        assert!(newer.wake.try_recv().is_err());
        // The next one learns of it later.
        let _third = waits(poll.poll(2, 0, 50));
        assert!(matches!(newer.wake.try_recv(), Ok(Wake::Ended(_, CALM))));
    }

    #[test]
    fn a_poll_that_is_gone_is_no_conflict() {
        let mut poll = Poll::new();
        drop(waits(poll.poll(0, 0, 50)));
        let _next = waits(poll.poll(1, 0, 50));
        assert_eq!(poll.calm_until, None);
    }

    #[test]
    fn an_update_wakes_whoever_waits() {
        let mut poll = Poll::new();
        let mut waiting = waits(poll.poll(0, 0, 50));
        poll.push("message", &json!({}));
        assert!(matches!(waiting.wake.try_recv(), Ok(Wake::Updates)));
    }

    #[test]
    fn what_was_not_asked_for_does_not_come() {
        let mut poll = Poll::new();
        assert!(poll.push("message", &json!({})).is_some());
        assert!(poll.push("message_reaction", &json!({})).is_none());
        poll.allow(Some(&json!(["Message_Reaction", "no such"])));
        assert!(poll.push("message_reaction", &json!({})).is_some());
        assert!(poll.push("message", &json!({})).is_none());
        assert_eq!(poll.asked(), Some(vec!["message_reaction"]));
        // It is remembered until another list comes.
        poll.allow(None);
        assert!(poll.push("message", &json!({})).is_none());
        poll.allow(Some(&json!([])));
        assert!(poll.push("message", &json!({})).is_some());
        assert_eq!(poll.asked(), None);
    }

    #[test]
    fn whoever_asks_for_the_same_again_at_once_gets_one() {
        let mut poll = Poll::new();
        for _ in 0..3 {
            poll.push("message", &json!({}));
        }
        assert_eq!(count(poll.poll(0, 0, 0)), 3);
        assert_eq!(count(poll.poll(0, 0, 0)), 1);
        poll.throttled = false;
        assert_eq!(count(poll.poll(0, 0, 0)), 3);
    }

    #[test]
    fn whoever_asks_for_the_same_again_waits_three_seconds_at_least() {
        let mut poll = Poll::new();
        assert_eq!(count(poll.poll(0, 0, 0)), 0);
        assert_eq!(waits(poll.poll(0, 0, 0)).timeout, AGAIN);
        assert_eq!(waits(poll.poll(0, 0, 9)).timeout, Duration::from_secs(9));
        assert_eq!(count(poll.poll(1, 0, 0)), 0);
    }
}
