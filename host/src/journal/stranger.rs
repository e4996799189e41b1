//! What people who may not write yet have written, where their channel cannot tell them so: it waits for a person's
//! decision.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, Row, params};

use super::{Error, Journal, Transaction, decode};
use crate::event::{Chat, Event, EventId, Happening, Sender, SenderId};

/// How many events wait at most.
const MOST: usize = 64;

/// What they may take together, in bytes. A larger one does not wait.
const ROOM: usize = 1 << 20;

/// The sender of a row.
const SENDER: &str = "coalesce(body ->> '$.message.sender.id', '')";

/// What one sender has in one chat that waits.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Waiting {
    /// Who has written it.
    pub sender: Sender,
    /// Where.
    pub chat: Chat,
    /// How many events that are.
    pub count: usize,
}

/// What became of an event that was to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetWait {
    /// It waits now. It does not if it did already, was stored before, or there is no room for it.
    pub waits: bool,
    /// How many events went away: others that made room for it, or itself.
    pub lost: usize,
}

impl Journal {
    /// What waits, oldest first.
    pub fn strangers(&self) -> Result<Vec<Event>, Error> {
        self.read(strangers)
    }

    /// Does anything wait?
    pub fn has_strangers(&self) -> Result<bool, Error> {
        self.read(|database| {
            database.query_row("SELECT EXISTS (SELECT 1 FROM stranger)", [], |row| row.get(0))
        })
    }

    /// Who has written what waits, and where: who came first, first.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        let mut found: Vec<Waiting> = Vec::new();
        for event in self.strangers()? {
            let Happening::Message(message) = event.what else { continue };
            let same = |waiting: &&mut Waiting| {
                waiting.sender.id == message.sender.id && waiting.chat.id == message.chat.id
            };
            match found.iter_mut().find(same) {
                Some(waiting) => waiting.count += 1,
                None => found.push(Waiting { sender: message.sender, chat: message.chat, count: 1 }),
            }
        }
        Ok(found)
    }

    /// Erases what this sender has that waits. The answer is how many events that were.
    pub fn turn_down_blocking(self: &Arc<Self>, sender: &SenderId) -> Result<usize, Error> {
        self.store_blocking(|transaction| {
            transaction.run(|database| {
                database.execute(&format!("DELETE FROM stranger WHERE {SENDER} = ?1"), [&**sender])
            })
        })
    }
}

/// What waits, oldest first.
fn strangers(database: &Connection) -> rusqlite::Result<Vec<Event>> {
    let mut statement = database.prepare_cached("SELECT id, body FROM stranger ORDER BY place")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let event = |(id, body): (String, Vec<u8>)| Some(Event { id: EventId::new(id), what: decode(&body)? });
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(event).collect())
}

impl Transaction<'_> {
    /// What waits, oldest first.
    pub fn strangers(&self) -> Result<Vec<Event>, Error> {
        self.run(strangers)
    }

    /// Lets an event wait. Where there is no room, the sender who has taken most of it gives up their oldest: nobody can
    /// crowd out the others.
    pub fn let_wait(&mut self, event: &Event, now: u64) -> Result<LetWait, Error> {
        let body = serde_json::to_vec(&event.what)
            .map_err(|error| self.failed(rusqlite::Error::ToSqlConversionFailure(error.into())))?;
        if self.contains(&event.id)? {
            return Ok(LetWait::default());
        }
        if body.len() > ROOM {
            return Ok(LetWait { waits: false, lost: 1 });
        }
        self.run(|database| {
            let stored = database
                .prepare_cached(
                    "INSERT INTO stranger (id, at, body) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![&*event.id, now.cast_signed(), body])?;
            if stored == 0 {
                return Ok(LetWait::default());
            }
            let own = database.last_insert_rowid();
            let slot = |row: &Row<'_>| {
                let size: i64 = row.get(2)?;
                let size = usize::try_from(size).unwrap_or(ROOM);
                Ok(Slot { place: row.get(0)?, sender: row.get(1)?, size })
            };
            let slots: Vec<Slot> = database
                .prepare_cached(&format!(
                    "SELECT place, {SENDER}, length(body) FROM stranger ORDER BY place"
                ))?
                .query_map([], slot)?
                .collect::<Result<_, _>>()?;
            let evicted = evicted(slots);
            for place in &evicted {
                database.prepare_cached("DELETE FROM stranger WHERE place = ?1")?.execute([place])?;
            }
            let waits = !evicted.contains(&own);
            Ok(LetWait { waits, lost: evicted.len() })
        })
    }

    /// It waits no more. False if it did not.
    pub fn stop_waiting(&mut self, id: &EventId) -> Result<bool, Error> {
        self.run(|database| {
            Ok(database.prepare_cached("DELETE FROM stranger WHERE id = ?1")?.execute([&**id])? > 0)
        })
    }
}

/// The place that an event takes.
#[derive(Clone, Debug)]
struct Slot {
    place: i64,
    sender: String,
    size: usize,
}

/// Which places are given up, of these, oldest first.
fn evicted(mut slots: Vec<Slot>) -> Vec<i64> {
    let mut evicted = Vec::new();
    loop {
        let many = slots.len() > MOST;
        if !many && slots.iter().map(|slot| slot.size).sum::<usize>() <= ROOM {
            return evicted;
        }
        let mut shares: HashMap<&str, usize> = HashMap::new();
        for slot in &slots {
            *shares.entry(&slot.sender).or_default() += if many { 1 } else { slot.size };
        }
        let most = shares.values().copied().max().unwrap_or_default();
        let Some(oldest) = slots.iter().position(|slot| shares.get(&*slot.sender) == Some(&most)) else {
            return evicted;
        };
        evicted.push(slots.remove(oldest).place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(parts: &[(&str, usize, usize)]) -> Vec<Slot> {
        let each = parts.iter().flat_map(|&(sender, count, size)| std::iter::repeat_n((sender, size), count));
        each.zip(1..).map(|((sender, size), place)| Slot { place, sender: sender.to_owned(), size }).collect()
    }

    #[test]
    fn the_one_who_has_most_makes_room() {
        type Parts = &'static [(&'static str, usize, usize)];
        let table: [(Parts, &[i64]); 8] = [
            (&[("a", MOST, 1)], &[]),
            (&[("a", MOST + 2, 1)], &[1, 2]),
            // A flood behind the others, and before them.
            (&[("a", 2, 1), ("flood", MOST, 1)], &[3, 4]),
            (&[("flood", MOST, 1), ("a", 1, 1)], &[1]),
            // Everybody has as much: the oldest.
            (&[("a", MOST / 2, 1), ("b", MOST / 2, 1), ("c", 1, 1)], &[1]),
            // By size: what is large goes before what is many.
            (&[("a", 10, 1), ("large", 2, ROOM / 2)], &[11]),
            (&[("large", 1, ROOM), ("a", 1, 1)], &[1]),
            (&[("a", 1, 1), ("large", 1, ROOM)], &[2]),
        ];
        for (parts, expected) in table {
            assert_eq!(evicted(slots(parts)), expected, "{parts:?}");
        }
    }
}
