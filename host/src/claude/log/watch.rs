//! Waits until something happens in some folders.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Tells when entries of folders appear or are written to.
#[derive(Debug)]
pub(super) struct Watch {
    system: system::Watch,
    /// What is watched already.
    folders: Vec<PathBuf>,
    /// How often to look where the system does not tell.
    look: Duration,
}

impl Watch {
    /// Where the system does not tell, a change is noticed after so long.
    pub(super) fn new(look: Duration) -> Self {
        Self { system: system::Watch::new(), folders: Vec::new(), look }
    }

    /// Watches this folder as well or, where it does not exist, the nearest above it that does.
    pub(super) fn add(&mut self, folder: &Path) {
        let nearest = folder.ancestors().find(|folder| folder.is_dir());
        if let Some(nearest) = nearest
            && !self.folders.iter().any(|known| known == nearest)
            && self.system.add(nearest)
        {
            self.folders.push(nearest.to_owned());
        }
    }

    /// Waits for the next change, at most so long. Changes since the last wait count. Where the system does not tell,
    /// it returns soon.
    pub(super) fn wait(&self, longest: Duration) {
        self.system.wait(longest, self.look);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{mem::MaybeUninit, os::fd::OwnedFd, path::Path, time::Duration};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fs::inotify::{self, CreateFlags, WatchFlags},
    };

    /// inotify(7). None where the user has no instances left.
    #[derive(Debug)]
    pub(super) struct Watch(Option<OwnedFd>);

    impl Watch {
        pub(super) fn new() -> Self {
            let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
            Self(inotify::init(flags).inspect_err(|errno| tracing::debug!("no inotify: {errno}")).ok())
        }

        pub(super) fn add(&self, folder: &Path) -> bool {
            let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::MODIFY | WatchFlags::ONLYDIR;
            self.0.as_ref().is_some_and(|inotify| inotify::add_watch(inotify, folder, flags).is_ok())
        }

        pub(super) fn wait(&self, longest: Duration, look: Duration) {
            let Some(inotify) = &self.0 else {
                return std::thread::sleep(longest.min(look));
            };
            let timeout = Timespec::try_from(longest).ok();
            // An interrupted wait is a short one.
            let _ = poll(&mut [PollFd::new(inotify, PollFlags::IN)], timeout.as_ref());
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(inotify, &mut buffer);
            // What has happened is seen by looking; here it is only emptied.
            while events.next().is_ok() {}
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{path::Path, time::Duration};

    #[derive(Debug)]
    pub(super) struct Watch;

    impl Watch {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn add(&self, _folder: &Path) -> bool {
            true
        }

        pub(super) fn wait(&self, longest: Duration, look: Duration) {
            std::thread::sleep(longest.min(look));
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
}
