//! The wire contract between the page and the channel: JSON text frames on `/ws`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tidegate_guest::{ButtonStyle, Format};

/// A frame from a client. Existing clients send only messages, so every frame that parses as a message is one.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged, expecting = "neither a message nor a press")]
pub(crate) enum FromPage<'a> {
    #[serde(borrow)]
    Message(Typed<'a>),
    #[serde(borrow)]
    Press(Pressed<'a>),
}

/// A message. Existing clients send only `id` and `text`.
#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Typed<'a> {
    /// The client's own id for the message.
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) text: Cow<'a, str>,
    #[serde(borrow, default, rename = "replyTo")]
    pub(crate) reply_to: Option<Cow<'a, str>>,
    /// The client's own id of the message whose text this one replaces.
    #[serde(borrow, default)]
    pub(crate) edits: Option<Cow<'a, str>>,
    /// Whether the client wants an acknowledgement once the message is stored. Such a client repeats the message until
    /// then, and guarantees that its ids never repeat.
    #[serde(default)]
    pub(crate) ack: bool,
}

/// A button of a prompt was pressed.
#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Pressed<'a> {
    /// The button's action.
    #[serde(borrow, rename = "press")]
    pub(crate) action: Cow<'a, str>,
    /// The prompt's id.
    #[serde(borrow, rename = "message")]
    pub(crate) prompt: Cow<'a, str>,
}

/// A frame to a client.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ToPage<'a> {
    Msg(&'a Said<'a>),
    Edit {
        id: &'a str,
        text: &'a str,
    },
    /// The session is working; valid for some seconds.
    Typing {
        ts: u64,
    },
    /// The message with this id is stored.
    Ack {
        id: &'a str,
    },
    /// A frame was not understood.
    Error {
        text: &'a str,
    },
    /// The messages before this connection was opened, oldest first.
    History {
        messages: &'a [Said<'a>],
    },
    /// A prompt is new, or has changed. Only browsers that may answer prompts get this frame and the next two.
    Prompt(&'a Prompt),
    /// All stored prompts, oldest first. A browser that gets this frame may answer them.
    Prompts {
        prompts: &'a [Prompt],
    },
    /// The result of a press on this page.
    Notice {
        text: &'a str,
    },
}

impl ToPage<'_> {
    pub(crate) fn encode(&self) -> String {
        // Plain structs with string keys: encoding cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// One message on the page.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Said<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) from: From,
    pub(crate) text: Cow<'a, str>,
    /// Milliseconds since the Unix epoch.
    pub(crate) ts: u64,
    #[serde(rename = "replyTo", default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<File<'a>>,
    /// Whether to show the text without rendering Markdown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) edited: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    User,
    Assistant,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct File<'a> {
    pub(crate) url: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
}

/// A permission prompt with buttons.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) id: String,
    pub(crate) text: String,
    /// The time of the prompt, in milliseconds since the Unix epoch.
    pub(crate) ts: u64,
    /// Whether to show the text without rendering Markdown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain: bool,
    /// The buttons; empty once the prompt is decided.
    pub(crate) buttons: Vec<Button>,
    /// The time of the decision, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Button {
    /// The value that a press sends back.
    pub(crate) action: String,
    pub(crate) label: String,
    pub(crate) style: Style,
}

/// The consequence that a button indicates.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Style {
    Neutral,
    Positive,
    Negative,
}

impl std::convert::From<tidegate_guest::Button> for Button {
    fn from(button: tidegate_guest::Button) -> Self {
        let style = match button.style {
            ButtonStyle::Neutral => Style::Neutral,
            ButtonStyle::Positive => Style::Positive,
            ButtonStyle::Negative => Style::Negative,
        };
        Self { action: button.action, label: button.label, style }
    }
}

/// Returns an id for a message or prompt of the session: its kind, the time, and random bytes, which distinguish two
/// ids of one millisecond.
pub(crate) fn new_id(kind: char, now: u64, random: &[u8]) -> String {
    let nonce = random.iter().fold(0_u64, |nonce, byte| nonce << 8 | u64::from(*byte));
    format!("{kind}{now}-{nonce:x}")
}

/// Returns whether [`new_id`] may have returned this id, for a message of the session or for a prompt: a page must not
/// use such an id.
pub(crate) fn is_given(id: &str) -> bool {
    let Some((now, nonce)) = id.strip_prefix(['m', 'p']).and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let all = |text: &str, fits: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(fits);
    all(now, u8::is_ascii_digit) && all(nonce, u8::is_ascii_hexdigit)
}

/// A message of the session, before it has an id.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) reply_to: Option<String>,
    pub(crate) file: Option<File<'static>>,
    pub(crate) format: Format,
}

impl Default for Draft {
    fn default() -> Self {
        Self { text: String::new(), reply_to: None, file: None, format: Format::Markdown }
    }
}

