//! The inbox and the outbox, and the check of files that are sent. All functions may block on a file system.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions, OpenOptionsExt as _},
};

use super::{
    Incoming, LocalFile, Origin, Refusal,
    name::{media_type, safe_name, unique},
};

/// A channel's inbox and outbox.
#[derive(Debug)]
pub(super) struct Folders {
    /// The folders that contain all files of tidegate's own.
    own: Vec<PathBuf>,
    inbox: Dir,
    inbox_path: PathBuf,
    outbox: Dir,
    /// The folders from which the user lets sessions send files.
    shared: Vec<PathBuf>,
}

impl Folders {
    /// Opens the inbox and the outbox in the channel's folder, and creates them if they are missing. Files below `own`
    /// are never sent, except those in the inbox. `shared` lists the folders from which the user lets sessions send
    /// files.
    pub(super) fn open(folder: &Path, own: &[PathBuf], shared: &[PathBuf]) -> io::Result<Self> {
        let open = |name: &str| {
            let path = folder.join(name);
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
            Ok::<_, io::Error>((Dir::open_ambient_dir(&path, ambient_authority())?, path))
        };
        let (inbox, inbox_path) = open("inbox")?;
        let (outbox, _) = open("outbox")?;
        Ok(Self {
            own: own.iter().map(|own| std::fs::canonicalize(own).unwrap_or_else(|_| own.clone())).collect(),
            inbox,
            inbox_path: std::fs::canonicalize(inbox_path)?,
            outbox,
            shared: shared.to_vec(),
        })
    }

    /// Returns the path of a file in the inbox, for the session to read.
    pub(super) fn inbox_path(&self, name: &str) -> PathBuf {
        self.inbox_path.join(name)
    }

    /// Starts a file in the inbox. It appears there when it is complete.
    pub(super) fn receive(&self, name: &str) -> io::Result<Incoming> {
        Incoming::begin(self.inbox.try_clone()?, name)
    }

    /// Stores a text in the inbox, under a name that no other text has. Writes nothing if the file already exists.
    /// Returns its path.
    pub(super) fn keep(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let is_there = |file: Metadata| file.is_file() && file.len() == text.len() as u64;
        if !self.inbox.symlink_metadata(name).is_ok_and(is_there) {
            let mut incoming = self.receive(name)?;
            if let Some(mut file) = incoming.writer() {
                file.write_all(text.as_bytes())?;
            }
            incoming.finish_as(name)?;
        }
        Ok(self.inbox_path(name))
    }

