//! The format of an answer, whole and as a stream of events.

use serde_json::{Value, json};

use super::request::Request;

/// Returns a message with this one block, as the answer to the request with this number.
pub(super) fn message(request: &Request, number: usize, block: &Value) -> Value {
    let calls = block.get("type").is_some_and(|kind| kind == "tool_use");
    json!({
        "id": format!("msg_{number}"),
        "type": "message",
        "role": "assistant",
        "model": request.body().get("model"),
        "content": [block],
        "stop_reason": if calls { "tool_use" } else { "end_turn" },
        "stop_sequence": null,
        "usage": {
            "input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0
        },
    })
}

/// Converts it to server-sent events: the block begins empty and is filled by one delta.
pub(super) fn stream(message: &Value) -> String {
    let block = message.pointer("/content/0").cloned().unwrap_or_default();
    let mut empty = block.clone();
    let delta = if let Some(text) = block.get("text") {
        merge(&mut empty, &json!({"text": ""}));
        json!({"type": "text_delta", "text": text})
    } else {
        merge(&mut empty, &json!({"input": {}}));
        let input = block.get("input").map(Value::to_string);
        json!({"type": "input_json_delta", "partial_json": input})
    };
    let mut start = message.clone();
    merge(&mut start, &json!({"content": [], "stop_reason": null}));
    let stop = json!({"stop_reason": message.get("stop_reason"), "stop_sequence": null});
    let events = [
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let event = |event: &Value| {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    };
    events.iter().map(event).collect()
}

/// Replaces fields of an object.
fn merge(object: &mut Value, fields: &Value) {
    if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
        object.extend(fields.clone());
    }
}
