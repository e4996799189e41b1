//! Whether a session receives what is written on the page. Pages request it here, because a refused connection tells
//! them nothing.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use crate::hub::{Channel, Condition};

/// The path of the state: `{"listening": true}`, or `{"listening": false, "waiting": BOOLEAN, "reason": "…"}`.
/// `waiting` is true while the client has not said yet whether the session receives messages.
pub(super) const PATH: &str = "/.well-known/tidegate";

/// The longest reason that fits into the close frame of a WebSocket, in bytes (RFC 6455, 5.5).
const CLOSE: usize = 123;

pub(super) async fn show(State(channel): State<Arc<Channel>>) -> Response {
    let state = match refusal(&channel).await {
        None => json!({"listening": true}),
        Some(reason) => {
            let waiting = channel.condition() == Condition::Starting;
            json!({"listening": false, "waiting": waiting, "reason": reason})
        }
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, format!("{state}\n")).into_response()
}

/// Returns why no session receives messages at the moment, if so.
pub(super) async fn refusal(channel: &Arc<Channel>) -> Option<String> {
    match channel.deaf() {
        Some(reason) => Some(reason),
        None => channel.admits().await.err().map(|shut| format!("the channel is shut: {shut}")),
    }
}

/// Returns the answer to a request that would bring messages.
pub(super) fn refuse(reason: &str) -> Response {
    // Another process may serve the page soon, so the next request has to use a new connection.
    let headers = [(header::RETRY_AFTER, "2"), (header::CONNECTION, "close")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, format!("No session receives this: {reason}.\n"))
        .into_response()
}

/// Returns as much of a reason as fits into the close frame of a WebSocket.
pub(super) fn short(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(CLOSE)).unwrap_or_default()
}
