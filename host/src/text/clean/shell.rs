//! Ids from other people in a command that a person pastes into a shell.

use super::is_identifier;

/// Returns an id as one shell word. Returns `None` if the text cannot be an id, or if a program would take it for an
/// option. An id has no quote and no space.
pub fn shell_word(id: &str) -> Option<String> {
    if !is_identifier(id) || is_option(id) {
        return None;
    }
    Some(if is_plain_word(id) { id.to_owned() } else { format!("'{id}'") })
}

/// Returns true if a shell reads the text as one word without quotes, at any place except the first in a command.
pub fn is_plain_word(id: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-@.:/+=,".contains(letter);
    !id.is_empty() && !id.starts_with('=') && !is_option(id) && id.chars().all(plain)
}

/// Returns true if a program takes the text for an option. A negative number is not an option: ids of groups are often
/// negative.
fn is_option(id: &str) -> bool {
    id.strip_prefix('-')
        .is_some_and(|rest| rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_word_for_a_shell() {
        for (id, expected) in [
            ("42", Some("42")),
            ("U0/ab@c", Some("U0/ab@c")),
            ("-100", Some("-100")),
            ("a;b$(c)", Some("'a;b$(c)'")),
            ("--home=/tmp", None),
            ("-x", None),
            ("-1x", None),
            ("=ls", Some("'=ls'")),
            ("it's", None),
            ("a b", None),
            ("a\nb", None),
        ] {
            assert_eq!(shell_word(id).as_deref(), expected, "{id:?}");
            assert_eq!(is_plain_word(id), expected == Some(id), "{id:?}");
        }
    }
}
