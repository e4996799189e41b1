//! The numbers by which a guest knows the files of one call.

use std::collections::BTreeMap;

use super::{LocalFile, Origin};

/// The files of one call, by the numbers that the guest knows them by.
#[derive(Debug, Default)]
pub struct Handles(BTreeMap<u64, LocalFile>);

impl Handles {
    /// Takes in a file. The answer is its number.
    pub fn add(&mut self, file: LocalFile) -> u64 {
        let handle = self.0.len() as u64 + 1;
        self.0.insert(handle, file);
        handle
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The file with this number, if this call has one.
    pub fn get(&self, handle: u64) -> Option<&LocalFile> {
        self.0.get(&handle)
    }

    /// The name in the inbox, if the number stands for a file there.
    pub fn saved(&self, handle: u64) -> Option<&str> {
        match &self.get(handle)?.origin {
            Origin::Inbox(name) => Some(name),
            Origin::Open(_) => None,
        }
    }
}
