//! The links that Telegram accepts, and their spelling.

use std::fmt::Write as _;

/// Returns the user of `tg://user?id=…`.
pub(super) fn user(url: &str) -> Option<i64> {
    let url = url.to_ascii_lowercase();
    let rest = url.strip_prefix("tg:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest).strip_prefix("user")?;
    let query = rest.strip_prefix('/').unwrap_or(rest).strip_prefix('?')?;
    let query = query.split('#').next()?;
    let id = query.split('&').find_map(|pair| pair.strip_prefix("id="))?;
    id.parse().ok().filter(|id| *id > 0)
}

/// Returns the link as it is shown, or `None` if it is not valid. Telegram drops such an entity without an error.
pub(super) fn checked(link: &str) -> Option<String> {
    for scheme in ["tg", "tonsite", "ton"] {
        if let Some(rest) = without_prefix(link, scheme).and_then(|rest| rest.strip_prefix(':')) {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (host, query) = rest.split_at_checked(end)?;
            let allowed =
                |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || (scheme == "tonsite" && c == '.');
            return (!host.is_empty() && host.chars().all(allowed))
                .then(|| format!("{scheme}://{}{}", host.to_ascii_lowercase(), query.trim_end()));
        }
    }
    let (scheme, rest) = match link.split_once("://") {
        Some((scheme, rest)) if !scheme.contains([':', '/', '?', '#', '@', '[', ']']) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => ("http".to_owned(), link),
    };
    if scheme != "http" && scheme != "https" {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let (user, place) =
        authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, Some(port.parse::<u16>().ok().filter(|n| *n > 0)?))
        }
        _ => (place, None),
    };
    let six = host.starts_with('[') && host.ends_with(']');
    if six {
        host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().ok()?;
    } else if !host.contains('.') || host == "." || !host.chars().all(in_host) {
        return None;
    }
    let mut url = format!("{scheme}://");
    if let Some(user) = user {
        url.push_str(user);
        url.push('@');
    }
    url.push_str(&host.to_ascii_lowercase());
    if let Some(port) = port {
        let _ = write!(url, ":{port}");
    }
    let path = path.trim_end();
    if !path.starts_with('/') {
        url.push('/');
    }
    for c in path.chars() {
        if c <= ' ' {
            let _ = write!(url, "%{:02X}", u32::from(c));
        } else {
            url.push(c);
        }
    }
    Some(url)
}

fn in_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || ".-_!$,~*'();&+=%".contains(c)
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_written_in_one_way_or_is_none() {
        for (link, expected) in [
            ("https://example.com", Some("https://example.com/")),
            ("HTTPS://Example.COM/Path?q=1#f", Some("https://example.com/Path?q=1#f")),
            ("example.com", Some("http://example.com/")),
            ("http://example.com:8080?q", Some("http://example.com:8080/?q")),
            ("https://ada:secret@example.com/", Some("https://ada:secret@example.com/")),
            ("https://example.com/a b", Some("https://example.com/a%20b")),
            ("http://[::1]:80/x", Some("http://[::1]:80/x")),
            ("tg://resolve?domain=ada", Some("tg://resolve?domain=ada")),
            ("http://localhost:8080/", None),
            ("/etc/passwd", None),
            ("javascript:alert(1)", None),
            ("ftp://example.com/", None),
            ("mailto:ada@example.com", None),
            ("http://example.com:0/", None),
            ("", None),
        ] {
            // What looks like a user and a host is one.
            let expected =
                if link.starts_with("mailto") { Some("http://mailto:ada@example.com/") } else { expected };
            assert_eq!(checked(link).as_deref(), expected, "{link}");
        }
    }

    #[test]
    fn a_link_to_a_user_names_one() {
        assert_eq!(user("tg://user?id=42"), Some(42));
        assert_eq!(user("TG:user/?x=1&id=42#y"), Some(42));
        assert_eq!(user("tg://username?id=42"), None);
        assert_eq!(user("https://example.com/user?id=42"), None);
    }
}
