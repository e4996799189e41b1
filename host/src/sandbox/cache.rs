//! The folder of compiled components, named by the digests of their bytes.

use std::{
    fmt, fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of a component's bytes, by which the component is identified.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Compiled components, one file each, in a folder that only this user can read or write.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// Opens the folder, and creates it if it is missing. Refuses a folder that others could write to, because its
    /// files are executed.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let metadata = fs::metadata(directory)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "others could write to it: it must belong to you alone (chmod 700)",
            ));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// Returns the path of the compiled form of these bytes. The file itself records its machine and settings. The name
    /// contains the versions, so that an update never runs the output of an older compiler.
    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!(
            "{digest}-{}-{}.cwasm",
            env!("CARGO_PKG_VERSION"),
            env!("TIDEGATE_WASMTIME")
        ))
    }

    /// Returns the path to write to while compiling: in the same folder, so that a rename publishes the complete file.
    pub(super) fn scratch(&self, digest: Digest) -> PathBuf {
        self.directory.join(format!(".{digest}.{}.new", std::process::id()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(Cache::open(directory.path()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(Cache::open(&directory.path().join("own")).is_ok());
    }
}
