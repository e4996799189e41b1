//! The rate limit for the messages of one sender.

use std::{collections::HashMap, time::Duration};

use crate::event::SenderId;

const MINUTE: Duration = Duration::from_mins(1);

/// Messages per minute that are heard from each member of an open group, if the user has set no limit. Anybody can be a
/// member of an open group. A sender whom an allowlist names has no default limit, because none of their messages may
/// be lost.
pub const OPEN_GROUP: u32 = 30;

/// Maximum number of senders that are counted at a time. Beyond it, senders whose minute is over are forgotten.
const WATCHED: usize = 4096;

/// Counts the messages of each sender per minute. A minute begins with the sender's first message in it.
#[derive(Debug, Default)]
pub struct Rates(HashMap<SenderId, Window>);

#[derive(Clone, Copy, Debug)]
struct Window {
    /// Milliseconds since the Unix epoch.
    since: u64,
    count: u32,
}

impl Window {
    /// Returns true if the minute is over. A clock that was set back begins a new minute.
    fn is_over(self, now: u64) -> bool {
        u128::from(now.saturating_sub(self.since)) >= MINUTE.as_millis() || now < self.since
    }
}

/// Whether a message is within the rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// The message is within the limit.
    Within,
    /// The message exceeds the limit, and is the first one in this minute that does.
    Exceeded,
    /// The message exceeds the limit, and this is already known.
    Still,
}

impl Rates {
    /// Counts a message of this sender, who may send `most` messages per minute.
    pub fn count(&mut self, sender: &SenderId, most: u32, now: u64) -> Rate {
        let over = |window: &Window| window.is_over(now);
        if self.0.len() >= WATCHED && !self.0.contains_key(sender) {
            self.0.retain(|_, window| !over(window));
            if self.0.len() >= WATCHED {
                return Rate::Still;
            }
        }
        let window = self.0.entry(sender.clone()).or_insert(Window { since: now, count: 0 });
        if over(window) {
            *window = Window { since: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        match window.count.checked_sub(most) {
            None | Some(0) => Rate::Within,
            Some(1) => Rate::Exceeded,
            Some(_) => Rate::Still,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_too_much_is_noticed_once_a_minute() {
        let (mut rates, ada, bob) = (Rates::default(), SenderId::new("ada"), SenderId::new("bob"));
        assert_eq!(rates.count(&ada, 2, 0), Rate::Within);
        assert_eq!(rates.count(&ada, 2, 1), Rate::Within);
        assert_eq!(rates.count(&ada, 2, 2), Rate::Exceeded);
        assert_eq!(rates.count(&ada, 2, 59_999), Rate::Still);
        assert_eq!(rates.count(&bob, 2, 3), Rate::Within);
        assert_eq!(rates.count(&ada, 2, 60_000), Rate::Within);
        assert_eq!(rates.count(&ada, 2, 5), Rate::Within, "a clock that was set back begins a new minute");
    }

    #[test]
    fn a_crowd_takes_bounded_memory() {
        let mut rates = Rates::default();
        for sender in 0..WATCHED * 2 {
            rates.count(&SenderId::new(sender.to_string()), 1, 0);
        }
        assert_eq!(rates.0.len(), WATCHED);
        assert_eq!(rates.count(&SenderId::new("late"), 1, 60_000), Rate::Within);
        assert_eq!(rates.0.len(), 1);
    }
}
