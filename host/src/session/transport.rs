//! Reads and writes rmcp's messages as lines on a byte stream, and keeps lines away from rmcp that it cannot handle.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rmcp::{
    RoleServer,
    model::{ClientRequest, JsonRpcMessage},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    sync::Notify,
};

use super::wire::Wire;

/// The longest line from a client, in bytes.
const LINE: usize = 16 << 20;

/// The error codes of JSON-RPC.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// The first request of newer clients. If rmcp answered it, they would choose a revision that carries no channel
/// messages. "Method not found" makes them use the handshake that does.
const DISCOVER: &str = "server/discover";

/// The two halves of a session, with the interface that rmcp needs.
pub(super) struct Transport<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// The rest of a line that is too long is being skipped.
    skipping: bool,
    /// A client has begun the handshake.
    initialized: bool,
    wire: Arc<Wire>,
    pending: Pending,
}

/// The requests that are still to be answered, and whether more can come.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<State>);

#[derive(Default)]
struct State {
    requests: AtomicUsize,
    answered: Notify,
    closed: tokio_util::sync::CancellationToken,
}

impl Pending {
    /// Waits until the client has closed its side.
    pub(super) async fn closed(&self) {
        self.0.closed.cancelled().await;
    }

    /// Waits until no request is under way.
    pub(super) async fn answered(&self) {
        while self.0.requests.load(Ordering::Acquire) > 0 {
            self.0.answered.notified().await;
        }
    }

    fn begin(&self) {
        self.0.requests.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        // A request that was cancelled is never answered, so the count may be too high, but not too low.
        let _ =
            self.0.requests.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| count.checked_sub(1));
        self.0.answered.notify_one();
    }
}

/// Ends the session: after the drop nothing reads from the client any more.
impl<R> Drop for Transport<R> {
    fn drop(&mut self) {
        self.pending.0.closed.cancel();
    }
}

impl<R: AsyncRead + Unpin> Transport<R> {
    pub(super) fn new(reader: R, wire: Arc<Wire>) -> (Self, Pending) {
        let pending = Pending::default();
        let transport = Self {
            reader: BufReader::with_capacity(16 << 10, reader),
            line: Vec::new(),
            skipping: false,
            initialized: false,
            wire,
            pending: pending.clone(),
        };
        (transport, pending)
    }

    /// Reads the next line into `self.line`. Returns false at the end of the stream. The future can be dropped and the
    /// method called again.
    async fn read_line(&mut self) -> bool {
        loop {
            let available = match self.reader.fill_buf().await {
                Ok([]) => return false,
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::debug!("the client cannot be read: {error}");
                    return false;
                }
            };
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            if !self.skipping {
                self.line.extend(available.iter().take(taken));
            }
            self.reader.consume(taken + usize::from(end.is_some()));
            if self.line.len() > LINE && !std::mem::replace(&mut self.skipping, true) {
                self.line = Vec::new();
                let text = format!("the line is longer than {} MiB", LINE >> 20);
                self.refuse(&Value::Null, INVALID_REQUEST, &text);
            }
            if end.is_some() {
                if !std::mem::take(&mut self.skipping) {
                    return true;
                }
                self.line.clear();
            }
        }
    }

    /// Parses `self.line`. Returns the message if it is one for rmcp; any other line has been answered here, or is
    /// ignored.
    fn parse(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let line = self.line.trim_ascii();
        if line.is_empty() {
            return None;
        }
        let value: Value = match serde_json::from_slice(line) {
            Ok(value) => value,
            Err(error) => {
                self.refuse(&Value::Null, PARSE_ERROR, &format!("the line is not JSON: {error}"));
                return None;
            }
        };
        let id = value.get("id").cloned().unwrap_or_default();
        let method = value.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        if method == DISCOVER {
            self.refuse(&id, METHOD_NOT_FOUND, "server/discover is not offered: use initialize");
            return None;
        }
        let message = serde_json::from_value(value);
        let initialize = matches!(
            &message,
            Ok(JsonRpcMessage::Request(request)) if matches!(request.request, ClientRequest::InitializeRequest(_))
        );
        if method == "initialize" && !initialize {
            let text = "initialize needs {\"protocolVersion\", \"capabilities\", \"clientInfo\"}, and an id";
            self.refuse(&id, INVALID_PARAMS, text);
            return None;
        }
        self.initialized |= initialize;
        match message {
            Ok(message) if self.initialized || matches!(message, JsonRpcMessage::Request(_)) => Some(message),
            // rmcp ends the session if anything except a request comes before the handshake.
            Ok(_) => {
                tracing::debug!("passed over {method:?}, which came before initialize");
                None
            }
            Err(error) => {
                self.refuse(&id, INVALID_REQUEST, &format!("the line is no JSON-RPC message: {error}"));
                None
            }
        }
    }

    fn refuse(&self, id: &Value, code: i32, message: &str) {
        tracing::debug!("refused a line: {message}");
        let line = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
        self.wire.send(|buffer| {
            buffer.extend_from_slice(line.to_string().as_bytes());
            buffer.push(b'\n');
        });
    }
}

impl<R: AsyncRead + Unpin + Send> rmcp::transport::Transport<RoleServer> for Transport<R> {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let mut result = Ok(());
        self.wire.send(|buffer| {
            let before = buffer.len();
            match serde_json::to_writer(&mut *buffer, &message) {
                Ok(()) => buffer.push(b'\n'),
                Err(error) => {
                    buffer.truncate(before);
                    result = Err(error.into());
                }
            }
        });
        if matches!(message, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)) {
            self.pending.end();
        }
        std::future::ready(result)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if !self.read_line().await {
                self.pending.0.closed.cancel();
                return None;
            }
            let message = self.parse();
            self.line.clear();
            self.line.shrink_to(64 << 10);
            if let Some(message) = message {
                if matches!(message, JsonRpcMessage::Request(_)) {
                    self.pending.begin();
                }
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
