//! A channel's inbox and outbox, and the files that one call was given.
//!
//! Both folders are opened once, as capabilities: no name can lead out of them. File systems may hang, networked ones for
//! minutes: what is asked of them is done on other threads, and given up after a while.

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

/// How long a file system may take for one thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one channel has file systems do at the same time. One that hangs keeps its thread, and the threads are shared with
/// the other channels.
const TOGETHER: usize = 4;

/// A channel's two folders, and the check of files that its session sends.
#[derive(Clone, Debug)]
pub struct Files {
    folders: Arc<Folders>,
    together: Arc<Semaphore>,
}

/// A file that a guest may name but never read.
#[derive(Clone, Debug)]
pub struct LocalFile {
    /// As its sender or owner calls it, made safe.
    pub name: String,
    /// Guessed from the name, or as the sender said.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// Where the bytes are.
    pub origin: Origin,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Checked and opened: whatever happens to the path, these are the bytes.
    Open(Arc<File>),
    /// In the inbox, under this name.
    Inbox(String),
}

/// Why a file of the session's is not sent.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The path is relative: nobody knows to what.
    #[error("{0} is not an absolute path")]
    Relative(String),
    /// It cannot be opened.
    #[error("{path} cannot be read: {source}")]
    Open {
        /// As given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("{0} is not a regular file")]
    Irregular(String),
    /// It belongs to tidegate.
    #[error("{0} is part of tidegate's own state, which is never sent (the inbox is)")]
    Own(String),
    /// It lies where nothing is sent from.
    #[error(
        "{path} is not in a folder that files are sent from ({}): copy it there, or have its folder added to \"send_from\" in channels.toml",
        folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Elsewhere {
        /// As given.
        path: String,
        /// Where it could be.
        folders: Vec<PathBuf>,
    },
    /// It is too large for this channel.
    #[error("{path} has {size} bytes; this channel accepts files up to {limit}")]
    Size {
        /// As given.
        path: String,
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
}

impl Files {
    /// Opens the folders of the channel with this folder; makes them where they are missing. Nothing below `own` is
    /// sent but the inbox. `shared` is where the user lets sessions send files from.
    pub fn open(folder: &Path, own: &[PathBuf], shared: &[PathBuf]) -> io::Result<Self> {
        let folders = Arc::new(Folders::open(folder, own, shared)?);
        Ok(Self { folders, together: Arc::new(Semaphore::new(TOGETHER)) })
    }

    /// The path of a file in the inbox, for the session to read.
    pub fn inbox_path(&self, name: &str) -> PathBuf {
        self.folders.inbox_path(name)
    }

    /// Begins a file in the inbox. It appears there when it is whole.
    pub async fn receive(&self, name: &str) -> io::Result<Incoming> {
        let (folders, name) = (Arc::clone(&self.folders), name.to_owned());
        self.run(move || folders.receive(&name)).await
    }

    /// A file in the inbox is whole.
    pub async fn finish(
        &self,
        incoming: Incoming,
        media_type: Option<String>,
        size: u64,
    ) -> io::Result<LocalFile> {
        self.run(move || incoming.finish(media_type, size)).await
    }

    /// Keeps a text in the inbox, under a name that no other text has. Where the file is there already, nothing is
    /// written. The answer is its path.
    pub async fn keep(&self, name: String, text: String) -> io::Result<PathBuf> {
        let folders = Arc::clone(&self.folders);
        self.run(move || folders.keep(&name, &text)).await
    }

    /// Removes the files with these names from the inbox. The answer is how many there were. Blocks.
    pub fn erase_blocking(&self, condemned: impl Fn(&str) -> bool) -> io::Result<usize> {
        self.folders.erase(condemned)
    }

    /// Opens a file that the session wants to send, and decides about it by what was opened. It must lie in one of
    /// these folders, in the system's temporary one, in one that the user has set, or in the inbox.
    pub async fn vet(&self, path: &str, folders: &[PathBuf], limit: u64) -> Result<LocalFile, Refusal> {
        let own = Arc::clone(&self.folders);
        let (given, folders) = (path.to_owned(), folders.to_vec());
        let vetted = self.run(move || Ok(own.vet(&given, &folders, limit))).await;
        vetted.unwrap_or_else(|source| Err(Refusal::Open { path: path.to_owned(), source }))
    }

    /// Puts a copy into the outbox, for the page to fetch. The answer is its name there.
    pub async fn publish(&self, file: &LocalFile) -> io::Result<String> {
        let (folders, file) = (Arc::clone(&self.folders), file.clone());
        self.run(move || folders.publish(&file)).await
    }

    /// Opens a file that is to be sent. It is read at positions: others may have it open too.
    pub async fn reader(&self, file: &LocalFile) -> io::Result<Arc<File>> {
        let (folders, file) = (Arc::clone(&self.folders), file.clone());
        self.run(move || folders.reader(&file)).await
    }

    /// Opens a published file, and says how many bytes it has.
    pub async fn published(&self, name: &str) -> io::Result<(File, u64)> {
        let (folders, name) = (Arc::clone(&self.folders), name.to_owned());
        self.run(move || folders.published(&name)).await
    }

    /// Removes everything from both folders. The answer is how many files there were.
    pub fn clear_blocking(&self) -> io::Result<usize> {
        self.folders.clear()
    }

    /// How many files there are in both folders.
    pub fn count_blocking(&self) -> io::Result<usize> {
        self.folders.count()
    }

    /// Removes what is older than this. The answer is how many files that was.
    pub fn expire_blocking(&self, age: Duration) -> io::Result<usize> {
        self.folders.expire(age)
    }

    /// Does something that waits for a file system on another thread. It is given up after half a minute; a thread that is
    /// caught in it stays so, and counts.
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
