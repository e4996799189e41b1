//! Calling the Bot API: <https://core.telegram.org/bots/api>.
//!
//! Requests are data ([`Request`]), and so are answers and refusals: only [`call`] and [`download`] go through the host.
//! The token never comes here. The host puts it in front of a URL's path, which is why the URLs have only a method's
//! name or a file's path, and why the server's address can have no path of its own.

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
/// The server that everybody uses.
pub(crate) const DEFAULT_BASE: &str = "https://api.telegram.org";

/// The credential that goes in front of a method's name.
pub(crate) const BOT: &str = "bot";
/// The credential that goes in front of a file's path.
pub(crate) const FILE: &str = "file";

/// Calls one method and reads its result; a result that `read` makes nothing of counts as an answer that is broken.
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

/// Calls a method whose result says no more than that it is done.
pub(crate) fn command(request: &Request) -> Result<(), Error> {
    call(request, |_| Some(()))
}

/// Brings the file with this path, as `getFile` told it, into the inbox.
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
        // The host says so of an answer that is no success. What is not there now is not there later either.
        http::Failure::Network(text) if text.starts_with("HTTP 404") => {
            Fault::NotFound(format!("the file is not at Telegram any more: {text}"))
        }
        // Where the server answered, this says what.
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
