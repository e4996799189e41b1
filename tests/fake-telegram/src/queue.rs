//! The queue of updates, and the effect of an offset.
//!
//! The rules are those of `getUpdates` and of the queue below it in Telegram's own Bot API server.

use std::collections::VecDeque;

use axum::body::Bytes;

/// The first id. Telegram's ids can begin anywhere; this one is large, so that it is not confused with an index.
const FIRST: i64 = 700_000_001;

/// The maximum distance of an accepted offset from the end.
const LEEWAY: i64 = 10;

/// The maximum size of one answer, in bytes, for any requested number of updates.
const ANSWER: usize = 4 << 20;
/// The overhead that Telegram counts for each update, in bytes.
const OVERHEAD: usize = 50;

/// The unconfirmed updates, in order, each as the text of a JSON object.
pub(crate) struct Queue {
    updates: VecDeque<Bytes>,
    /// The id of the next update.
    next: i64,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { updates: VecDeque::new(), next: FIRST }
    }

    pub(crate) fn len(&self) -> usize {
        self.updates.len()
    }

    pub(crate) fn clear(&mut self) {
        self.updates.clear();
    }

    /// Appends `{"update_id":…,"KIND":PAYLOAD}`; returns its id.
    pub(crate) fn push(&mut self, kind: &str, payload: &str) -> i64 {
        self.push_text(|id| format!(r#"{{"update_id":{id},"{kind}":{payload}}}"#))
    }

    /// Appends any text, JSON or not, which also uses an id.
    pub(crate) fn push_text(&mut self, text: impl FnOnce(i64) -> String) -> i64 {
        let id = self.next;
        self.next += 1;
        self.updates.push_back(Bytes::from(text(id)));
        id
    }

    /// Applies the offset, and returns the first updates that remain.
    ///
    /// - `offset > 0`: all updates below it are confirmed. An offset of more than 10 beyond the end confirms nothing.
    /// - `offset < 0`: the last `-offset` updates stay, all before are confirmed.
    /// - `offset == 0`: nothing is confirmed.
    pub(crate) fn take(&mut self, offset: i64, limit: usize) -> Vec<Bytes> {
        let length = i64::try_from(self.updates.len()).unwrap_or(i64::MAX);
        let first = self.next - length;
        let confirmed = match offset {
            0 => 0,
            ..0 => length.saturating_add(offset),
            _ if offset > self.next + LEEWAY => 0,
            _ => offset - first,
        };
        let confirmed = usize::try_from(confirmed).unwrap_or(0).min(self.updates.len());
        self.updates.drain(..confirmed);
        let mut room = ANSWER;
        self.updates
            .iter()
            .take(limit)
            .take_while(|update| {
                let size = update.len() + OVERHEAD;
                let fits = size < room;
                room = room.saturating_sub(size);
                fits
            })
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(updates: i64) -> Queue {
        let mut queue = Queue::new();
        for number in 0..updates {
            assert_eq!(queue.push("n", &number.to_string()), FIRST + number);
        }
        queue
    }

    fn numbers(updates: &[Bytes]) -> Vec<i64> {
        updates
            .iter()
            .map(|update| {
                let update: serde_json::Value = serde_json::from_slice(update).unwrap();
                assert_eq!(update["update_id"].as_i64().unwrap(), FIRST + update["n"].as_i64().unwrap());
                update["n"].as_i64().unwrap()
            })
            .collect()
    }

    #[test]
    fn an_offset_confirms_what_is_below_it() {
        for (offset, expected, left) in [
            (0, vec![0, 1, 2, 3, 4], 5),
            (1, vec![0, 1, 2, 3, 4], 5),
            (FIRST, vec![0, 1, 2, 3, 4], 5),
            (FIRST + 2, vec![2, 3, 4], 3),
            (FIRST + 5, vec![], 0),
            (FIRST + 15, vec![], 0),
            // Too far ahead to be meant.
            (FIRST + 16, vec![0, 1, 2, 3, 4], 5),
            (-1, vec![4], 1),
            (-3, vec![2, 3, 4], 3),
            (-5, vec![0, 1, 2, 3, 4], 5),
            (-500, vec![0, 1, 2, 3, 4], 5),
            (i64::MIN, vec![0, 1, 2, 3, 4], 5),
        ] {
            let mut queue = queue(5);
            assert_eq!(numbers(&queue.take(offset, 100)), expected, "offset {offset}");
            assert_eq!(queue.len(), left, "offset {offset}");
        }
    }

    #[test]
    fn what_is_not_confirmed_comes_again() {
        let mut queue = queue(3);
        assert_eq!(numbers(&queue.take(0, 2)), [0, 1]);
        assert_eq!(numbers(&queue.take(0, 2)), [0, 1]);
        assert_eq!(numbers(&queue.take(FIRST + 1, 2)), [1, 2]);
        // An offset below what is confirmed brings nothing back.
        assert_eq!(numbers(&queue.take(FIRST, 2)), [1, 2]);
    }

    #[test]
    fn an_answer_is_no_larger_than_four_mebibytes() {
        let mut queue = Queue::new();
        let large = format!("\"{}\"", "x".repeat(1 << 20));
        for _ in 0..5 {
            queue.push("n", &large);
        }
        assert_eq!(queue.take(0, 100).len(), 3);
        assert_eq!(queue.take(FIRST + 3, 100).len(), 2);
    }

    proptest! {
        #[test]
        fn whoever_asks_in_order_gets_each_update_once(
            steps in proptest::collection::vec((0_i64..5, 1_usize..4), 0..40),
        ) {
            let mut queue = Queue::new();
            let (mut pushed, mut offset, mut seen) = (0, 0, Vec::new());
            for (more, limit) in steps {
                for _ in 0..more {
                    queue.push("n", &pushed.to_string());
                    pushed += 1;
                }
                let got = numbers(&queue.take(offset, limit));
                offset = got.last().map_or(offset, |last| FIRST + last + 1);
                seen.extend(got);
            }
            seen.extend(numbers(&queue.take(offset, usize::MAX)));
            prop_assert_eq!(seen, (0..pushed).collect::<Vec<_>>());
        }
    }
}
