//! Waits until something changes in some folders.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Reports when files in folders appear, are written to, or are removed.
#[derive(Debug)]
pub(super) struct Watch {
    system: system::Watch,
    /// The folders that are already watched.
    folders: Vec<PathBuf>,
    /// The system cannot watch some of the folders.
    incomplete: bool,
    /// How often to poll folders that the system cannot watch.
    look: Duration,
}

impl Watch {
    /// Creates a watch. A change that the system does not report is noticed after `look`.
    pub(super) fn new(look: Duration) -> Self {
        Self { system: system::Watch::new(), folders: Vec::new(), incomplete: false, look }
    }

    /// Watches this folder or, if it does not exist, its nearest existing ancestor. Returns true if that folder was not
    /// watched before.
    pub(super) fn add(&mut self, folder: &Path) -> bool {
        let mut added = false;
        // Repeat: the folder may have been created before its ancestor was watched.
        while let Some(nearest) = folder.ancestors().find(|folder| folder.is_dir())
            && !self.folders.iter().any(|known| known == nearest)
        {
            self.incomplete |= !self.system.add(nearest);
            self.folders.push(nearest.to_owned());
            added = true;
        }
        added
    }

    /// Waits for the next change, at most for `longest`. Changes since the last wait count. Returns earlier if some
    /// folders must be polled.
    pub(super) fn wait(&mut self, longest: Duration) {
        let longest = if self.incomplete { longest.min(self.look) } else { longest };
        if self.system.wait(longest, self.look) == Watched::Less {
            // A folder was removed or moved. Start anew, so that a folder which replaces it is watched.
            self.system = system::Watch::new();
            self.folders.clear();
            self.incomplete = false;
        }
    }
}

/// What is still watched after a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    /// All folders from before.
    Same,
    /// A folder is no longer watched.
    Less,
}

#[cfg(target_os = "linux")]
mod system {
    use std::{mem::MaybeUninit, os::fd::OwnedFd, path::Path, time::Duration};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    };

    use super::Watched;

    /// An inotify(7) instance, or `None` if the user has reached the limit of instances.
    #[derive(Debug)]
    pub(super) struct Watch(Option<OwnedFd>);

    impl Watch {
        pub(super) fn new() -> Self {
            let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
            Self(inotify::init(flags).inspect_err(|errno| tracing::debug!("no inotify: {errno}")).ok())
        }

        pub(super) fn add(&self, folder: &Path) -> bool {
            let flags = WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::MODIFY
                | WatchFlags::ATTRIB
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            self.0.as_ref().is_some_and(|inotify| inotify::add_watch(inotify, folder, flags).is_ok())
        }

        pub(super) fn wait(&self, longest: Duration, look: Duration) -> Watched {
            let Some(inotify) = &self.0 else {
                std::thread::sleep(longest.min(look));
                return Watched::Same;
            };
            let timeout = Timespec::try_from(longest).ok();
            // An interrupted wait only returns early.
            let _ = poll(&mut [PollFd::new(inotify, PollFlags::IN)], timeout.as_ref());
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(inotify, &mut buffer);
            // The events only end the wait. The caller looks at the files itself.
            let mut watched = Watched::Same;
            while let Ok(event) = events.next() {
                let lost = ReadFlags::DELETE_SELF
                    | ReadFlags::MOVE_SELF
                    | ReadFlags::IGNORED
                    | ReadFlags::UNMOUNT
                    | ReadFlags::QUEUE_OVERFLOW;
                if event.events().intersects(lost) {
                    watched = Watched::Less;
                }
            }
            watched
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{path::Path, time::Duration};

    use super::Watched;

    #[derive(Debug)]
    pub(super) struct Watch;

    impl Watch {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn add(&self, _folder: &Path) -> bool {
            true
        }

        pub(super) fn wait(&self, longest: Duration, look: Duration) -> Watched {
            std::thread::sleep(longest.min(look));
            Watched::Same
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_is_written_ends_the_wait() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let mut watch = Watch::new(Duration::from_millis(1));
        watch.add(&folder);
        assert_eq!(watch.folders, [root.path()]);
        std::fs::create_dir_all(&folder).unwrap();
        let start = Instant::now();
        watch.wait(Duration::from_mins(1));
        watch.add(&folder);
        std::fs::write(folder.join("file"), "x").unwrap();
        watch.wait(Duration::from_mins(1));
        assert!(start.elapsed() < Duration::from_secs(50));
        watch.wait(Duration::from_millis(1));
    }

    #[test]
    fn a_folder_that_is_made_anew_is_watched_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        std::fs::create_dir(&folder).unwrap();
        let mut watch = Watch::new(Duration::from_millis(1));
        assert!(watch.add(&folder) && !watch.add(&folder));
        let start = Instant::now();
        std::fs::remove_dir(&folder).unwrap();
        watch.wait(Duration::from_mins(1));
        // The folder does not exist yet, so its ancestor is watched.
        assert!(watch.add(&folder));
        std::fs::create_dir(&folder).unwrap();
        watch.wait(Duration::from_mins(1));
        assert!(watch.add(&folder));
        std::fs::write(folder.join("file"), "x").unwrap();
        watch.wait(Duration::from_mins(1));
        assert!(start.elapsed() < Duration::from_secs(50));
    }
}
