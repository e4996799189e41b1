//! What has to be remembered about people: whom a person has let in, whose codes wait, which chat is whose.

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

/// Refusals that are kept: the newest.
const REFUSALS: u32 = 200;

/// Files that are looked at when some are asked for.
const FILES: u32 = 100;

/// A file of a delivered message, which can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Where it was sent.
    pub chat: ChatId,
    /// With which message.
    pub message: MessageId,
    /// What the guest is asked for.
    pub id: String,
    /// The name that its sender gave it.
    pub name: Option<String>,
}

/// What a chat is whose id does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Where this sender writes directly.
    Direct(SenderId),
    /// A part of this group.
    Part(ChatId),
}

/// Events that went nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where they were written.
    pub chat: ChatId,
    /// By whom.
    pub sender: SenderId,
    /// Why they went nowhere.
    pub reason: Reason,
    /// What the chat is called, made harmless.
    pub title: String,
    /// What the sender is called, made harmless.
    pub name: String,
    /// How many.
    pub count: u64,
    /// The last one, in milliseconds since the Unix epoch.
    pub last: u64,
}

impl Journal {
    /// Whom a person has let in, as `access.json` has it; None before the first time.
    pub fn baseline(&self) -> Result<Option<String>, Error> {
        self.read(|database| {
            database.prepare_cached("SELECT access FROM baseline")?.query_row([], |row| row.get(0)).optional()
        })
    }

    /// Whose codes wait.
    pub fn pairings(&self, now: u64) -> Result<Vec<Pending>, Error> {
        self.read(|database| read_pairings(database, now))
    }

    /// Wrong codes so far.
    pub fn tries(&self) -> Result<Tries, Error> {
        self.read(read_tries)
    }

    /// What this chat is, if it was remembered.
    pub fn contact(&self, chat: &ChatId) -> Result<Option<Contact>, Error> {
        self.read(|database| read_contact(database, chat))
    }

    /// What each of the chats is that were remembered.
    pub fn contacts(&self) -> Result<HashMap<ChatId, Contact>, Error> {
        self.read(|database| {
            let mut statement = database.prepare_cached("SELECT kind, peer, chat FROM contact")?;
            let row = |row: &Row<'_>| Ok((ChatId::new(row.get::<_, String>(2)?), contact(row)?));
            statement.query_map([], row)?.collect()
        })
    }

    /// Where this sender writes directly, if that was remembered.
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

    /// The files of delivered messages with this id, or of messages with this one, or both: the newest first, at most
    /// 100.
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

    /// What went nowhere, newest first.
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

    /// The last thing that went wrong, and when.
    pub fn trouble(&self) -> Result<Option<(u64, String)>, Error> {
        self.read(|database| {
            let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
            database.query_row("SELECT at, text FROM trouble", [], row).optional()
        })
    }

    /// When the last event was stored, in milliseconds since the Unix epoch, and how many are kept.
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
    /// Whose codes wait.
    pub fn pairings(&self, now: u64) -> Result<Vec<Pending>, Error> {
        self.run(|database| read_pairings(database, now))
    }

    /// What this chat is, if it was remembered.
    pub fn contact(&self, chat: &ChatId) -> Result<Option<Contact>, Error> {
        self.run(|database| read_contact(database, chat))
    }

    /// Keeps whom a person has let in.
    pub fn set_baseline(&mut self, access: &str) -> Result<(), Error> {
        self.run(|database| {
            database.execute(
                "INSERT INTO baseline VALUES (1, ?1) ON CONFLICT DO UPDATE SET access = excluded.access",
                [access],
            )
        })
        .map(drop)
    }

    /// Keeps that a stranger waits to be let in, with their code if it is known already. Those whose time is over are
    /// removed.
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

    /// Keeps a stranger's code. False if they do not wait for one any more.
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

    /// Removes a stranger whose code was not made, unless it was made since, or they have asked anew.
    pub fn remove_unfinished_pairing(&mut self, pending: &Pending) -> Result<(), Error> {
        self.run(|database| {
            database.execute(
                "DELETE FROM pairing WHERE sender = ?1 AND expires = ?2 AND salt IS NULL",
                params![&*pending.sender, pending.expires_at.cast_signed()],
            )
        })
        .map(drop)
    }

    /// Removes a code. False if it is not there: then another caller has used it.
    pub fn remove_pairing(&mut self, sender: &SenderId) -> Result<bool, Error> {
        self.run(|database| database.execute("DELETE FROM pairing WHERE sender = ?1", [&**sender]))
            .map(|removed| removed > 0)
    }

    /// Keeps how many there were.
    pub fn set_tries(&mut self, tries: Tries) -> Result<(), Error> {
        self.run(|database| write_tries(database, tries))
    }

    /// Counts one more, unless none is taken for so long.
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

    /// Remembers what a chat is.
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

    /// Remembers a file that can be fetched.
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

    /// Adds these to the refusals, and keeps the newest of all.
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

    /// Keeps the last thing that went wrong.
    pub fn set_trouble(&mut self, text: &str, now: u64) -> Result<(), Error> {
        self.run(|database| {
            database.execute(
                "INSERT OR REPLACE INTO trouble VALUES (1, ?1, ?2)",
                params![now.cast_signed(), text],
            )
        })
        .map(drop)
    }

    /// Forgets the last thing that went wrong: it is over.
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

/// From the columns `kind` and `peer`, in this order.
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

/// The reason is read by its name.
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

/// As it is written to JSON, too.
fn reason_name(reason: Reason) -> String {
    serde_json::to_value(reason).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
