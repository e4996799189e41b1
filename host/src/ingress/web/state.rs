//! Whether a session receives what is written on the page: for pages, which learn nothing from a refused connection.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use crate::hub::{Channel, Condition};

/// `{"listening": true}`, or `{"listening": false, "waiting": BOOLEAN, "reason": "…"}`. `waiting` is true while the client
/// has not said yet whether the session receives messages.
pub(super) const PATH: &str = "/.well-known/tidegate";

/// The longest reason that fits into the frame which closes a WebSocket, in bytes (RFC 6455, 5.5).
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

/// Why no session receives messages at the moment, if so.
pub(super) async fn refusal(channel: &Arc<Channel>) -> Option<String> {
    match channel.deaf() {
        Some(reason) => Some(reason),
        None => channel.admits().await.err().map(|shut| format!("the channel is shut: {shut}")),
    }
}

/// The answer to a request that would bring messages.
pub(super) fn refuse(reason: &str) -> Response {
    // Another process may serve the page soon: the next request is to begin anew.
    let headers = [(header::RETRY_AFTER, "2"), (header::CONNECTION, "close")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, format!("No session receives this: {reason}.\n"))
        .into_response()
}

/// As much of a reason as a WebSocket can be closed with.
pub(super) fn short(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(CLOSE)).unwrap_or_default()
}
