//! What is erased: by age, by size, and because a person wants it.

use std::{sync::Arc, time::Duration};

use rusqlite::{Row, params};

use super::{Error, Journal, Transaction, schema};
use crate::event::{ChatId, EventId, SenderId};

/// Files of delivered messages that can still be fetched.
const ATTACHMENTS: u32 = 20_000;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Delivered events, and files, that are older are erased.
    pub age: Duration,
    /// The file's size in bytes. Beyond it the oldest events go: delivered ones first, then, if a session has
    /// been away for that long, the others, counted.
    pub size: u64,
}

/// Which events are to be erased. All conditions must hold; without any, everything goes.
#[derive(Clone, Debug, Default)]
pub struct Forget {
    /// Written in this chat.
    pub chat: Option<ChatId>,
    /// Written by this sender.
    pub sender: Option<SenderId>,
    /// Stored before this time, in milliseconds since the Unix epoch.
    pub before: Option<u64>,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Forgotten {
    /// Events.
    pub events: u64,
    /// Values that the guest had kept.
    pub values: usize,
}

impl Journal {
    /// Applies the rules of retention, over a connection of its own: what others do here does not wait for it. The answer
    /// is how many undelivered events had to go.
    pub fn retain_blocking(&self, keep: Keep, now: u64) -> Result<usize, Error> {
        let delivered = self.marks().delivered.0;
        let cutoff = now.saturating_sub(u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX));
        let work = || {
            let database = &schema::connect(&self.path)?;
            database
                .prepare_cached("DELETE FROM event WHERE at < ?1 AND seq <= ?2")?
                .execute(params![cutoff.cast_signed(), delivered])?;
            for table in [
                "attachment WHERE at",
                "refusal WHERE last",
                "set_aside WHERE at",
                "stranger WHERE at",
                "held WHERE body IS NULL AND at",
            ] {
                database.execute(&format!("DELETE FROM {table} < ?1"), [cutoff.cast_signed()])?;
            }
            database.execute(
                "DELETE FROM attachment WHERE at < (SELECT at FROM attachment ORDER BY at DESC LIMIT 1 OFFSET ?1)",
                [ATTACHMENTS],
            )?;
            let mut dropped = 0;
            while used(database)? > keep.size && events(database)? > keep.size / 4 {
                // A tenth at a time: a file at its limit must not be trimmed again at every turn.
                let count: i64 = database.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?;
                if count == 0 {
                    break;
                }
                let oldest = "SELECT seq FROM event ORDER BY seq LIMIT ?1";
                let slice = count / 10 + 1;
                let lost: i64 = database.query_row(
                    &format!("SELECT count(*) FROM ({oldest}) WHERE seq > ?2"),
                    params![slice, delivered],
                    |row| row.get(0),
                )?;
                database.execute(&format!("DELETE FROM event WHERE seq IN ({oldest})"), [slice])?;
                dropped += usize::try_from(lost).unwrap_or(usize::MAX);
            }
            if dropped > 0 {
                database.execute("UPDATE mark SET dropped = dropped + ?1", [dropped.cast_signed()])?;
            }
            Ok(dropped)
        };
        work().map_err(|source| self.failed(source))
    }

    /// The ids of all events that are kept.
    pub fn ids(&self) -> Result<Vec<EventId>, Error> {
        self.read(|database| {
            let row = |row: &Row<'_>| row.get(0).map(|id: String| EventId::new(id));
            database.prepare("SELECT id FROM event")?.query_map([], row)?.collect()
        })
    }

    /// Erases events, and with them, where everything goes, the guest's values. What is erased is overwritten, in the
    /// write-ahead log as well. Other processes write nothing meanwhile: a large file takes seconds.
    pub fn forget_blocking(self: &Arc<Self>, forget: &Forget) -> Result<Forgotten, Error> {
        self.read(|database| database.execute_batch("PRAGMA secure_delete = ON"))?;
        let forgotten = self.store_blocking(|transaction| transaction.forget(forget))?;
        // No part of a transaction, so these wait by themselves.
        self.read(|database| {
            database.busy_timeout(schema::WAIT)?;
            database.execute_batch("VACUUM")?;
            database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            database.busy_timeout(Duration::ZERO)
        })?;
        Ok(forgotten)
    }
}

impl Journal {
    /// How many events meet these conditions.
    pub fn count(&self, forget: &Forget) -> Result<u64, Error> {
        self.read(|database| forget.count(database))
    }
}

/// Where events are: delivered or about to be, not whole yet, and of people who may not write yet.
const TABLES: [&str; 3] = ["event", "held", "stranger"];

/// What [`Forget`] asks for, of [`TABLES`].
const CONDITIONS: &str = "(?1 IS NULL OR ?1 IN (body ->> '$.message.chat.id', body ->> '$.press.chat.id'))
     AND (?2 IS NULL OR ?2 IN (body ->> '$.message.sender.id', body ->> '$.press.sender.id'))
     AND (?3 IS NULL OR at < ?3)";

impl Forget {
    /// How many events meet it. What was let go of a message that was not whole is none.
    fn count(&self, database: &rusqlite::Connection) -> rusqlite::Result<u64> {
        let mut sum = 0;
        for table in TABLES {
            let sql = format!("SELECT count(*) FROM {table} WHERE body IS NOT NULL AND {CONDITIONS}");
            sum += database.query_row(&sql, self.params(), |row| row.get::<_, i64>(0))?.unsigned_abs();
        }
        Ok(sum)
    }

    fn params(&self) -> (Option<&str>, Option<&str>, Option<i64>) {
        (self.chat.as_deref(), self.sender.as_deref(), self.before.map(u64::cast_signed))
    }
}

impl Transaction<'_> {
    fn forget(&mut self, forget: &Forget) -> Result<Forgotten, Error> {
        self.run(|database| {
            let events = forget.count(database)?;
            for table in TABLES {
                database.execute(&format!("DELETE FROM {table} WHERE {CONDITIONS}"), forget.params())?;
            }
            // It is not known whose they are.
            database.execute_batch("DELETE FROM set_aside")?;
            let all = forget.chat.is_none() && forget.sender.is_none() && forget.before.is_none();
            let values = if all {
                // Whose messages a platform tells of is found out anew with the guest's values.
                database.execute_batch("DELETE FROM cursor")?;
                // Who was let in stays; who was only met is forgotten.
                database.execute_batch(
                    "DELETE FROM contact; DELETE FROM attachment; DELETE FROM refusal; DELETE FROM trouble",
                )?;
                database.execute("DELETE FROM state", [])?
            } else {
                0
            };
            Ok(Forgotten { events, values })
        })
    }
}

/// What events take, without the rest.
fn events(database: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let bytes = "SELECT coalesce(sum(length(body) + length(id)), 0) FROM event";
    database.query_row(bytes, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn used(database: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let pragma = |name| database.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok((pages * pragma("page_size")?).unsigned_abs())
}
