//! The scrubber: it removes secrets from everything that a request returns.

use std::{borrow::Cow, sync::Arc};

/// The replacement for a secret.
const REDACTED: &[u8] = b"[redacted]";

/// A channel's secrets, to be removed from what requests return. They are found as they are, percent-encoded, and as
/// JSON escapes: each byte in any of these forms, and each letter in either case, because hosts and names of headers
/// lose their case.
#[derive(Clone, Default)]
pub(super) struct Scrubber(Arc<[Vec<u8>]>);

/// The result of looking for a secret at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// A secret that takes this many bytes.
    Whole(usize),
    /// All remaining bytes could be the beginning of a secret.
    Beginning,
    No,
}

impl Scrubber {
    fn of(secrets: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut secrets: Vec<Vec<u8>> = secrets.filter(|secret| !secret.is_empty()).collect();
        // Longer secrets come first: of two that begin alike, the longer one is removed as a whole.
        secrets.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        secrets.dedup();
        Self(secrets.into())
    }

    /// Returns a scrubber that also removes these secrets.
    pub(super) fn with<'a>(&self, secrets: impl Iterator<Item = &'a str>) -> Self {
        let known = self.0.iter().cloned();
        Self::of(known.chain(secrets.map(|secret| secret.as_bytes().to_vec())))
    }

    /// Returns whether this secret is removed.
    pub(super) fn knows(&self, secret: &str) -> bool {
        self.0.iter().any(|known| known == secret.as_bytes())
    }

    /// Returns whether the text contains a secret.
    pub(super) fn finds(&self, text: &str) -> bool {
        matches!(self.text(text), Cow::Owned(_))
    }

    /// Returns the text without secrets.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut scrubbing = self.begin();
        let mut clean = scrubbing.push(text.as_bytes());
        clean.extend(scrubbing.finish());
        if clean == text.as_bytes() {
            Cow::Borrowed(text)
        } else {
            String::from_utf8_lossy(&clean).into_owned().into()
        }
    }

    /// Starts to scrub a stream.
    pub(super) fn begin(&self) -> Scrubbing {
        Scrubbing { scrubber: self.clone(), held: Vec::new() }
    }

    /// Returns whether a secret can begin with this byte.
    fn may_begin(&self, byte: u8) -> bool {
        matches!(byte, b'%' | b'\\')
            || self
                .0
                .iter()
                .any(|secret| secret.first().is_some_and(|first| first.eq_ignore_ascii_case(&byte)))
    }

    /// Looks for any secret at the start of the bytes. At the end of the stream, an incomplete secret does not count.
    fn look(&self, bytes: &[u8], end: bool) -> Found {
        let mut found = Found::No;
        for secret in self.0.iter() {
            match look(bytes, secret) {
                // Only if no longer secret can still become complete.
                Found::Whole(length) if found == Found::No => return Found::Whole(length),
                Found::Beginning if !end => found = Found::Beginning,
                _ => {}
            }
        }
        found
    }
}

/// Looks for this secret at the start of the bytes, each of its bytes in any of its forms.
fn look(bytes: &[u8], secret: &[u8]) -> Found {
    let Some((wanted, others)) = secret.split_first() else { return Found::Whole(0) };
    let mut found = Found::No;
    for form in [Form::Plain, Form::Percent, Form::Escape, Form::Unicode] {
        match form.look(bytes, *wanted) {
            Found::Whole(length) => match look(bytes.get(length..).unwrap_or_default(), others) {
                Found::Whole(rest) => return Found::Whole(length + rest),
                Found::Beginning => found = Found::Beginning,
                Found::No => {}
            },
            Found::Beginning => found = Found::Beginning,
            Found::No => {}
        }
    }
    found
}

/// The form in which a byte is written.
#[derive(Clone, Copy)]
enum Form {
    /// `/`
    Plain,
    /// `%2f`
    Percent,
    /// `\/`
    Escape,
    /// `\u002f`
    Unicode,
}

