//! Calls of the Bot API: <https://core.telegram.org/bots/api>.
//!
//! Requests are data ([`Request`]), and so are answers and refusals: only [`call`] and [`download`] use the host's
//! HTTP. This module never has the token: the host inserts it in front of a URL's path. That is why the URLs have only
//! a method's name or a file's path, and why the server's address cannot have a path.

mod address;
mod answer;
mod error;
mod request;

use serde_json::value::RawValue;
use tidegate_guest::{Fault, Saved, environment, http, log};

pub(crate) use self::{
    answer::{integer, parse},
    error::{Error, Refusal},
    request::{Content, Request},
};

/// The setting with the server's address.
pub(crate) const BASE: &str = "api_base";
/// The default server.
pub(crate) const DEFAULT_BASE: &str = "https://api.telegram.org";

/// The credential that the host inserts before a method's name.
pub(crate) const BOT: &str = "bot";
/// The credential that the host inserts before a file's path.
pub(crate) const FILE: &str = "file";

/// Calls one method and reads its result. A result that `read` rejects counts as a broken answer.
pub(crate) fn call<R>(request: &Request, read: impl FnOnce(&RawValue) -> Option<R>) -> Result<R, Error> {
    let wire = http::Request {
        method: "POST".to_owned(),
        url: format!("{}/{}", base()?, request.method),
        headers: match request.content {
            Content::Json(_) => vec![("content-type".to_owned(), "application/json".to_owned())],
            Content::Form { .. } => Vec::new(),
        },
        body: request.content.body(),
        credential: Some(BOT.to_owned()),
        timeout_ms: request.timeout_ms,
    };
    let response = http::send(&wire).map_err(Error::from)?;
    let result = answer::read(response.status, &response.headers, &response.body, read);
    if let Err(Error::Refused(refusal)) = &result {
        log::write(
            log::Level::Debug,
            &format!("{}: {} {}", request.method, refusal.code, refusal.description),
        );
    }
    result
}

/// Calls a method whose result only confirms success.
pub(crate) fn command(request: &Request) -> Result<(), Error> {
    call(request, |_| Some(()))
}

/// Downloads the file with this path, as `getFile` returned it, into the inbox.
pub(crate) fn download(path: &str, name: &str) -> Result<Saved, Fault> {
    let wire = http::Request {
        method: "GET".to_owned(),
        url: format!("{}/{path}", base()?),
        headers: Vec::new(),
        body: http::Body::Empty,
        credential: Some(FILE.to_owned()),
        timeout_ms: None,
    };
    http::download(&wire, name).map_err(|failure| match failure {
        http::Failure::TooLarge(limit) => {
            Fault::Rejected(format!("the file is larger than the {limit} bytes that may be brought in"))
        }
        // The host reports an answer without success this way. A missing file stays missing.
        http::Failure::Network(text) if text.starts_with("HTTP 404") => {
            Fault::NotFound(format!("the file is not at Telegram any more: {text}"))
        }
        // If the server answered, this text has its answer.
        http::Failure::Network(text) => {
            Fault::Unavailable(format!("the file could not be brought in: {text}"))
        }
        failure => Error::from(failure).into(),
    })
}

fn base() -> Result<String, Fault> {
    let setting = environment::setting(BASE);
    address::origin(setting.as_deref().unwrap_or(DEFAULT_BASE)).map(str::to_owned)
}
