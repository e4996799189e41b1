//! Files that the session has sent, for the page to fetch.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio_util::io::ReaderStream;

use super::brief;
use crate::{capability::files::media_type, hub::Channel};

/// The content security policy of a published file: it may do nothing in a browser, not even on this page's own origin.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Serves a file that the session has sent.
pub(super) async fn serve(State(channel): State<Arc<Channel>>, Path(name): Path<String>) -> Response {
    let (file, length) = match channel.surroundings().files.published(&name).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!("{}: /files/{}: {error}", channel.name(), brief(&name));
            return (StatusCode::NOT_FOUND, "There is no such file (any more).\n").into_response();
        }
    };
    let media_type = media_type(&name);
    let shown = ["image/", "audio/", "video/"].iter().any(|kind| media_type.starts_with(kind));
    let disposition = if shown && media_type != "image/svg+xml" { "inline" } else { "attachment" };
    let mut response =
        Body::from_stream(ReaderStream::with_capacity(tokio::fs::File::from_std(file), 64 << 10))
            .into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, disposition.to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        // A published file never changes: another file gets another name.
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable".to_owned()),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    response
}
