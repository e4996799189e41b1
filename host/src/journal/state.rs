//! The small values that a guest stores.

use rusqlite::{OptionalExtension as _, params};

use super::{Error, Journal, Transaction};

/// Maximum length of a key, in bytes.
pub const STATE_KEY_LIMIT: usize = 256;
/// Maximum size of a value, in bytes.
pub const STATE_VALUE_LIMIT: usize = 256 << 10;
/// Maximum size of all values of a channel together, in bytes.
pub const STATE_LIMIT: u64 = 16 << 20;

impl Journal {
    /// Returns the value of a key, or `None` if there is none.
    pub fn state(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(|database| {
            database
                .prepare_cached("SELECT value FROM state WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()
        })
    }

    /// Returns true if the guest has stored any value.
    pub fn has_state(&self) -> Result<bool, Error> {
        self.read(|database| database.prepare_cached("SELECT 1 FROM state LIMIT 1")?.exists([]))
    }

    /// Returns true if there is room for this many more bytes, besides the `waiting` bytes that are not written yet. If
    /// so, counts them as used. The count may be too high, so it is computed exactly once the limit seems near.
    pub fn reserve_state(&self, bytes: usize, waiting: usize) -> Result<bool, Error> {
        let mut inner = self.lock();
        let wanted = inner.state_bytes.saturating_add(bytes as u64);
        if wanted <= STATE_LIMIT && inner.state_bytes > 0 {
            inner.state_bytes = wanted;
            return Ok(true);
        }
        let read = || {
            inner
                .database
                .prepare_cached("SELECT coalesce(sum(length(key) + length(value)), 0) FROM state")?
                .query_row([], |row| row.get::<_, i64>(0))
        };
        let used = read().map(i64::unsigned_abs).map_err(|source| self.failed(source))?;
        let used = used.saturating_add(waiting as u64);
        let wanted = used.saturating_add(bytes as u64);
        let fits = wanted <= STATE_LIMIT;
        inner.state_bytes = if fits { wanted } else { used };
        Ok(fits)
    }
}

impl Transaction<'_> {
    /// Sets a guest's value, or removes it if `value` is `None`.
    pub fn set_state(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), Error> {
        self.run(|database| match value {
            Some(value) => database
                .prepare_cached(
                    "INSERT INTO state (key, value) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![key, value]),
            None => database.prepare_cached("DELETE FROM state WHERE key = ?1")?.execute([key]),
        })
        .map(drop)
    }
}
