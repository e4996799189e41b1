//! A channel's inbox and outbox, and the files of one call.
//!
//! Both folders are opened once, as capabilities, so that no name can lead out of them. A file system may hang, a
//! network file system for minutes. Therefore file operations run on other threads, and the host stops waiting for them
//! after a while.

mod folders;
mod handles;
mod incoming;
mod name;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use self::folders::Folders;
pub use self::{
    handles::Handles,
    incoming::Incoming,
    name::{media_type, percent_encode, safe_name},
};

/// The time limit of one file system operation.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most file system operations that one channel runs at the same time. An operation that hangs keeps its thread,
/// and all channels share the threads.
const TOGETHER: usize = 4;

/// A channel's inbox and outbox, and the check of files that its session sends.
#[derive(Clone, Debug)]
pub struct Files {
    folders: Arc<Folders>,
    together: Arc<Semaphore>,
}

/// A file that a guest may refer to but never read.
#[derive(Clone, Debug)]
pub struct LocalFile {
    /// The name that its sender or owner gave it, made safe.
    pub name: String,
    /// The media type, as the sender declared it, or guessed from the name.
    pub media_type: String,
    /// The size, in bytes.
    pub size: u64,
    /// Where the bytes are.
    pub origin: Origin,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A checked and opened file. Later changes to its path do not affect the bytes.
    Open(Arc<File>),
    /// A file in the inbox, with this name.
    Inbox(String),
}

/// Why a file of the session is not sent.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The path is relative, and its base is not known.
    #[error("{0} is not an absolute path")]
    Relative(String),
    /// The file cannot be opened.
    #[error("{path} cannot be read: {source}")]
    Open {
        /// The path as given.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// It is a folder, a device or a pipe.
    #[error("{0} is not a regular file")]
    Irregular(String),
    /// It is part of tidegate's own state.
    #[error("{0} is part of tidegate's own state, which is never sent (the inbox is)")]
    Own(String),
    /// It is not in a folder from which files are sent.
    #[error(
        "{path} is not in a folder that files are sent from ({}): copy it there, or have its folder added to \"send_from\" in channels.toml",
        folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Elsewhere {
        /// The path as given.
        path: String,
        /// The folders from which files are sent.
        folders: Vec<PathBuf>,
    },
    /// It is too large for this channel.
    #[error("{path} has {size} bytes; this channel accepts files up to {limit}")]
    Size {
        /// The path as given.
        path: String,
        /// The size of the file, in bytes.
        size: u64,
        /// The limit of the channel, in bytes.
        limit: u64,
    },
}

impl Files {
    /// Opens the inbox and the outbox in the channel's folder, and creates them if they are missing. Files below `own`
    /// are never sent, except those in the inbox. `shared` lists the folders from which the user lets sessions send
    /// files.
    pub fn open(folder: &Path, own: &[PathBuf], shared: &[PathBuf]) -> io::Result<Self> {
        let folders = Arc::new(Folders::open(folder, own, shared)?);
        Ok(Self { folders, together: Arc::new(Semaphore::new(TOGETHER)) })
    }

    /// Returns the path of a file in the inbox, for the session to read.
    pub fn inbox_path(&self, name: &str) -> PathBuf {
        self.folders.inbox_path(name)
    }

    /// Starts a file in the inbox. It appears there when it is complete.
    pub async fn receive(&self, name: &str) -> io::Result<Incoming> {
        let (folders, name) = (Arc::clone(&self.folders), name.to_owned());
        self.run(move || folders.receive(&name)).await
    }

    /// Finishes a complete file in the inbox.
    pub async fn finish(
        &self,
        incoming: Incoming,
        media_type: Option<String>,
        size: u64,
    ) -> io::Result<LocalFile> {
        self.run(move || incoming.finish(media_type, size)).await
    }

    /// Stores a text in the inbox, under a name that no other text has. Writes nothing if the file already exists.
    /// Returns its path.
    pub async fn keep(&self, name: String, text: String) -> io::Result<PathBuf> {
        let folders = Arc::clone(&self.folders);
        self.run(move || folders.keep(&name, &text)).await
    }