impl Draft {
    /// Assigns an id to the message.
    pub(crate) fn said(self, now: u64, random: &[u8]) -> Said<'static> {
        Said {
            id: new_id('m', now, random).into(),
            from: From::Assistant,
            text: self.text.into(),
            ts: now,
            reply_to: self.reply_to.map(Cow::from),
            file: self.file,
            plain: self.format == Format::Plain,
            edited: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_sessions_own_are_known() {
        for (id, expected) in [
            (new_id('m', 1_700_000_000_000, &[1, 2, 3, 255]).as_str(), true),
            (&new_id('p', 1, &[0]), true),
            ("u1700000000000-1", false),
            ("m1", false),
            ("m-1", false),
            ("m1-", false),
            ("mail-1", false),
            ("m1-x", false),
            ("", false),
        ] {
            assert_eq!(is_given(id), expected, "{id}");
        }
    }

    #[test]
    fn what_a_client_sends_is_told_apart() {
        fn typed<'a>(id: &'a str, text: &'a str) -> Typed<'a> {
            Typed { id: id.into(), text: text.into(), reply_to: None, edits: None, ack: false }
        }
        let page = Typed { reply_to: Some("m1".into()), ack: true, ..typed("u1", "hi") };
        let edit = Typed { edits: Some("u0".into()), ..typed("u1", "hi") };
        let press = Pressed { action: "allow \"it\"".into(), prompt: "p1".into() };
        for (frame, expected) in [
            // All fields that existing clients know.
            (r#"{"id":"u1","text":"a \"b\" ü"}"#, Some(FromPage::Message(typed("u1", "a \"b\" ü")))),
            (r#"{"id":"u1","text":"hi","replyTo":"m1","ack":true}"#, Some(FromPage::Message(page))),
            (r#"{"id":"u1","text":"hi","edits":"u0"}"#, Some(FromPage::Message(edit))),
            (r#"{"id":"u1","text":"hi","more":[{}]}"#, Some(FromPage::Message(typed("u1", "hi")))),
            (r#"{"press":"allow \"it\"","message":"p1"}"#, Some(FromPage::Press(press))),
            (
                r#"{"press":"allow","message":"p1","id":"u1","text":"hi"}"#,
                Some(FromPage::Message(typed("u1", "hi"))),
            ),
            (r#"{"press":"allow"}"#, None),
            (r#"{"press":7,"message":"p1"}"#, None),
            (r#"{"id":"u1"}"#, None),
            (r#"{"id":7,"text":"hi"}"#, None),
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(serde_json::from_str::<FromPage>(frame).ok(), expected, "{frame}");
        }
    }

    #[test]
    fn a_prompt_is_spelled_as_the_page_reads_it() {
        let button = |action: &str, style| tidegate_guest::Button {
            action: action.into(),
            label: action.to_uppercase(),
            style,
        };
        let mut prompt = Prompt {
            id: new_id('p', 7, &[1, 2]),
            text: "May **it**?".into(),
            ts: 7,
            plain: false,
            buttons: [
                button("a", ButtonStyle::Positive),
                button("b", ButtonStyle::Negative),
                button("c", ButtonStyle::Neutral),
            ]
            .map(Into::into)
            .to_vec(),
            decided: None,
        };
        assert_eq!(
            ToPage::Prompt(&prompt).encode(),
            r#"{"type":"prompt","id":"p7-102","text":"May **it**?","ts":7,"buttons":[{"action":"a","label":"A","style":"positive"},{"action":"b","label":"B","style":"negative"},{"action":"c","label":"C","style":"neutral"}]}"#
        );
        prompt.buttons.clear();
        prompt.decided = Some(8);
        assert_eq!(
            ToPage::Prompts { prompts: &[prompt] }.encode(),
            r#"{"type":"prompts","prompts":[{"id":"p7-102","text":"May **it**?","ts":7,"buttons":[],"decided":8}]}"#
        );
        assert_eq!(ToPage::Notice { text: "no" }.encode(), r#"{"type":"notice","text":"no"}"#);
    }

    #[test]
    fn a_message_has_the_fields_that_existing_clients_read() {
        let draft = Draft { text: "hi".into(), reply_to: Some("u1".into()), ..Draft::default() };
        let said = draft.said(1_700_000_000_000, &[1, 2]);
        assert_eq!(
            ToPage::Msg(&said).encode(),
            r#"{"type":"msg","id":"m1700000000000-102","from":"assistant","text":"hi","ts":1700000000000,"replyTo":"u1"}"#
        );
        assert_eq!(
            ToPage::Edit { id: "m1", text: "new" }.encode(),
            r#"{"type":"edit","id":"m1","text":"new"}"#
        );
    }

    #[test]
    fn a_stored_message_reads_back() {
        let file = File { url: "/files/a.png".into(), name: "a.png".into(), size: Some(3) };
        let said = Draft { file: Some(file), ..Draft::default() }.said(5, &[9]);
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<Said>(&text).unwrap(), said);
    }
}
