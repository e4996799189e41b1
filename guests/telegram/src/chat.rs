//! The spelling of chat ids.

use std::{fmt, str::FromStr};

use tidegate_guest::Fault;

/// A chat, or a topic of one: the contract's chat id.
///
/// The spelling is `-1001234`, or `-1001234/45` for the topic with the `message_thread_id` 45, so that an answer goes
/// to the right topic. Each id has only one spelling. Telegram's ids have up to 52 significant bits, and never need
/// more than 64: they are not converted to floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChatId {
    /// Telegram's `chat_id`: negative for groups.
    pub(crate) chat: i64,
    /// Telegram's `message_thread_id`, for a topic.
    pub(crate) thread: Option<i64>,
}

impl fmt::Display for ChatId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.thread {
            Some(thread) => write!(formatter, "{}/{thread}", self.chat),
            None => write!(formatter, "{}", self.chat),
        }
    }
}

impl FromStr for ChatId {
    type Err = Fault;

    /// Parses exactly the displayed form of [`ChatId`]. Rejects other texts, with an error for the caller.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let (chat, thread) = match text.split_once('/') {
            Some((chat, thread)) => (chat, Some(thread)),
            None => (text, None),
        };
        let read = || {
            let thread = thread.map(str::parse).transpose().ok()?;
            Some(Self { chat: chat.parse().ok()?, thread })
        };
        read().filter(|id| id.to_string() == text).ok_or_else(|| {
            let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
            Fault::Rejected(format!(
                "\"{shown}\" is no Telegram chat: pass chat_id back as it came, like 1234, -1001234 or -1001234/45"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chats_and_topics_are_told_apart() {
        for (text, chat, thread) in [
            ("1234", 1234, None),
            ("-1001234", -1_001_234, None),
            ("-1001234/45", -1_001_234, Some(45)),
            ("-1002147483649123/9007199254740993", -1_002_147_483_649_123, Some(9_007_199_254_740_993)),
            ("9223372036854775807", i64::MAX, None),
            ("-9223372036854775808/1", i64::MIN, Some(1)),
        ] {
            let id: ChatId = text.parse().unwrap();
            assert_eq!(id, ChatId { chat, thread }, "{text}");
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_chat_is_refused() {
        for text in [
            "",
            "/",
            "/45",
            "12/",
            "12/45/6",
            "+12",
            "012",
            "-0",
            "12/045",
            "12/+4",
            " 12",
            "12 ",
            "1.0",
            "1e3",
            "0x1f",
            "@name",
            "web",
            "9223372036854775808",
            "１２",
        ] {
            assert!(text.parse::<ChatId>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_id_reads_back(chat: i64, thread: Option<i64>) {
            let id = ChatId { chat, thread };
            prop_assert_eq!(id.to_string().parse::<ChatId>().unwrap(), id);
        }

        #[test]
        fn a_text_that_is_taken_is_the_only_spelling(text in "[-+ /0-9]{0,12}") {
            if let Ok(id) = text.parse::<ChatId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
