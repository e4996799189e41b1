//! `access.json` on disk: detects changes, replaces the file atomically, and lets one process at a time change it.
//!
//! All functions here except [`AccessFile::fingerprint`] may wait for the disk or for another process. Do not call them
//! on the runtime's thread.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock},
    io::Errno,
};

use crate::{
    atomic_file::{self, Readers},
    gate::document::{Document, Invalid},
};

/// Maximum size of the file, in bytes.
const SIZE: u64 = 4 << 20;

/// How long the command line waits for another process that holds the lock. A change takes a few milliseconds.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// Pause between two attempts to take the lock.
const PAUSE: Duration = Duration::from_millis(5);

/// The paths of the file and of its lock.
#[derive(Debug)]
pub(super) struct AccessFile {
    path: PathBuf,
    lock: PathBuf,
}

/// Metadata that changes when the file changes. `None` if there is no file.
pub(super) type Fingerprint = Option<[i64; 7]>;

/// The lock, held while the file and the approved access in the journal change together.
pub(super) struct Guard {
    _file: File,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be read or written.
    #[error("{} cannot be {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operation that failed: read, written or locked.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error(
        "{} is locked by another process, which is changing who may write: try again once that has ended",
        .0.display()
    )]
    Locked(PathBuf),
    /// The file has invalid content.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is invalid.
        source: Invalid,
    },
}

impl AccessFile {
    /// Returns the file in this folder. The folder must exist.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("access.json"), lock: folder.join("access.lock") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the fingerprint of the file. Costs one system call, because it runs for each message.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, Broken> {
        match fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some([
                metadata.dev().cast_signed(),
                metadata.ino().cast_signed(),
                metadata.size().cast_signed(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ])),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.io("read", source)),
        }
    }

    /// Takes the lock. While another process holds it, waits for at most `wait`.
    pub(super) fn lock(&self, wait: Duration) -> Result<Guard, Broken> {
        let failed = |source| Broken::Io { path: self.lock.clone(), what: "locked", source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.lock)
            .map_err(failed)?;
        let end = Instant::now() + wait;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Guard { _file: file }),
                Err(Errno::WOULDBLOCK) if Instant::now() < end => std::thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => return Err(Broken::Locked(self.lock.clone())),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }

    /// Reads and parses the file. Returns `None` if there is no file.
    pub(super) fn read(&self) -> Result<Option<Document>, Broken> {
        // Opening a pipe in place of the file must not block the host.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.io("read", errno.into())),
        };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(self.io("read", io::Error::other("it is no regular file")));
        }
        let mut text = String::new();
        file.take(SIZE + 1).read_to_string(&mut text).map_err(|source| self.io("read", source))?;
        if text.len() as u64 > SIZE {
            return Err(self.io("read", io::Error::other(format!("it is larger than {} MiB", SIZE >> 20))));
        }
        let parsed = Document::parse(&text);
        parsed.map(Some).map_err(|source| Broken::Invalid { path: self.path.clone(), source })
    }

    /// Replaces the file. A reader sees the old content or the new content. Only the user can read the file.
    pub(super) fn write(&self, document: &Document, _guard: &Guard) -> Result<(), Broken> {
        atomic_file::replace(&self.path, document.render().as_bytes(), Readers::User)
            .map_err(|source| self.io("written", source))
    }

    /// Returns the permission bits of the file, or `None` if there is no file.
    pub(super) fn mode(&self) -> Option<u32> {
        fs::metadata(&self.path).ok().map(|metadata| metadata.mode() & 0o777)
    }

    fn io(&self, what: &'static str, source: io::Error) -> Broken {
        Broken::Io { path: self.path.clone(), what, source }
    }
}
