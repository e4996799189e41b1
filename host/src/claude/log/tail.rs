//! Reads a growing file line by line. Lengths are limited because another program writes the file.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use rustix::fs::{Mode, OFlags};

/// The longest line in bytes. Longer lines are skipped. The client's own lines have a few hundred bytes.
const LINE: usize = 64 << 10;

/// The size of one read, in bytes.
const CHUNK: usize = 64 << 10;

/// An open file, and how far it was read.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    identity: (u64, u64),
    offset: u64,
    /// The beginning of a line whose end has not been written yet.
    partial: Vec<u8>,
    /// The line at the offset is too long and is skipped up to its end.
    skipping: bool,
}

/// The reason why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is not a regular file")]
    Irregular,
    #[error("it belongs to another user")]
    Foreign,
}

impl Tail {
    /// Opens a regular file of this user and skips all but its last `end` bytes. Does not block on a pipe and does not
    /// follow a symbolic link.
    pub(super) fn open(path: &Path, end: u64) -> Result<Self, Unfit> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            // The last component of the path is a symbolic link.
            Err(rustix::io::Errno::LOOP) => return Err(Unfit::Irregular),
            Err(errno) => return Err(Unfit::Io(errno.into())),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Unfit::Irregular);
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(Unfit::Foreign);
        }
        let offset = metadata.len().saturating_sub(end);
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { file, identity, offset, partial: Vec::new(), skipping: offset > 0 })
    }

    /// Returns the device and inode numbers.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Returns true if the file is now shorter than what was read of it. The file is then read from its beginning
    /// again.
    pub(super) fn was_cut(&mut self) -> io::Result<bool> {
        let cut = self.file.metadata()?.len() < self.offset;
        if cut {
            (self.offset, self.skipping) = (0, false);
            self.partial.clear();
        }
        Ok(cut)
    }

    /// Calls `each` for every line that was completed since the last call, without its line ending.
    pub(super) fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = match self.file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.offset += count as u64;
            self.take(chunk.get(..count).unwrap_or_default(), &mut each);
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if !self.skipping && self.partial.len() + text.len() > LINE {
                self.skipping = true;
                self.partial = Vec::new();
            }
            if !complete {
                if !self.skipping {
                    self.partial.extend_from_slice(text);
                }
            } else if std::mem::take(&mut self.skipping) {
            } else if self.partial.is_empty() {
                each(text);
            } else {
                self.partial.extend_from_slice(text);
                each(&self.partial);
                self.partial.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write as _, os::unix::fs::symlink};

    use super::{super::search::END, *};

    fn lines(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        tail.was_cut().unwrap();
        tail.read(|line| lines.push(String::from_utf8_lossy(line).into_owned())).unwrap();
        lines
    }

    #[test]
    fn lines_are_handed_over_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\n\ntw").unwrap();
        let mut tail = Tail::open(&path, END).unwrap();
        assert_eq!(lines(&mut tail), ["one", ""]);
        file.write_all(b"o\nthree\nfo").unwrap();
        assert_eq!(lines(&mut tail), ["two", "three"]);
        assert_eq!(lines(&mut tail), [""; 0]);
        file.write_all(b"ur\n").unwrap();
        assert_eq!(lines(&mut tail), ["four"]);
        // The file is truncated and written again.
        let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        assert_eq!(lines(&mut tail), [""; 0]);
        file.write_all(b"five\n").unwrap();
        assert_eq!(lines(&mut tail), ["five"]);
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = File::create(&path).unwrap();
        let mut tail = Tail::open(&path, END).unwrap();
        for _ in 0..10 {
            file.write_all(&vec![b'x'; 1 << 20]).unwrap();
            assert_eq!(lines(&mut tail), [""; 0]);
            assert!(tail.partial.capacity() <= 2 * LINE);
        }
        file.write_all(b"\nnext\n").unwrap();
        assert_eq!(lines(&mut tail), ["next"]);
    }

    #[test]
    fn of_a_large_file_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = File::create(&path).unwrap();
        // A sparse file takes no space on the disk.
        file.set_len(1 << 30).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(b"\nlast\n").unwrap();
        assert_eq!(lines(&mut Tail::open(&path, END).unwrap()), ["last"]);
    }

    #[test]
    fn only_regular_files_of_this_user_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(matches!(Tail::open(folder.path(), END), Err(Unfit::Irregular)));
        let status = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(status.success());
        assert!(matches!(Tail::open(&path("pipe"), END), Err(Unfit::Irregular)));
        std::fs::write(path("file"), "secret\n").unwrap();
        symlink(path("file"), path("link")).unwrap();
        assert!(matches!(Tail::open(&path("link"), END), Err(Unfit::Irregular)));
        assert!(matches!(Tail::open(&path("missing"), END), Err(Unfit::Io(_))));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(path("file"), Some(65_534), None).unwrap();
            assert!(matches!(Tail::open(&path("file"), END), Err(Unfit::Foreign)));
        }
    }
}
