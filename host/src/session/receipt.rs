//! Messages that were written to the client, and the receipts that it gives for them.
//!
//! The client processes its input in order. While the channel is registered, the client's log has a line for each
//! message that it processes: a time, and the length of the text. The client may have dropped a message that was
//! written before the registration, so such messages count as lost and are written again.

use std::{collections::VecDeque, time::Duration};

use crate::{
    claude::{
        Heard,
        log::{Receipt, Word},
    },
    hub::Ticket,
};

/// How long a message does not count as received if only the client's command line says that it receives messages. For
/// this time the client's log is looked for at short intervals, and can still say that the client does not receive
/// them.
pub(super) const PROVISIONAL: Duration = Duration::from_secs(30);

/// How many messages are searched for the one that a receipt is for. It is the first one, unless lines of the log are
/// missing.
const NEAR: usize = 256;

/// The most messages that are remembered after they counted as received without a receipt. Their receipts may still
/// come, and must not count for a later message.
const REMEMBERED: usize = 4096;

/// The most ranges of lost messages that are remembered. Each range is asked for once, a moment after the loss.
const LOSSES: usize = 16;

/// The messages of one connection for which receipts may come, oldest first.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The messages that count as received already come first.
    written: VecDeque<Written>,
    rule: Rule,
    /// The length in a receipt has matched a message before. Since then, a receipt that matches no message is for none
    /// of these.
    comparable: bool,
    /// The end of the last message that counts as received.
    received: Ticket,
    /// Ranges of messages that the client never processes: those that end after the first ticket of a pair and not
    /// after the second.
    lost: VecDeque<(Ticket, Ticket)>,
}

#[derive(Debug)]
struct Written {
    /// The end of the message in the stream.
    end: Ticket,
    /// When the message was written, in milliseconds since the Unix epoch.
    at: u64,
    /// The length of its text, in UTF-16 units.
    length: u64,
    /// It counts as received without a receipt.
    counted: bool,
}

/// When a message counts as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// When it is written, because this client has no log.
    Unheard,
    /// When it is written, because the log gives no receipts. It may begin to.
    Written,
    /// When the client's log has been silent until this time, and the client has answered since.
    Provisional { until: u64 },
    /// When its receipt arrives.
    Receipt,
    /// Not at all, because the client drops messages.
    Refused,
}

/// What is known about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The client has processed it, as far as its log tells.
    Received,
    /// Not known yet. From `until` on, in milliseconds since the Unix epoch, the client has to be asked for a sign of
    /// life; None where its answer would tell nothing new soon.
    Waiting { until: Option<u64> },
    /// The client never processes it.
    Lost,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            written: VecDeque::new(),
            rule: Rule::Unheard,
            comparable: false,
            received: Ticket(0),
            lost: VecDeque::new(),
        }
    }
}

impl Ledger {
    /// Returns whether each message has to be followed separately.
    pub(super) fn follows(&self) -> bool {
        !matches!(self.rule, Rule::Unheard | Rule::Written)
    }

    /// Notes what decides from now on when a message counts as received.
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

    /// Marks the messages that were written before this time as lost, unless they count as received.
    fn lose(&mut self, at: u64) {
        let mut end = None;
        while let Some(first) = self.written.pop_front_if(|first| first.at < at) {
            if !first.counted {
                end = Some(first.end);
            }
        }
        let Some(end) = end else { return };
        self.lost.push_back((self.received, end));
        if self.lost.len() > LOSSES
            && let Some((after, _)) = self.lost.pop_front()
            && let Some(next) = self.lost.front_mut()
        {
            next.0 = after;
        }
    }

    fn match_one(&mut self, receipt: Receipt) {
        // The client gives receipts after all.
        if self.rule == Rule::Written {
            self.rule = Rule::Receipt;
        }
        let mut candidates = self.written.iter().take(NEAR).take_while(|written| written.at <= receipt.at);
        let count = match candidates.position(|written| written.length == receipt.length) {
            Some(index) => {
                self.comparable = true;
                // The client processes messages in order: for the earlier ones, only the lines of the log are missing.
                index + 1
            }
            // The receipt is for an earlier notice, or for a message that was written again since.
            None if self.comparable => 0,
            // This client counts lengths differently, so the receipt is for the first message.
            None => 1,
        };
        for _ in 0..count {
            if let Some(first) = self.written.pop_front_if(|written| written.at <= receipt.at) {
                self.received = first.end;
            }
        }
    }

    /// Notes a message that was written and ends here.
    pub(super) fn add(&mut self, end: Ticket, length: u64, at: impl FnOnce() -> u64) {
        if self.rule == Rule::Unheard {
            return;
        }
        let at = at();
        match self.rule {
            Rule::Written => {
                self.written.push_back(Written { end, at, length, counted: true });
                self.received = end;
                if self.written.len() > REMEMBERED {
                    self.written.pop_front();
                }
            }
            _ => self.written.push_back(Written { end, at, length, counted: false }),
        }
    }

    /// Returns what is known about a message that ends here.
    pub(super) fn fate(&self, ticket: Ticket) -> Fate {
        if self.lost.iter().any(|(after, last)| *after < ticket && ticket <= *last) {
            // While the client refuses messages, it cannot be written again.
            return if self.rule == Rule::Refused { Fate::Waiting { until: None } } else { Fate::Lost };
        }
        match self.first_waiting() {
            Some(first) if first.end <= ticket => Fate::Waiting {
                until: if let Rule::Provisional { until } = self.rule { Some(until) } else { None },
            },
            _ => Fate::Received,
        }
    }

    /// Returns the oldest message that does not count as received.
    fn first_waiting(&self) -> Option<&Written> {
        self.written.get(self.written.partition_point(|written| written.counted))
    }

    /// Returns the end of the oldest message that should have its receipt by now, or for which no receipt may come.
    pub(super) fn oldest(&self, now: u64) -> Option<Ticket> {
        let due = match self.rule {
            Rule::Receipt => true,
            Rule::Provisional { until } => now >= until,
            Rule::Unheard | Rule::Written | Rule::Refused => false,
        };
        self.first_waiting().filter(|_| due).map(|first| first.end)
    }

    /// Stops waiting for the receipt of the message that ends at `oldest`. The client has processed everything that was
    /// written before `asked`, and its log does not mention this message. From now on, a message counts as received
    /// when it is written, until a receipt comes after all. Returns what was waited for; None if this message is no
    /// longer the oldest that waits.
    pub(super) fn give_up(&mut self, oldest: Ticket, asked: u64, now: u64) -> Option<GivenUp> {
        if self.oldest(now) != Some(oldest) {
            return None;
        }
        let was = if self.rule == Rule::Receipt { GivenUp::Receipts } else { GivenUp::Log };
        self.rule = Rule::Written;
        if let Some(last) = self.written.back() {
            self.received = last.end;
        }
        // The receipts of these messages would have come by now.
        while self.written.pop_front_if(|written| written.at < asked).is_some() {}
        self.written.iter_mut().for_each(|written| written.counted = true);
        Some(was)
    }
}

/// What the ledger no longer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// Receipts of a client that has registered the channel.
    Receipts,
    /// Any statement in the client's log.
    Log,
}

#[cfg(test)]
mod tests;
