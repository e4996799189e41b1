//! What people who may not write yet have written, where their channel cannot tell them so: it waits for a person's
//! decision.

use rusqlite::params;

use super::{Error, Journal, Transaction, decode};
use crate::event::{Event, EventId};

/// How many events wait at most; the oldest make room.
const STRANGERS: u32 = 64;

/// What they may take together, in bytes. A larger one does not wait.
const ROOM: u32 = 1 << 20;

impl Journal {
    /// What waits, oldest first.
    pub fn strangers(&self) -> Result<Vec<Event>, Error> {
        let rows: Vec<(String, Vec<u8>)> = self.read(|database| {
            database
                .prepare_cached("SELECT id, body FROM stranger ORDER BY place")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let event =
            |(id, body): (String, Vec<u8>)| Some(Event { id: EventId::new(id), what: decode(&body)? });
        Ok(rows.into_iter().filter_map(event).collect())
    }
}

impl Transaction<'_> {
    /// Lets an event wait. False if it does already, was stored before, or is too large.
    pub fn let_wait(&mut self, event: &Event, now: u64) -> Result<bool, Error> {
        let body = serde_json::to_vec(&event.what)
            .map_err(|error| self.failed(rusqlite::Error::ToSqlConversionFailure(error.into())))?;
        if body.len() > ROOM as usize || self.contains(&event.id)? {
            return Ok(false);
        }
        self.run(|database| {
            let stored = database
                .prepare_cached(
                    "INSERT INTO stranger (id, at, body) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![&*event.id, now.cast_signed(), body])?;
            if stored == 0 {
                return Ok(false);
            }
            // The newest that fit, in number and size.
            database
                .prepare_cached(
                    "DELETE FROM stranger WHERE place IN (
                         SELECT place FROM (
                             SELECT place,
                                    row_number() OVER newest AS number,
                                    sum(length(body)) OVER newest AS size
                             FROM stranger WINDOW newest AS (ORDER BY place DESC)
                         ) WHERE number > ?1 OR size > ?2
                     )",
                )?
                .execute(params![STRANGERS, ROOM])?;
            Ok(true)
        })
    }

    /// It waits no more.
    pub fn stop_waiting(&mut self, id: &EventId) -> Result<(), Error> {
        self.run(|database| {
            database.prepare_cached("DELETE FROM stranger WHERE id = ?1")?.execute([&**id]).map(drop)
        })
    }
}
