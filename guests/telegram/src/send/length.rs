//! How long a message may be.

use serde::{Deserialize, Serialize};

use super::LIMIT;

/// A text that is as short as this is not cut any more, in UTF-16 units.
const SHORTEST: usize = 128;

/// How long the messages of one text may be: [`LIMIT`], and less from where on Telegram has called one too long. (A Bot
/// API server of the user's own may count bytes, for instance.)
///
/// Together with the text it says which part of it is which message. So it is kept while a pause interrupts the sending.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lengths(Vec<Shorter>);

/// From a message on, counted from 0, all are at most so long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Shorter {
    from: u32,
    limit: usize,
}

/// What is kept of a message that is not sent to its end.
#[derive(Serialize, Deserialize)]
struct Interrupted {
    /// The message's [`key`](tidegate_guest::Outgoing::key).
    key: String,
    lengths: Lengths,
}

impl Lengths {
    /// The limit of one message, in UTF-16 units.
    pub(super) fn of(&self, message: usize) -> usize {
        let shorter = self
            .0
            .iter()
            .rev()
            .find(|shorter| usize::try_from(shorter.from).is_ok_and(|from| from <= message));
        shorter.map_or(LIMIT, |shorter| shorter.limit)
    }

    /// This message was called too long, and has this length. False if it is too short to be cut again.
    pub(super) fn halve(&mut self, message: u32, length: usize) -> bool {
        let limit = length / 2;
        let cut = limit >= SHORTEST;
        if cut {
            self.0.push(Shorter { from: message, limit });
        }
        cut
    }

    /// Has Telegram called none of them too long?
    pub(crate) fn is_usual(&self) -> bool {
        self.0.is_empty()
    }

    /// Where they are kept for a chat. Its messages are sent one after the other.
    pub(crate) fn place(chat: &str) -> String {
        format!("lengths/{chat}")
    }

    /// As they are kept.
    pub(crate) fn write(&self, key: &str) -> Vec<u8> {
        let interrupted = Interrupted { key: key.to_owned(), lengths: self.clone() };
        serde_json::to_vec(&interrupted).unwrap_or_default()
    }

    /// What was kept, if that was of the message with this key.
    pub(crate) fn read(kept: &[u8], key: &str) -> Option<Self> {
        let interrupted: Interrupted = serde_json::from_slice(kept).ok()?;
        (interrupted.key == key).then_some(interrupted.lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_keeps_its_length_and_the_rest_is_shorter() {
        let mut lengths = Lengths::default();
        assert!(lengths.is_usual());
        assert!(lengths.halve(2, 4000) && lengths.halve(2, 2000) && lengths.halve(5, 900));
        let found: Vec<_> = (0..7).map(|message| lengths.of(message)).collect();
        assert_eq!(found, [4096, 4096, 1000, 1000, 1000, 450, 450]);
        assert!(!lengths.halve(6, 255), "it goes on for ever");
        assert_eq!(lengths.of(6), 450);
        assert_eq!(Lengths::read(&lengths.write("k"), "k"), Some(lengths.clone()));
        assert_eq!(Lengths::read(&lengths.write("k"), "l"), None);
        assert_eq!(Lengths::read(b"{", "k"), None);
    }
}
