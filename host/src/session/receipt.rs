//! Messages that were written to the client, and the receipts that it gives for them.
//!
//! The client processes what it is written in order, and its log has a line for each message that it processes while
//! the channel is registered: a time, and the length of the text. A message that was written before the registration may
//! have been dropped. So those count as lost, and are written again.

use std::{collections::VecDeque, time::Duration};

use crate::{
    claude::{
        Heard,
        log::{Receipt, Word},
    },
    hub::Ticket,
};

/// How long a message that was written on the command line's word alone does not count as received: the log is looked for
/// so long at short intervals, and can still say that the client does not receive it.
pub(super) const PROVISIONAL: Duration = Duration::from_secs(30);

/// How many such messages are remembered. Where there are more, they count as received.
const PROVISIONAL_MOST: usize = 4096;

/// Among how many messages the one that a receipt is for is looked for. It is the first, unless lines of the log are missing.
const NEAR: usize = 256;

/// The messages of one connection that the client may not have processed, oldest first.
#[derive(Debug)]
pub(super) struct Ledger {
    waiting: VecDeque<Written>,
    rule: Rule,
    /// The client's lengths have matched before, so a receipt that matches nothing is for none of these.
    comparable: bool,
    /// The end of the last message that the client has processed.
    received: Ticket,
    /// Messages that the client never processes: those that end after the first of these and not after the second.
    lost: Option<(Ticket, Ticket)>,
}

#[derive(Debug)]
struct Written {
    /// The end of the message in the stream.
    end: Ticket,
    /// In milliseconds since the Unix epoch.
    at: u64,
    /// Of its text, in UTF-16 units.
    length: u64,
}

/// When a message counts as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// When it is written: the client gives no receipts.
    Written,
    /// When the client's log has been silent up to this time.
    Provisional { until: u64 },
    /// When its receipt is there.
    Receipt,
    /// The client drops messages.
    Refused,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The client has processed it, as far as it tells.
    Received,
    /// Nothing tells yet. It does not have to stay so: at this time in milliseconds since the Unix epoch it is to be
    /// looked at again.
    Waiting { until: Option<u64> },
    /// The client never processes it.
    Lost,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            rule: Rule::Written,
            comparable: false,
            received: Ticket(0),
            lost: None,
        }
    }
}

impl Ledger {
    /// Whether each message has to be followed by itself.
    pub(super) fn follows(&self) -> bool {
        self.rule != Rule::Written
    }

    /// Notes what decides from now on.
    pub(super) fn hear(&mut self, heard: Heard, now: u64) {
        match heard {
            Heard::Silence => {
                let patience = u64::try_from(PROVISIONAL.as_millis()).unwrap_or(u64::MAX);
                self.rule = Rule::Provisional { until: now.saturating_add(patience) };
            }
            Heard::Word(Word::Registered { at }) => {
                // A client that has been registered all the time has dropped nothing.
                if self.rule != Rule::Receipt {
                    self.lose(at);
                    self.rule = Rule::Receipt;
                }
            }
            Heard::Word(Word::Skipped { .. }) => self.rule = Rule::Refused,
            Heard::Word(Word::Receipts(receipts)) => receipts.into_iter().for_each(|one| self.match_one(one)),
        }
    }

    /// What was written before this time was lost.
    fn lose(&mut self, at: u64) {
        let mut end = None;
        while let Some(first) = self.waiting.pop_front_if(|first| first.at < at) {
            end = Some(first.end);
        }
        if let Some(end) = end {
            let after = self.lost.map_or(self.received, |(after, _)| after.min(self.received));
            self.lost = Some((after, end));
        }
    }

    fn match_one(&mut self, receipt: Receipt) {
        // They come, after all.
        if self.rule == Rule::Written {
            self.rule = Rule::Receipt;
        }
        let mut candidates = self.waiting.iter().take(NEAR).take_while(|written| written.at <= receipt.at);
        let count = match candidates.position(|written| written.length == receipt.length) {
            Some(index) => {
                self.comparable = true;
                // It processes them in order: those before it have only lost their lines.
                index + 1
            }
            // For a notice from before, or one that was written again since.
            None if self.comparable => 0,
            // This client counts otherwise.
            None => 1,
        };
        for _ in 0..count {
            if let Some(first) = self.waiting.pop_front_if(|written| written.at <= receipt.at) {
                self.received = first.end;
            }
        }
    }

    /// Notes a message that is written up to here.
    pub(super) fn add(&mut self, end: Ticket, at: u64, length: u64) {
        self.expire(at);
        if self.follows() {
            self.waiting.push_back(Written { end, at, length });
        }
        if matches!(self.rule, Rule::Provisional { .. }) && self.waiting.len() > PROVISIONAL_MOST {
            self.count_as_received();
        }
    }

    /// What is known of a message that ends here.
    pub(super) fn fate(&mut self, ticket: Ticket, now: u64) -> Fate {
        self.expire(now);
        if let Some((after, last)) = self.lost
            && after < ticket
            && ticket <= last
        {
            // While it is refused it cannot be written again.
            return if self.rule == Rule::Refused { Fate::Waiting { until: None } } else { Fate::Lost };
        }
        match (self.waiting.front(), self.rule) {
            (Some(first), rule) if first.end <= ticket => Fate::Waiting {
                until: if let Rule::Provisional { until } = rule { Some(until) } else { None },
            },
            _ => Fate::Received,
        }
    }

    fn expire(&mut self, now: u64) {
        if let Rule::Provisional { until } = self.rule
            && now >= until
        {
            self.count_as_received();
        }
    }

    /// The client gives no receipts: what is written counts, until one comes after all.
    fn count_as_received(&mut self) {
        self.rule = Rule::Written;
        self.waiting.clear();
    }

    /// The oldest message that should have its receipt by now, if there is one.
    pub(super) fn oldest(&self) -> Option<Ticket> {
        self.waiting.front().filter(|_| self.rule == Rule::Receipt).map(|first| first.end)
    }

    /// The client has processed everything up to here, and its log says nothing of this message. Whether that is so.
    pub(super) fn give_up(&mut self, oldest: Ticket) -> bool {
        let silent = self.oldest() == Some(oldest);
        if silent {
            self.count_as_received();
        }
        silent
    }
}

#[cfg(test)]
mod tests;
