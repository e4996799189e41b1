//! The channels of this process at one moment: those that run, those that are being prepared, those that are missing.

use std::{sync::Arc, time::Instant};

use super::Channel;

/// The channels at one moment.
#[derive(Clone, Default)]
pub struct Loaded {
    channels: Vec<Arc<Channel>>,
    preparing: Vec<Preparing>,
    missing: Vec<String>,
    several: bool,
}

/// A channel whose component is being compiled, or has not said yet what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparing {
    /// What the user calls it: a channel's name, or a file.
    pub label: String,
    /// Since when.
    pub since: Instant,
}

impl Loaded {
    /// In the order in which they were named; each of the `missing` in a sentence.
    pub fn new(channels: Vec<Arc<Channel>>, preparing: Vec<Preparing>, missing: Vec<String>) -> Self {
        // Ids of chats must not change their form while a session has them.
        let several = channels.len() + preparing.len() > 1;
        Self { channels, preparing, missing, several }
    }

    /// Those that run.
    pub fn channels(&self) -> &[Arc<Channel>] {
        &self.channels
    }

    /// The channel with this name, if it runs.
    pub fn channel(&self, name: &str) -> Option<&Arc<Channel>> {
        self.channels.iter().find(|channel| &**channel.name() == name)
    }

    /// Those that will run in a moment.
    pub fn preparing(&self) -> &[Preparing] {
        &self.preparing
    }

    /// What could not be loaded, a sentence each.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Whether the session has several channels, so that a chat's id has to name its own.
    pub fn several(&self) -> bool {
        self.several
    }

    pub(super) fn add(&mut self, label: &str, channel: Arc<Channel>) {
        self.preparing.retain(|preparing| preparing.label != label);
        self.channels.push(channel);
    }

    pub(super) fn give_up(&mut self, label: &str, sentence: String) {
        self.preparing.retain(|preparing| preparing.label != label);
        self.missing.push(sentence);
    }
}
