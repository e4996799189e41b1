//! Tests of receipts in the client's log.

use proptest::prelude::*;

use super::*;

const RECEIVED: Fate = Fate::Received;
const LOST: Fate = Fate::Lost;
const WAITING: Fate = Fate::Waiting { until: None };

/// Returns the ledger of a client that was registered at this time.
fn registered(at: u64) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.hear(word(Word::Registered { at }), at);
    ledger
}

fn word(word: Word) -> Heard {
    Heard::Word(word)
}

fn refusal() -> Heard {
    word(Word::Skipped { reason: "no".to_owned() })
}

/// Returns receipts with these times and lengths.
fn receipts(each: &[(u64, u64)]) -> Heard {
    word(Word::Receipts(each.iter().map(|&(at, length)| Receipt { at, length }).collect()))
}

fn fates<const N: usize>(ledger: &Ledger, tickets: [u64; N]) -> [Fate; N] {
    tickets.map(|ticket| ledger.fate(Ticket(ticket)))
}

#[test]
fn messages_are_received_in_order() {
    let mut ledger = registered(1);
    for (end, length) in [(10, 1), (20, 2), (30, 3)] {
        ledger.add(Ticket(end), length, || 5);
    }
    // Data between messages has no receipt.
    assert_eq!(fates(&ledger, [5, 10, 15]), [RECEIVED, WAITING, WAITING]);
    ledger.hear(receipts(&[(6, 1), (6, 2)]), 6);
    assert_eq!(fates(&ledger, [25, 35]), [RECEIVED, WAITING]);
    ledger.hear(receipts(&[(6, 3), (6, 3), (6, 4)]), 6);
    assert_eq!(fates(&ledger, [35]), [RECEIVED]);
    ledger.add(Ticket(40), 3, || 7);
    assert_eq!(fates(&ledger, [40]), [WAITING], "receipts that were too many are for nothing later");
}

#[test]
fn without_receipts_what_is_written_is_received() {
    let mut ledger = Ledger::default();
    ledger.add(Ticket(10), 1, || 1);
    assert!(fates(&ledger, [10]) == [RECEIVED] && !ledger.follows());
}

#[test]
fn a_receipt_is_for_a_message_of_its_length_that_was_written_before_it() {
    let mut ledger = registered(1);
    ledger.add(Ticket(10), 7, || 5);
    ledger.hear(receipts(&[(4, 7)]), 6);
    assert_eq!(fates(&ledger, [10]), [WAITING], "it is older than the message");
    ledger.hear(receipts(&[(5, 7)]), 6);
    assert_eq!(fates(&ledger, [10]), [RECEIVED]);
    // An earlier notice has left a receipt.
    ledger.add(Ticket(20), 9, || 8);
    ledger.hear(receipts(&[(9, 100)]), 9);
    assert_eq!(fates(&ledger, [20]), [WAITING]);
    // The log's line for the first message is missing.
    ledger.add(Ticket(30), 11, || 10);
    ledger.hear(receipts(&[(11, 11)]), 11);
    assert_eq!(fates(&ledger, [20, 30]), [RECEIVED, RECEIVED]);
}

#[test]
fn a_client_that_counts_otherwise_is_counted_on() {
    let mut ledger = registered(1);
    for end in [10, 20] {
        ledger.add(Ticket(end), 7, || 5);
    }
    ledger.hear(receipts(&[(6, 900)]), 6);
    assert_eq!(fates(&ledger, [10, 20]), [RECEIVED, WAITING]);
    ledger.hear(receipts(&[(6, 901)]), 6);
    assert_eq!(fates(&ledger, [20]), [RECEIVED]);
}

