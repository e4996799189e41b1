//! Replaces a small file as a whole: a reader sees the old content or the new content, also after a crash.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Who may read the new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The user alone, whatever mode the old file has.
    User,
    /// As the old file has it. Without one, as the process's umask says.
    AsBefore,
}

/// The mode bits of a file that give access to other users.
const OTHERS: u32 = 0o077;

/// Returns true if no other user has access to the file.
pub fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.permissions().mode() & OTHERS == 0
}

/// Replaces the file, or creates it. If the path is a link, the file that it leads to is replaced and the link stays.
///
/// Writes a file beside it, syncs it, and renames it. On an error the old file is unchanged and the new one is removed.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = beside(&path)?;
    let write = || {
        // A process with the same id may have died here.
        let _ = fs::remove_file(&fresh);
        let mode = if readers == Readers::User { 0o600 } else { 0o666 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
        if readers == Readers::AsBefore
            && let Ok(old) = fs::metadata(&path)
        {
            file.set_permissions(fs::Permissions::from_mode(old.permissions().mode()))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        // The name is only safe once its folder is.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().inspect_err(|_| drop(fs::remove_file(&fresh)))
}

/// Returns a hidden name in the same folder, for this process alone.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    Ok(path.with_file_name(format!(".{}.{}", name.trim_start_matches('.'), std::process::id())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        replace(&path, b"one", Readers::User).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o600));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"two", Readers::AsBefore).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o640));
        replace(&path, b"three", Readers::User).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, b"new", Readers::User).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_written_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x", Readers::User).is_err());
        assert!(path.is_dir() && fs::read_dir(folder.path()).unwrap().count() == 1);
    }
}
