//! Multipart uploads, streamed into the inbox and limited while they stream.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::Body,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt as _;
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::io::AsyncWriteExt as _;

use crate::{
    capability::files::{Handles, LocalFile, safe_name},
    guest::{Saved, WebBody, WebField},
    hub::Channel,
    text,
};

/// The most bytes that all texts of a form may have together.
const TEXT: usize = 1 << 20;
/// The most bytes that a form may have before and between its fields, in addition to one read.
const HELD: usize = 1 << 20;
/// The most fields of a form.
const FIELDS: usize = 64;

/// The answer to a request that is rejected.
pub(super) struct Rejection(StatusCode, String);

impl Rejection {
    pub(super) fn too_large(text: String) -> Self {
        Self(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    fn bad(text: String) -> Self {
        Self(StatusCode::BAD_REQUEST, text)
    }

    fn storage(error: &io::Error) -> Self {
        Self(StatusCode::INSUFFICIENT_STORAGE, format!("The file cannot be stored: {error}.\n"))
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        // The rest of the body is not read, so the connection ends here.
        (self.0, [(header::CONNECTION, "close")], self.1).into_response()
    }
}

pub(super) async fn read(
    channel: &Arc<Channel>,
    parts: &Parts,
    body: Body,
    boundary: String,
) -> Result<(WebBody, Handles), Rejection> {
    let descriptor = channel.descriptor();
    let most =
        u64::from(descriptor.max_uploads).saturating_mul(descriptor.max_upload).saturating_add(TEXT as u64);
    let announced =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > most) {
        return Err(too_large(descriptor.max_upload));
    }
    // The number of bytes that the parser was given since it last returned something: between fields it keeps all of
    // them.
    let held = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&held);
    let stream = body.into_data_stream().map_err(io::Error::other).and_then(move |chunk| {
        let held = counted.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
        std::future::ready(if held > HELD { Err(io::Error::other("a field has no end")) } else { Ok(chunk) })
    });
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(most));
    let mut multipart = Multipart::with_constraints(stream, boundary, limits);
    let (mut fields, mut handles, mut room) = (Vec::new(), Handles::default(), TEXT);
    while let Some(field) = multipart.next_field().await.map_err(|error| malformed(&error))? {
        if fields.len() == FIELDS {
            return Err(Rejection::bad(format!("A form may have {FIELDS} fields.\n")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        held.store(0, Ordering::Relaxed);
        let value = if field.file_name().is_some() {
            if handles.len() == descriptor.max_uploads as usize {
                return Err(Rejection::bad(format!("A form may have {} files.\n", descriptor.max_uploads)));
            }
            let file = save(channel, field, descriptor.max_upload, &held).await?;
            let (name, media_type, size) = (file.name.clone(), file.media_type.clone(), file.size);
            WebField::File(Saved { handle: handles.add(file), name, media_type, size })
        } else {
            WebField::Text(text(field, &mut room, &held).await?)
        };
        fields.push((name, value));
    }
    Ok((WebBody::Form(fields), handles))
}

async fn save(
    channel: &Arc<Channel>,
    mut field: Field<'_>,
    limit: u64,
    held: &AtomicUsize,
) -> Result<LocalFile, Rejection> {
    let name = safe_name(field.file_name().unwrap_or_default());
    let media_type = field.content_type().map(ToString::to_string).filter(|text| text.len() <= 100);
    let files = &channel.surroundings().files;
    let mut incoming = files.receive(&name).await.map_err(|error| Rejection::storage(&error))?;
    let Some(writer) = incoming.writer() else {
        return Err(Rejection::storage(&io::Error::other("it is already being written")));
    };
    let mut writer = tokio::fs::File::from_std(writer);
    let mut size = 0_u64;
    while let Some(chunk) = field.chunk().await.map_err(|error| malformed(&error))? {
        held.store(0, Ordering::Relaxed);
        size += chunk.len() as u64;
        if size > limit {
            return Err(too_large(limit));
        }
        writer.write_all(&chunk).await.map_err(|error| Rejection::storage(&error))?;
    }
    writer.flush().await.map_err(|error| Rejection::storage(&error))?;
    files.finish(incoming, media_type, size).await.map_err(|error| Rejection::storage(&error))
}

async fn text(field: Field<'_>, room: &mut usize, held: &AtomicUsize) -> Result<String, Rejection> {
    let bytes: Vec<u8> = field
        .map_err(|error| malformed(&error))
        .try_fold(Vec::new(), |mut bytes, chunk| {
            held.store(0, Ordering::Relaxed);
            bytes.extend_from_slice(&chunk);
            let fits = bytes.len() <= *room;
            std::future::ready(if fits {
                Ok(bytes)
            } else {
                Err(Rejection::too_large(format!(
                    "The texts of a form may have {} MiB together.\n",
                    TEXT >> 20
                )))
            })
        })
        .await?;
    *room -= bytes.len();
    String::from_utf8(bytes).map_err(|_| Rejection::bad("A text of the form is not UTF-8.\n".to_owned()))
}

fn too_large(limit: u64) -> Rejection {
    Rejection::too_large(format!("The file is too large: {} is the most.\n", text::size(limit)))
}

fn malformed(error: &multer::Error) -> Rejection {
    Rejection::bad(format!("The form is malformed or incomplete: {error}.\n"))
}
