//! The channels of this process at one moment: those that run, those that are being prepared and those that are
//! missing.

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

/// A channel whose component is being compiled, or has not described itself yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparing {
    /// What the user calls it: a channel's name, or a file.
    pub label: String,
    /// When the preparation began.
    pub since: Instant,
}

impl Loaded {
    /// Returns these channels, in the order in which they were named. `missing` has one sentence for each channel that
    /// could not be loaded.
    pub fn new(channels: Vec<Arc<Channel>>, preparing: Vec<Preparing>, missing: Vec<String>) -> Self {
        // Decided once, because ids of chats must not change their form while a session uses them.
        let several = channels.len() + preparing.len() > 1;
        Self { channels, preparing, missing, several }
    }

    /// Returns the channels that run.
    pub fn channels(&self) -> &[Arc<Channel>] {
        &self.channels
    }

    /// Returns the channel with this name, if it runs.
    pub fn channel(&self, name: &str) -> Option<&Arc<Channel>> {
        self.channels.iter().find(|channel| &**channel.name() == name)
    }

    /// Returns the channels that are being prepared.
    pub fn preparing(&self) -> &[Preparing] {
        &self.preparing
    }

    /// Returns one sentence for each channel that could not be loaded.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Returns whether the session has several channels, so that a chat's id has to name its channel.
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
