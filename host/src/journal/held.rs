//! Messages that are not complete yet: their pictures are still on the platform, or other parts of their album are
//! still to come.
//!
//! They are stored when they arrive, like all messages, and get their number in the journal when they are released.
//! Their ids are kept until retention erases them, because the platform may send the same message again.

use rusqlite::{OptionalExtension as _, params};

use super::{Error, Journal, Seq, Transaction, decode};
use crate::event::{Event, EventId};

impl Journal {
    /// Returns the held events in the order of arrival, each with its album.
    pub fn held(&self) -> Result<Vec<(Event, Option<String>)>, Error> {
        let rows: Vec<(String, Option<String>, Vec<u8>)> = self.read(|database| {
            database
                .prepare_cached("SELECT id, album, body FROM held WHERE body IS NOT NULL ORDER BY place")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })?;
        let event = |(id, album, body): (String, _, Vec<u8>)| {
            Some((Event { id: EventId::new(id), what: decode(&body)? }, album))
        };
        Ok(rows.into_iter().filter_map(event).collect())
    }
}

impl Transaction<'_> {
    /// Holds an event until it is complete. `album` is the same for all parts of an album. Returns false if an event
    /// with this id was stored before.
    pub fn hold(&mut self, event: &Event, album: Option<&str>, now: u64) -> Result<bool, Error> {
        let body = serde_json::to_vec(&event.what)
            .map_err(|error| self.failed(rusqlite::Error::ToSqlConversionFailure(error.into())))?;
        self.run(|database| {
            if database.prepare_cached("SELECT 1 FROM event WHERE id = ?1")?.exists([&*event.id])? {
                return Ok(false);
            }
            let row = params![&*event.id, now.cast_signed(), album, body];
            let stored = database
                .prepare_cached(
                    "INSERT INTO held (id, at, album, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
                )?
                .execute(row)?;
            Ok(stored > 0)
        })
    }

    /// Returns true if a part of this album is held, or was held.
    pub fn knows_album(&self, album: &str) -> Result<bool, Error> {
        self.run(|database| database.prepare_cached("SELECT 1 FROM held WHERE album = ?1")?.exists([album]))
    }

    /// Releases the events with these ids, and stores `event`, which was made from them. Returns `None` if they were
    /// released before.
    pub fn release(
        &mut self,
        parts: &[EventId],
        event: &Event,
        now: u64,
        offer: bool,
    ) -> Result<Option<Seq>, Error> {
        let held = self.run(|database| {
            let mut statement = database
                .prepare_cached("UPDATE held SET body = NULL, at = ?2 WHERE id = ?1 AND body IS NOT NULL")?;
            let mut held = 0;
            for part in parts {
                held += statement.execute(params![&**part, now.cast_signed()])?;
            }
            Ok(held)
        })?;
        if held == 0 { Ok(None) } else { self.append(event, now, offer) }
    }

    /// Returns true if an event with this id was stored before.
    pub fn contains(&self, id: &EventId) -> Result<bool, Error> {
        self.run(|database| {
            let known =
                "SELECT 1 FROM event WHERE id = ?1 UNION ALL SELECT 1 FROM held WHERE id = ?1 LIMIT 1";
            database.prepare_cached(known)?.query_row([&**id], |_| Ok(())).optional().map(|row| row.is_some())
        })
    }
}
