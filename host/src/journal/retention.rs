//! What is erased: by age, by size, and at a person's request.

use std::{sync::Arc, time::Duration};

use rusqlite::{Row, params};

use super::{Error, Journal, Transaction, schema};
use crate::event::{ChatId, EventId, SenderId};

/// Maximum number of files of delivered messages that can still be fetched.
const ATTACHMENTS: u32 = 20_000;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Delivered events, and files, older than this are erased.
    pub age: Duration,
    /// The size of the file in bytes. Beyond it, the oldest events are erased: delivered events first. If a session was
    /// away for too long, undelivered events are erased too, and counted.
    pub size: u64,
}

/// Which events to erase. All conditions must be met. Without conditions, everything is erased.
#[derive(Clone, Debug, Default)]
pub struct Forget {
    /// Only events from this chat.
    pub chat: Option<ChatId>,
    /// Only events from this sender.
    pub sender: Option<SenderId>,
    /// Only events stored before this time, in milliseconds since the Unix epoch.
    pub before: Option<u64>,
}

/// What was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Forgotten {
    /// Number of events.
    pub events: u64,
    /// Number of values that the guest had stored.
    pub values: usize,
}

impl Journal {
    /// Applies the retention rules over a separate connection, so that other calls on the journal do not wait. Returns
    /// how many undelivered events were erased.
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
                // Erases a tenth of the events at a time, so that a file at its limit is not trimmed again at every
                // call.
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

    /// Returns the ids of all events in the journal.
    pub fn ids(&self) -> Result<Vec<EventId>, Error> {
        self.read(|database| {
            let row = |row: &Row<'_>| row.get(0).map(|id: String| EventId::new(id));
            database.prepare("SELECT id FROM event")?.query_map([], row)?.collect()
        })
    }

    /// Erases events, and if everything is to be erased, also the guest's values. Overwrites the erased data, in the
    /// write-ahead log as well. Other processes cannot write meanwhile: a large file takes seconds.
    pub fn forget_blocking(self: &Arc<Self>, forget: &Forget) -> Result<Forgotten, Error> {
        self.read(|database| database.execute_batch("PRAGMA secure_delete = ON"))?;
        let forgotten = self.store_blocking(|transaction| transaction.forget(forget))?;
        // These statements are not part of a transaction, so SQLite itself waits for other processes.
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
    /// Returns how many events meet these conditions.
    pub fn count(&self, forget: &Forget) -> Result<u64, Error> {
        self.read(|database| forget.count(database))
    }
}

/// The tables with events: delivered or ready for delivery, incomplete, and from people who may not write yet.
const TABLES: [&str; 3] = ["event", "held", "stranger"];

/// The conditions of a [`Forget`], for each of the [`TABLES`].
const CONDITIONS: &str = "(?1 IS NULL OR ?1 IN (body ->> '$.message.chat.id', body ->> '$.press.chat.id'))
     AND (?2 IS NULL OR ?2 IN (body ->> '$.message.sender.id', body ->> '$.press.sender.id'))
     AND (?3 IS NULL OR at < ?3)";

impl Forget {
    /// Returns how many events meet the conditions. Incomplete messages that were released do not count.
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
            // It is unknown whose messages these updates contain.
            database.execute_batch("DELETE FROM set_aside")?;
            let all = forget.chat.is_none() && forget.sender.is_none() && forget.before.is_none();
            let values = if all {
                // Without its values, the guest finds out again which account it polls, so the cursor is erased as
                // well.
                database.execute_batch("DELETE FROM cursor")?;
                // Senders who were let in stay. People who only wrote once are forgotten.
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

/// Returns the size of the events in bytes, without the rest of the file.
fn events(database: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let bytes = "SELECT coalesce(sum(length(body) + length(id)), 0) FROM event";
    database.query_row(bytes, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn used(database: &rusqlite::Connection) -> rusqlite::Result<u64> {
    let pragma = |name| database.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok((pages * pragma("page_size")?).unsigned_abs())
}
