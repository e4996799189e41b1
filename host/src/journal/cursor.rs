//! The cursor of a polled platform, and the updates that could not be translated.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Error, Journal, Transaction};

/// Maximum number of updates kept for a report. The newest are kept.
const SET_ASIDE: u32 = 50;

/// Maximum size of the payload kept of one update, in bytes.
const PAYLOAD: usize = 64 << 10;

/// An update that the guest could not translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The guest's id of the update.
    pub id: String,
    /// When it was set aside, in milliseconds since the Unix epoch.
    pub at: u64,
    /// The error of the guest.
    pub reason: String,
    /// The update as the platform sent it, cut at 64 KiB.
    pub payload: Vec<u8>,
}

impl Journal {
    /// Returns the cursor, if it belongs to this account.
    pub fn cursor(&self, account: &str) -> Result<Option<String>, Error> {
        self.read(|database| {
            database
                .prepare_cached("SELECT value FROM cursor WHERE account = ?1")?
                .query_row([account], |row| row.get(0))
                .optional()
        })
    }

    /// Returns the updates that could not be translated, newest first.
    pub fn updates_set_aside(&self) -> Result<Vec<SetAside>, Error> {
        let row = |row: &Row<'_>| {
            Ok(SetAside {
                id: row.get(0)?,
                at: row.get::<_, i64>(1)?.cast_unsigned(),
                reason: row.get(2)?,
                payload: row.get(3)?,
            })
        };
        self.read(|database| {
            database
                .prepare_cached("SELECT id, at, reason, payload FROM set_aside ORDER BY place DESC")?
                .query_map([], row)?
                .collect()
        })
    }
}

impl Transaction<'_> {
    /// Erases the cursor.
    pub fn drop_cursor(&mut self) -> Result<(), Error> {
        self.run(|database| database.execute("DELETE FROM cursor", [])).map(drop)
    }

    /// Stores the cursor of this account.
    pub fn set_cursor(&mut self, account: &str, value: &str) -> Result<(), Error> {
        self.run(|database| {
            database
                .prepare_cached(
                    "INSERT INTO cursor VALUES (1, ?1, ?2)
                     ON CONFLICT DO UPDATE SET account = excluded.account, value = excluded.value",
                )?
                .execute([account, value])
        })
        .map(drop)
    }

    /// Stores an update that could not be translated, for a report.
    pub fn set_aside(&mut self, update: &SetAside) -> Result<(), Error> {
        self.run(|database| {
            let payload = update.payload.get(..PAYLOAD).unwrap_or(&update.payload);
            let row = params![update.id, update.at.cast_signed(), update.reason, payload];
            database
                .prepare_cached("INSERT INTO set_aside (id, at, reason, payload) VALUES (?1, ?2, ?3, ?4)")?
                .execute(row)?;
            database
                .prepare_cached(
                    "DELETE FROM set_aside WHERE place <= (SELECT max(place) FROM set_aside) - ?1",
                )?
                .execute([SET_ASIDE])
        })
        .map(drop)
    }
}
