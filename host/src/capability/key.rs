//! The key of a page: a browser that has it may answer permission prompts.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::OFlags;

use crate::clock;

/// How long a kept key stays good.
const KEPT: Duration = Duration::from_hours(24);

/// The file of a kept key, in the channel's folder: when it ends, in milliseconds since the Unix epoch, and the key.
const FILE: &str = "page.key";

/// What others may do with a file, of its mode.
const OTHERS: u32 = 0o077;

/// 32 hexadecimal digits: new at each start, unless a person has had the last one kept.
#[derive(Debug)]
pub struct Key {
    text: String,
    file: PathBuf,
}

impl Key {
    /// The key that is kept in this folder, or a new one.
    pub fn of(folder: &Path) -> Result<Self, getrandom::Error> {
        let file = folder.join(FILE);
        let text = match kept(&file, clock::now()) {
            Some(text) => text,
            None => random()?,
        };
        Ok(Self { text, file })
    }

    /// As the link has it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is this the key? Takes as long for any text of its length.
    pub fn matches(&self, text: &str) -> bool {
        let differences =
            self.text.bytes().zip(text.bytes()).fold(0, |all, (left, right)| all | (left ^ right));
        text.len() == self.text.len() && differences == 0
    }

    /// Keeps it for a day, whoever serves the channel then. The file is one that only the user can read.
    pub fn keep(&self) -> io::Result<()> {
        let fresh = self.file.with_extension(format!("key.{}", std::process::id()));
        let end = clock::now().saturating_add(u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX));
        let replace = || {
            let _ = fs::remove_file(&fresh);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            writeln!(file, "{end} {}", self.text)?;
            fs::rename(&fresh, &self.file)
        };
        replace().inspect_err(|_| drop(fs::remove_file(&fresh)))
    }
}

fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// What is not exactly as [`Key::keep`] has left it counts for nothing and goes, as does what has ended.
fn kept(path: &Path, now: u64) -> Option<String> {
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
            && about.mode() & OTHERS == 0
            && about.uid() == rustix::process::geteuid().as_raw();
        let mut text = String::new();
        (&file).take(100).read_to_string(&mut text).ok()?;
        let (end, key) = text.trim_end().split_once(' ')?;
        let end: u64 = end.parse().ok()?;
        let longest = now.saturating_add(u64::try_from(KEPT.as_millis()).ok()?);
        let good = private && (now..=longest).contains(&end) && key.len() == 32;
        (good && key.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| key.to_owned())
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
        let (key, other) = (Key::of(folder.path()).unwrap(), Key::of(folder.path()).unwrap());
        assert!(key.matches(key.as_str()) && key.as_str().len() == 32);
        for wrong in [other.as_str(), "", &key.as_str()[1..], &format!("{}0", key.as_str())] {
            assert!(!key.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_kept_key_is_good_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let key = Key::of(folder.path()).unwrap();
        key.keep().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(Key::of(folder.path()).unwrap().as_str(), key.as_str());
        let day = u64::try_from(KEPT.as_millis()).unwrap();
        assert_eq!(kept(&path, clock::now() + day - 60_000).as_deref(), Some(key.as_str()));
        assert_eq!(kept(&path, clock::now() + day + 60_000), None);
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
            assert_eq!(kept(&path, now), expected, "{text:?} {mode:o}");
        }
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, &good).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert_eq!(kept(&path, now), None);
    }
}
