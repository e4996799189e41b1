//! Refusals of calls.

use serde_json::{Value, json};

/// A refusal in Telegram's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {description}")]
pub struct ApiError {
    /// The HTTP status, and `error_code`.
    pub code: u16,
    /// The description with its prefix: `Bad Request: chat not found`.
    pub description: String,
    /// `retry_after`, in seconds.
    pub retry_after: Option<u32>,
    /// `migrate_to_chat_id`.
    pub migrate_to: Option<i64>,
}

impl ApiError {
    /// Creates a refusal with this code and the whole description.
    pub fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), retry_after: None, migrate_to: None }
    }

    /// Creates a 400; the description is without the prefix.
    pub fn bad_request(what: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", what.as_ref()))
    }

    /// Creates a 403; the description is without the prefix.
    pub fn forbidden(what: impl AsRef<str>) -> Self {
        Self::new(403, format!("Forbidden: {}", what.as_ref()))
    }

    /// Creates a 401, for a token that does not exist or was revoked.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    /// Creates a 429 with `parameters.retry_after`, in seconds.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, format!("Too Many Requests: retry after {retry_after}"))
        }
    }

    /// Returns the answer's body.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"ok": false, "error_code": self.code, "description": self.description});
        if let Some(seconds) = self.retry_after {
            body["parameters"] = json!({"retry_after": seconds});
        } else if let Some(chat) = self.migrate_to {
            body["parameters"] = json!({"migrate_to_chat_id": chat});
        }
        body
    }
}
