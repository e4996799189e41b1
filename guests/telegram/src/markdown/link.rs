//! The addresses that Telegram makes into links.

/// The longest address that becomes a link, in bytes: about five of them fit into the weight of a message.
const LONGEST: usize = 1_500;

/// Returns whether Telegram can open this address.
///
/// Telegram shows an address that it rejects as plain text, without an error, so this follows its rule (`TDLib`'s
/// `check_link_impl`): `http` and `https` with a dot in the host's name, and `tg`. It treats an address with another
/// scheme as a host: `mailto:a@b.c` would lead to `http://mailto:a@b.c/`. This rule is narrower than Telegram's: it
/// allows no user's name before the host, which serves to deceive, and no IPv6 address.
pub(super) fn is_link(address: &str) -> bool {
    let is_clean = |c: char| !c.is_whitespace() && !c.is_control();
    if address.len() > LONGEST || !address.chars().all(is_clean) {
        return false;
    }
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("tg") {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        return !authority.is_empty() && authority.chars().all(is_plain);
    }
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
    let is_port = !port.starts_with('+') && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_port && host.chars().all(is_plain) && host.contains('.') && host.chars().any(char::is_alphanumeric)
}

/// Returns the text to show for an address that is not a link; `None` for an address within the text itself.
pub(super) fn shown(address: &str) -> &str {
    let bare = address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    match bare.and_then(|_| address.get(7..)) {
        Some(bare) => bare,
        None if address.starts_with('#') => "",
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_what_telegram_can_open() {
        for address in [
            "https://example.com",
            "HTTP://Example.com:8080/a?b=c#d",
            "https://example.com?x",
            "https://bücher.example/ü",
            "https://127.0.0.1/x",
            "https://en.wikipedia.org/wiki/A_(b)",
            "tg://user?id=42",
            "tg://resolve?domain=example",
        ] {
            assert!(is_link(address), "{address}");
        }
        for address in [
            "",
            "#part",
            "src/main.rs",
            "/a",
            "//example.com",
            "example.com",
            "http://localhost:8080/",
            "http://[::1]/",
            "https://",
            "https:///a.b",
            "https://./",
            "https://user@example.com",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com:+80",
            "https://a b.com",
            "https://example.com/a b",
            "https://exa\"mple.com",
            "javascript://example.com/%0aalert(1)",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://example.com",
            "mailto:a@b.example",
            "tg://",
            "tg://a.b/c",
        ] {
            assert!(!is_link(address), "{address}");
        }
        assert!(!is_link(&format!("https://example.com/{}", "a".repeat(LONGEST))));
    }

    #[test]
    fn an_address_is_shown_as_it_is_needed() {
        for (address, shows) in [
            ("src/main.rs", "src/main.rs"),
            ("MailTo:a@b.example", "a@b.example"),
            ("#part", ""),
            ("ü:ü", "ü:ü"),
        ] {
            assert_eq!(shown(address), shows);
        }
    }
}
