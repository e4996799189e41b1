//! Messages that were written to the client and that it has not said to have taken.

use std::collections::VecDeque;

use crate::hub::Ticket;

/// The messages of one connection, in order. The client tells how many it has taken, not which.
#[derive(Debug, Default)]
pub(super) struct Unreceipted {
    /// The end of each message in the stream.
    waiting: VecDeque<Ticket>,
    /// Messages that were written before receipts were expected: theirs come first.
    uncounted: u64,
    /// Receipts are expected at the moment.
    expected: bool,
    /// Receipts that the client has given in all.
    given: u64,
    /// The client has registered the channel, and gives no receipts all the same.
    unreliable: bool,
}

impl Unreceipted {
    /// Whether the client gives receipts at the moment.
    pub(super) fn expected(&self) -> bool {
        self.expected && !self.unreliable
    }

    /// Whether any has ever come.
    pub(super) fn proven(&self) -> bool {
        self.given > 0
    }

    /// Notes what the client says by now. What it was written and has not taken before it refused the channel it
    /// never takes.
    pub(super) fn update(&mut self, expected: bool, given: u64) {
        let new = given.saturating_sub(self.given);
        self.given = given;
        if !std::mem::replace(&mut self.expected, expected) && expected {
            self.waiting.clear();
        }
        let early = new.min(self.uncounted);
        self.uncounted -= early;
        for _ in early..new {
            self.waiting.pop_front();
        }
        if !expected {
            self.uncounted = 0;
        }
    }

    /// Notes a message that was written up to here.
    pub(super) fn add(&mut self, end: Ticket) {
        if self.expected() {
            self.waiting.push_back(end);
        } else {
            self.uncounted += 1;
        }
    }

    /// Whether everything up to here was taken, as far as the client tells.
    pub(super) fn is_taken(&self, ticket: Ticket) -> bool {
        self.waiting.front().is_none_or(|first| *first > ticket)
    }

    /// Expects no more receipts of this client: it gives none.
    pub(super) fn give_up(&mut self) {
        self.unreliable = true;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_in_order() {
        let mut messages = Unreceipted::default();
        messages.update(true, 0);
        for end in [10, 20, 30] {
            messages.add(Ticket(end));
        }
        // What is written between messages is nobody's to take.
        assert!(messages.is_taken(Ticket(5)));
        assert!(!messages.is_taken(Ticket(10)));
        messages.update(true, 2);
        assert!(messages.is_taken(Ticket(25)) && !messages.is_taken(Ticket(35)));
        messages.update(true, 5);
        assert!(messages.is_taken(Ticket(35)), "more receipts than messages do no harm");
    }

    #[test]
    fn without_receipts_what_is_written_is_taken() {
        let mut messages = Unreceipted::default();
        messages.add(Ticket(10));
        assert!(messages.is_taken(Ticket(10)) && !messages.expected());
        // The client registers the channel late, and gives a receipt for that one too.
        messages.update(true, 0);
        messages.add(Ticket(20));
        messages.update(true, 1);
        assert!(!messages.is_taken(Ticket(20)));
        messages.update(true, 2);
        assert!(messages.is_taken(Ticket(20)));
    }

    #[test]
    fn a_client_without_receipts_keeps_nothing_waiting() {
        let mut messages = Unreceipted::default();
        messages.update(true, 0);
        messages.add(Ticket(10));
        messages.give_up();
        messages.add(Ticket(20));
        assert!(messages.is_taken(Ticket(20)) && !messages.expected() && !messages.proven());
    }

    #[test]
    fn after_a_refusal_it_begins_anew() {
        let mut messages = Unreceipted::default();
        messages.update(true, 0);
        messages.add(Ticket(10));
        messages.update(false, 0);
        assert!(!messages.expected() && !messages.is_taken(Ticket(10)), "it never was");
        messages.update(true, 0);
        messages.add(Ticket(30));
        messages.update(true, 1);
        assert!(messages.is_taken(Ticket(30)));
    }
}
