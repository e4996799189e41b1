//! The key of a page: a browser that has it may answer permission prompts.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::OFlags;

use crate::{
    atomic_file::{self, Readers},
    clock,
};

/// How long a kept key stays valid.
const KEPT: Duration = Duration::from_hours(24);

/// The file of a kept key, in the channel's folder. It contains the time at which the key expires, in milliseconds
/// since the Unix epoch, and the key.
const FILE: &str = "page.key";

/// A page's key of 32 hexadecimal digits. It is new at each start, unless the user has kept the last one.
#[derive(Debug)]
pub struct Key {
    current: Mutex<Current>,
    file: PathBuf,
    /// Whether the process may use and keep a stored key, in addition to one that only this process knows.
    shared: bool,
}

#[derive(Clone, Debug)]
struct Current {
    /// Empty if the system has no random bytes. Then no text matches the key.
    text: String,
    /// The time at which the key expires, in milliseconds since the Unix epoch. `None`: when the process ends.
    end: Option<u64>,
}

impl Current {
    fn new() -> Self {
        Self::random().unwrap_or(Self { text: String::new(), end: None })
    }

    fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self { text: format!("{:032x}", u128::from_ne_bytes(bytes)), end: None })
    }
}

impl Key {
    /// Returns the key that is kept in this folder if it is `shared` and there is one, and otherwise a new key. It must
    /// not be `shared` in a process whose output a model reads.
    pub fn of(folder: &Path, shared: bool) -> Result<Self, getrandom::Error> {
        let key = Self { current: Mutex::new(Current::random()?), file: folder.join(FILE), shared };
        key.take_over();
        Ok(key)
    }

    /// Switches to the key that is kept now, if any: another process may have kept or replaced it.
    pub fn take_over(&self) {
        if !self.shared {
            return;
        }
        let kept = kept(&self.file, clock::now());
        let mut key = self.lock();
        match kept {
            Some(kept) => *key = kept,
            // This key was kept before, and has been replaced or deleted since.
            None if key.end.is_some() => *key = Current::new(),
            None => {}
        }
    }

    /// Returns the key as the link contains it.
    pub fn text(&self) -> String {
        self.valid().text.clone()
    }

    /// Returns whether this text is the key. Takes the same time for any text of the key's length.
    pub fn matches(&self, text: &str) -> bool {
        let key = &self.valid().text;
        let differences = key.bytes().zip(text.bytes()).fold(0, |all, (left, right)| all | (left ^ right));
        !key.is_empty() && text.len() == key.len() && differences == 0
    }

    /// Keeps the key for 24 hours from now, for this process and for others that serve the channel during that time.
    /// Only the user can read the file.
    pub fn keep(&self) -> io::Result<()> {
        if !self.shared {
            return Err(io::Error::other("this session runs in a model's shell, which has seen its key"));
        }
        let end = clock::now().saturating_add(u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX));
        let mut key = self.valid();
        atomic_file::replace(&self.file, format!("{end} {}\n", key.text).as_bytes(), Readers::User)?;
        key.end = Some(end);
        Ok(())
    }

    /// Creates a new key, and deletes the kept one.
    pub fn replace(&self) -> io::Result<()> {
        let fresh = Current::random().map_err(io::Error::other)?;
        let folder = self.file.parent().unwrap_or(Path::new(""));
        Self::forget(folder)?;
        *self.lock() = fresh;
        Ok(())
    }

    /// Deletes the key that is kept in this folder. A process that uses the key goes on using it until the process
    /// ends.
    pub fn forget(folder: &Path) -> io::Result<()> {
        match fs::remove_file(folder.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the valid key: a new one replaces a kept one that has expired.
    fn valid(&self) -> MutexGuard<'_, Current> {
        let mut key = self.lock();
        if key.end.is_some_and(|end| end < clock::now()) {
            *key = Current::new();
        }
        key
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock()
    }
}

/// Reads the kept key. Deletes the file if the key has expired, or if the file is not exactly as [`Key::keep`] writes
/// it.
fn kept(path: &Path, now: u64) -> Option<Current> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("the kept key {} cannot be read: {error}", path.display());
            return None;
        }
    };
    let read = || {
        let about = file.metadata().ok()?;
        let private = about.is_file()
            && atomic_file::is_private(&about)
            && about.uid() == rustix::process::geteuid().as_raw();
        let mut text = String::new();
        (&file).take(100).read_to_string(&mut text).ok()?;
        let (end, key) = text.trim_end().split_once(' ')?;
        let end: u64 = end.parse().ok()?;
        let longest = now.saturating_add(u64::try_from(KEPT.as_millis()).ok()?);
        let good = private && (now..=longest).contains(&end) && key.len() == 32;
        let good = good && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then(|| Current { text: key.to_owned(), end: Some(end) })
    };
    let key = read();
    if key.is_none() {
        let _ = fs::remove_file(path);
    }
    key
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_start_has_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (Key::of(folder.path(), true).unwrap(), Key::of(folder.path(), true).unwrap());
        let text = key.text();
        assert!(key.matches(&text) && text.len() == 32);
        for wrong in [other.text().as_str(), "", &text[1..], &format!("{text}0")] {
            assert!(!key.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_kept_key_is_good_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        // The key of a session that waits for its turn.
        let next = Key::of(folder.path(), true).unwrap();
        let key = Key::of(folder.path(), true).unwrap();
        key.keep().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(Key::of(folder.path(), true).unwrap().text(), key.text());
        assert_ne!(Key::of(folder.path(), false).unwrap().text(), key.text());
        assert_ne!(next.text(), key.text());
        next.take_over();
        assert_eq!(next.text(), key.text());
        let replaced = key.text();
        key.replace().unwrap();
        next.take_over();
        assert!(!next.matches(&replaced) && !key.matches(&replaced));
        let seen = Key::of(folder.path(), false).unwrap();
        assert!(seen.keep().is_err() && !path.exists());
        key.keep().unwrap();
        let day = u64::try_from(KEPT.as_millis()).unwrap();
        assert_eq!(kept(&path, clock::now() + day - 60_000).unwrap().text, key.text());
        assert!(kept(&path, clock::now() + day + 60_000).is_none());
        assert!(!path.exists(), "one that has ended goes");
    }

    #[test]
    fn a_file_that_is_not_ours_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (now, key) = (clock::now(), "0123456789abcdef".repeat(2));
        let good = format!("{} {key}\n", now + 1000);
        for (text, mode, expected) in [
            (good.as_str(), 0o600, Some(key.clone())),
            (&good, 0o640, None),
            (&good, 0o604, None),
            (&format!("{} {key}\n", now + 48 * 3_600_000), 0o600, None),
            (&format!("{} short\n", now + 1000), 0o600, None),
            (&key, 0o600, None),
            ("", 0o600, None),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(kept(&path, now).map(|kept| kept.text), expected, "{text:?} {mode:o}");
        }
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, &good).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(kept(&path, now).is_none());
    }
}
