//! The attributes that a guest gives to messages, restricted to those that a session can get.

use std::{borrow::Cow, collections::BTreeSet, fmt::Display};

use parking_lot::Mutex;

use crate::{event::ChannelName, notification::check_key, text};

/// The most attributes of one message.
const MOST: usize = 128;

/// How many keys are warned about, because a guest could invent new ones without end.
const WARNINGS: usize = 64;

/// How much of a key a warning shows, in characters.
const SHOWN: usize = 64;

/// A filter for a guest's attributes. It warns the guest's author once about each key that is left out.
#[derive(Debug)]
pub(super) struct Attributes {
    channel: ChannelName,
    warned: Mutex<BTreeSet<String>>,
}

impl Attributes {
    /// Creates the filter for the guest of this channel.
    pub(super) fn new(channel: ChannelName) -> Self {
        Self { channel, warned: Mutex::default() }
    }

    /// Returns the attributes that a session can get: each key once, with sanitised values.
    pub(super) fn take(&self, given: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut taken: Vec<(String, String)> = Vec::with_capacity(given.len().min(MOST));
        for (key, value) in given {
            if let Err(invalid) = check_key(&key) {
                self.warn(&key, &invalid);
            } else if taken.iter().any(|(known, _)| *known == key) {
                self.warn(&key, &"the message has it already");
            } else if taken.len() == MOST {
                self.warn(&key, &format_args!("a message has at most {MOST}"));
            } else {
                taken.push((key, clean(value)));
            }
        }
        taken
    }

    fn warn(&self, key: &str, reason: &dyn Display) {
        let channel = &*self.channel;
        let key: String = key.chars().take(SHOWN).collect();
        let mut warned = self.warned.lock();
        if warned.len() == WARNINGS || warned.contains(&key) {
            return;
        }
        tracing::warn!(target: "guest", channel, "the attribute {key:?} is left out: {reason}");
        warned.insert(key);
        if warned.len() == WARNINGS {
            tracing::warn!(target: "guest", channel, "further attributes are left out without a warning");
        }
    }
}

fn clean(value: String) -> String {
    match text::attribute(&value) {
        Cow::Borrowed(same) if same == value => value,
        clean => clean.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(given: &[(&str, &str)]) -> Vec<(String, String)> {
        let attributes = Attributes::new(ChannelName::new("test").unwrap());
        attributes.take(given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_a_session_can_be_told_is_taken_once_and_made_harmless() {
        let given = [("wind", "a\nb"), ("chat_id", "7"), ("wind", "c"), ("9", "x"), ("Wind", "d")];
        let expected =
            [("wind", "a b"), ("Wind", "d")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(taken(&given), expected);
        let many: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "x")).collect();
        assert_eq!(taken(&many).len(), MOST);
    }

    #[test]
    fn a_guest_that_makes_up_keys_is_warned_a_limited_number_of_times() {
        let attributes = Attributes::new(ChannelName::new("test").unwrap());
        for number in 0..1000 {
            attributes.take(vec![(format!("{number} is no key"), String::new())]);
        }
        assert_eq!(attributes.warned.lock().len(), WARNINGS);
    }
}
