//! The promises of a transaction: it is stored completely or not at all, and nothing waits on the runtime's thread.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

/// Two views of one journal, as two processes have them.
fn both() -> (tempfile::TempDir, Arc<Journal>, Arc<Journal>) {
    let (directory, one) = open();
    let other = Journal::open(&directory.path().join("journal.db")).unwrap();
    (directory, one, other)
}

/// Writes one value of each kind.
fn fill(transaction: &mut Transaction<'_>) {
    assert_eq!(transaction.append(&event("b", "2"), 0, true).unwrap(), Some(Seq(2)));
    transaction.offer(Seq(7)).unwrap();
    transaction.mark().unwrap();
    transaction.hold(&event("photo", "p"), Some("album"), 0).unwrap();
    transaction.set_state("key", Some(b"value")).unwrap();
    transaction.set_cursor("account", "41").unwrap();
}

/// Checks that nothing of that was stored, and that the journal continues where it was.
fn check_untouched(journal: &Arc<Journal>) {
    assert_eq!(texts(journal), ["1"]);
    assert!(journal.held().unwrap().is_empty());
    assert_eq!(journal.state("key").unwrap(), None);
    assert_eq!(journal.cursor("account").unwrap(), None);
    assert_eq!(journal.marks(), Marks { offered: Seq(1), delivered: Seq(1) });
    assert!(journal.lock().dirty, "the marks are still to be written");
    assert_eq!(append(journal, "b", "2", 0, false), Some(Seq(2)), "its number was never used");
}

/// A journal with one event, whose mark is not written yet.
fn started() -> (tempfile::TempDir, Arc<Journal>) {
    let (directory, journal) = open();
    append(&journal, "a", "1", 0, true);
    journal.delivered(Seq(1));
    (directory, journal)
}

#[test]
fn a_transaction_that_is_dropped_has_never_been() {
    let (_directory, journal) = started();
    let mut transaction = journal.begin_blocking().unwrap();
    fill(&mut transaction);
    drop(transaction);
    check_untouched(&journal);
}

#[test]
fn a_commit_that_fails_stores_nothing() {
    let (_directory, journal) = started();
    journal.lock().database.commit_hook(Some(|| true)).unwrap();
    let mut transaction = journal.begin_blocking().unwrap();
    fill(&mut transaction);
    assert!(matches!(transaction.commit(), Err(Error::Sqlite { .. })));
    journal.lock().database.commit_hook(None::<fn() -> bool>).unwrap();
    check_untouched(&journal);
}

