use std::time::Duration;

use super::*;
use crate::event::{Chat, ChatId, ChatKind, MessageId, Sender, SenderId};

fn event(id: &str, text: &str) -> Event {
    let chat = Chat { id: ChatId::new("c"), kind: ChatKind::Direct, group: None, thread: None, title: None };
    let sender = Sender { id: SenderId::new("s"), name: "S".into(), is_bot: false };
    let message = Message {
        id: MessageId::new(id),
        chat,
        sender,
        text: text.into(),
        sent_at: 0,
        addressed: true,
        edited: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        extra: Vec::new(),
    };
    Event { id: EventId::new(id), what: Happening::Message(message) }
}

fn open() -> (tempfile::TempDir, Arc<Journal>) {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(&directory.path().join("journal.db")).unwrap();
    (directory, journal)
}

fn texts(journal: &Journal) -> Vec<String> {
    journal.recent(100).unwrap().into_iter().map(|message| message.text).collect()
}

#[test]
fn an_event_is_stored_once() {
    let (_directory, journal) = open();
    assert_eq!(journal.append(&event("a", "1"), 0, false).unwrap(), Some(Seq(1)));
    assert_eq!(journal.append(&event("a", "2"), 0, false).unwrap(), None);
    assert_eq!(journal.append(&event("b", "3"), 0, false).unwrap(), Some(Seq(2)));
    journal.commit().unwrap();
    assert_eq!(texts(&journal), ["1", "3"]);
    assert_eq!(journal.after(Seq(1), 10).unwrap(), [(Seq(2), event("b", "3"))]);
}

#[test]
fn what_was_not_committed_is_not_there_after_a_crash() {
    let (directory, journal) = open();
    journal.append(&event("a", "1"), 0, true).unwrap();
    journal.commit().unwrap();
    journal.append(&event("b", "2"), 0, true).unwrap();
    let other = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(texts(&other), ["1"]);
    assert_eq!(other.marks(), Marks { offered: Seq(1), delivered: Seq(0) });
}

#[test]
fn a_number_is_never_used_twice() {
    let (directory, journal) = open();
    journal.append(&event("a", "1"), 0, false).unwrap();
    journal.offer(Seq(1)).unwrap();
    journal.delivered(Seq(1));
    journal.settle().unwrap();
    assert_eq!(journal.forget(&Forget::default()).unwrap().events, 1);
    drop(journal);
    let journal = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(journal.append(&event("b", "2"), 0, false).unwrap(), Some(Seq(2)));
}

#[test]
fn retention_spares_what_was_not_delivered() {
    let (_directory, journal) = open();
    for id in ["a", "b", "c"] {
        journal.append(&event(id, id), 1000, false).unwrap();
    }
    journal.commit().unwrap();
    journal.delivered(Seq(2));
    journal.settle().unwrap();
    let keep = Keep { age: Duration::from_secs(1), size: u64::MAX };
    assert_eq!(journal.retain(keep, 1500).unwrap(), 0);
    assert_eq!(texts(&journal), ["a", "b", "c"]);
    assert_eq!(journal.retain(keep, 3000).unwrap(), 0);
    assert_eq!(texts(&journal), ["c"]);
}

#[test]
fn a_full_journal_gives_up_its_oldest_events_and_counts_them() {
    let (_directory, journal) = open();
    for number in 0..1000 {
        journal.append(&event(&number.to_string(), &"x".repeat(1000)), 0, false).unwrap();
    }
    journal.commit().unwrap();
    let keep = Keep { age: Duration::MAX, size: 512 << 10 };
    let dropped = journal.retain(keep, 0).unwrap();
    let left = journal.after(Seq(0), 2000).unwrap();
    assert!(dropped > 0 && left.len() == 1000 - dropped, "{dropped} dropped, {} left", left.len());
    assert_eq!(left.last().unwrap().0, Seq(1000));
}

#[test]
fn forgetting_erases_from_the_disk() {
    let (directory, journal) = open();
    journal.append(&event("a", "a secret to be forgotten"), 0, false).unwrap();
    journal.append(&event("b", "something to keep"), 5000, false).unwrap();
    journal.set_state("key", Some(b"value")).unwrap();
    journal.commit().unwrap();
    let forget = Forget { before: Some(1000), sender: Some(SenderId::new("s")), chat: None };
    assert_eq!(journal.forget(&forget).unwrap(), Forgotten { events: 1, values: 0 });
    assert_eq!(texts(&journal), ["something to keep"]);
    let nobody = Forget { sender: Some(SenderId::new("t")), ..Forget::default() };
    assert_eq!(journal.forget(&nobody).unwrap().events, 0);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a secret"));
    }
    assert_eq!(journal.forget(&Forget::default()).unwrap(), Forgotten { events: 1, values: 1 });
    assert_eq!(journal.state("key").unwrap(), None);
}

#[test]
fn state_is_read_back_within_its_transaction() {
    let (_directory, journal) = open();
    journal.set_state("key", Some(b"1")).unwrap();
    assert_eq!(journal.state("key").unwrap().as_deref(), Some(b"1".as_slice()));
    journal.set_state("key", None).unwrap();
    assert_eq!(journal.state("key").unwrap(), None);
}

#[test]
fn state_is_limited_as_a_whole() {
    let (_directory, journal) = open();
    let value = vec![0; STATE_VALUE_LIMIT];
    let fit = usize::try_from(STATE_LIMIT).unwrap() / STATE_VALUE_LIMIT - 2;
    for number in 0..fit {
        assert!(journal.reserve_state(value.len() + 10, 0).unwrap());
        journal.set_state(&number.to_string(), Some(&value)).unwrap();
    }
    assert!(!journal.reserve_state(3 * value.len(), 2 * value.len()).unwrap());
    assert!(!journal.reserve_state(value.len(), 2 * value.len()).unwrap(), "what waits counts too");
    assert!(journal.reserve_state(value.len(), 0).unwrap());
    for number in 0..fit {
        // Replacing a value takes no room in the end.
        assert!(journal.reserve_state(value.len() + 10, 0).unwrap(), "{number}");
        journal.set_state(&number.to_string(), Some(&value)).unwrap();
    }
}

#[test]
fn a_journal_of_a_newer_format_is_left_alone() {
    let (directory, journal) = open();
    drop(journal);
    let path = directory.path().join("journal.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    assert!(matches!(Journal::open(&path), Err(Error::Format { found: 9, .. })));
}

#[test]
fn what_is_undone_is_known_to_be() {
    let (_directory, journal) = open();
    let before = journal.rollbacks();
    journal.append(&event("a", "1"), 0, true).unwrap();
    journal.roll_back();
    assert_ne!(journal.rollbacks(), before);
    assert_eq!(journal.append(&event("b", "2"), 0, true).unwrap(), Some(Seq(1)), "its number was never used");
    journal.commit().unwrap();
    assert_eq!(texts(&journal), ["2"]);
}

#[test]
fn large_events_are_read_a_few_at_a_time() {
    let (_directory, journal) = open();
    for number in 0..5 {
        journal.append(&event(&number.to_string(), &"x".repeat(1 << 20)), 0, false).unwrap();
    }
    journal.commit().unwrap();
    assert_eq!(journal.after(Seq(0), 100).unwrap().len(), 2);
    assert_eq!(journal.recent(100).unwrap().len(), 2);
}
