//! Tests of the journal as a whole.

mod transaction;

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

/// Stores one event in its own transaction.
fn append(journal: &Arc<Journal>, id: &str, text: &str, now: u64, offer: bool) -> Option<Seq> {
    journal.store_blocking(|transaction| transaction.append(&event(id, text), now, offer)).unwrap()
}

fn set_state(journal: &Arc<Journal>, key: &str, value: Option<&[u8]>) {
    journal.store_blocking(|transaction| transaction.set_state(key, value)).unwrap();
}

fn texts(journal: &Journal) -> Vec<String> {
    journal.recent(100).unwrap().into_iter().map(|message| message.text).collect()
}

#[test]
fn an_event_is_stored_once() {
    let (_directory, journal) = open();
    let mut transaction = journal.begin_blocking().unwrap();
    assert_eq!(transaction.append(&event("a", "1"), 0, false).unwrap(), Some(Seq(1)));
    assert_eq!(transaction.append(&event("a", "2"), 0, false).unwrap(), None);
    assert_eq!(transaction.append(&event("b", "3"), 0, false).unwrap(), Some(Seq(2)));
    transaction.commit().unwrap();
    assert_eq!(texts(&journal), ["1", "3"]);
    assert_eq!(journal.after(Seq(1), 10).unwrap(), [(Seq(2), event("b", "3"))]);
}

#[test]
fn what_was_not_committed_is_not_there_after_a_crash() {
    let (directory, journal) = open();
    append(&journal, "a", "1", 0, true);
    let mut transaction = journal.begin_blocking().unwrap();
    transaction.append(&event("b", "2"), 0, true).unwrap();
    let other = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(texts(&other), ["1"]);
    assert_eq!(other.marks(), Marks { offered: Seq(1), delivered: Seq(0) });
}

#[test]
fn only_what_was_offered_before_the_journal_was_taken_over_is_suspect() {
    let (directory, journal) = open();
    append(&journal, "a", "1", 0, true);
    let other = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(other.suspect(), Seq(1));
    append(&other, "b", "2", 0, true);
    assert_eq!((other.suspect(), other.marks().offered), (Seq(1), Seq(2)));
    other.suspect_offered();
    assert_eq!(other.suspect(), Seq(2));
}

#[test]
fn a_number_is_never_used_twice() {
    let (directory, journal) = open();
    append(&journal, "a", "1", 0, false);
    journal.store_blocking(|transaction| transaction.offer(Seq(1))).unwrap();
    journal.delivered(Seq(1));
    journal.settle().unwrap();
    assert_eq!(journal.forget_blocking(&Forget::default()).unwrap().events, 1);
    drop(journal);
    let journal = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(append(&journal, "b", "2", 0, false), Some(Seq(2)));
}

#[test]
fn retention_spares_what_was_not_delivered() {
    let (_directory, journal) = open();
    for id in ["a", "b", "c"] {
        append(&journal, id, id, 1000, false);
    }
    journal.delivered(Seq(2));
    journal.settle().unwrap();
    let keep = Keep { age: Duration::from_secs(1), size: u64::MAX };
    assert_eq!(journal.retain_blocking(keep, 1500).unwrap(), 0);
    assert_eq!(texts(&journal), ["a", "b", "c"]);
    assert_eq!(journal.retain_blocking(keep, 3000).unwrap(), 0);
    assert_eq!(texts(&journal), ["c"]);
}

#[test]
fn a_full_journal_gives_up_its_oldest_events_and_counts_them() {
    let (_directory, journal) = open();
    let mut transaction = journal.begin_blocking().unwrap();
    for number in 0..1000 {
        transaction.append(&event(&number.to_string(), &"x".repeat(1000)), 0, false).unwrap();
    }
    transaction.commit().unwrap();
    let keep = Keep { age: Duration::MAX, size: 512 << 10 };
    let dropped = journal.retain_blocking(keep, 0).unwrap();
    let left = journal.after(Seq(0), 2000).unwrap();
    assert!(dropped > 0 && left.len() == 1000 - dropped, "{dropped} dropped, {} left", left.len());
    assert_eq!(left.last().unwrap().0, Seq(1000));
}

#[test]
fn forgetting_erases_from_the_disk() {
    let (directory, journal) = open();
    append(&journal, "a", "a secret to be forgotten", 0, false);
    append(&journal, "b", "something to keep", 5000, false);
    set_state(&journal, "key", Some(b"value"));
    let forget = Forget { before: Some(1000), sender: Some(SenderId::new("s")), chat: None };
    assert_eq!(journal.forget_blocking(&forget).unwrap(), Forgotten { events: 1, values: 0 });
    assert_eq!(texts(&journal), ["something to keep"]);
    let nobody = Forget { sender: Some(SenderId::new("t")), ..Forget::default() };
    assert_eq!(journal.forget_blocking(&nobody).unwrap().events, 0);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a secret"));
    }
    assert_eq!(journal.forget_blocking(&Forget::default()).unwrap(), Forgotten { events: 1, values: 1 });
    assert_eq!(journal.state("key").unwrap(), None);
}

#[test]
fn state_is_read_back() {
    let (_directory, journal) = open();
    set_state(&journal, "key", Some(b"1"));
    assert_eq!(journal.state("key").unwrap().as_deref(), Some(b"1".as_slice()));
    set_state(&journal, "key", None);
    assert_eq!(journal.state("key").unwrap(), None);
}

