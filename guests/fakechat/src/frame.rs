//! The wire contract between the page and the channel: JSON text frames on `/ws`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tidegate_guest::Format;

/// What a client sends. Existing clients send `id` and `text` only.
#[derive(Debug, Deserialize)]
pub(crate) struct FromPage<'a> {
    /// The client's own id for the message.
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) text: Cow<'a, str>,
    #[serde(borrow, default, rename = "replyTo")]
    pub(crate) reply_to: Option<Cow<'a, str>>,
    /// The client wants to be told once the message is stored, sends it again until it is, and vouches
    /// that its ids never repeat.
    #[serde(default)]
    pub(crate) ack: bool,
}

/// What a client gets.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ToPage<'a> {
    Msg(&'a Said<'a>),
    Edit {
        id: &'a str,
        text: &'a str,
    },
    /// The session is working; holds for some seconds.
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
    /// What was said before this connection was opened, oldest first.
    History {
        messages: &'a [Said<'a>],
    },
}

impl ToPage<'_> {
    pub(crate) fn encode(&self) -> String {
        // Plain structs with string keys: there is nothing in them that JSON could not say.
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
    /// To be shown as it is rather than as Markdown.
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

/// A message of the session's, before it has an id.
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
    /// Gives it an id: the time, and random bytes against two in one millisecond.
    pub(crate) fn said(self, now: u64, random: &[u8]) -> Said<'static> {
        let nonce = random.iter().fold(0_u64, |nonce, byte| nonce << 8 | u64::from(*byte));
        Said {
            id: format!("m{now}-{nonce:x}").into(),
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
    fn a_client_that_knows_only_id_and_text_is_understood() {
        let frame: FromPage = serde_json::from_str(r#"{"id":"u1","text":"a \"b\" ü"}"#).unwrap();
        assert_eq!((frame.id.as_ref(), frame.text.as_ref()), ("u1", "a \"b\" ü"));
        assert!(!frame.ack && frame.reply_to.is_none());
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
