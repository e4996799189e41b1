//! Handles: the numbers by which a guest refers to the files of one call.

use std::collections::BTreeMap;

use super::{LocalFile, Origin};

/// The files of one call, by handle.
#[derive(Debug, Default)]
pub struct Handles(BTreeMap<u64, LocalFile>);

impl Handles {
    /// Adds a file. Returns its handle.
    pub fn add(&mut self, file: LocalFile) -> u64 {
        let handle = self.0.len() as u64 + 1;
        self.0.insert(handle, file);
        handle
    }

    /// Returns how many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the file with this handle, if this call has one.
    pub fn get(&self, handle: u64) -> Option<&LocalFile> {
        self.0.get(&handle)
    }

    /// Returns the file's name in the inbox, if the handle stands for a file there.
    pub fn saved(&self, handle: u64) -> Option<&str> {
        match &self.get(handle)?.origin {
            Origin::Inbox(name) => Some(name),
            Origin::Open(_) => None,
        }
    }
}
