//! What a channel has received and how far it was delivered: one SQLite file in the channel's folder.
//!
//! All writes go through a [`Transaction`] and become durable together. This is a group commit: storing one event alone
//! takes 17 µs, storing it among 256 takes 2 µs (measured with store and mark).
//!
//! Several processes may use the file, and SQLite lets one of them write at a time. No function here waits for another
//! process on the calling thread, except those named `…_blocking`.
//!
//! The number of an event, compared with two marks, says how far the event was delivered. Events up to `delivered` were
//! written to a session. Later events up to `offered` may have been written: after a crash they come again, marked as
//! redelivered. All other events were not written.

mod admission;
mod cursor;
mod damage;
mod held;
mod retention;
mod schema;
mod session;
mod state;
mod stranger;
mod transaction;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub use admission::{Contact, Refusal, StoredFile};
pub use cursor::SetAside;
pub use damage::Damage;
pub use retention::{Forget, Forgotten, Keep};
pub use session::{NotedAttention, SessionNote};
pub use state::{STATE_KEY_LIMIT, STATE_LIMIT, STATE_VALUE_LIMIT};
pub use stranger::{LetWait, Waiting};
pub use transaction::Transaction;

use crate::event::{Event, EventId, Happening, Message};

/// The number of an event in its channel's journal. Ascending, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub(crate) i64);

impl Seq {
    /// Returns the next number.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Reading ends once the events have this many bytes together, however many events were asked for.
const BUDGET: usize = 2 << 20;

/// How far the events were delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Events up to here may have been written to a session.
    pub offered: Seq,
    /// Events up to here were written to a session.
    pub delivered: Seq,
}

/// An error of the journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite failed.
    #[error("the journal {path} failed: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The error from SQLite.
        source: rusqlite::Error,
    },
    /// The file is damaged.
    #[error(transparent)]
    Damaged(Box<Damage>),
    /// Another process goes on writing.
    #[error(
        "another process has been writing to the journal {path} for {} s: it can be used once that has ended (is `tidegate forget` running, or a program that has the file open?)",
        waited.as_secs()
    )]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long this process has waited.
        waited: Duration,
    },
    /// The file cannot be synced, so it might not survive a power failure.
    #[error("the journal {path} cannot be synced with the disk: {source}")]
    Sync {
        /// The file.
        path: PathBuf,
        /// The error from the system.
        source: std::io::Error,
    },
    /// A newer tidegate has written the file.
    #[error(
        "the journal {path} has format {found}, made by a newer tidegate; this one knows format {}: update it",
        schema::FORMAT
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: i32,
    },
}

/// The journal of one channel. Calls take microseconds: they write to the system's cache. Work that waits for the disk
/// is done on another thread.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
    /// The length of the part of the write-ahead log that is not in the file yet, in pages.
    log_pages: Arc<AtomicU32>,
    checkpointing: AtomicBool,
    checkpointed: Notify,
}

#[derive(Debug)]
struct Inner {
    database: Connection,
    next: Seq,
    marks: Marks,
    /// Events up to here may have been written to a session before the last [`Journal::resume`].
    suspect: Seq,
    /// Whether the marks in the file are older than these.
    dirty: bool,
    /// SQLite's `data_version`. It changes when another connection has committed something.
    version: i64,
    /// The number of commits so far.
    commits: u64,
    /// Upper bound for the size of the guest's values, in bytes. 0 if they were not counted yet.
    state_bytes: u64,
    /// Buffer for encoding, reused for each event.
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the file, or creates it.
    pub fn open(path: &Path) -> Result<Arc<Self>, Error> {
        let log_pages = Arc::<AtomicU32>::default();
        let database = schema::open(path, Arc::clone(&log_pages))?;
        let inner = Inner {
            database,
            next: Seq(1),
            marks: Marks::default(),
            suspect: Seq::default(),
            dirty: false,
            version: 0,
            commits: 0,
            state_bytes: 0,
            buffer: Vec::new(),
        };
        let journal = Self {
            path: path.into(),
            inner: Mutex::new(inner),
            log_pages,
            checkpointing: AtomicBool::new(false),
            checkpointed: Notify::new(),
        };
        journal.resume()?;
        Ok(Arc::new(journal))
    }

    /// Reads the marks and the last number again, because another process may have written since this one opened the
    /// file.
    pub fn resume(&self) -> Result<(), Error> {
        let mut inner = self.lock();
        inner.resume().map_err(|source| self.failed(source))?;
        inner.suspect = inner.marks.offered;
        Ok(())
    }

    /// Returns the last event that may have been written to a session that did not receive it. Events up to it are
    /// marked when they come again. Events stored after [`Self::resume`] are not among them.
    pub fn suspect(&self) -> Seq {
        self.lock().suspect
    }

    /// Marks all events offered so far as suspect, because the session has lost some of them.
    pub fn suspect_offered(&self) {
        let mut inner = self.lock();
        inner.suspect = inner.marks.offered;
    }