    /// Removes the files with matching names from the inbox. Returns how many it has removed. Blocks.
    pub fn erase_blocking(&self, condemned: impl Fn(&str) -> bool) -> io::Result<usize> {
        self.folders.erase(condemned)
    }

    /// Opens a file that the session wants to send, and checks what it has opened. The file must be in one of
    /// `folders`, in the system's temporary folder, in a folder that the user has set, or in the inbox.
    pub async fn vet(&self, path: &str, folders: &[PathBuf], limit: u64) -> Result<LocalFile, Refusal> {
        let own = Arc::clone(&self.folders);
        let (given, folders) = (path.to_owned(), folders.to_vec());
        let vetted = self.run(move || Ok(own.vet(&given, &folders, limit))).await;
        vetted.unwrap_or_else(|source| Err(Refusal::Open { path: path.to_owned(), source }))
    }

    /// Puts a copy into the outbox, for the page to fetch. Returns its name there.
    pub async fn publish(&self, file: &LocalFile) -> io::Result<String> {
        let (folders, file) = (Arc::clone(&self.folders), file.clone());
        self.run(move || folders.publish(&file)).await
    }

    /// Opens a file to send. Readers must read at explicit offsets, because others may have it open too.
    pub async fn reader(&self, file: &LocalFile) -> io::Result<Arc<File>> {
        let (folders, file) = (Arc::clone(&self.folders), file.clone());
        self.run(move || folders.reader(&file)).await
    }

    /// Opens a published file. Returns its size as well, in bytes.
    pub async fn published(&self, name: &str) -> io::Result<(File, u64)> {
        let (folders, name) = (Arc::clone(&self.folders), name.to_owned());
        self.run(move || folders.published(&name)).await
    }

    /// Removes all files from both folders. Returns how many it has removed. Blocks.
    pub fn clear_blocking(&self) -> io::Result<usize> {
        self.folders.clear()
    }

    /// Returns how many files there are in both folders. Blocks.
    pub fn count_blocking(&self) -> io::Result<usize> {
        self.folders.count()
    }

    /// Removes the files that are older than `age` from both folders. Returns how many it has removed. Blocks.
    pub fn expire_blocking(&self, age: Duration) -> io::Result<usize> {
        self.folders.expire(age)
    }

    /// Runs an operation that waits for a file system on another thread. Stops waiting after 30 s; an operation that
    /// hangs keeps its thread and counts towards the limit of concurrent operations.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.run_within(PATIENCE, work).await
    }

    async fn run_within<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let together = Arc::clone(&self.together);
        let done = timeout(patience, async {
            let turn = together.acquire_owned().await.map_err(io::Error::other)?;
            let done = spawn_blocking(move || {
                let done = work();
                drop(turn);
                done
            });
            done.await.unwrap_or_else(|_| Err(io::Error::other("tidegate is ending")))
        });
        done.await.unwrap_or_else(|_| {
            let text = format!("the file system has not answered for {} s", patience.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    fn files() -> (tempfile::TempDir, Files) {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(&root.path().join("chat"), &[], &[root.path().to_owned()]).unwrap();
        (root, files)
    }

    #[tokio::test]
    async fn a_file_system_that_hangs_holds_up_its_own_channel_at_most() {
        let (_root, files) = files();
        let (_other_root, other) = self::files();
        let (answer, answers) = mpsc::channel::<()>();
        let answers = Arc::new(Mutex::new(answers));
        for _ in 0..TOGETHER {
            let answers = Arc::clone(&answers);
            let hung = move || answers.lock().unwrap().recv().map_err(io::Error::other);
            let error = files.run_within(Duration::from_millis(20), hung).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        let error = files.run_within(Duration::from_millis(20), || Ok(())).await.unwrap_err();
        assert!(error.to_string().starts_with("the file system has not answered"), "{error}");
        other.receive("a.txt").await.unwrap();
        for _ in 0..TOGETHER {
            answer.send(()).unwrap();
        }
        files.receive("a.txt").await.unwrap();
    }
}