#[test]
fn what_was_written_to_a_client_that_refuses_is_lost() {
    let mut ledger = registered(1);
    ledger.add(Ticket(10), 1, || 5);
    ledger.add(Ticket(20), 2, || 6);
    ledger.hear(receipts(&[(7, 1)]), 7);
    ledger.hear(refusal(), 8);
    // Written before the refusal was known.
    ledger.add(Ticket(30), 3, || 9);
    assert_eq!(fates(&ledger, [10, 20, 30]), [RECEIVED, WAITING, WAITING], "it cannot be written again yet");
    ledger.hear(word(Word::Registered { at: 12 }), 12);
    ledger.add(Ticket(40), 2, || 12);
    assert_eq!(fates(&ledger, [10, 20, 30, 40]), [RECEIVED, LOST, LOST, WAITING]);
    ledger.hear(receipts(&[(13, 2)]), 13);
    assert_eq!(fates(&ledger, [40]), [RECEIVED]);
}

#[test]
fn a_refusal_and_the_next_registration_may_be_heard_together() {
    let mut ledger = registered(1);
    ledger.add(Ticket(10), 1, || 5);
    ledger.add(Ticket(20), 2, || 8);
    ledger.add(Ticket(30), 3, || 12);
    for heard in [receipts(&[(6, 1)]), refusal(), word(Word::Registered { at: 10 }), receipts(&[(13, 3)])] {
        ledger.hear(heard, 14);
    }
    assert_eq!(fates(&ledger, [10, 20, 30]), [RECEIVED, LOST, RECEIVED]);
}

#[test]
fn a_second_registration_in_a_row_loses_nothing() {
    let mut ledger = registered(1);
    ledger.add(Ticket(10), 1, || 5);
    ledger.hear(word(Word::Registered { at: 9 }), 9);
    assert_eq!(fates(&ledger, [10]), [WAITING]);
    ledger.hear(receipts(&[(9, 1)]), 9);
    assert_eq!(fates(&ledger, [10]), [RECEIVED]);
}

#[test]
fn on_the_command_line_s_word_alone_nothing_is_received_at_once() {
    let patience = u64::try_from(PROVISIONAL.as_millis()).unwrap();
    let until = 100 + patience;
    let begin = || {
        let mut ledger = Ledger::default();
        ledger.hear(Heard::Silence, 100);
        ledger.add(Ticket(10), 1, || 200);
        assert_eq!(ledger.fate(Ticket(10)), Fate::Waiting { until: Some(until) });
        assert_eq!((ledger.oldest(until - 1), ledger.oldest(until)), (None, Some(Ticket(10))));
        ledger
    };
    // The client has answered after that time.
    let mut silent = begin();
    assert_eq!(silent.give_up(Ticket(10), 300, until - 1), None);
    assert_eq!(silent.give_up(Ticket(10), 300, until), Some(GivenUp::Log));
    assert!(silent.fate(Ticket(10)) == RECEIVED && !silent.follows());

    let mut refused = begin();
    refused.hear(refusal(), 400);
    assert_eq!(refused.fate(Ticket(10)), WAITING);
    assert_eq!(refused.give_up(Ticket(10), 300, until), None);

    // The client registered the channel after that message; or it did so long before, and its log was found late.
    for (at, fate) in [(250, LOST), (50, WAITING)] {
        let mut late = begin();
        late.hear(word(Word::Registered { at }), 400);
        assert_eq!(late.fate(Ticket(10)), fate);
    }
}

#[test]
fn a_client_without_receipts_keeps_nothing_waiting_until_one_comes() {
    let mut ledger = registered(1);
    assert_eq!(ledger.oldest(9), None);
    ledger.add(Ticket(10), 1, || 5);
    assert_eq!(ledger.oldest(9), Some(Ticket(10)));
    assert_eq!(ledger.give_up(Ticket(5), 6, 9), None, "that one has its receipt");
    assert_eq!(ledger.give_up(Ticket(10), 6, 9), Some(GivenUp::Receipts));
    ledger.add(Ticket(20), 1, || 10);
    assert_eq!(fates(&ledger, [10, 20]), [RECEIVED, RECEIVED]);
    ledger.hear(receipts(&[(11, 1)]), 11);
    ledger.add(Ticket(30), 1, || 12);
    assert_eq!(fates(&ledger, [30]), [WAITING]);
}

