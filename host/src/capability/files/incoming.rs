//! A file that is being written to the inbox.

use std::{fs::File, io};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};

use super::{
    LocalFile, Origin,
    name::{safe_name, unique},
};

/// A file that is being written to the inbox. If it is dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    inbox: Dir,
    file: Option<File>,
    partial: String,
    /// The name that the file will have in the inbox.
    unique: String,
    /// The name that the sender gave it, made safe.
    name: String,
}

impl Incoming {
    pub(super) fn begin(inbox: Dir, name: &str) -> io::Result<Self> {
        let unique = unique(name)?;
        let partial = format!(".{unique}.partial");
        let file = inbox.open_with(&partial, OpenOptions::new().write(true).create_new(true).mode(0o600))?;
        Ok(Self { inbox, file: Some(file.into_std()), partial, unique, name: safe_name(name) })
    }

    /// Returns the file to write to, at the first call only.
    pub fn writer(&mut self) -> Option<File> {
        self.file.take()
    }

    /// Gives the complete file this name.
    pub(super) fn finish_as(&self, name: &str) -> io::Result<()> {
        self.inbox.rename(&self.partial, &self.inbox, name)
    }

    /// Gives the complete file its final name.
    pub fn finish(self, media_type: Option<String>, size: u64) -> io::Result<LocalFile> {
        self.finish_as(&self.unique)?;
        let media_type = media_type.unwrap_or_else(|| super::media_type(&self.name));
        Ok(LocalFile {
            name: self.name.clone(),
            media_type,
            size,
            origin: Origin::Inbox(self.unique.clone()),
        })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After `finish` there is no file with this name any more.
        let _ = self.inbox.remove_file(&self.partial);
    }
}
