//! HTTP requests to a channel's page, answered by its guest.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::{
    brief, state,
    upload::{self, Rejection},
};
use crate::{
    capability::files::Handles,
    gate::Origin,
    guest::{WebBody, WebRequest, WebResponse},
    hub::{Channel, Intake},
};

/// The largest body that is not an upload, in bytes.
const BODY: usize = 1 << 20;

/// Headers that a guest cannot set, because the host decides how the bytes are transferred.
const FRAMING: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];

/// Passes a request to the guest. The response is sent once the events are stored.
pub(super) async fn handle(State(channel): State<Arc<Channel>>, request: Request) -> Response {
    channel.breathe().await;
    // The parts of the page can be loaded at any time; a request that brings messages needs a session that receives
    // them.
    if !request.method().is_safe()
        && let Some(reason) = state::refusal(&channel).await
    {
        return state::refuse(&reason);
    }
    let (parts, body) = request.into_parts();
    let (body, handles) = match read(&channel, &parts, body).await {
        Ok(read) => read,
        Err(rejection) => return rejection.into_response(),
    };
    let request = WebRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect(),
        body,
    };
    let (answer, news) = match channel.guest().handle(request, handles).await {
        Ok(answer) => answer,
        Err(error) => return failed(&channel, &parts, StatusCode::BAD_GATEWAY, &error),
    };
    if parts.method.is_safe() && !news.events.is_empty() {
        // A page of another site can make a browser follow a link.
        let (method, path) = (brief(parts.method.as_str()), brief(parts.uri.path()));
        tracing::warn!("{}: {method} {path} brought an event, and was refused: use POST", channel.name());
        let text = "A GET or HEAD brings no message here. Use POST.\n";
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], text).into_response();
    }
    if channel.deaf().is_some() {
        // The journal is not this process's, so the effects of the call are not stored.
        return match (answer, news.events.is_empty()) {
            (Ok(response), true) => convert(response),
            (Err(fault), true) => failed(&channel, &parts, StatusCode::BAD_REQUEST, &fault),
            (_, false) => state::refuse("no session receives messages at the moment"),
        };
    }
    // Only a WebSocket can present the key, so this is a visitor's request.
    let mut intake = Intake::default();
    intake.add(news);
    match channel.take_in(Origin::Visitor, intake).await {
        Ok(deliveries) => {
            // The response need not wait for the session to read.
            if !deliveries.is_empty() {
                channel.drain_soon();
            }
            match answer {
                Ok(response) => convert(response),
                Err(fault) => failed(&channel, &parts, StatusCode::BAD_REQUEST, &fault),
            }
        }
        Err(error) => {
            tracing::error!("{}: {error}", channel.name());
            (StatusCode::INSUFFICIENT_STORAGE, format!("Nothing was stored: {error}\n")).into_response()
        }
    }
}

async fn read(channel: &Arc<Channel>, parts: &Parts, body: Body) -> Result<(WebBody, Handles), Rejection> {
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type.map(multer::parse_boundary) {
        Some(Ok(boundary)) => upload::read(channel, parts, body, boundary).await,
        _ => match to_bytes(body, BODY).await {
            Ok(bytes) => Ok((WebBody::Bytes(bytes.into()), Handles::default())),
            Err(_) => Err(Rejection::too_large(format!("A request may have {} MiB.\n", BODY >> 20))),
        },
    }
}

fn failed(channel: &Channel, parts: &Parts, status: StatusCode, error: &dyn std::error::Error) -> Response {
    let (method, path) = (brief(parts.method.as_str()), brief(parts.uri.path()));
    tracing::warn!("{}: {method} {path}: {error}", channel.name());
    (status, format!("The channel {} failed: {error}\n", channel.name())).into_response()
}

/// Converts a guest's response. Headers that are invalid or set by the host are left out.
fn convert(response: WebResponse) -> Response {
    let status = StatusCode::from_u16(response.status).ok().filter(|status| !status.is_informational());
    let Some(status) = status else {
        let text = format!("The channel answered with status {}, which is none.\n", response.status);
        return (StatusCode::BAD_GATEWAY, text).into_response();
    };
    let mut converted = Response::new(Body::from(response.body));
    *converted.status_mut() = status;
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !FRAMING.contains(&name)
        {
            converted.headers_mut().append(name, value);
        }
    }
    converted
}
