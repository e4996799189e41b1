//! The Bot API's address.

use tidegate_guest::Fault;

/// Returns the part of every URL before the credential: scheme, host and port, without a slash at the end.
///
/// Errors never repeat the text: people paste whole URLs, including their token.
pub(super) fn origin(base: &str) -> Result<&str, Fault> {
    let base = base.trim().trim_end_matches('/');
    let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://")).unwrap_or_default();
    let stray = |character: char| "/?#@\\".contains(character) || character.is_whitespace();
    if host.is_empty() || host.contains(stray) {
        return Err(Fault::Rejected(format!(
            "the setting {} must be a server's address without a path, such as {} or http://127.0.0.1:8081",
            super::BASE,
            super::DEFAULT_BASE
        )));
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_origin_and_nothing_else() {
        for (base, expected) in [
            ("https://api.telegram.org", Some("https://api.telegram.org")),
            (" https://api.telegram.org// ", Some("https://api.telegram.org")),
            ("http://127.0.0.1:8081/", Some("http://127.0.0.1:8081")),
            ("http://[::1]:8081", Some("http://[::1]:8081")),
            ("https://example.org/telegram", None),
            ("https://api.telegram.org/bot1:secret", None),
            ("https://api.telegram.org?x", None),
            ("https://user@example.org", None),
            ("https://example.org\\x", None),
            ("api.telegram.org", None),
            ("ftp://example.org", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(origin(base).ok(), expected, "{base}");
        }
    }

    #[test]
    fn a_wrong_address_is_not_repeated() {
        let Err(Fault::Rejected(text)) = origin("https://api.telegram.org/bot1:secret") else { panic!() };
        assert!(text.contains("api_base") && !text.contains("secret"), "{text}");
    }
}
