//! What the journal remembers about people: who was let in, whose codes wait, and which chat belongs to whom.

use std::{collections::HashMap, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use super::{Error, Journal, Transaction};
use crate::{
    event::{Attachment, ChatId, MessageId, SenderId},
    gate::{
        Reason,
        pairing::{Hash, Pending, Tries},
    },
};

/// Maximum number of refusals kept. The newest are kept.
const REFUSALS: u32 = 200;

/// Maximum number of files that one query returns.
const FILES: u32 = 100;

/// A file of a delivered message that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The chat of the message.
    pub chat: ChatId,
    /// The message.
    pub message: MessageId,
    /// The id by which the guest fetches the file.
    pub id: String,
    /// The file's name, as its sender gave it.
    pub name: Option<String>,
}

/// What a chat is, if its id does not say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The direct chat of this sender.
    Direct(SenderId),
    /// A part of this group.
    Part(ChatId),
}

/// Refused events of one sender in one chat, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The chat.
    pub chat: ChatId,
    /// The sender.
    pub sender: SenderId,
    /// Why the events were refused.
    pub reason: Reason,
    /// The title of the chat, sanitized.
    pub title: String,
    /// The name of the sender, sanitized.
    pub name: String,
    /// The number of events.
    pub count: u64,
    /// The time of the last event, in milliseconds since the Unix epoch.
    pub last: u64,
}

impl Journal {
    /// Returns the access that a person has approved, in the format of `access.json`. `None` before the first approval.
    pub fn baseline(&self) -> Result<Option<String>, Error> {
        self.read(|database| {
            database.prepare_cached("SELECT access FROM baseline")?.query_row([], |row| row.get(0)).optional()
        })
    }

    /// Returns the pending pairing requests.
    pub fn pairings(&self, now: u64) -> Result<Vec<Pending>, Error> {
        self.read(|database| read_pairings(database, now))
    }

    /// Returns the count of wrong codes.
    pub fn tries(&self) -> Result<Tries, Error> {
        self.read(read_tries)
    }

    /// Returns what this chat is, if that was stored.
    pub fn contact(&self, chat: &ChatId) -> Result<Option<Contact>, Error> {
        self.read(|database| read_contact(database, chat))
    }

    /// Returns what each stored chat is.
    pub fn contacts(&self) -> Result<HashMap<ChatId, Contact>, Error> {
        self.read(|database| {
            let mut statement = database.prepare_cached("SELECT kind, peer, chat FROM contact")?;
            let row = |row: &Row<'_>| Ok((ChatId::new(row.get::<_, String>(2)?), contact(row)?));
            statement.query_map([], row)?.collect()
        })
    }

    /// Returns the direct chat of this sender, if it was stored.
    pub fn direct_chat(&self, sender: &SenderId) -> Result<Option<ChatId>, Error> {
        self.read(|database| {
            database
                .query_row(
                    "SELECT chat FROM contact WHERE kind = 'direct' AND peer = ?1",
                    [&**sender],
                    |row| row.get(0).map(|chat: String| ChatId::new(chat)),
                )
                .optional()
        })
    }

    /// Returns the files of delivered messages with this file id, this message id, or both: newest first, at most 100.
    pub fn attachments(&self, message: Option<&str>, id: Option<&str>) -> Result<Vec<StoredFile>, Error> {
        self.read(|database| {
            let mut statement = database.prepare_cached(
                "SELECT chat, message, id, name FROM attachment
                 WHERE (?1 IS NULL OR message = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY at DESC, id LIMIT ?3",
            )?;
            let row = |row: &Row<'_>| {
                Ok(StoredFile {
                    chat: ChatId::new(row.get::<_, String>(0)?),
                    message: MessageId::new(row.get::<_, String>(1)?),
                    id: row.get(2)?,
                    name: row.get(3)?,
                })
            };
            statement.query_map(params![message, id, FILES], row)?.collect()
        })
    }

    /// Returns the refusals, newest first.
    pub fn refusals(&self, limit: u32) -> Result<Vec<Refusal>, Error> {
        let rows: Vec<(Refusal, String)> = self.read(|database| {
            let mut statement = database.prepare_cached(
                "SELECT chat, sender, reason, title, name, count, last FROM refusal ORDER BY last DESC LIMIT ?1",
            )?;
            statement.query_map([limit], refusal)?.collect()
        })?;
        let named = |(refusal, name): (Refusal, String)| {
            let reason = Reason::ALL.into_iter().find(|reason| reason_name(*reason) == name)?;
            Some(Refusal { reason, ..refusal })
        };
        Ok(rows.into_iter().filter_map(named).collect())
    }

    /// Returns the last failure and its time, in milliseconds since the Unix epoch.
    pub fn trouble(&self) -> Result<Option<(u64, String)>, Error> {
        self.read(|database| {
            let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
            database.query_row("SELECT at, text FROM trouble", [], row).optional()
        })
    }