#[test]
fn state_is_limited_as_a_whole() {
    let (_directory, journal) = open();
    let value = vec![0; STATE_VALUE_LIMIT];
    let fit = usize::try_from(STATE_LIMIT).unwrap() / STATE_VALUE_LIMIT - 2;
    for number in 0..fit {
        assert!(journal.reserve_state(value.len() + 10, 0).unwrap());
        set_state(&journal, &number.to_string(), Some(&value));
    }
    assert!(!journal.reserve_state(3 * value.len(), 2 * value.len()).unwrap());
    assert!(!journal.reserve_state(value.len(), 2 * value.len()).unwrap(), "what waits counts too");
    assert!(journal.reserve_state(value.len(), 0).unwrap());
    for number in 0..fit {
        // Replacing a value needs no more room.
        assert!(journal.reserve_state(value.len() + 10, 0).unwrap(), "{number}");
        set_state(&journal, &number.to_string(), Some(&value));
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
fn large_events_are_read_a_few_at_a_time() {
    let (_directory, journal) = open();
    for number in 0..5 {
        append(&journal, &number.to_string(), &"x".repeat(1 << 20), 0, false);
    }
    assert_eq!(journal.after(Seq(0), 100).unwrap().len(), 2);
    assert_eq!(journal.recent(100).unwrap().len(), 2);
}

#[test]
fn what_is_held_has_its_place_when_it_is_let_go() {
    let (directory, journal) = open();
    let mut transaction = journal.begin_blocking().unwrap();
    assert!(transaction.hold(&event("photo", "p"), None, 0).unwrap());
    assert!(!transaction.hold(&event("photo", "again"), None, 0).unwrap(), "it is known");
    transaction.append(&event("text", "t"), 0, false).unwrap();
    assert!(!transaction.hold(&event("text", "again"), None, 0).unwrap(), "it is known");
    assert!(transaction.contains(&EventId::new("photo")).unwrap());
    transaction.commit().unwrap();
    // After a crash it is still held, and nothing else of it is stored.
    let other = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(other.held().unwrap(), [(event("photo", "p"), None)]);
    assert_eq!(texts(&other), ["t"]);
    let ids = [EventId::new("photo")];
    let mut transaction = other.begin_blocking().unwrap();
    assert_eq!(transaction.release(&ids, &event("photo", "whole"), 0, false).unwrap(), Some(Seq(2)));
    assert_eq!(transaction.release(&ids, &event("photo", "whole"), 0, false).unwrap(), None, "once");
    transaction.commit().unwrap();
    assert_eq!(texts(&other), ["t", "whole"]);
    assert!(other.held().unwrap().is_empty());
    let mut transaction = other.begin_blocking().unwrap();
    assert!(!transaction.hold(&event("photo", "again"), None, 0).unwrap(), "it is known for good");
}

#[test]
fn an_album_is_known_by_any_of_its_parts() {
    let (_directory, journal) = open();
    let mut transaction = journal.begin_blocking().unwrap();
    assert!(!transaction.knows_album("a").unwrap());
    transaction.hold(&event("1", ""), Some("a"), 0).unwrap();
    assert!(transaction.knows_album("a").unwrap());
    transaction.release(&[EventId::new("1")], &event("1", ""), 0, false).unwrap();
    assert!(transaction.knows_album("a").unwrap(), "a late part belongs to it still");
    transaction.commit().unwrap();
    journal.forget_blocking(&Forget::default()).unwrap();
    assert!(!journal.begin_blocking().unwrap().knows_album("a").unwrap());
}

#[test]
fn a_cursor_is_its_accounts_own() {
    let (_directory, journal) = open();
    journal.store_blocking(|transaction| transaction.set_cursor("one", "41")).unwrap();
    assert_eq!(journal.cursor("one").unwrap().as_deref(), Some("41"));
    assert_eq!(journal.cursor("two").unwrap(), None);
    journal.store_blocking(|transaction| transaction.set_cursor("two", "7")).unwrap();
    assert_eq!(journal.cursor("one").unwrap(), None);
}

#[test]
fn the_newest_fifty_of_what_was_set_aside_are_kept() {
    let (_directory, journal) = open();
    for number in 0..55 {
        let update =
            SetAside { id: number.to_string(), at: 0, reason: "r".into(), payload: vec![1; 300 << 10] };
        journal.store_blocking(|transaction| transaction.set_aside(&update)).unwrap();
    }
    let kept = journal.updates_set_aside().unwrap();
    assert_eq!((kept.len(), kept[0].id.as_str(), kept[49].id.as_str()), (50, "54", "5"));
    assert_eq!(kept[0].payload.len(), 64 << 10);
}

#[test]
fn files_are_found_by_their_id_or_their_message() {
    let (_directory, journal) = open();
    let attachment = |id: &str| crate::event::Attachment {
        id: id.into(),
        kind: crate::event::AttachmentKind::Document,
        name: Some(format!("{id}.txt")),
        media_type: None,
        size: None,
        saved: None,
    };
    for (chat, message, id, at) in [("c", "1", "f", 1), ("c", "1", "g", 1), ("d", "9", "f", 2)] {
        let (chat, message) = (ChatId::new(chat), MessageId::new(message));
        journal
            .store_blocking(|transaction| {
                transaction.remember_attachment(&chat, &message, &attachment(id), at)
            })
            .unwrap();
    }
    let found = |message, id| {
        let files = journal.attachments(message, id).unwrap();
        files.iter().map(|file| format!("{} {} {}", file.chat, file.message, file.id)).collect::<Vec<_>>()
    };
    assert_eq!(found(Some("1"), None), ["c 1 f", "c 1 g"]);
    assert_eq!(found(None, Some("f")), ["d 9 f", "c 1 f"]);
    assert_eq!(found(Some("9"), Some("g")), Vec::<String>::new());
    assert_eq!(journal.attachments(None, Some("g")).unwrap()[0].name.as_deref(), Some("g.txt"));
}