#[test]
fn a_full_disk_stores_nothing_and_can_be_mended() {
    let (_directory, journal) = started();
    let limit = |pages: u32| {
        let inner = journal.lock();
        inner.database.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    let pages =
        journal.read(|database| database.query_row("PRAGMA page_count", [], |row| row.get(0))).unwrap();
    limit(pages);
    let stored = journal.store_blocking(|transaction| {
        fill(transaction);
        transaction.append(&event("large", &"x".repeat(1 << 20)), 0, true)
    });
    let error = stored.unwrap_err().to_string();
    assert!(error.contains("full"), "{error}");
    limit(u32::MAX);
    check_untouched(&journal);
    assert_eq!(append(&journal, "large", &"x".repeat(1 << 20), 0, true), Some(Seq(3)));
}

#[test]
fn what_fails_takes_nothing_of_others_with_it() {
    let (_directory, journal) = started();
    let failed = journal.store_blocking(|transaction| {
        transaction.set_state("key", Some(b"value"))?;
        Err::<(), _>(transaction.failed(rusqlite::Error::InvalidQuery))
    });
    assert!(failed.is_err());
    check_untouched(&journal);
}

#[test]
fn one_process_writes_at_a_time_and_others_read() {
    let (_directory, one, other) = both();
    set_state(&one, "key", Some(b"1"));
    let mut writing = other.begin_blocking().unwrap();
    writing.set_state("key", Some(b"2")).unwrap();
    assert!(one.try_begin().unwrap().is_none());
    assert_eq!(one.try_store(|transaction| transaction.set_state("key", None)).unwrap(), None);
    assert_eq!(one.state("key").unwrap().as_deref(), Some(b"1".as_slice()));
    writing.commit().unwrap();
    assert_eq!(one.state("key").unwrap().as_deref(), Some(b"2".as_slice()));
    assert!(one.try_begin().unwrap().is_some());
}

#[tokio::test]
async fn a_task_that_waits_for_another_process_keeps_nothing_else_waiting() {
    let (_directory, one, other) = both();
    let writing = other.begin_blocking().unwrap();
    let stored = tokio::spawn({
        let one = Arc::clone(&one);
        async move { one.store(|transaction| transaction.set_state("key", Some(b"1"))).await }
    });
    // The other tasks of this thread continue for the whole time.
    let turns = Cell::new(0);
    while turns.get() < 50 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        turns.set(turns.get() + 1);
    }
    assert!(!stored.is_finished());
    drop(writing);
    stored.await.unwrap().unwrap();
    assert_eq!(one.state("key").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[tokio::test]
async fn another_process_that_does_not_stop_is_named() {
    let (directory, one, other) = both();
    let writing = other.begin_blocking().unwrap();
    let error = one.begin_within(Duration::from_millis(20)).await.map(drop).unwrap_err();
    assert!(matches!(&error, Error::Busy { .. }));
    let (text, path) = (error.to_string(), directory.path().join("journal.db"));
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.starts_with("another process has been writing to the journal"), "{text}");
    drop(writing);
    one.begin().await.map(drop).unwrap();
}

#[test]
fn a_thread_that_may_wait_does() {
    let (_directory, one, other) = both();
    let writing = other.begin_blocking().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            set_state(&one, "key", Some(b"1"));
            done.store(true, Ordering::Release);
        });
        // The waiting thread does not hold the connection.
        for _ in 0..20 {
            assert_eq!(one.state("key").unwrap(), None);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!done.load(Ordering::Acquire));
        drop(writing);
    });
    assert_eq!(one.state("key").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[tokio::test]
async fn marks_and_what_nobody_waits_for_are_written_later() {
    let (directory, one, other) = both();
    append(&one, "a", "1", 0, true);
    one.delivered(Seq(1));
    let writing = other.begin_blocking().unwrap();
    assert_eq!(one.settle().unwrap(), None);
    one.store_soon(|transaction| transaction.set_trouble("a trouble", 1));
    assert_eq!(one.trouble().unwrap(), None);
    drop(writing);
    assert_eq!(one.settle().unwrap(), Some(2));
    assert_eq!(one.settle().unwrap(), Some(2), "there is nothing more to write");
    while one.trouble().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let third = Journal::open(&directory.path().join("journal.db")).unwrap();
    assert_eq!(third.marks(), Marks { offered: Seq(1), delivered: Seq(1) });
}

#[test]
fn retention_keeps_nobody_from_the_journal_while_it_waits() {
    let (_directory, one, other) = both();
    append(&one, "old", "1", 1, false);
    append(&one, "new", "2", 5000, false);
    one.delivered(Seq(2));
    let keep = Keep { age: Duration::from_secs(1), size: u64::MAX };
    let writing = other.begin_blocking().unwrap();
    std::thread::scope(|scope| {
        let retained = scope.spawn(|| one.retain_blocking(keep, 3000));
        for _ in 0..20 {
            assert_eq!(texts(&one), ["1", "2"]);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!retained.is_finished());
        drop(writing);
        assert_eq!(retained.join().unwrap().unwrap(), 0);
    });
    assert_eq!(texts(&one), ["2"]);
}

#[test]
fn two_processes_never_use_the_same_place() {
    let (_directory, one, other) = both();
    assert_eq!(append(&one, "a", "1", 0, false), Some(Seq(1)));
    assert_eq!(append(&other, "b", "2", 0, false), Some(Seq(2)));
    one.delivered(Seq(1));
    // The first process finishes its work after it has given up the channel.
    assert_eq!(append(&one, "c", "3", 0, false), Some(Seq(3)));
    assert_eq!(append(&other, "d", "4", 0, false), Some(Seq(4)));
    assert_eq!(texts(&one), ["1", "2", "3", "4"]);
    // It still knows better how far the session is, and still writes that.
    assert_eq!(one.marks().delivered, Seq(1));
    one.settle().unwrap();
    assert_eq!(other.begin_blocking().map(drop).map(|()| other.marks().delivered).unwrap(), Seq(1));
}
