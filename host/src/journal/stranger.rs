//! Messages of people who may not write yet, on a channel that cannot tell them so. The messages wait for a person's
//! decision.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, Row, params};

use super::{Error, Journal, Transaction, decode};
use crate::event::{Chat, Event, EventId, Happening, Sender, SenderId};

/// Maximum number of events that wait.
const MOST: usize = 64;

/// Maximum size of all waiting events together, in bytes. A larger event does not wait.
const ROOM: usize = 1 << 20;

/// The SQL expression for the sender of a row.
const SENDER: &str = "coalesce(body ->> '$.message.sender.id', '')";

/// The waiting events of one sender in one chat.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Waiting {
    /// The sender.
    pub sender: Sender,
    /// The chat.
    pub chat: Chat,
    /// The number of events.
    pub count: usize,
}

/// The result of letting an event wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetWait {
    /// Whether the event waits now. False if it waited already, was stored before, or has no room.
    pub waits: bool,
    /// Number of events that were lost: others that made room for this event, or this event itself.
    pub lost: usize,
}

impl Journal {
    /// Returns the waiting events, oldest first.
    pub fn strangers(&self) -> Result<Vec<Event>, Error> {
        self.read(strangers)
    }

    /// Returns true if any event waits.
    pub fn has_strangers(&self) -> Result<bool, Error> {
        self.read(|database| {
            database.query_row("SELECT EXISTS (SELECT 1 FROM stranger)", [], |row| row.get(0))
        })
    }

    /// Returns the senders and chats of the waiting events, in the order of their first event.
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

    /// Erases the waiting events of this sender. Returns their number.
    pub fn turn_down_blocking(self: &Arc<Self>, sender: &SenderId) -> Result<usize, Error> {
        self.store_blocking(|transaction| {
            transaction.run(|database| {
                database.execute(&format!("DELETE FROM stranger WHERE {SENDER} = ?1"), [&**sender])
            })
        })
    }
}

/// Reads the waiting events, oldest first.
fn strangers(database: &Connection) -> rusqlite::Result<Vec<Event>> {
    let mut statement = database.prepare_cached("SELECT id, body FROM stranger ORDER BY place")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let event = |(id, body): (String, Vec<u8>)| Some(Event { id: EventId::new(id), what: decode(&body)? });
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(event).collect())
}

impl Transaction<'_> {
    /// Returns the waiting events, oldest first.
    pub fn strangers(&self) -> Result<Vec<Event>, Error> {
        self.run(strangers)
    }

    /// Lets an event wait. If there is no room, the sender who uses the most room loses their oldest event, so that no
    /// sender can crowd out the others.
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

    /// Removes a waiting event. Returns false if it was not waiting.
    pub fn stop_waiting(&mut self, id: &EventId) -> Result<bool, Error> {
        self.run(|database| {
            Ok(database.prepare_cached("DELETE FROM stranger WHERE id = ?1")?.execute([&**id])? > 0)
        })
    }
}

/// A waiting event, as far as room is concerned.
#[derive(Clone, Debug)]
struct Slot {
    place: i64,
    sender: String,
    size: usize,
}

/// Returns the places to give up. `slots` are ordered oldest first.
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
            // A flood after the other events, and before them.
            (&[("a", 2, 1), ("flood", MOST, 1)], &[3, 4]),
            (&[("flood", MOST, 1), ("a", 1, 1)], &[1]),
            // All senders have the same number: the oldest event goes.
            (&[("a", MOST / 2, 1), ("b", MOST / 2, 1), ("c", 1, 1)], &[1]),
            // By size: the largest share goes before the largest number.
            (&[("a", 10, 1), ("large", 2, ROOM / 2)], &[11]),
            (&[("large", 1, ROOM), ("a", 1, 1)], &[1]),
            (&[("a", 1, 1), ("large", 1, ROOM)], &[2]),
        ];
        for (parts, expected) in table {
            assert_eq!(evicted(slots(parts)), expected, "{parts:?}");
        }
    }
}
