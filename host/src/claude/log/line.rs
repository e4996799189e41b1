//! One line of the client's log of a server: a JSON object with a text, a time and a session.

use std::borrow::Cow;

use serde::Deserialize;

use crate::clock;

/// A log line which says that the client has processed one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When the line was written, in milliseconds since the Unix epoch.
    pub at: u64,
    /// The length of the text as the client reports it, most likely in UTF-16 units.
    pub length: u64,
}

/// The content of a log line, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The client begins to start the server.
    Starting,
    /// The handshake is done. Holds the name and version of the server that answered it, as `NAME VERSION`.
    Connected(Option<String>),
    /// The client accepts channel messages from this server.
    Registered,
    /// The client does not accept channel messages, for this reason.
    Skipped(String),
    /// The client has processed one message, whose text has this length.
    Receipt(u64),
    /// Any other line.
    Other,
}

/// An entry with its time and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) entry: Entry,
    /// The time in milliseconds since the Unix epoch.
    pub(super) at: u64,
    /// The session id. `/clear` gives a client a new one.
    pub(super) session: String,
}

/// The beginning of a line about a processed message. Text from other sources can only come later in the line.
const RECEIPT: &str = r#"{"debug":"notifications/claude/channel ("#;

/// The text between the length and the time in such a line.
const LENGTH_END: &str = r#" chars)","timestamp":""#;

/// The length of a time such as `2026-11-24T23:18:25.777Z`, in bytes.
const TIME: usize = 24;

const STARTING: &str = "Starting connection";
const CONNECTED: &str = "Connection established with capabilities: ";
const REGISTERED: &str = "Channel notifications registered";
const SKIPPED: &str = "Channel notifications skipped: ";
const RECEIVED: &str = "notifications/claude/channel (";

impl Receipt {
    /// Parses a line in the layout that the client writes. Faster than [`Line::parse`], because there can be many such
    /// lines.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(RECEIPT.as_bytes())?;
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (length, rest) = rest.split_at_checked(digits)?;
        let time = rest.strip_prefix(LENGTH_END.as_bytes())?.get(..TIME)?;
        let at = clock::from_iso(std::str::from_utf8(time).ok()?)?;
        Some(Self { at, length: std::str::from_utf8(length).ok()?.parse().ok()? })
    }
}

#[derive(Deserialize)]
struct Object<'a> {
    /// A message of the client. The server's own output is in `error` instead.
    #[serde(borrow)]
    debug: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
    #[serde(borrow, default, rename = "sessionId")]
    session: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Capabilities<'a> {
    #[serde(borrow, rename = "serverVersion")]
    server: Option<Server<'a>>,
}

#[derive(Deserialize)]
struct Server<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

impl Line {
    /// Parses a line. Returns `None` if it is not an object of this shape, such as a truncated line or one in another
    /// layout.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let object: Object<'_> = serde_json::from_slice(line).ok()?;
        let at = clock::from_iso(&object.timestamp)?;
        let entry = object.debug.as_deref().map_or(Entry::Other, Entry::parse);
        Some(Self { entry, at, session: object.session.into_owned() })
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        if let Some(rest) = text.strip_prefix(RECEIVED) {
            let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
            Self::Receipt(digits.and_then(|digits| digits.parse().ok()).unwrap_or_default())
        } else if text.starts_with(REGISTERED) {
            Self::Registered
        } else if let Some(reason) = text.strip_prefix(SKIPPED) {
            Self::Skipped(reason.trim().to_owned())
        } else if let Some(capabilities) = text.strip_prefix(CONNECTED) {
            let known: Option<Capabilities<'_>> = serde_json::from_str(capabilities).ok();
            let server = known.and_then(|known| known.server);
            Self::Connected(server.map(|server| format!("{} {}", server.name, server.version)))
        } else if text.starts_with(STARTING) {
            Self::Starting
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Option<Entry> {
        Line::parse(line.as_bytes()).map(|line| line.entry)
    }

    #[test]
    fn the_client_s_lines_are_understood() {
        let line = |text: &str| {
            serde_json::json!({
                "debug": text, "timestamp": "2026-11-24T23:18:25.777Z", "sessionId": "1ca5", "cwd": "/tmp/project"
            })
            .to_string()
        };
        for (text, expected) in [
            ("Starting connection with timeout of 30000ms", Entry::Starting),
            (
                r#"Connection established with capabilities: {"hasTools":true,"serverVersion":{"name":"tidegate","version":"0.1.0+ab"},"protocolEra":"legacy"}"#,
                Entry::Connected(Some("tidegate 0.1.0+ab".to_owned())),
            ),
            (r#"Connection established with capabilities: {"hasTools":true}"#, Entry::Connected(None)),
            ("Connection established with capabilities: {\"has", Entry::Connected(None)),
            ("Channel notifications registered", Entry::Registered),
            (
                "Channel notifications skipped: channels feature is not currently available",
                Entry::Skipped("channels feature is not currently available".to_owned()),
            ),
            ("Channel notifications skipped: ", Entry::Skipped(String::new())),
            ("notifications/claude/channel (5 chars)", Entry::Receipt(5)),
            ("notifications/claude/channel (some chars)", Entry::Receipt(0)),
            ("MCP server process exited cleanly", Entry::Other),
            ("Server said: Channel notifications registered", Entry::Other),
        ] {
            let line = line(text);
            let parsed = Line::parse(line.as_bytes()).unwrap();
            assert_eq!(parsed.entry, expected, "{text}");
            let at = clock::from_iso("2026-11-24T23:18:25.777Z").unwrap();
            assert_eq!((parsed.at, &*parsed.session), (at, "1ca5"));
        }
        let line = br#"{"debug":"notifications/claude/channel (512 chars)","timestamp":"2026-11-24T23:18:25.777Z","sessionId":"1ca5"}"#;
        let Line { entry, at, .. } = Line::parse(line).unwrap();
        assert_eq!((entry, Receipt::parse(line)), (Entry::Receipt(512), Some(Receipt { at, length: 512 })));
    }

    #[test]
    fn what_the_server_prints_is_not_the_client_s_word() {
        for text in
            ["Channel notifications registered", "Server stderr: notifications/claude/channel (5 chars)"]
        {
            let printed = format!(r#"{{"error":"{text}","timestamp":"2026-11-24T23:18:25.777Z"}}"#);
            assert!(Receipt::parse(printed.as_bytes()).is_none());
            assert_eq!(entry(&printed), Some(Entry::Other));
        }
    }

    #[test]
    fn other_layouts_and_cut_lines_are_passed_over() {
        for line in [
            "",
            "{",
            r#"{"debug":"Channel notifications regis"#,
            r#"{"debug":"Channel notifications registered"}"#,
            r#"{"debug":7,"timestamp":"2026-11-24T23:18:25.777Z"}"#,
            r#"{"debug":"Channel notifications registered","timestamp":"2026"}"#,
            "[]",
            "null",
            "2026-11-24 Channel notifications registered",
        ] {
            assert_eq!(entry(line), None, "{line}");
        }
    }
}
