//! A journal that SQLite can no longer read.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::Error;

/// A damaged journal file: it is not a database any more, or parts of it contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("{}. {}", self.found(), self.cure())]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The error from SQLite.
    pub source: rusqlite::Error,
}

impl Damage {
    /// Returns what is wrong and what it means, without a full stop at the end.
    pub fn found(&self) -> String {
        format!(
            "the journal {} is damaged ({}), so its channel cannot run. In it were the messages that waited for a \
             session, how far the platform was read (without that, some messages may come again), codes that waited, and \
             what you had approved of access.json",
            self.path.display(),
            self.source
        )
    }

    /// Returns what a person can do about it, without a full stop at the end.
    pub fn cure(&self) -> String {
        format!(
            "End the sessions that use the channel, check that access.json names only people whom you let in, and move \
             journal.db, journal.db-wal and journal.db-shm out of {}; tidegate then begins a new journal",
            self.path.parent().unwrap_or(Path::new(".")).display()
        )
    }
}

impl Error {
    /// Converts an error from SQLite about this file.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged(Box::new(Damage { path, source }))
            }
            _ => Self::Sqlite { path, source },
        }
    }
}