    /// Waits until all commits would survive a power failure. They survive the end of a process without this.
    pub async fn sync(&self) -> Result<(), Error> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let synced = tokio::task::spawn_blocking(move || std::fs::File::open(log)?.sync_data()).await;
        // The task fails only if the process is ending.
        synced.unwrap_or(Ok(())).map_err(|source| Error::Sync { path: self.path.clone(), source })
    }

    /// Waits while the write-ahead log is too long. Call this before storing much.
    pub async fn breathe(self: &Arc<Self>) {
        while self.log_pages.load(Ordering::Relaxed) >= schema::LIMIT_PAGES {
            let mut done = std::pin::pin!(self.checkpointed.notified());
            done.as_mut().enable();
            self.checkpoint();
            done.await;
        }
    }

    /// Writes the delivery marks if they are newer than those in the file. Returns the number of commits so far, or
    /// `None` if another process is writing: then the caller must try again.
    pub fn settle(self: &Arc<Self>) -> Result<Option<u64>, Error> {
        if self.lock().dirty {
            let Some(mut transaction) = self.try_begin()? else { return Ok(None) };
            transaction.mark()?;
            transaction.commit()?;
        }
        Ok(Some(self.lock().commits))
    }

    /// Moves the write-ahead log into the file. Call this when the journal is idle.
    pub fn rest(self: &Arc<Self>) {
        if self.log_pages.load(Ordering::Relaxed) > 0 {
            self.checkpoint();
        }
    }

    /// Notes that events up to `seq` were written to a session. [`Self::settle`] makes this durable. After a crash
    /// before that, the events come again, marked.
    pub fn delivered(&self, seq: Seq) {
        let mut inner = self.lock();
        if seq > inner.marks.delivered {
            inner.marks.delivered = seq;
            inner.marks.offered = inner.marks.offered.max(seq);
            inner.dirty = true;
        }
    }

    /// Returns how far the events were delivered.
    pub fn marks(&self) -> Marks {
        self.lock().marks
    }

    /// Returns the events after `seq`, oldest first. Returns fewer than `limit` if they are large.
    pub fn after(&self, seq: Seq, limit: u32) -> Result<Vec<(Seq, Event)>, Error> {
        let inner = self.lock();
        let read = || {
            let mut statement = inner
                .database
                .prepare_cached("SELECT seq, id, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
            let mut rows = statement.query(params![seq.0, limit])?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            while bytes < BUDGET
                && let Some(row) = rows.next()?
            {
                let body: Vec<u8> = row.get(2)?;
                bytes += body.len();
                page.push((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, body));
            }
            Ok(page)
        };
        let rows = read().map_err(|source| self.failed(source))?;
        Ok(rows
            .into_iter()
            .filter_map(|(seq, id, body)| {
                Some((Seq(seq), Event { id: EventId::new(id), what: decode(&body)? }))
            })
            .collect())
    }

    /// Returns the newest messages, oldest first. Returns fewer than `limit` if they are large.
    pub fn recent(&self, limit: u32) -> Result<Vec<Message>, Error> {
        let inner = self.lock();
        let read = || {
            let mut statement =
                inner.database.prepare_cached("SELECT body FROM event ORDER BY seq DESC LIMIT ?1")?;
            let mut rows = statement.query([limit])?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            while bytes < BUDGET
                && let Some(row) = rows.next()?
            {
                let body: Vec<u8> = row.get(0)?;
                bytes += body.len();
                page.push(body);
            }
            Ok(page)
        };
        let rows = read().map_err(|source| self.failed(source))?;
        let messages = rows.iter().rev().filter_map(|body| match decode(body)? {
            Happening::Message(message) => Some(message),
            _ => None,
        });
        Ok(messages.collect())
    }

    /// Runs a query.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        work(&self.lock().database).map_err(|source| self.failed(source))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    fn failed(&self, source: rusqlite::Error) -> Error {
        Error::sqlite(&self.path, source)
    }

    /// Moves the write-ahead log into the file, on a thread that may wait for the disk.
    fn checkpoint(self: &Arc<Self>) {
        if self.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let journal = Arc::clone(self);
        let work = move || {
            let moved = schema::checkpoint(&journal.path);
            match moved {
                Ok(true) => journal.log_pages.store(0, Ordering::Relaxed),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!("cannot tidy up the journal {}: {error}", journal.path.display());
                }
            }
            journal.checkpointing.store(false, Ordering::Release);
            journal.checkpointed.notify_waiters();
        };
        if std::thread::Builder::new().name("checkpoint".into()).spawn(work).is_err() {
            self.checkpointing.store(false, Ordering::Release);
            self.checkpointed.notify_waiters();
        }
    }
}

impl Inner {
    fn resume(&mut self) -> rusqlite::Result<()> {
        let (offered, delivered) = self
            .database
            .query_row("SELECT offered, delivered FROM mark", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?
            .unwrap_or_default();
        let last: i64 =
            self.database.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
        // Only events after the last mark can have been offered without a mark.
        let offered = offered.max(self.database.query_row(
            "SELECT coalesce(max(seq), 0) FROM event WHERE seq > ?1 AND offered",
            [delivered],
            |row| row.get(0),
        )?);
        self.marks = Marks { offered: Seq(offered), delivered: Seq(delivered) };
        self.next = Seq(last.max(offered).max(delivered) + 1);
        self.dirty = false;
        self.version = self.data_version()?;
        Ok(())
    }

    /// Reads what another process has stored since the last call. Keeps the marks of this process if they are further.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        if self.data_version()? == self.version {
            return Ok(());
        }
        let (next, known) = (self.next, self.marks);
        self.resume()?;
        self.dirty = known.delivered > self.marks.delivered;
        self.next = self.next.max(next);
        self.marks.offered = self.marks.offered.max(known.offered);
        self.marks.delivered = self.marks.delivered.max(known.delivered);
        Ok(())
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        self.database.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }
}

/// Decodes an event. Skips one that cannot be read, so that it does not block the events after it.
fn decode(body: &[u8]) -> Option<Happening> {
    serde_json::from_slice(body)
        .inspect_err(|error| tracing::warn!("an event in the journal cannot be read: {error}"))
        .ok()
}

#[cfg(test)]
mod tests;