#[test]
fn a_receipt_that_comes_late_is_not_for_a_later_message() {
    let mut ledger = registered(1);
    ledger.add(Ticket(10), 1, || 5);
    ledger.give_up(Ticket(10), 6, 9);
    // The client stalls. Two messages count as received, and their receipts are on their way.
    ledger.add(Ticket(20), 7, || 10);
    ledger.add(Ticket(30), 7, || 11);
    ledger.hear(receipts(&[(20, 7)]), 20);
    ledger.add(Ticket(40), 7, || 21);
    ledger.hear(receipts(&[(22, 7)]), 22);
    assert_eq!(fates(&ledger, [20, 30, 40]), [RECEIVED, RECEIVED, WAITING]);
    ledger.hear(receipts(&[(23, 7)]), 23);
    assert_eq!(fates(&ledger, [40]), [RECEIVED]);
}

#[test]
fn what_was_received_between_two_losses_stays_received() {
    let mut ledger = registered(1);
    for (end, at) in [(10, 5), (20, 15), (30, 25), (40, 35)] {
        ledger.add(Ticket(end), end, || at);
    }
    for heard in [
        refusal(),
        word(Word::Registered { at: 10 }),
        receipts(&[(16, 20)]),
        refusal(),
        word(Word::Registered { at: 30 }),
        receipts(&[(36, 40)]),
    ] {
        ledger.hear(heard, 40);
    }
    assert_eq!(fates(&ledger, [10, 20, 30, 40]), [LOST, RECEIVED, LOST, RECEIVED]);
    // The list of losses stays bounded, however many there are.
    for round in 5..60_u64 {
        ledger.add(Ticket(round * 10), 1, || round * 10);
        ledger.hear(refusal(), 0);
        ledger.hear(word(Word::Registered { at: round * 10 + 5 }), 0);
    }
    assert_eq!(fates(&ledger, [590, 400]), [LOST, LOST]);
    assert!(ledger.lost.len() <= LOSSES);
}

/// One step in an exchange between tidegate and a client.
#[derive(Clone, Debug)]
enum Step {
    /// A message of this length is written.
    Write(u64),
    /// The client reads this many messages from its pipe.
    Read(usize),
    Refuse,
    Register,
    /// The log's lines so far are read.
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_u64).prop_map(Step::Write),
        4 => (1..4_usize).prop_map(Step::Read),
        1 => Just(Step::Refuse),
        1 => Just(Step::Register),
        2 => Just(Step::Flush),
    ]
}

proptest! {
    /// Checks the ledger against a client that processes messages in order, and drops them while it refuses. What
    /// counts as received was processed, as long as no message of an earlier registration is still in the pipe.
    #[test]
    fn what_is_received_was_processed(steps in proptest::collection::vec(step(), 1..60)) {
        let mut ledger = registered(0);
        let (mut pipe, mut log) = (VecDeque::new(), Vec::new());
        let (mut processed, mut open, mut end) = (Vec::new(), true, 0);
        for (now, step) in (1..).zip(steps) {
            match step {
                Step::Write(length) => {
                    end += 10;
                    ledger.add(Ticket(end), length, || now);
                    pipe.push_back((end, length));
                }
                Step::Read(count) => {
                    for _ in 0..count {
                        let Some((end, length)) = pipe.pop_front() else { break };
                        if open {
                            processed.push(end);
                            log.push(receipts(&[(now, length)]));
                        }
                    }
                }
                Step::Refuse => {
                    open = false;
                    log.push(refusal());
                }
                Step::Register => {
                    if !open {
                        // The client reads on while it refuses.
                        pipe.clear();
                    }
                    open = true;
                    log.push(word(Word::Registered { at: now }));
                }
                Step::Flush => log.drain(..).for_each(|heard| ledger.hear(heard, now)),
            }
        }
        log.drain(..).for_each(|heard| ledger.hear(heard, u64::MAX));
        for ticket in (1..=end / 10).map(|index| index * 10) {
            let fate = ledger.fate(Ticket(ticket));
            if processed.contains(&ticket) {
                // In a rare case a message that was processed is written again, but it never waits forever.
                prop_assert!(fate != WAITING || !open, "{ticket} was processed");
            } else {
                prop_assert!(fate != Fate::Received, "{ticket} was never processed");
            }
        }
    }
}
