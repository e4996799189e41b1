//! A scripted stand-in for the model: `POST /v1/messages` on loopback, whole or as a stream.
//!
//! The run defines which tool call answers which prompt ([`Script`]), and later reads the requests that the client has
//! sent.

mod answer;
mod request;
mod script;

use std::{
    fs::File,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::{
    request::{Request, ToolResult},
    script::{Call, PUSH, Script},
};
use crate::wait;

/// The stand-in. It ends when it is dropped.
pub(crate) struct Model {
    shared: Arc<Shared>,
    address: SocketAddr,
    _runtime: Runtime,
}

struct Shared {
    state: Mutex<Conversation>,
}

struct Conversation {
    script: Script,
    requests: Vec<Request>,
    /// The number of tool calls in answers, which makes their ids unique.
    calls: u64,
    log: File,
}

impl Shared {
    fn conversation(&self) -> MutexGuard<'_, Conversation> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    /// Listens on a free port. Writes each request as a line of the file `log`.
    pub(crate) fn start(script: Script, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let conversation = Conversation { script, requests: Vec::new(), calls: 0, log };
        let shared = Arc::new(Shared { state: Mutex::new(conversation) });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let guard = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        drop(guard);
        let router =
            Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        runtime.spawn(async { axum::serve(listener, router).await });
        Ok(Self { shared, address, _runtime: runtime })
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls this tool when a prompt contains `cue`, once.
    pub(crate) fn expect(&self, cue: &str, call: Call) {
        self.shared.conversation().script.add(cue, call);
    }

    /// Returns the first result of `look` for a request, oldest first. An error of `alive` ends the wait.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        mut alive: impl FnMut() -> anyhow::Result<()>,
        look: impl Fn(&Request) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut seen = 0;
        wait::until(what, patience, || {
            {
                let conversation = self.shared.conversation();
                let new = conversation.requests.iter().skip(seen);
                if let Some(found) = new.into_iter().find_map(&look) {
                    return Ok(Some(found));
                }
                seen = conversation.requests.len();
            }
            alive().map(|()| None)
        })
    }
}

async fn serve(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    match (method, uri.path()) {
        (Method::POST, "/v1/messages/count_tokens") => {
            (json, json!({"input_tokens": 1}).to_string()).into_response()
        }
        (Method::POST, "/v1/messages") => match serde_json::from_slice::<Value>(&body) {
            Ok(body) => {
                let stream = body.get("stream").is_some_and(|stream| stream == true);
                let message = shared.conversation().answer(Request::new(body));
                if stream {
                    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
                    (kind, answer::stream(&message)).into_response()
                } else {
                    (json, message.to_string()).into_response()
                }
            }
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        },
        _ => (StatusCode::NOT_FOUND, json, "{}").into_response(),
    }
}

impl Conversation {
    fn answer(&mut self, request: Request) -> Value {
        // The log is only for people who look for a mistake.
        let _ = writeln!(self.log, "{}", request.body());
        let block = match self.script.answer(&request) {
            script::Answer::Text(text) => json!({"type": "text", "text": text}),
            script::Answer::Call { cue, call } => {
                self.calls += 1;
                let id = format!("{}{}", request::id_prefix(&cue), self.calls);
                json!({"type": "tool_use", "id": id, "name": call.tool, "input": call.input})
            }
        };
        let message = answer::message(&request, self.requests.len(), &block);
        self.requests.push(request);
        message
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
    };

    use super::*;

    fn model() -> (Model, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let script = Script::new("mcp__x__reply".into(), None);
        (Model::start(script, &folder.path().join("requests.jsonl")).unwrap(), folder)
    }

    /// Sends a request and returns the status and the body.
    fn post(model: &Model, path: &str, body: &Value) -> (u16, String) {
        let mut stream = TcpStream::connect(model.address).unwrap();
        let body = body.to_string();
        write!(stream, "POST {path} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn prompt(text: &str, stream: bool) -> Value {
        json!({
            "model": "m", "stream": stream, "tools": [{"name": "mcp__x__reply", "input_schema": {}}],
            "messages": [{"role": "user", "content": text}]
        })
    }

    #[test]
    fn a_cue_is_answered_with_its_call_in_one_piece_and_as_a_stream() {
        let (model, folder) = model();
        let input = json!({"text": "é \"quoted\""});
        model.expect("say-it", Call { tool: "mcp__x__reply".into(), input: input.clone() });
        let (status, body) = post(&model, "/v1/messages?beta=true", &prompt("please say-it now", false));
        let message: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &message["stop_reason"]), (200, &json!("tool_use")));
        assert_eq!(message["content"][0]["input"], input);
        assert_eq!(message["model"], "m");

        let (_, body) = post(&model, "/v1/messages", &prompt("please say-it now", true));
        let events: Vec<Value> = body
            .split("\n\n")
            .filter_map(|event| event.split_once("\ndata: "))
            .map(|(name, data)| {
                let data: Value = serde_json::from_str(data).unwrap();
                assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
                data
            })
            .collect();
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
        assert_eq!(events[1]["content_block"]["name"], "mcp__x__reply");
        let partial = events[2]["delta"]["partial_json"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(partial).unwrap(), input);
        assert_eq!(events[4]["delta"]["stop_reason"], "tool_use");

        let log = std::fs::read_to_string(folder.path().join("requests.jsonl")).unwrap();
        assert_eq!(log.lines().count(), 2);
        let found =
            model.wait("a prompt", Duration::ZERO, || Ok(()), |request| request.body()["stream"].as_bool());
        assert!(!found.unwrap(), "the oldest comes first");
    }

    #[test]
    fn other_questions_have_plain_answers() {
        let (model, _folder) = model();
        let (_, body) = post(&model, "/v1/messages", &prompt("hello", false));
        let message: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&message["content"][0]["text"], &message["stop_reason"]),
            (&json!("ok"), &json!("end_turn"))
        );
        let (_, body) = post(&model, "/v1/messages", &prompt("hello", true));
        assert!(body.contains("text_delta") && body.contains("end_turn"), "{body}");
        let count = post(&model, "/v1/messages/count_tokens?beta=true", &json!({}));
        assert_eq!(count, (200, "{\"input_tokens\":1}".to_owned()));
        assert_eq!(post(&model, "/v1/other", &json!({})), (404, "{}".to_owned()));
    }

    #[test]
    fn waiting_ends_with_the_client() {
        let (model, _folder) = model();
        let gone = || anyhow::bail!("the client has ended");
        let error = model.wait("a prompt", Duration::from_mins(1), gone, |_| None::<()>).unwrap_err();
        assert_eq!(error.to_string(), "the client has ended");
    }
}