    /// Removes the files with matching names from the inbox. Returns how many it has removed.
    pub(super) fn erase(&self, condemned: impl Fn(&str) -> bool) -> io::Result<usize> {
        let mut count = 0;
        for entry in self.inbox.entries()? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&condemned) {
                entry.remove_file()?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Opens a file that the session wants to send, and checks what it has opened. The file must be in one of
    /// `folders`, in the system's temporary folder, in a folder that the user has set, or in the inbox.
    pub(super) fn vet(&self, path: &str, folders: &[PathBuf], limit: u64) -> Result<LocalFile, Refusal> {
        let failed = |source| Refusal::Open { path: path.to_owned(), source };
        if !Path::new(path).is_absolute() {
            return Err(Refusal::Relative(path.to_owned()));
        }
        let file = open_without_waiting(Path::new(path)).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Refusal::Irregular(path.to_owned()));
        }
        let real = std::fs::canonicalize(path).map_err(failed)?;
        let seen = std::fs::metadata(&real).map_err(failed)?;
        if (seen.dev(), seen.ino()) != (metadata.dev(), metadata.ino()) {
            return Err(failed(io::Error::other("it was exchanged while it was being opened")));
        }
        let own = self.own.iter().any(|own| real.starts_with(own));
        if own && !real.starts_with(&self.inbox_path) {
            return Err(Refusal::Own(path.to_owned()));
        }
        // Entries of these folders look like files and are not, such as this process's own environment.
        if ["/proc", "/sys", "/dev"].iter().any(|system| real.starts_with(system)) {
            return Err(Refusal::Irregular(path.to_owned()));
        }
        if !own {
            let temporary = std::env::temp_dir();
            let allowed = folders.iter().chain(&self.shared).chain([&temporary]);
            // A folder that does not exist is ignored.
            let mut real_folders = allowed.clone().filter_map(|folder| std::fs::canonicalize(folder).ok());
            if !real_folders.any(|folder| real.starts_with(folder)) {
                let mut folders: Vec<PathBuf> = allowed.cloned().collect();
                let mut seen = HashSet::new();
                folders.retain(|folder| seen.insert(folder.clone()));
                return Err(Refusal::Elsewhere { path: path.to_owned(), folders });
            }
        }
        let size = metadata.len();
        if size > limit {
            return Err(Refusal::Size { path: path.to_owned(), size, limit });
        }
        let name = real.file_name().map(|name| safe_name(&name.to_string_lossy())).unwrap_or_default();
        Ok(LocalFile { media_type: media_type(&name), name, size, origin: Origin::Open(Arc::new(file)) })
    }

    /// Puts a copy into the outbox, for the page to fetch. Returns its name there.
    pub(super) fn publish(&self, file: &LocalFile) -> io::Result<String> {
        let name = unique(&file.name)?;
        match &file.origin {
            Origin::Inbox(saved) => {
                if self.inbox.hard_link(saved, &self.outbox, &name).is_err() {
                    self.inbox.copy(saved, &self.outbox, &name)?;
                }
            }
            Origin::Open(source) => {
                let mut source = source.as_ref();
                source.rewind()?;
                let target = self
                    .outbox
                    .open_with(&name, OpenOptions::new().write(true).create_new(true).mode(0o600))?;
                // Copies only the size that was checked, even if the file has grown.
                io::copy(&mut source.take(file.size), &mut target.into_std())?;
            }
        }
        Ok(name)
    }

    /// Opens a file to send. Readers must read at explicit offsets, because others may have it open too.
    pub(super) fn reader(&self, file: &LocalFile) -> io::Result<Arc<File>> {
        match &file.origin {
            Origin::Open(opened) => Ok(Arc::clone(opened)),
            Origin::Inbox(name) => Ok(Arc::new(self.inbox.open(name)?.into_std())),
        }
    }

    /// Opens a published file. Returns its size as well, in bytes.
    pub(super) fn published(&self, name: &str) -> io::Result<(File, u64)> {
        let file = self.outbox.open(name)?.into_std();
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((file, metadata.len()))
    }

    /// Removes all files from both folders. Returns how many it has removed.
    pub(super) fn clear(&self) -> io::Result<usize> {
        self.remove(|_| true)
    }

    /// Returns how many files there are in both folders.
    pub(super) fn count(&self) -> io::Result<usize> {
        let mut count = 0;
        for folder in [&self.inbox, &self.outbox] {
            for entry in folder.entries()? {
                count += usize::from(entry?.metadata()?.is_file());
            }
        }
        Ok(count)
    }

    /// Removes the files that are older than `age` from both folders. Returns how many it has removed.
    pub(super) fn expire(&self, age: Duration) -> io::Result<usize> {
        let now = SystemTime::now();
        self.remove(|modified| now.duration_since(modified).is_ok_and(|since| since > age))
    }

    fn remove(&self, condemned: impl Fn(SystemTime) -> bool) -> io::Result<usize> {
        let mut count = 0;
        for folder in [&self.inbox, &self.outbox] {
            for entry in folder.entries()? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                if metadata.is_file() && condemned(metadata.modified()?.into_std()) {
                    entry.remove_file()?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}

/// Opens a file for reading. Does not block, even if the path is a pipe or a device.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn files() -> (tempfile::TempDir, Folders) {
        let root = tempfile::tempdir().unwrap();
        let files = Folders::open(&root.path().join("chat"), &[root.path().to_owned()], &[]).unwrap();
        (root, files)
    }

    #[test]
    fn a_file_appears_in_the_inbox_when_it_is_whole() {
        let (root, files) = files();
        let names = || {
            let entries = std::fs::read_dir(root.path().join("chat/inbox")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let mut incoming = files.receive("../a.txt").unwrap();
        incoming.writer().unwrap().write_all(b"abc").unwrap();
        assert!(names().iter().all(|name| name.starts_with('.')), "{:?}", names());
        let file = incoming.finish(None, 3).unwrap();
        assert_eq!(file.name, "a.txt");
        assert!(names().len() == 1 && names()[0].ends_with("-a.txt"), "{:?}", names());
        assert_eq!(file.media_type, "text/plain");
        drop(files.receive("b.txt").unwrap());
        assert_eq!(names().len(), 1);
        let published = files.publish(&file).unwrap();
        assert_eq!(io::read_to_string(files.published(&published).unwrap().0).unwrap(), "abc");
        assert_eq!(files.expire(Duration::from_hours(1)).unwrap(), 0);
        assert_eq!(files.clear().unwrap(), 2);
    }

    #[test]
    fn a_text_is_kept_once_and_whole() {
        let (root, files) = files();
        let path = files.keep("a.txt", "abc").unwrap();
        assert_eq!(path, files.inbox_path("a.txt"));
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o600);
        files.keep("a.txt", "abc").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), metadata.ino(), "it is not written again");
        // The file that a loss of power has left.
        std::fs::write(&path, "").unwrap();
        files.keep("a.txt", "abc").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc");
        // A symbolic link is replaced.
        let elsewhere = root.path().join("elsewhere");
        std::fs::write(&elsewhere, "abc").unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(&elsewhere, &path).unwrap();
        files.keep("a.txt", "abd").unwrap();
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "abc");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abd");
        assert_eq!(files.erase(|name| name == "a.txt").unwrap(), 1);
        assert_eq!(files.clear().unwrap(), 0);
    }

    #[test]
    fn only_regular_files_outside_of_the_state_are_sent() {
        let (root, files) = files();
        let elsewhere = tempfile::tempdir().unwrap();
        let good = elsewhere.path().join("good.txt");
        std::fs::write(&good, "good").unwrap();
        let secret = root.path().join("chat/.env");
        std::fs::write(&secret, "TOKEN=1").unwrap();
        symlink(&secret, elsewhere.path().join("link.txt")).unwrap();
        let received = root.path().join("chat/inbox/received.txt");
        std::fs::write(&received, "x").unwrap();
        let vet = |path: &Path, limit| files.vet(path.to_str().unwrap(), &[], limit);
        assert_eq!(vet(&good, 10).unwrap().size, 4);
        assert!(vet(&received, 10).is_ok());
        assert!(matches!(vet(&good, 3), Err(Refusal::Size { size: 4, limit: 3, .. })));
        assert!(matches!(vet(&secret, 10), Err(Refusal::Own(_))));
        assert!(matches!(vet(&elsewhere.path().join("link.txt"), 10), Err(Refusal::Own(_))));
        assert!(matches!(vet(elsewhere.path(), 10), Err(Refusal::Irregular(_))));
        assert!(matches!(vet(Path::new("/dev/zero"), 10), Err(Refusal::Irregular(_))));
        #[cfg(target_os = "linux")]
        assert!(matches!(vet(Path::new("/proc/self/environ"), 10), Err(Refusal::Irregular(_))));
        assert!(matches!(files.vet("good.txt", &[], 10), Err(Refusal::Relative(_))));
        assert!(matches!(vet(&elsewhere.path().join("missing"), 10), Err(Refusal::Open { .. })));
    }

    #[test]
    fn no_name_leads_out_of_the_outbox() {
        let (root, files) = files();
        std::fs::write(root.path().join("chat/.env"), "TOKEN=1").unwrap();
        symlink("../.env", root.path().join("chat/outbox/link")).unwrap();
        for name in ["../.env", "/etc/passwd", "link", ".", ""] {
            assert!(files.published(name).is_err(), "{name}");
        }
    }
}
