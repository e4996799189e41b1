//! The parameters of a call, in each supported encoding.

use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::{header, request::Parts},
};
use futures_util::StreamExt as _;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{
    error::ApiError,
    file::{UPLOAD, media_type},
};

/// The maximum size of a call without its files, in bytes.
const PARAMETERS: usize = 4 << 20;

/// Parameters that are JSON within a form.
const JSON: [&str; 10] = [
    "allowed_updates",
    "caption_entities",
    "commands",
    "entities",
    "link_preview_options",
    "media",
    "reaction",
    "reply_markup",
    "reply_parameters",
    "scope",
];
/// Parameters that are numbers.
const NUMBERS: [&str; 9] = [
    "chat_id",
    "duration",
    "height",
    "limit",
    "message_id",
    "message_thread_id",
    "offset",
    "timeout",
    "width",
];

/// A file of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The form field.
    pub field: String,
    /// The file name.
    pub name: String,
    /// The stated media type, or the one for the name.
    pub media_type: String,
    /// The content.
    pub bytes: Bytes,
}

/// The content of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) parameters: Map<String, Value>,
    pub(crate) files: Vec<Upload>,
}

impl Request {
    /// Reads the whole body: an unread body would reset the connection.
    pub(crate) async fn read(parts: &Parts, body: Body) -> Result<Self, ApiError> {
        let mut request = Self::default();
        if let Some(query) = parts.uri.query() {
            request.form(query);
        }
        let kind =
            parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "multipart/form-data" => {
                let mut body = body.into_data_stream();
                let outcome = request.multipart(kind, &mut body).await;
                // A form ends before its body does.
                while let Some(Ok(_)) = body.next().await {}
                outcome?;
            }
            "application/json" => {
                let bytes = collect(body).await?;
                if !bytes.is_empty() {
                    let Ok(Value::Object(parameters)) = serde_json::from_slice(&bytes) else {
                        return Err(ApiError::bad_request("can't parse JSON object"));
                    };
                    request.parameters.extend(parameters);
                }
            }
            _ => {
                let bytes = collect(body).await?;
                request.form(&String::from_utf8_lossy(&bytes));
            }
        }
        request.tidy();
        Ok(request)
    }

    fn form(&mut self, form: &str) {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.parameters.insert(decode(name), decode(value).into());
        }
    }

    async fn multipart(&mut self, content_type: &str, body: &mut BodyDataStream) -> Result<(), ApiError> {
        let broken = |_| ApiError::bad_request("can't parse multipart/form-data");
        let boundary = multer::parse_boundary(content_type).map_err(broken)?;
        let mut parts = multer::Multipart::new(body, boundary);
        let mut room = UPLOAD + PARAMETERS;
        let mut too_large = false;
        while let Some(mut part) = parts.next_field().await.map_err(broken)? {
            let field = part.name().unwrap_or_default().to_owned();
            let name = part.file_name().map(ToOwned::to_owned);
            let kind = part.content_type().map(ToString::to_string);
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(broken)? {
                too_large |= chunk.len() > room || bytes.len() + chunk.len() > UPLOAD;
                room = room.saturating_sub(chunk.len());
                if !too_large {
                    bytes.extend_from_slice(&chunk);
                }
            }
            match name {
                Some(name) => {
                    let media_type = kind.unwrap_or_else(|| media_type(&name).to_owned());
                    self.files.push(Upload { field, name, media_type, bytes: bytes.into() });
                }
                None => {
                    self.parameters.insert(field, String::from_utf8_lossy(&bytes).into_owned().into());
                }
            }
        }
        if too_large { Err(ApiError::new(413, "Request Entity Too Large")) } else { Ok(()) }
    }

    /// Converts a form's texts into the values that JSON would have.
    fn tidy(&mut self) {
        for (name, value) in &mut self.parameters {
            let Value::String(text) = &*value else { continue };
            let tidied = if JSON.contains(&name.as_str()) {
                serde_json::from_str(text).ok()
            } else if NUMBERS.contains(&name.as_str()) {
                text.trim().parse::<i64>().ok().map(Value::from)
            } else {
                None
            };
            if let Some(tidied) = tidied {
                *value = tidied;
            }
        }
    }

    /// Returns the parameter as text; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        match self.parameters.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }

    /// Returns the parameter as a number; zero if there is none.
    pub(crate) fn number(&self, name: &str) -> i64 {
        match self.parameters.get(name) {
            Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
            Some(Value::String(text)) => text.trim().parse().unwrap_or(0),
            _ => 0,
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        ["true", "yes", "1"].contains(&self.text(name).to_ascii_lowercase().as_str())
    }

    /// Returns the parameter as a JSON value, if it is there. Fails if it is text that is not JSON.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, ()> {
        match self.parameters.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| ()),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    pub(crate) fn file(&self, field: &str) -> Option<&Upload> {
        self.files.iter().find(|file| file.field == field)
    }
}

async fn collect(body: Body) -> Result<Vec<u8>, ApiError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut too_large = false;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body ends too early"))?;
        too_large |= bytes.len() + chunk.len() > PARAMETERS;
        if !too_large {
            bytes.extend_from_slice(&chunk);
        }
    }
    if too_large { Err(ApiError::new(413, "Request Entity Too Large")) } else { Ok(bytes) }
}