impl Form {
    fn look(self, bytes: &[u8], wanted: u8) -> Found {
        let prefix: &[u8] = match self {
            Self::Plain => b"",
            Self::Percent => b"%",
            Self::Escape => b"\\",
            Self::Unicode => b"\\u00",
        };
        let Some(rest) = bytes.strip_prefix(prefix) else {
            return if prefix.starts_with(bytes) { Found::Beginning } else { Found::No };
        };
        let digits = matches!(self, Self::Percent | Self::Unicode);
        match (rest, digits) {
            ([], _) | ([_], true) => Found::Beginning,
            ([byte, ..], false) if byte.eq_ignore_ascii_case(&wanted) => Found::Whole(prefix.len() + 1),
            ([high, low, ..], true)
                if hexadecimal(*high, *low).is_some_and(|byte| byte.eq_ignore_ascii_case(&wanted)) =>
            {
                Found::Whole(prefix.len() + 2)
            }
            _ => Found::No,
        }
    }
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// A stream that is being scrubbed.
pub(super) struct Scrubbing {
    scrubber: Scrubber,
    /// Bytes that may be the beginning of a secret.
    held: Vec<u8>,
}

impl Scrubbing {
    /// Adds a chunk. Returns the bytes that can be passed on.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        if self.scrubber.0.is_empty() {
            return chunk.to_vec();
        }
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(chunk);
        self.advance(&bytes, false)
    }

    /// Ends the stream. Returns the bytes that were held back.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.advance(&held, true)
    }

    fn advance(&mut self, bytes: &[u8], end: bool) -> Vec<u8> {
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let harmless = rest.iter().position(|byte| self.scrubber.may_begin(*byte)).unwrap_or(rest.len());
            let (before, from) = rest.split_at(harmless);
            clean.extend_from_slice(before);
            rest = match (self.scrubber.look(from, end), from.split_first()) {
                (_, None) => break,
                (Found::No, Some((first, others))) => {
                    clean.push(*first);
                    others
                }
                (Found::Whole(length), _) => {
                    clean.extend_from_slice(REDACTED);
                    from.get(length..).unwrap_or_default()
                }
                (Found::Beginning, _) => {
                    self.held = from.to_vec();
                    break;
                }
            };
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let scrubber = Scrubber::default().with(["12:a/b\"c"].into_iter());
        for text in [
            "12:a/b\"c",
            "12%3Aa%2Fb%22c",
            "12%3aa%2fb%22c",
            "%31%32%3a%61%2f%62%22%63",
            "12:a\\/b\\\"c",
            "12:a\\u002fb\\u0022c",
            "12:a%2Fb\\\"c",
            "12:A/b\"C",
            "12:%41/B\\u0022c",
        ] {
            assert_eq!(scrubber.text(&format!("<{text}>{text}")), "<[redacted]>[redacted]", "{text}");
        }
        for text in ["12:a/b", "12:a/b\"", "", "2:a/b\"c", "12%3Aa%2Fb%22", "12:a\\\\/b\"c"] {
            assert_eq!(scrubber.text(text), text);
            assert!(!scrubber.finds(text));
        }
    }

    #[test]
    fn of_two_secrets_that_begin_alike_the_longer_one_goes_whole() {
        let scrubber = Scrubber::default().with(["abc", "abcdef", "", "abc"].into_iter());
        assert_eq!(scrubber.text("abcdef abcde abc ab"), "[redacted] [redacted]de [redacted] ab");
        // At the end of the text, only the shorter secret can be complete.
        for text in ["abc", "abcd", "abcde"] {
            assert_eq!(scrubber.text(text), text.replace("abc", "[redacted]"));
        }
        let mut scrubbing = scrubber.begin();
        let mut clean = scrubbing.push(b"abcd");
        clean.extend(scrubbing.push(b"ex"));
        clean.extend(scrubbing.finish());
        assert_eq!(clean, b"[redacted]dex");
    }

    proptest! {
        /// No secret comes through, in any form and however the stream is divided into chunks.
        #[test]
        fn no_secret_comes_through(
            secret in "[!-~]{6,20}", before in "[ -~]{0,30}", after in "[ -~]{0,30}",
            forms in prop::collection::vec(0..4_u8, 20), cut in 1..9_usize,
        ) {
            let written: String = secret.bytes().zip(&forms).map(|(byte, form)| match form {
                0 => char::from(byte).to_string(),
                1 => format!("%{byte:02X}"),
                2 => format!("\\{}", char::from(byte)),
                _ => format!("\\u00{byte:02x}"),
            }).collect();
            let scrubber = Scrubber::default().with([secret.as_str()].into_iter());
            let text = format!("{before}{written}{after}");
            let mut scrubbing = scrubber.begin();
            let mut clean = Vec::new();
            for chunk in text.as_bytes().chunks(cut) {
                clean.extend(scrubbing.push(chunk));
            }
            clean.extend(scrubbing.finish());
            let clean = String::from_utf8(clean).unwrap();
            prop_assert_eq!(&clean, &scrubber.text(&text), "cut or not");
            prop_assert!(!clean.contains(&secret) && clean.contains("[redacted]"), "{}", clean);
        }

        /// Bytes without a secret are not changed.
        #[test]
        fn everything_else_comes_through(bytes: Vec<u8>, cut in 1..9_usize) {
            let scrubber = Scrubber::default().with(["0123456789:abcdef%\\\"/"].into_iter());
            let mut scrubbing = scrubber.begin();
            let mut clean = Vec::new();
            for chunk in bytes.chunks(cut) {
                clean.extend(scrubbing.push(chunk));
            }
            clean.extend(scrubbing.finish());
            prop_assert_eq!(clean, bytes);
        }
    }
}
