//! The tables of the file, and connections to it.

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

/// The `PRAGMA user_version` of a file with this format.
pub(super) const FORMAT: i32 = 5;

/// Number of pages (24 MiB) added to the write-ahead log without a pause, after which the log is moved into the file
/// while others go on writing. Most pages are in the log many times and are moved once, so moving it seldom is cheap.
pub(super) const CHECKPOINT_PAGES: u32 = 12_288;

/// Number of pages in the log (40 MiB, which a start after a crash reads in about 50 ms) from which callers with more
/// data wait for the move: the log can only begin anew after a moment in which nobody has written.
pub(super) const LIMIT_PAGES: u32 = 20_480;

/// How long a connection that may wait does so while another connection writes.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// Pause between two tries where SQLite itself does not wait.
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

/// Opens the file, or creates it. Afterwards the connection does not wait for other connections: each caller decides
/// whether to wait. Each commit updates `log_pages`.
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
            // A process that died half-way has added the column already, or another process is adding it now.
            let added = database.execute_batch("ALTER TABLE attachment ADD COLUMN name TEXT");
            match added {
                Err(error) if !error.to_string().contains("duplicate column") => return Err(failed(error)),
                _ => create(&database).map_err(failed)?,
            }
        }
        // Formats 1, 3 and 4 had only some of the tables. None of those has changed.
        0 | 1 | 3 | 4 => create(&database).map_err(failed)?,
        _ => return Err(Error::Format { path: path.to_owned(), found }),
    }
    database.busy_timeout(Duration::ZERO).map_err(failed)?;
    Ok(database)
}

/// Creates the missing tables. If two processes change a new file to write-ahead logging at once, SQLite refuses one of
/// them without waiting, so this tries again.
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

/// Opens a connection that waits while another connection writes.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Only the user may read what people have written. SQLite gives its other files the same mode. If this fails, the
    // next call fails too and reports why.
    let _ = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    // Only one thread at a time uses a connection, because our mutex protects it.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(WAIT)?;
    database.set_prepared_statement_cache_capacity(32);
    // Another thread moves the log, and an exit must not wait for the disk.
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

/// Moves the write-ahead log into the file, as far as this disturbs no other connection. Returns true if all of it was
/// moved: then the next commit begins the log anew.
pub(super) fn checkpoint(path: &Path) -> rusqlite::Result<bool> {
    connect(path)?.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    })
}
