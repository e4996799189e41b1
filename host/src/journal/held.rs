//! Messages that are not whole yet: their pictures are still on the platform, or parts of their album to come.
//!
//! They are stored when they arrive, like all others, and get their place in the journal when they are let go. Until
//! old age their ids are known: the same message may come again from the platform.

use rusqlite::{OptionalExtension as _, params};

use super::{Error, Journal, Seq, Transaction, decode};
use crate::event::{Event, EventId};

impl Journal {
    /// What is held, in the order in which it came, each with its album.
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
    /// Keeps an event until it is whole. `album` is what its parts have in common. False
    /// if an event with this id was stored before.
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

    /// Is a part of this album here, or was it?
    pub fn knows_album(&self, album: &str) -> Result<bool, Error> {
        self.run(|database| database.prepare_cached("SELECT 1 FROM held WHERE album = ?1")?.exists([album]))
    }

    /// Lets go of what is held under these ids: `event` is what became of it. None if it was let go before.
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

    /// Was an event with this id stored before?
    pub fn contains(&self, id: &EventId) -> Result<bool, Error> {
        self.run(|database| {
            let known =
                "SELECT 1 FROM event WHERE id = ?1 UNION ALL SELECT 1 FROM held WHERE id = ?1 LIMIT 1";
            database.prepare_cached(known)?.query_row([&**id], |_| Ok(())).optional().map(|row| row.is_some())
        })
    }
}
