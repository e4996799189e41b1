//! The keys that a guest may give to its own attributes.

use super::PICTURE_MISSING;

/// The longest key, in bytes.
const LENGTH: usize = 64;

/// The attributes that only the host sets.
const RESERVED: [&str; 12] = [
    "chat_id",
    "edited",
    "message_id",
    "notice",
    PICTURE_MISSING,
    "redelivered",
    "reply_to",
    "source",
    "thread_id",
    "ts",
    "user",
    "user_id",
];

/// The prefixes of further attributes that only the host sets.
const RESERVED_PREFIXES: [&str; 5] = ["attachment", "channel", "file_path", "full_message", "image_path"];

/// Why a guest's attribute is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The client would drop the attribute.
    #[error("a key has the form [A-Za-z_][A-Za-z0-9_]* and at most {LENGTH} bytes")]
    Form,
    /// A session would take the value for a statement of the host.
    #[error("only the host sets this key")]
    Reserved,
}

/// Checks whether a guest may set this key. The form is the one that Claude Code accepts: it drops all others.
pub fn check_key(key: &str) -> Result<(), InvalidKey> {
    let mut bytes = key.bytes();
    let is_word = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word || key.len() > LENGTH {
        return Err(InvalidKey::Form);
    }
    // A model does not distinguish `User_ID` from `user_id`.
    let is_reserved = RESERVED.iter().any(|reserved| key.eq_ignore_ascii_case(reserved))
        || RESERVED_PREFIXES.iter().any(|prefix| {
            key.get(..prefix.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
        });
    if is_reserved { Err(InvalidKey::Reserved) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_that_do_not_begin_with_a_digit() {
        let longest = "k".repeat(64);
        for key in ["weather", "Wind", "_", "_9", "a1", "replyTo", "users", "tsunami", &longest] {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        let long = "k".repeat(65);
        for key in ["", "9", "9lives", "Bad Key", "a-b", "a.b", "ключ", "ä", "a\"", "a=", "a\n", &long] {
            assert_eq!(check_key(key), Err(InvalidKey::Form), "{key}");
        }
    }

    #[test]
    fn what_the_host_says_is_said_by_nobody_else() {
        for key in RESERVED.into_iter().chain(RESERVED_PREFIXES).chain(["file_path_2", "attachments"]) {
            for key in [key.to_owned(), key.to_uppercase()] {
                assert_eq!(check_key(&key), Err(InvalidKey::Reserved), "{key}");
            }
        }
    }
}
