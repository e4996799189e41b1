//! Gives each channel's folder one owner, however many sessions there are.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use crate::clock;

/// The lock of a channel's folder, held until this is dropped. The system releases it when the process dies, however it
/// dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the lock.
    #[error("another session holds this channel ({owner}). End that session, or use the channel there")]
    Held {
        /// What the owner has written about itself.
        owner: String,
    },
    /// The file cannot be used.
    #[error("the lock {path} cannot be used: {source}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of a channel's folder without waiting, and writes to the file who holds it.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let lock = Self::look(folder)?;
        let mut file = &lock.file;
        let mut introduce = || {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "pid {}, since {}", std::process::id(), clock::iso(clock::now()))
        };
        introduce()
            .map_err(|source| Error::File { path: folder.join("lock").display().to_string(), source })?;
        Ok(lock)
    }

    /// Adds to the file where the channel can be reached.
    pub fn describe(&self, address: &str) {
        // Best effort: without it the lock file does not say where the channel can be reached.
        let _ = write!(&self.file, ", at {address}");
    }

    /// Takes the lock, if it is free, without writing who holds it. This shows whether it is free.
    pub fn look(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("lock");
        let failed = |source| Error::File { path: path.display().to_string(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut owner = String::new();
                let _ = file.take(200).read_to_string(&mut owner);
                let owner = if owner.trim().is_empty() { "just starting" } else { owner.trim() };
                Err(Error::Held { owner: owner.to_owned() })
            }
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

/// Returns what the last owner of this folder's lock has written about itself, whether or not it still holds the lock.
pub fn introduction(folder: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(folder.join("lock")).ok()?.take(200).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        lock.describe("http://127.0.0.1:8787");
        let error = Lock::look(folder.path()).unwrap_err().to_string();
        assert!(error.contains(", at http://127.0.0.1:8787)"), "{error}");
        drop(lock);
        assert!(Lock::take(folder.path()).is_ok());
    }
}
