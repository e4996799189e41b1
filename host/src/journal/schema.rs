use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::Error;

/// What `PRAGMA user_version` says in a file of this format.
pub(super) const FORMAT: i32 = 1;

/// After so many commits the write-ahead log is moved into the file. A commit is two or three pages of 4 KiB,
/// so the log stays at a few MiB, which a start reads in a millisecond or two.
pub(super) const CHECKPOINT_COMMITS: u32 = 500;

const TABLES: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS event (
        seq  INTEGER PRIMARY KEY,
        id   TEXT NOT NULL UNIQUE,
        at   INTEGER NOT NULL,       -- when it was stored, milliseconds since the Unix epoch
        body BLOB NOT NULL           -- JSON
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

pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let failed = |source| Error::Sqlite { path: path.to_owned(), source };
    let database = connect(path).map_err(failed)?;
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
         PRAGMA cache_size = -512;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(database)
}

/// Moves the write-ahead log into the file as far as that disturbs nobody.
pub(super) fn checkpoint(path: &Path) -> rusqlite::Result<()> {
    connect(path)?.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
