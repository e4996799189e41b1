//! A WebSocket on fakechat's page, the other end of the channel.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tungstenite::{ClientRequestBuilder, Message, WebSocket};

use crate::wait;

/// The timeout of one check for a new frame.
const LOOK: Duration = Duration::from_millis(20);

/// A page that is open in a browser.
pub(crate) struct Page {
    socket: WebSocket<TcpStream>,
    frames: Vec<Value>,
}

impl Page {
    /// Opens the page, with the key that makes it an approver's, if given. Waits until the page is served.
    pub(crate) fn open(
        port: u16,
        key: Option<&str>,
        patience: Duration,
        mut alive: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        wait::until("the channel's page", patience, || {
            alive()?;
            let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return Ok(None) };
            let query = key.map(|key| format!("?key={key}")).unwrap_or_default();
            let url = format!("ws://127.0.0.1:{port}/ws{query}");
            let request = ClientRequestBuilder::new(url.parse()?)
                .with_header("Origin", format!("http://127.0.0.1:{port}"));
            let (socket, _) = tungstenite::client(request, stream)
                .map_err(|error| anyhow::anyhow!("{error}"))
                .context("the channel's page refuses a WebSocket")?;
            socket.get_ref().set_read_timeout(Some(LOOK))?;
            Ok(Some(Self { socket, frames: Vec::new() }))
        })
    }

    /// Writes as the person at the page.
    pub(crate) fn say(&mut self, id: &str, text: &str) -> anyhow::Result<()> {
        self.send(&json!({"id": id, "text": text}))
    }

    /// Presses the button with this label below a prompt.
    pub(crate) fn press(&mut self, prompt: &Value, label: &str) -> anyhow::Result<()> {
        let buttons = prompt.get("buttons").and_then(Value::as_array).into_iter().flatten();
        let button = buttons.into_iter().find(|button| button.get("label").is_some_and(|text| text == label));
        let action = button
            .and_then(|button| button.get("action"))
            .with_context(|| format!("the page's prompt has no button {label}: {prompt}"))?;
        self.send(&json!({"press": action, "message": prompt.get("id")}))
    }

    fn send(&mut self, frame: &Value) -> anyhow::Result<()> {
        self.socket.send(Message::text(frame.to_string())).context("the channel's page is gone")
    }

    /// Returns the first result of `look` for a frame, including earlier frames. An error of `alive` ends the wait.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut alive: impl FnMut() -> anyhow::Result<()>,
        look: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        wait::until(what, patience, || {
            self.read()?;
            match self.frames.iter().find_map(&look) {
                Some(found) => Ok(Some(found)),
                None => alive().map(|()| None),
            }
        })
        .with_context(|| format!("the page has seen {}", json!(self.frames)))
    }

    /// Reads all frames that have arrived.
    fn read(&mut self) -> anyhow::Result<()> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => self.frames.push(serde_json::from_str(&text)?),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error).context("the channel's page is gone"),
            }
        }
    }
}

/// Returns whether this frame has that type.
pub(crate) fn is(frame: &Value, kind: &str) -> bool {
    frame.get("type").is_some_and(|found| found == kind)
}