    /// Returns when the last event was stored, in milliseconds since the Unix epoch, and the number of stored events.
    pub fn last_event(&self) -> Result<(Option<u64>, u64), Error> {
        self.read(|database| {
            database.query_row("SELECT max(at), count(*) FROM event", [], |row| {
                Ok((
                    row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned),
                    row.get::<_, i64>(1)?.cast_unsigned(),
                ))
            })
        })
    }
}

impl Transaction<'_> {
    /// Returns the pending pairing requests.
    pub fn pairings(&self, now: u64) -> Result<Vec<Pending>, Error> {
        self.run(|database| read_pairings(database, now))
    }

    /// Returns what this chat is, if that was stored.
    pub fn contact(&self, chat: &ChatId) -> Result<Option<Contact>, Error> {
        self.run(|database| read_contact(database, chat))
    }

    /// Stores the access that a person has approved.
    pub fn set_baseline(&mut self, access: &str) -> Result<(), Error> {
        self.run(|database| {
            database.execute(
                "INSERT INTO baseline VALUES (1, ?1) ON CONFLICT DO UPDATE SET access = excluded.access",
                [access],
            )
        })
        .map(drop)
    }

    /// Stores the pairing request of a stranger, with its code if that is known already. Removes expired requests.
    pub fn put_pairing(&mut self, pending: &Pending, now: u64) -> Result<(), Error> {
        let hash = pending.hash.as_ref();
        self.run(|database| {
            database.execute("DELETE FROM pairing WHERE expires <= ?1", [now.cast_signed()])?;
            database.execute(
                "INSERT OR REPLACE INTO pairing VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    &*pending.sender,
                    pending.name,
                    &*pending.chat,
                    pending.thread,
                    hash.map(|hash| hash.salt.as_slice()),
                    hash.map(|hash| hash.digest.as_slice()),
                    pending.expires_at.cast_signed(),
                    pending.answers,
                    pending.denied
                ],
            )
        })
        .map(drop)
    }

    /// Stores the code of a stranger. Returns false if the stranger no longer waits for a code.
    pub fn set_code(&mut self, sender: &SenderId, hash: &Hash) -> Result<bool, Error> {
        self.run(|database| {
            database.execute(
                "UPDATE pairing SET salt = ?2, digest = ?3 WHERE sender = ?1 AND denied = 0 AND salt IS NULL",
                params![&**sender, hash.salt.as_slice(), hash.digest.as_slice()],
            )
        })
        .map(|updated| updated > 0)
    }

    /// Counts one more answer to a stranger.
    pub fn count_answer(&mut self, sender: &SenderId) -> Result<(), Error> {
        self.run(|database| {
            database.execute("UPDATE pairing SET answers = answers + 1 WHERE sender = ?1", [&**sender])
        })
        .map(drop)
    }

    /// Removes the request of a stranger whose code was not created, unless the code was created since or the stranger
    /// has asked again.
    pub fn remove_unfinished_pairing(&mut self, pending: &Pending) -> Result<(), Error> {
        self.run(|database| {
            database.execute(
                "DELETE FROM pairing WHERE sender = ?1 AND expires = ?2 AND salt IS NULL",
                params![&*pending.sender, pending.expires_at.cast_signed()],
            )
        })
        .map(drop)
    }

    /// Removes a request with its code. Returns false if there is none: then another caller has used it.
    pub fn remove_pairing(&mut self, sender: &SenderId) -> Result<bool, Error> {
        self.run(|database| database.execute("DELETE FROM pairing WHERE sender = ?1", [&**sender]))
            .map(|removed| removed > 0)
    }

    /// Stores the count of wrong codes.
    pub fn set_tries(&mut self, tries: Tries) -> Result<(), Error> {
        self.run(|database| write_tries(database, tries))
    }

    /// Counts one more wrong code. Returns the remaining time instead if no code is accepted at the moment.
    pub fn spend_try(&mut self, now: u64) -> Result<Result<Tries, Duration>, Error> {
        self.run(|database| {
            let tries = read_tries(database)?;
            if let Some(rest) = tries.locked(now) {
                return Ok(Err(rest));
            }
            let tries = tries.after_wrong(now);
            write_tries(database, tries)?;
            Ok(Ok(tries))
        })
    }

    /// Stores what a chat is.
    pub fn remember_contact(&mut self, chat: &ChatId, contact: &Contact) -> Result<(), Error> {
        let (kind, peer): (_, &str) = match contact {
            Contact::Direct(sender) => ("direct", sender),
            Contact::Part(group) => ("part", group),
        };
        self.run(|database| {
            database
                .prepare_cached("INSERT OR REPLACE INTO contact VALUES (?1, ?2, ?3)")?
                .execute([&**chat, kind, peer])
        })
        .map(drop)
    }

    /// Stores a file that can be fetched.
    pub fn remember_attachment(
        &mut self,
        chat: &ChatId,
        message: &MessageId,
        attachment: &Attachment,
        now: u64,
    ) -> Result<(), Error> {
        self.run(|database| {
            database
                .prepare_cached("INSERT OR REPLACE INTO attachment VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![&**chat, &**message, attachment.id, now.cast_signed(), attachment.name])
        })
        .map(drop)
    }

    /// Adds to the refusals, and keeps the newest.
    pub fn add_refusals(&mut self, refusals: &[Refusal]) -> Result<(), Error> {
        self.run(|database| {
            let mut statement = database.prepare_cached(
                "INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE
                 SET count = count + excluded.count, last = excluded.last, title = excluded.title, name = excluded.name",
            )?;
            for refusal in refusals {
                statement.execute(params![
                    &*refusal.chat,
                    &*refusal.sender,
                    reason_name(refusal.reason),
                    refusal.title,
                    refusal.name,
                    refusal.count.cast_signed(),
                    refusal.last.cast_signed()
                ])?;
            }
            database
                .prepare_cached(
                    "DELETE FROM refusal WHERE last < (SELECT last FROM refusal ORDER BY last DESC LIMIT 1 OFFSET ?1)",
                )?
                .execute([REFUSALS - 1])
        })
        .map(drop)
    }

    /// Stores the last failure.
    pub fn set_trouble(&mut self, text: &str, now: u64) -> Result<(), Error> {
        self.run(|database| {
            database.execute(
                "INSERT OR REPLACE INTO trouble VALUES (1, ?1, ?2)",
                params![now.cast_signed(), text],
            )
        })
        .map(drop)
    }

    /// Erases the last failure, because it is over.
    pub fn clear_trouble(&mut self) -> Result<(), Error> {
        self.run(|database| database.execute("DELETE FROM trouble", [])).map(drop)
    }
}

