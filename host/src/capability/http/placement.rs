//! Where a credential goes in a request.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use url::Url;

use super::host::HostPattern;

/// Where the host puts a credential's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the header with this name, after this text.
    Header(String, String),
    /// In front of the URL's path, after this text.
    Path(String),
    /// At this JSON pointer in a socket frame.
    Frame(String),
    /// Nowhere: the host only verifies signatures with it.
    Verify,
}

/// A secret that requests can carry.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The name by which the guest refers to it.
    pub name: String,
    /// The variable that holds its value.
    pub variable: String,
    /// The only hosts that it is sent to.
    pub hosts: Vec<HostPattern>,
    /// Where the host puts its value.
    pub place: Place,
}

/// The reason why a value cannot be placed. No message contains the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misplaced {
    /// The credential is for socket frames.
    #[error("it is for socket frames: no request carries it")]
    Frame,
    /// The credential is for verifying signatures.
    #[error("it is for checking signatures: no request carries it")]
    Verify,
    /// The channel declares a header that is not valid or that only the host may set.
    #[error("its header cannot be a header of a request")]
    Header,
    /// The user's value has characters that a header cannot contain.
    #[error("its value has characters that cannot be in a header: was it copied whole, and nothing else?")]
    HeaderValue,
    /// The user's value has characters that a URL's path cannot contain.
    #[error(
        "its value has characters that cannot be in a URL's path: was it copied whole, and nothing else?"
    )]
    PathValue,
}

impl Place {
    /// Returns the header that carries the value, if the value goes into a header.
    pub(super) fn header(&self) -> Option<HeaderName> {
        match self {
            Self::Header(name, _) => HeaderName::from_bytes(name.as_bytes()).ok(),
            Self::Path(_) | Self::Frame(_) | Self::Verify => None,
        }
    }

    /// Puts the value into a request.
    pub(super) fn put(&self, value: &str, url: &mut Url, headers: &mut HeaderMap) -> Result<(), Misplaced> {
        match self {
            Self::Header(_, before) => {
                let name = self.header().filter(|name| !is_the_hosts(name)).ok_or(Misplaced::Header)?;
                let visible = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
                if !visible(value) || !visible(before) {
                    return Err(Misplaced::HeaderValue);
                }
                let mut whole =
                    HeaderValue::from_str(&format!("{before}{value}")).map_err(|_| Misplaced::HeaderValue)?;
                whole.set_sensitive(true);
                headers.insert(name, whole);
                Ok(())
            }
            Self::Path(before) => {
                // The characters that a path segment may contain as they are (RFC 3986, pchar without
                // percent-encoding).
                let plain = |byte| {
                    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
                        || b"-._~!$&'()*+,;=:@".contains(&byte)
                };
                if !value.bytes().all(plain) || !before.starts_with('/') {
                    return Err(Misplaced::PathValue);
                }
                let path = format!("{before}{value}{}", url.path());
                url.set_path(&path);
                // The URL parser resolves `..`, so the path differs.
                if url.path() == path { Ok(()) } else { Err(Misplaced::PathValue) }
            }
            Self::Frame(_) => Err(Misplaced::Frame),
            Self::Verify => Err(Misplaced::Verify),
        }
    }
}

/// Returns whether only the host may set this header. These headers control the transfer of the bytes, or proxies:
/// neither a guest nor a credential sets them.
pub(super) fn is_the_hosts(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("proxy-")
        || matches!(
            name,
            "host"
                | "content-length"
                | "transfer-encoding"
                | "connection"
                | "keep-alive"
                | "te"
                // In a compressed response the scrubber would not find a secret.
                | "accept-encoding"
                | "trailer"
                | "upgrade"
                | "expect"
                | "http2-settings"
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(place: &Place, value: &str, url: &str) -> Result<(String, HeaderMap), Misplaced> {
        let (mut url, mut headers) = (Url::parse(url).unwrap(), HeaderMap::new());
        place.put(value, &mut url, &mut headers).map(|()| (url.to_string(), headers))
    }

    fn header(name: &str, before: &str) -> Place {
        Place::Header(name.into(), before.into())
    }

    #[test]
    fn a_value_goes_where_the_channel_has_said() {
        let (url, headers) =
            put(&Place::Path("/bot".into()), "12:aB-_", "https://a.example/getMe?x=1#f").unwrap();
        assert_eq!((url.as_str(), headers.len()), ("https://a.example/bot12:aB-_/getMe?x=1#f", 0));
        let (url, _) = put(&Place::Path("/file/bot".into()), "12:a", "https://a.example").unwrap();
        assert_eq!(url, "https://a.example/file/bot12:a/");
        let (url, headers) = put(&header("Authorization", "Bot "), "x y", "https://a.example/v").unwrap();
        assert_eq!(url, "https://a.example/v");
        assert_eq!(headers["authorization"], "Bot x y");
        assert!(headers["authorization"].is_sensitive());
    }

    #[test]
    fn a_value_that_would_be_more_than_a_value_is_refused() {
        let path = Place::Path("/".into());
        for value in ["a/b", "a?b", "a#b", "a%2fb", "a b", "ä", "a\r\nb", "a\\b", "..", "."] {
            assert_eq!(
                put(&path, value, "https://a.example/x").unwrap_err(),
                Misplaced::PathValue,
                "{value}"
            );
        }
        for value in ["a\r\nX: y", "a\nb", "a\0b", "ä", "a\tb"] {
            let error = put(&header("X-Key", ""), value, "https://a.example/x").unwrap_err();
            assert_eq!(error, Misplaced::HeaderValue, "{value:?}");
            assert!(!error.to_string().contains(value));
        }
        for name in ["Host", "content-length", "Proxy-Authorization", "Connection", "a b", "a\r\nb", ""] {
            assert_eq!(
                put(&header(name, ""), "x", "https://a.example").unwrap_err(),
                Misplaced::Header,
                "{name:?}"
            );
        }
        assert_eq!(
            put(&Place::Path("bot".into()), "x", "https://a.example").unwrap_err(),
            Misplaced::PathValue
        );
        assert_eq!(put(&Place::Frame("/d".into()), "x", "https://a.example").unwrap_err(), Misplaced::Frame);
        assert_eq!(put(&Place::Verify, "x", "https://a.example").unwrap_err(), Misplaced::Verify);
    }

    proptest! {
        /// For any value, the request goes to the same host, and the URL after the value does not change.
        #[test]
        fn a_value_changes_nothing_but_its_own_place(value: String) {
            let before = "https://a.example/getMe?x=1";
            if let Ok((url, _)) = put(&Place::Path("/bot".into()), &value, before) {
                prop_assert_eq!(url, format!("https://a.example/bot{value}/getMe?x=1"));
            }
            if let Ok((url, headers)) = put(&header("X-Key", "k "), &value, before) {
                prop_assert_eq!(url.as_str(), before);
                prop_assert_eq!(&headers["x-key"], &format!("k {value}"));
            }
        }
    }
}
