use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, hooks::Wal};

use super::Error;

/// What `PRAGMA user_version` says in a file of this format.
pub(super) const FORMAT: i32 = 1;

/// Each time so many pages (24 MiB) have been added to the write-ahead log without any quiet, it is moved into the
/// file while others go on writing. Most pages are in it many times and are moved once: seldom is cheap.
pub(super) const CHECKPOINT_PAGES: u32 = 12_288;

/// From so many pages on (40 MiB, which a start after a crash reads in some 50 ms), whoever brings more waits for
/// that: the log can only begin anew once nobody has written for a moment.
pub(super) const LIMIT_PAGES: u32 = 20_480;

const TABLES: &str = "
    PRAGMA page_size = 2048;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS event (
        seq     INTEGER PRIMARY KEY,
        id      TEXT NOT NULL UNIQUE,
        at      INTEGER NOT NULL,    -- when it was stored, milliseconds since the Unix epoch
        offered INTEGER NOT NULL,    -- 1: it was to be written to a session at once
        body    BLOB NOT NULL        -- JSON
    ) STRICT;
    CREATE TABLE IF NOT EXISTS mark (
        only      INTEGER PRIMARY KEY CHECK (only = 1),
        offered   INTEGER NOT NULL,  -- events up to here may have been written to a session
        delivered INTEGER NOT NULL,  -- events up to here were
        dropped   INTEGER NOT NULL   -- how many were given up undelivered, for want of space
    ) STRICT;
    INSERT OR IGNORE INTO mark VALUES (1, 0, 0, 0);
    CREATE TABLE IF NOT EXISTS state (
        key   TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;
    COMMIT;
";

/// `log_pages` is kept up to date with each commit.
pub(super) fn open(path: &Path, log_pages: Arc<AtomicU32>) -> Result<Connection, Error> {
    let failed = |source| Error::Sqlite { path: path.to_owned(), source };
    let mut database = connect(path).map_err(failed)?;
    let hook = move |_: &mut Wal, pages: i32| {
        log_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    };
    database.wal_hook(Some(hook)).map_err(failed)?;
    let found: i32 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    match found {
        FORMAT => {}
        0 => database.execute_batch(TABLES).map_err(failed)?,
        _ => return Err(Error::Format { path: path.to_owned(), found }),
    }
    Ok(database)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // One connection is used by one thread at a time: the mutex around it is ours.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(Duration::from_secs(5))?;
    database.set_prepared_statement_cache_capacity(32);
    // The log is moved by a thread of its own; an exit must not wait for the disk either.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    database.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 4194304;
         PRAGMA cache_size = -512;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(database)
}

/// Moves the write-ahead log into the file as far as that disturbs nobody. True if all of it was moved: then the
/// next commit begins it anew.
pub(super) fn checkpoint(path: &Path) -> rusqlite::Result<bool> {
    connect(path)?.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    })
}