fn read_pairings(database: &Connection, now: u64) -> rusqlite::Result<Vec<Pending>> {
    let mut statement = database.prepare_cached(
        "SELECT sender, name, chat, thread, salt, digest, expires, answers, denied
         FROM pairing WHERE expires > ?1",
    )?;
    statement.query_map([now.cast_signed()], pending)?.collect()
}

fn read_contact(database: &Connection, chat: &ChatId) -> rusqlite::Result<Option<Contact>> {
    database
        .prepare_cached("SELECT kind, peer FROM contact WHERE chat = ?1")?
        .query_row([&**chat], contact)
        .optional()
}

/// Reads a contact from the columns `kind` and `peer`, in this order.
fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let peer: String = row.get(1)?;
    Ok(match row.get_ref(0)?.as_str()? {
        "direct" => Contact::Direct(SenderId::new(peer)),
        _ => Contact::Part(ChatId::new(peer)),
    })
}

fn read_tries(database: &Connection) -> rusqlite::Result<Tries> {
    let row =
        |row: &Row<'_>| Ok(Tries { wrong: row.get(0)?, locked_until: row.get::<_, i64>(1)?.cast_unsigned() });
    let tries = database.query_row("SELECT wrong, locked_until FROM tries", [], row).optional()?;
    Ok(tries.unwrap_or_default())
}

fn write_tries(database: &Connection, tries: Tries) -> rusqlite::Result<()> {
    let row = params![tries.wrong, tries.locked_until.cast_signed()];
    database.execute("INSERT OR REPLACE INTO tries VALUES (1, ?1, ?2)", row).map(drop)
}

fn pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    let hash = match (row.get::<_, Option<[u8; 16]>>(4)?, row.get::<_, Option<[u8; 32]>>(5)?) {
        (Some(salt), Some(digest)) => Some(Hash { salt, digest }),
        _ => None,
    };
    Ok(Pending {
        sender: SenderId::new(row.get::<_, String>(0)?),
        name: row.get(1)?,
        chat: ChatId::new(row.get::<_, String>(2)?),
        thread: row.get(3)?,
        hash,
        expires_at: row.get::<_, i64>(6)?.cast_unsigned(),
        answers: row.get(7)?,
        denied: row.get(8)?,
    })
}

/// Reads a refusal and the name of its reason. The caller converts the name.
fn refusal(row: &Row<'_>) -> rusqlite::Result<(Refusal, String)> {
    let refusal = Refusal {
        chat: ChatId::new(row.get::<_, String>(0)?),
        sender: SenderId::new(row.get::<_, String>(1)?),
        reason: Reason::Malformed,
        title: row.get(3)?,
        name: row.get(4)?,
        count: row.get::<_, i64>(5)?.cast_unsigned(),
        last: row.get::<_, i64>(6)?.cast_unsigned(),
    };
    Ok((refusal, row.get(2)?))
}

/// Returns the name of a reason, as in JSON.
fn reason_name(reason: Reason) -> String {
    serde_json::to_value(reason).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
