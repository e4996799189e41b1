//! The same control for other languages than Rust: `POST /control/NAME` with JSON.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    base64,
    draft::Draft,
    fault::Fault,
    people::{Chat, User},
    record::Call,
    server::Server,
};

/// The default timeout of a wait, in milliseconds.
const PATIENCE_MS: u64 = 10_000;

#[derive(Deserialize)]
struct Says {
    from: User,
    chat: Option<Chat>,
    #[serde(flatten)]
    rest: Value,
}

#[derive(Deserialize)]
struct About {
    from: User,
    chat: Option<Chat>,
    #[serde(default)]
    message_id: i64,
    /// The text, the emoji, the name, or a button's data.
    #[serde(default)]
    text: String,
}

impl About {
    fn chat(&self) -> Chat {
        self.chat.clone().unwrap_or_else(|| self.from.chat())
    }
}

#[derive(Deserialize)]
struct Album {
    from: User,
    chat: Option<Chat>,
    drafts: Vec<Draft>,
}

#[derive(Deserialize)]
struct Update {
    kind: String,
    payload: Value,
}

#[derive(Deserialize)]
struct Wait {
    #[serde(default)]
    method: String,
    #[serde(default)]
    chat_id: i64,
    #[serde(default = "patience")]
    timeout_ms: u64,
}

fn patience() -> u64 {
    PATIENCE_MS
}

#[derive(Deserialize)]
struct One<T> {
    value: T,
}

type Outcome = Result<Value, serde_json::Error>;

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(body)
}

fn shown(call: &Call) -> Value {
    let files = call.files.iter().map(|file| {
        json!({
            "field": file.field,
            "name": file.name,
            "media_type": file.media_type,
            "base64": base64::encode(&file.bytes),
        })
    });
    json!({
        "method": call.method,
        "parameters": call.parameters,
        "files": files.collect::<Vec<_>>(),
        "age_ms": u64::try_from(call.at.elapsed().as_millis()).unwrap_or(u64::MAX),
        "faulted": call.faulted,
        "error": call.error.as_ref().map(|error| &error.description),
    })
}

/// Carries out one command; returns `None` if there is no such command.
fn command(server: &Server, name: &str, body: &Value) -> Option<Outcome> {
    let outcome = match name {
        "says" => says(server, body),
        "album" => read(body).map(|Album { from, chat, drafts }| {
            let chat = chat.unwrap_or_else(|| from.chat());
            json!(server.album(&from, &chat, drafts))
        }),
        "edits" => read(body)
            .map(|about: About| json!(server.edits(&about.from, &about.chat(), about.message_id, &about.text))),
        "presses" => read(body)
            .map(|about: About| json!(server.presses(&about.from, &about.chat(), about.message_id, &about.text))),
        "reacts" => read(body)
            .map(|about: About| json!(server.reacts(&about.from, &about.chat(), about.message_id, &about.text))),
        "topic" => read(body).map(|about: About| {
            json!({"message_thread_id": server.topic(&about.from, &about.chat(), &about.text).thread})
        }),
        "migrates" => {
            read(body).map(|about: About| json!({"chat_id": server.migrates(&about.from, &about.chat()).id}))
        }
        "adds_bot" => read(body).map(|about: About| json!(server.adds_bot(&about.from, &about.chat()))),
        "removes_bot" => read(body).map(|about: About| json!(server.removes_bot(&about.from, &about.chat()))),
        "blocks_bot" => read(body).map(|about: About| json!(server.blocks_bot(&about.from))),
        "unblocks_bot" => read(body).map(|about: About| json!(server.unblocks_bot(&about.from))),
        "knows" => read(body).map(|chat: Chat| json!(server.knows(&chat))),
        "update" => read(body).map(|Update { kind, payload }| json!(server.update(&kind, &payload))),
        "raw" => read(body).map(|One::<String> { value }| json!(server.raw(&value))),
        "expires" => read(body).map(|One::<String> { value }| json!(server.expires(&value))),
        "calls" => Ok(server.calls().iter().map(|call| shown(call)).collect()),
        "forget_calls" => Ok(json!(server.forget_calls())),
        "wait_for" => read(body).map(|wait: Wait| {
            let call = server.try_wait_for(&wait.method, Duration::from_millis(wait.timeout_ms));
            call.map_or(Value::Null, |call| shown(&call))
        }),
        "hears" => read(body).map(|wait: Wait| {
            let chat = Chat::group(wait.chat_id, "");
            json!(server.try_hears(&chat, Duration::from_millis(wait.timeout_ms)))
        }),
        "messages" => read(body).map(|wait: Wait| json!(server.messages(&Chat::group(wait.chat_id, "")))),
        "reaction" => read(body).map(|about: About| json!(server.reaction(&about.chat(), about.message_id))),
        "file" => read(body).map(|One::<String> { value }| {
            json!({"base64": server.file(&value).map(|bytes| base64::encode(&bytes))})
        }),
        "unconfirmed" => Ok(json!(server.unconfirmed())),
        "fault" => read(body).map(|fault: Fault| json!(server.fault(fault))),
        "release" => Ok(json!(server.release())),
        "clear_faults" => Ok(json!(server.clear_faults())),
        "latency" => read(body).map(|One::<u64> { value }| json!(server.latency(Duration::from_millis(value)))),
        "throttle" => read(body).map(|One::<bool> { value }| json!(server.throttle(value))),
        "count_bytes" => read(body).map(|One::<bool> { value }| json!(server.count_bytes(value))),
        "revoke" => Ok(json!(server.revoke())),
        "issue" => read(body).map(|One::<String> { value }| json!(server.issue(value))),
        "stop" => Ok(json!(server.stop())),
        "restart" => Ok(json!(server.restart())),
        _ => return None,
    };
    Some(outcome)
}

fn says(server: &Server, body: &Value) -> Outcome {
    let Says { from, chat, rest } = read(body)?;
    let draft: Draft = read(&rest)?;
    let chat = chat.unwrap_or_else(|| from.chat());
    Ok(json!(server.says(&from, &chat, draft)))
}

async fn serve_command(State(server): State<Arc<Server>>, Path(name): Path<String>, body: Bytes) -> Response {
    let body = if body.is_empty() { Ok(json!({})) } else { serde_json::from_slice(&body) };
    let body = match body {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    // Some commands wait.
    let done = tokio::task::spawn_blocking(move || command(&server, &name, &body)).await;
    match done {
        Ok(Some(Ok(value))) => {
            let kind = [(axum::http::header::CONTENT_TYPE, "application/json")];
            (kind, value.to_string()).into_response()
        }
        Ok(Some(Err(error))) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "no such command").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A server that can be controlled over HTTP.
pub struct Control {
    listener: tokio::net::TcpListener,
    server: Arc<Server>,
}

impl Control {
    /// Binds a free port of 127.0.0.1. It is not the server's port, because the server may be stopped.
    pub async fn bind(server: Server) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, server: Arc::new(server) })
    }

    /// Returns `http://127.0.0.1:PORT/control`.
    pub fn address(&self) -> std::io::Result<String> {
        Ok(format!("http://{}/control", self.listener.local_addr()?))
    }

    /// Serves until the runtime ends.
    pub async fn serve(self) -> std::io::Result<()> {
        let router = Router::new()
            .route("/control/{name}", post(serve_command))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(self.server);
        axum::serve(self.listener, router).await
    }
}
