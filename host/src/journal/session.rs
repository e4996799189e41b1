//! Notes of the processes that have a session for this channel, and of whether those sessions take messages. `tidegate
//! status` shows them.

use rusqlite::{Connection, Row, params};

use super::{Error, Journal, Transaction};
use crate::process::runs;

/// The note of one process about its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionNote {
    /// The process that serves the session.
    pub process: u32,
    /// When the session began, in milliseconds since the Unix epoch.
    pub since: u64,
    /// The folder in which the process was started.
    pub directory: String,
    /// Whether the session takes messages.
    pub attention: NotedAttention,
    /// Number of messages written to the session.
    pub written: u64,
    /// Number of those messages that the session has received.
    pub received: u64,
}

/// Whether a session takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotedAttention {
    /// The client has not told yet.
    Awaited,
    /// The session takes messages. The text says how this is known.
    Open(String),
    /// The session does not take messages.
    Closed {
        /// The client's own words, if the client has said so.
        word: Option<String>,
        /// The reason, and what to do about it.
        reason: String,
    },
}

impl NotedAttention {
    fn columns(&self) -> (&'static str, &str, Option<&str>) {
        match self {
            Self::Awaited => ("awaited", "", None),
            Self::Open(basis) => ("open", basis, None),
            Self::Closed { word, reason } => ("closed", reason, word.as_deref()),
        }
    }

    fn of(state: &str, text: String, word: Option<String>) -> Self {
        match state {
            "open" => Self::Open(text),
            "closed" => Self::Closed { word, reason: text },
            _ => Self::Awaited,
        }
    }
}

impl Transaction<'_> {
    /// Stores the note of a process about its session, and erases the notes of processes that have ended.
    pub fn note_session(&mut self, note: &SessionNote) -> Result<(), Error> {
        let (state, text, word) = note.attention.columns();
        self.run(|database| {
            for process in processes(database)?.into_iter().filter(|process| !runs(*process)) {
                database.execute("DELETE FROM session WHERE process = ?1", [process])?;
            }
            database
                .prepare_cached("INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute(params![
                    note.process,
                    note.since.cast_signed(),
                    note.directory,
                    state,
                    text,
                    word,
                    note.written.cast_signed(),
                    note.received.cast_signed()
                ])
        })
        .map(drop)
    }

    /// Erases the note of a process that is ending.
    pub fn drop_session(&mut self, process: u32) -> Result<(), Error> {
        self.run(|database| database.execute("DELETE FROM session WHERE process = ?1", [process])).map(drop)
    }
}

impl Journal {
    /// Returns the notes of all running processes, oldest session first.
    pub fn sessions(&self) -> Result<Vec<SessionNote>, Error> {
        let row = |row: &Row<'_>| {
            Ok(SessionNote {
                process: row.get(0)?,
                since: row.get::<_, i64>(1)?.cast_unsigned(),
                directory: row.get(2)?,
                attention: NotedAttention::of(row.get_ref(3)?.as_str()?, row.get(4)?, row.get(5)?),
                written: row.get::<_, i64>(6)?.cast_unsigned(),
                received: row.get::<_, i64>(7)?.cast_unsigned(),
            })
        };
        let notes: Vec<SessionNote> = self.read(|database| {
            database.prepare_cached("SELECT * FROM session ORDER BY since")?.query_map([], row)?.collect()
        })?;
        Ok(notes.into_iter().filter(|note| runs(note.process)).collect())
    }
}

fn processes(database: &Connection) -> rusqlite::Result<Vec<u32>> {
    database.prepare_cached("SELECT process FROM session")?.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_run_are_noted_and_others_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let gone = SessionNote {
            process: child.id(),
            since: 1,
            directory: "/home/a".to_owned(),
            attention: NotedAttention::Awaited,
            written: 0,
            received: 0,
        };
        journal.store_blocking(|transaction| transaction.note_session(&gone)).unwrap();
        assert_eq!(journal.sessions().unwrap(), []);
        for attention in [
            NotedAttention::Open("as it says".to_owned()),
            NotedAttention::Closed { word: Some("no".to_owned()), reason: "why".to_owned() },
            NotedAttention::Closed { word: None, reason: "why".to_owned() },
        ] {
            let note = SessionNote {
                process: std::process::id(),
                attention,
                written: 3,
                received: 2,
                ..gone.clone()
            };
            journal.store_blocking(|transaction| transaction.note_session(&note)).unwrap();
            assert_eq!(journal.sessions().unwrap(), [note]);
        }
        assert_eq!(journal.read(processes).unwrap(), [std::process::id()]);
        journal.store_blocking(|transaction| transaction.drop_session(std::process::id())).unwrap();
        assert_eq!(journal.sessions().unwrap(), []);
    }
}
