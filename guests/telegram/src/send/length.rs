//! The maximum length of a message.

use serde::{Deserialize, Serialize};

use super::LIMIT;

/// The shortest limit, in UTF-16 units: a shorter text is not cut again.
const SHORTEST: usize = 128;

/// The maximum lengths of the messages of one text: [`LIMIT`], and less from the message on that Telegram called too
/// long. (The user's own Bot API server may count bytes, for instance.)
///
/// Together with the text, the lengths determine the text of each message. So they are stored while a pause interrupts
/// the sending.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lengths(Vec<Shorter>);

/// A limit for all messages from this one on, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Shorter {
    from: u32,
    limit: usize,
}

/// The stored state of a message whose sending was interrupted.
#[derive(Serialize, Deserialize)]
struct Interrupted {
    /// The message's [`key`](tidegate_guest::Outgoing::key).
    key: String,
    lengths: Lengths,
}

impl Lengths {
    /// Returns the limit of one message, in UTF-16 units.
    pub(super) fn of(&self, message: usize) -> usize {
        let shorter = self
            .0
            .iter()
            .rev()
            .find(|shorter| usize::try_from(shorter.from).is_ok_and(|from| from <= message));
        shorter.map_or(LIMIT, |shorter| shorter.limit)
    }

    /// Halves the limit from this message on, which Telegram called too long and has this length. Returns false if the
    /// text is too short to be cut again.
    pub(super) fn halve(&mut self, message: u32, length: usize) -> bool {
        let limit = length / 2;
        let cut = limit >= SHORTEST;
        if cut {
            self.0.push(Shorter { from: message, limit });
        }
        cut
    }

    /// Returns whether Telegram called no message too long.
    pub(crate) fn is_usual(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the state's key for a chat. A chat's messages are sent one after the other.
    pub(crate) fn place(chat: &str) -> String {
        format!("lengths/{chat}")
    }

    /// Encodes the lengths for the state.
    pub(crate) fn write(&self, key: &str) -> Vec<u8> {
        let interrupted = Interrupted { key: key.to_owned(), lengths: self.clone() };
        serde_json::to_vec(&interrupted).unwrap_or_default()
    }

    /// Reads the stored lengths, if they belong to the message with this key.
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
