//! Checks that only the user can access files and folders.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use super::finding::{Finding, bad, good};
use crate::atomic_file;

/// Checks that other users cannot access the file.
pub(super) fn private(path: &Path) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if atomic_file::is_private(&metadata) => {
            good(format!("{} is readable by you alone", path.display()))
        }
        Ok(metadata) => bad(
            format!(
                "{} is open to others (mode {:o})",
                path.display(),
                metadata.permissions().mode() & 0o777
            ),
            format!("`chmod 600 {}`", path.display()),
        ),
        Err(error) => unreadable(path, &error),
    }
}

/// Checks that other users cannot write to the folder.
pub(super) fn folder(path: &Path) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o022 == 0 => good(path.display().to_string()),
        Ok(_) => bad(
            format!("{} can be changed by others", path.display()),
            format!("`chmod 700 {}`", path.display()),
        ),
        Err(error) => unreadable(path, &error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    bad(
        format!("{} cannot be read ({error})", path.display()),
        format!("`ls -ld {}` shows whose it is: it has to belong to you", path.display()),
    )
}
