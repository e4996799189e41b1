//! The file's tables, and connections to it.

use std::{
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, hooks::Wal};

use super::Error;

/// What `PRAGMA user_version` says in a file of this format.
pub(super) const FORMAT: i32 = 5;

/// Each time so many pages (24 MiB) have been added to the write-ahead log without any quiet, it is moved into the
/// file while others go on writing. Most pages are in it many times and are moved once: seldom is cheap.
pub(super) const CHECKPOINT_PAGES: u32 = 12_288;

/// From so many pages on (40 MiB, which a start after a crash reads in some 50 ms), whoever brings more waits for
/// that: the log can only begin anew once nobody has written for a moment.
pub(super) const LIMIT_PAGES: u32 = 20_480;

/// How long a connection waits for another one that writes, where it may wait.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// Between two tries where SQLite itself does not wait.
const PAUSE: Duration = Duration::from_millis(10);

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
    CREATE TABLE IF NOT EXISTS baseline (
        only   INTEGER PRIMARY KEY CHECK (only = 1),
        access TEXT NOT NULL           -- who a person has let in, as access.json has it
    ) STRICT;
    CREATE TABLE IF NOT EXISTS pairing (
        sender  TEXT PRIMARY KEY,
        name    TEXT NOT NULL,
        chat    TEXT NOT NULL,
        thread  TEXT,
        salt    BLOB,                  -- none until the code was worked out
        digest  BLOB,
        expires INTEGER NOT NULL,      -- milliseconds since the Unix epoch
        answers INTEGER NOT NULL,
        denied  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tries (
        only         INTEGER PRIMARY KEY CHECK (only = 1),
        wrong        INTEGER NOT NULL,
        locked_until INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS contact (
        chat TEXT PRIMARY KEY,
        kind TEXT NOT NULL,            -- direct: peer is who writes there; part: peer is the group it belongs to
        peer TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS contact_peer ON contact (peer) WHERE kind = 'direct';
    CREATE TABLE IF NOT EXISTS attachment (
        chat    TEXT NOT NULL,
        message TEXT NOT NULL,
        id      TEXT NOT NULL,
        at      INTEGER NOT NULL,
        name    TEXT,
        PRIMARY KEY (chat, id, message)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS attachment_id ON attachment (id);
    CREATE TABLE IF NOT EXISTS refusal (
        chat   TEXT NOT NULL,
        sender TEXT NOT NULL,
        reason TEXT NOT NULL,
        title  TEXT NOT NULL,
        name   TEXT NOT NULL,
        count  INTEGER NOT NULL,
        last   INTEGER NOT NULL,
        PRIMARY KEY (chat, sender, reason)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS trouble (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        at   INTEGER NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS cursor (
        only    INTEGER PRIMARY KEY CHECK (only = 1),
        account TEXT NOT NULL,         -- with which credentials and settings
        value   TEXT NOT NULL          -- where a polled platform is asked to go on
    ) STRICT;
    CREATE TABLE IF NOT EXISTS held (
        place INTEGER PRIMARY KEY,
        id    TEXT NOT NULL UNIQUE,
        at    INTEGER NOT NULL,
        album TEXT,                    -- a digest of chat, sender and album of a part
        body  BLOB                     -- JSON; none once it was let go
    ) STRICT;
    CREATE INDEX IF NOT EXISTS held_album ON held (album) WHERE album IS NOT NULL;
    CREATE TABLE IF NOT EXISTS set_aside (
        place   INTEGER PRIMARY KEY,
        id      TEXT NOT NULL,         -- as the guest calls the update
        at      INTEGER NOT NULL,
        reason  TEXT NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS stranger (
        place INTEGER PRIMARY KEY,
        id    TEXT NOT NULL UNIQUE,
        at    INTEGER NOT NULL,
        body  BLOB NOT NULL          -- JSON
    ) STRICT;
    CREATE TABLE IF NOT EXISTS session (
        process   INTEGER PRIMARY KEY,
        since     INTEGER NOT NULL,    -- milliseconds since the Unix epoch
        directory TEXT NOT NULL,
        state     TEXT NOT NULL,       -- awaited, open, closed
        text      TEXT NOT NULL,       -- what tells that it is open, or why it is closed
        word      TEXT,                -- what the client said
        written   INTEGER NOT NULL,
        received  INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 5;
    COMMIT;
";

/// Opens the file, or makes it. The connection does not wait for others afterwards: whether to is each caller's decision.
/// `log_pages` is kept up to date with each commit.
pub(super) fn open(path: &Path, log_pages: Arc<AtomicU32>) -> Result<Connection, Error> {
    let failed = |source| Error::sqlite(path, source);
    let mut database = connect(path).map_err(failed)?;
    let hook = move |_: &mut Wal, pages: i32| {
        log_pages.store(pages.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    };
    database.wal_hook(Some(hook)).map_err(failed)?;
    let found: i32 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    match found {
        FORMAT => {}
        2 => {
            // Whoever died half-way, or is at it as well, has added it already.
            let added = database.execute_batch("ALTER TABLE attachment ADD COLUMN name TEXT");
            match added {
                Err(error) if !error.to_string().contains("duplicate column") => return Err(failed(error)),
                _ => create(&database).map_err(failed)?,
            }
        }
        // Formats 1, 3 and 4 had some of the tables; none has changed.
        0 | 1 | 3 | 4 => create(&database).map_err(failed)?,
        _ => return Err(Error::Format { path: path.to_owned(), found }),
    }
    database.busy_timeout(Duration::ZERO).map_err(failed)?;
    Ok(database)
}

/// Makes the tables that are missing. Where two processes change a new file to write-ahead logging at once, SQLite refuses
/// one of them without waiting: it tries again.
fn create(database: &Connection) -> rusqlite::Result<()> {
    let end = Instant::now() + WAIT;
    loop {
        match database.execute_batch(TABLES) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < end =>
            {
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

/// A connection that waits where another one writes.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // What people have written is nobody else's to read. SQLite gives its other files the same mode. If this fails, so
    // will what follows, and says why.
    let _ = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    // One connection is used by one thread at a time: the mutex around it is ours.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(WAIT)?;
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
