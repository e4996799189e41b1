//! Ids of others, in a command that a person pastes into a shell.

use super::is_identifier;

/// An id as a shell takes it for one word. None for what cannot be an id: no id has a quote or a space.
pub fn shell_word(id: &str) -> Option<String> {
    if !is_identifier(id) || is_option(id) {
        return None;
    }
    Some(if is_plain_word(id) { id.to_owned() } else { format!("'{id}'") })
}

/// Whether a shell takes it for one word as it is, at any place but the first of a command.
pub fn is_plain_word(id: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-@.:/+=,".contains(letter);
    !id.is_empty() && !id.starts_with('=') && !is_option(id) && id.chars().all(plain)
}

/// Whether a program takes it for an option. A negative number is none: ids of groups are often that.
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
