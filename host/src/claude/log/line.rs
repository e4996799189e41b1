//! One line of the client's log of a server: a JSON object with a text, a time and a session.

use std::borrow::Cow;

use serde::Deserialize;

/// What a line tells, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The client begins to start the server.
    Starting,
    /// The handshake is done. The server that answered it calls itself so: `NAME VERSION`.
    Connected(Option<String>),
    /// The client takes channel messages of this server.
    Registered,
    /// It does not, for this reason.
    Skipped(String),
    /// It has taken one message.
    Receipt,
    /// Anything else.
    Other,
}

/// An entry, with when and for which session it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) entry: Entry,
    /// As the client writes times, and as [`crate::clock::iso`] does: texts that compare like times.
    pub(super) at: String,
    /// A client gets another one by `/clear`.
    pub(super) session: String,
}

/// How a line begins that tells of a message. Any text in it that could be of other origin stands behind this.
const RECEIPT: &[u8] = br#"{"debug":"notifications/claude/channel ("#;

const STARTING: &str = "Starting connection";
const CONNECTED: &str = "Connection established with capabilities: ";
const REGISTERED: &str = "Channel notifications registered";
const SKIPPED: &str = "Channel notifications skipped: ";
const RECEIVED: &str = "notifications/claude/channel (";

/// Whether the line tells that the client has taken a message. The quick way, for when there are many.
pub(super) fn is_receipt(line: &[u8]) -> bool {
    line.starts_with(RECEIPT)
}

#[derive(Deserialize)]
struct Object<'a> {
    /// What the client says. What the server has printed stands in `error` instead.
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
    /// None for what is not an object of this shape: a line that was cut, or of another layout.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let object: Object<'_> = serde_json::from_slice(line).ok()?;
        if object.timestamp.is_empty() {
            return None;
        }
        let entry = object.debug.as_deref().map_or(Entry::Other, Entry::parse);
        Some(Self { entry, at: object.timestamp.into_owned(), session: object.session.into_owned() })
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        if text.starts_with(RECEIVED) {
            Self::Receipt
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
            ("notifications/claude/channel (5 chars)", Entry::Receipt),
            ("MCP server process exited cleanly", Entry::Other),
            ("Server said: Channel notifications registered", Entry::Other),
        ] {
            let line = line(text);
            let parsed = Line::parse(line.as_bytes()).unwrap();
            assert_eq!(parsed.entry, expected, "{text}");
            assert_eq!((&*parsed.at, &*parsed.session), ("2026-11-24T23:18:25.777Z", "1ca5"));
            assert_eq!(is_receipt(line.as_bytes()), expected == Entry::Receipt, "{text}");
        }
    }

    #[test]
    fn what_the_server_prints_is_not_the_client_s_word() {
        let printed =
            r#"{"error":"Channel notifications registered","timestamp":"2026-11-24T23:18:25.777Z"}"#;
        assert_eq!(entry(printed), Some(Entry::Other));
        let printed =
            r#"{"error":"Server stderr: notifications/claude/channel (5 chars)","timestamp":"2026"}"#;
        assert!(!is_receipt(printed.as_bytes()));
        assert_eq!(entry(printed), Some(Entry::Other));
    }

    #[test]
    fn other_layouts_and_cut_lines_are_passed_over() {
        for line in [
            "",
            "{",
            r#"{"debug":"Channel notifications regis"#,
            r#"{"debug":"Channel notifications registered"}"#,
            r#"{"debug":7,"timestamp":"2026"}"#,
            "[]",
            "null",
            "2026-11-24 Channel notifications registered",
        ] {
            assert_eq!(entry(line), None, "{line}");
        }
    }
}
