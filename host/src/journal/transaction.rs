//! Transactions of one journal.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use parking_lot::MutexGuard;
use rusqlite::{Connection, ErrorCode, params};

use super::{Error, Inner, Journal, Marks, Seq, schema};
use crate::event::Event;

/// How long [`Journal::begin`] retries while another process writes. Erasing all of a full journal (64 MiB unless the
/// user has set another size) and compacting the file takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long [`Journal::begin_blocking`] retries. This is shorter because a person waits at a terminal.
const BLOCKING_PATIENCE: Duration = Duration::from_secs(5);

/// The first pause between two tries, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A transaction of a journal. All its writes become durable together with [`Transaction::commit`]. If it is dropped
/// before that, or if the commit fails, the file and the journal's data in memory stay as they were.
///
/// It has exclusive use of the connection: another call on the same journal waits until the transaction is gone. On the
/// thread that holds the transaction, such a call would wait forever, so reads must go through the transaction. It
/// holds the mutex's guard, so a spawned task cannot keep it across an await.
#[derive(Debug)]
#[must_use = "nothing is stored without a commit"]
pub struct Transaction<'a> {
    journal: &'a Arc<Journal>,
    inner: MutexGuard<'a, Inner>,
    /// The next number and the marks. A commit gives them to the journal.
    next: Seq,
    marks: Marks,
    /// Whether the marks were written.
    marked: bool,
    /// Whether the transaction is neither committed nor rolled back.
    open: bool,
}

impl Journal {
    /// Begins a transaction. While another process writes, yields to the runtime and tries again, for up to a minute.
    pub async fn begin(self: &Arc<Self>) -> Result<Transaction<'_>, Error> {
        if let Some(transaction) = self.try_begin()? {
            return Ok(transaction);
        }
        self.begin_within(PATIENCE).await
    }

    /// Begins a transaction as soon as another process has stopped writing. Returns an error after `patience`.
    pub(super) async fn begin_within(self: &Arc<Self>, patience: Duration) -> Result<Transaction<'_>, Error> {
        let end = tokio::time::Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        while tokio::time::Instant::now() < end {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            if let Some(transaction) = self.try_begin()? {
                return Ok(transaction);
            }
        }
        Err(Error::Busy { path: self.path.clone(), waited: patience })
    }

    /// Begins a transaction. While another process writes, the thread sleeps, for up to five seconds. Meant for the
    /// command line, and for threads that may wait.
    pub fn begin_blocking(self: &Arc<Self>) -> Result<Transaction<'_>, Error> {
        let end = Instant::now() + BLOCKING_PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(transaction) = self.try_begin()? {
                return Ok(transaction);
            }
            if Instant::now() >= end {
                return Err(Error::Busy { path: self.path.clone(), waited: BLOCKING_PATIENCE });
            }
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// Begins a transaction without waiting. Returns `None` while another process writes.
    pub fn try_begin(self: &Arc<Self>) -> Result<Option<Transaction<'_>>, Error> {
        let inner = self.lock();
        let begun =
            inner.database.prepare_cached("BEGIN IMMEDIATE").and_then(|mut statement| statement.execute([]));
        match begun {
            Ok(_) => {
                let (next, marks) = (inner.next, inner.marks);
                let mut transaction =
                    Transaction { journal: self, inner, next, marks, marked: false, open: true };
                // Another process may have stored events, even if it has given up the channel: it may still finish its
                // work.
                transaction.inner.refresh().map_err(|error| self.failed(error))?;
                (transaction.next, transaction.marks) = (transaction.inner.next, transaction.inner.marks);
                Ok(Some(transaction))
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Runs `work` in its own transaction: see [`Journal::begin`].
    pub async fn store<T>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.begin().await?.finish(work)
    }

    /// Runs `work` in its own transaction: see [`Journal::begin_blocking`].
    pub fn store_blocking<T>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.begin_blocking()?.finish(work)
    }

    /// Runs `work` in its own transaction, without waiting. Returns `None` while another process writes.
    pub fn try_store<T>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.try_begin()?.map(|transaction| transaction.finish(work)).transpose()
    }

    /// Runs `work` in its own transaction, without making the caller wait: at once if possible, otherwise in a new
    /// task. Logs a failure.
    pub fn store_soon(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<(), Error> + Send + 'static,
    ) {
        let log = |result: Result<(), Error>| {
            if let Err(error) = result {
                tracing::error!("{error}");
            }
        };
        match self.try_begin() {
            Ok(Some(transaction)) => log(transaction.finish(work)),
            Ok(None) => {
                let journal = Arc::clone(self);
                tokio::spawn(async move { log(journal.store(work).await) });
            }
            Err(error) => log(Err(error)),
        }
    }
}

impl Transaction<'_> {
    /// Stores an event. Returns `None` if an event with this id was stored before. `offer` says that the event will be
    /// written to a session as soon as this transaction is committed.
    pub fn append(&mut self, event: &Event, now: u64, offer: bool) -> Result<Option<Seq>, Error> {
        let seq = self.next;
        let Inner { database, buffer, .. } = &mut *self.inner;
        let mut insert = || {
            buffer.clear();
            serde_json::to_writer(&mut *buffer, &event.what)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            database
                .prepare_cached(
                    "INSERT INTO event (seq, id, at, offered, body) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![seq.0, &*event.id, now.cast_signed(), offer, buffer.as_slice()])
        };
        if insert().map_err(|source| self.journal.failed(source))? == 0 {
            return Ok(None);
        }
        self.next = seq.next();
        if offer {
            self.marks.offered = seq;
        }
        Ok(Some(seq))
    }

    /// Notes that events up to `seq` are about to be written to a session.
    pub fn offer(&mut self, seq: Seq) -> Result<(), Error> {
        if seq > self.marks.offered {
            self.marks.offered = seq;
            self.mark()?;
        }
        Ok(())
    }

    /// Writes the delivery marks.
    pub(super) fn mark(&mut self) -> Result<(), Error> {
        let marks = self.marks;
        self.run(|database| {
            database
                .prepare_cached("UPDATE mark SET offered = ?1, delivered = ?2")?
                .execute(params![marks.offered.0, marks.delivered.0])
        })?;
        self.marked = true;
        Ok(())
    }

    /// Makes all writes durable.
    pub fn commit(mut self) -> Result<(), Error> {
        let journal = self.journal;
        let stretch = || journal.log_pages.load(Ordering::Relaxed) / schema::CHECKPOINT_PAGES;
        let before = stretch();
        self.run(|database| database.prepare_cached("COMMIT")?.execute([]))?;
        self.open = false;
        let (next, marks, marked) = (self.next, self.marks, self.marked);
        let inner = &mut *self.inner;
        inner.next = next;
        inner.marks = marks;
        inner.dirty &= !marked;
        inner.commits += 1;
        drop(self);
        if stretch() > before {
            journal.checkpoint();
        }
        Ok(())
    }

    fn finish<T>(mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let value = work(&mut self)?;
        self.commit()?;
        Ok(value)
    }

    /// Reads or writes within the transaction.
    pub(super) fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        work(&self.inner.database).map_err(|source| self.journal.failed(source))
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> Error {
        self.journal.failed(source)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // After some errors, such as a full disk, SQLite has already rolled back.
        if self.open
            && !self.inner.database.is_autocommit()
            && let Err(error) = self.inner.database.execute_batch("ROLLBACK")
        {
            tracing::error!("{}", self.journal.failed(error));
        }
    }
}
