//! Shows a test every call of the host, as a JSON text frame to all connections.

use serde::Serialize;
use tidegate_guest::{Audience, Button, ButtonStyle, Format, Upload, page};

use crate::failure::{Failure, Kind};

/// A call of the host.
#[derive(Debug, Serialize)]
#[serde(tag = "call", rename_all = "lowercase")]
pub(crate) enum Shown<'a> {
    Send {
        /// The id of the new message. A failed send has none.
        id: Option<&'a str>,
        key: &'a str,
        chat: &'a str,
        thread: Option<&'a str>,
        text: &'a str,
        #[serde(with = "Markup")]
        format: Format,
        reply_to: Option<&'a str>,
        uploads: Vec<UploadShown<'a>>,
        buttons: Vec<ButtonShown<'a>>,
    },
    Edit {
        chat: &'a str,
        message: &'a str,
        text: &'a str,
        #[serde(with = "Markup")]
        format: Format,
        buttons: Vec<ButtonShown<'a>>,
    },
    React {
        chat: &'a str,
        message: &'a str,
        emoji: &'a str,
    },
    History {
        chat: &'a str,
        limit: u32,
    },
    Fetch {
        chat: &'a str,
        message: &'a str,
        wanted: Vec<&'a str>,
    },
    Acknowledge {
        press: &'a str,
        notice: Option<&'a str>,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct UploadShown<'a> {
    name: &'a str,
    media_type: &'a str,
    size: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct ButtonShown<'a> {
    action: &'a str,
    label: &'a str,
    #[serde(with = "Style")]
    style: ButtonStyle,
}

impl<'a> From<&'a Upload> for UploadShown<'a> {
    fn from(upload: &'a Upload) -> Self {
        Self { name: &upload.name, media_type: &upload.media_type, size: upload.size }
    }
}

impl<'a> From<&'a Button> for ButtonShown<'a> {
    fn from(button: &'a Button) -> Self {
        Self { action: &button.action, label: &button.label, style: button.style }
    }
}

#[derive(Serialize)]
#[serde(remote = "Format", rename_all = "lowercase")]
enum Markup {
    Plain,
    Markdown,
}

#[derive(Serialize)]
#[serde(remote = "ButtonStyle", rename_all = "lowercase")]
enum Style {
    Neutral,
    Positive,
    Negative,
}

/// A call, and the kind of its fault if it fails.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    call: &'a Shown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Kind>,
}

/// Shows a call to every connected test.
pub(crate) fn push(call: &Shown, failure: Option<&Failure>) {
    let outcome = Outcome { call, fault: failure.map(|failure| failure.fault) };
    // Plain structs with string keys: there is nothing in them that JSON could not say.
    page::push(Audience::All, &serde_json::to_string(&outcome).unwrap_or_default());
}

/// Returns the error frame: a frame was not valid, or could not be stored.
pub(crate) fn error(reason: &str) -> String {
    serde_json::json!({ "error": reason }).to_string()
}

/// Returns the answer to a ping.
pub(crate) fn pong(word: &str) -> String {
    serde_json::json!({ "pong": word }).to_string()
}
