//! Files: people's files, bots' uploads, and downloads.

use std::{collections::HashMap, str::FromStr};

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{base64, error::ApiError, image};

/// The largest file that a bot can download, in bytes.
pub(crate) const DOWNLOAD: u64 = 20 << 20;
/// The largest file that a bot can send, in bytes.
pub(crate) const UPLOAD: usize = 50 << 20;
/// The largest picture that can be sent as a photo, in bytes.
const PHOTO: usize = 10 << 20;

/// The kind that a file is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as in the Bot API")]
pub enum MediaKind {
    Animation,
    Audio,
    Document,
    Photo,
    Sticker,
    Video,
    VideoNote,
    Voice,
}

impl MediaKind {
    /// Returns the field of a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Animation => "animation",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Photo => "photo",
            Self::Sticker => "sticker",
            Self::Video => "video",
            Self::VideoNote => "video_note",
            Self::Voice => "voice",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Animation => "animations",
            Self::Audio => "music",
            Self::Document => "documents",
            Self::Photo => "photos",
            Self::Sticker => "stickers",
            Self::Video => "videos",
            Self::VideoNote => "video_notes",
            Self::Voice => "voice",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Photo => "AgACAgIAAxkBAAIB",
            Self::Voice => "AwACAgIAAxkBAAIB",
            Self::Video => "BAACAgIAAxkBAAIB",
            Self::Document => "BQACAgIAAxkBAAIB",
            Self::Animation => "CgACAgIAAxkBAAIB",
            Self::Audio => "CQACAgIAAxkBAAIB",
            Self::VideoNote => "DQACAgIAAxkBAAIB",
            Self::Sticker => "CAACAgIAAxkBAAIB",
        }
    }
}

impl FromStr for MediaKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name))
            .map_err(|_| ())
    }
}

/// A file that a person sends to the bot.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Described")]
pub struct File {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
    pub(crate) size: Option<u64>,
    pub(crate) path: Option<String>,
}

impl File {
    /// Creates a file with this name and content; its media type follows from the name.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let name = name.into();
        Self {
            media_type: media_type(&name).to_owned(),
            name,
            bytes: Bytes::from(bytes.into()),
            size: None,
            path: None,
        }
    }

    /// Sets another media type.
    #[must_use]
    pub fn media_type(self, media_type: impl Into<String>) -> Self {
        Self { media_type: media_type.into(), ..self }
    }

    /// Reports this size instead, in bytes. From 20 MiB on `getFile` refuses it.
    #[must_use]
    pub fn claiming(self, size: u64) -> Self {
        Self { size: Some(size), ..self }
    }

    /// Sets the `file_path` that `getFile` returns: `../../etc/passwd`, `https://…`, any text.
    #[must_use]
    pub fn at_path(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }
}

/// A file in the control API.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: String,
    media_type: Option<String>,
    base64: Option<String>,
    text: Option<String>,
    size: Option<u64>,
    path: Option<String>,
}

impl TryFrom<Described> for File {
    type Error = &'static str;

    fn try_from(file: Described) -> Result<Self, &'static str> {
        let bytes = match (file.base64, file.text) {
            (Some(encoded), _) => base64::decode(&encoded).ok_or("`base64` is no base64")?,
            (None, text) => text.unwrap_or_default().into_bytes(),
        };
        let new = Self::new(file.name, bytes);
        let media_type = file.media_type.unwrap_or_else(|| new.media_type.clone());
        Ok(Self { media_type, size: file.size, path: file.path, ..new })
    }
}

/// Returns the media type for a file name, for the types that matter here.
pub(crate) fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "gif" => "image/gif",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "md" | "txt" | "log" | "rs" => "text/plain",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "oga" | "ogg" => "audio/ogg",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "webp" => "image/webp",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

struct Stored {
    unique: String,
    kind: MediaKind,
    bytes: Bytes,
    size: u64,
    path: String,
    /// The value that a message shows.
    shown: Value,
}

/// All files, by the id that bots see and by their download path.
#[derive(Default)]
pub(crate) struct Files {
    by_id: HashMap<String, Stored>,
    by_path: HashMap<String, String>,
    count: u64,
}

impl Files {
    /// Stores a file that a person sends; returns the value for the message.
    pub(crate) fn add(&mut self, kind: MediaKind, file: &File) -> Value {
        let dimensions = image::dimensions(&file.bytes).unwrap_or((640, 480));
        self.keep(kind, file, dimensions)
    }

    /// Stores a bot's upload, if Telegram accepts it as this kind.
    pub(crate) fn upload(&mut self, kind: MediaKind, file: &File) -> Result<Value, ApiError> {
        if file.bytes.is_empty() {
            return Err(ApiError::bad_request("file must be non-empty"));
        }
        let found = image::dimensions(&file.bytes);
        if kind == MediaKind::Photo {
            if file.bytes.len() > PHOTO {
                return Err(ApiError::bad_request(format!(
                    "file of size {} bytes is too big for a photo; the maximum size is {PHOTO} bytes",
                    file.bytes.len()
                )));
            }
            let (width, height) = found.ok_or_else(|| ApiError::bad_request("IMAGE_PROCESS_FAILED"))?;
            let (long, short) = (width.max(height), width.min(height));
            if width + height > 10_000 || long > 20 * short {
                return Err(ApiError::bad_request("PHOTO_INVALID_DIMENSIONS"));
            }
        }
        Ok(self.keep(kind, file, found.unwrap_or((0, 0))))
    }

    fn keep(&mut self, kind: MediaKind, file: &File, (width, height): (u32, u32)) -> Value {
        let size = file.size.unwrap_or(file.bytes.len() as u64);
        let mut one = |suffix: &str| {
            self.count += 1;
            let number = self.count;
            let extension = file.name.rsplit_once('.').map_or_else(String::new, |(_, end)| format!(".{end}"));
            let path = file.path.clone();
            let path = path.unwrap_or_else(|| format!("{}/file_{number}{extension}", kind.folder()));
            let id = format!("{}{number:016x}-_{suffix}", kind.prefix());
            let unique = format!("AQAD{number:012x}");
            let mut shown = json!({"file_id": id, "file_unique_id": unique, "file_size": size});
            if matches!(
                kind,
                MediaKind::Animation | MediaKind::Audio | MediaKind::Document | MediaKind::Video
            ) {
                shown["file_name"] = file.name.as_str().into();
            }
            if !matches!(kind, MediaKind::Photo | MediaKind::Sticker | MediaKind::VideoNote) {
                shown["mime_type"] = file.media_type.as_str().into();
            }
            let stored = Stored { unique, kind, bytes: file.bytes.clone(), size, path, shown: shown.clone() };
            self.by_path.insert(stored.path.clone(), id.clone());
            self.by_id.insert(id, stored);
            shown
        };
        match kind {
            MediaKind::Photo => {
                let sizes = [90, 320, 800, 1280].into_iter().scan(false, |done, edge: u32| {
                    let long = width.max(height).max(1);
                    let enough = std::mem::replace(done, edge >= long);
                    (!enough).then(|| {
                        let scaled = |side: u32| (side * edge.min(long) / long).max(1);
                        (edge, scaled(width), scaled(height))
                    })
                });
                let mut shown: Vec<Value> = Vec::new();
                for (edge, width, height) in sizes {
                    let mut size = one(match edge {
                        90 => "s",
                        320 => "m",
                        800 => "x",
                        _ => "y",
                    });
                    size["width"] = width.into();
                    size["height"] = height.into();
                    shown.push(size);
                }
                let shown = Value::Array(shown);
                self.remember(&shown);
                shown
            }
            MediaKind::Audio | MediaKind::Voice => {
                let mut shown = one("");
                shown["duration"] = 1.into();
                shown
            }
            MediaKind::Document => one(""),
            MediaKind::Sticker => {
                let mut shown = one("");
                shown["type"] = "regular".into();
                shown["is_animated"] = false.into();
                shown["is_video"] = false.into();
                shown["width"] = width.into();
                shown["height"] = height.into();
                shown
            }
            MediaKind::VideoNote => {
                let mut shown = one("");
                shown["length"] = width.into();
                shown["duration"] = 1.into();
                shown
            }
            MediaKind::Animation | MediaKind::Video => {
                let mut shown = one("");
                shown["width"] = width.into();
                shown["height"] = height.into();
                shown["duration"] = 1.into();
                shown
            }
        }
    }

    /// Stores the whole photo for each size, so that sending one size again sends all of them.
    fn remember(&mut self, photo: &Value) {
        for size in photo.as_array().into_iter().flatten() {
            if let Some(stored) = size["file_id"].as_str().and_then(|id| self.by_id.get_mut(id)) {
                stored.shown = photo.clone();
            }
        }
    }

    /// Returns the value for a message with a stored file.
    pub(crate) fn again(&self, kind: MediaKind, id: &str) -> Result<Value, ApiError> {
        match self.by_id.get(id) {
            Some(stored) if stored.kind == kind => Ok(stored.shown.clone()),
            Some(stored) => Err(ApiError::bad_request(format!(
                "can't use file of type {} as {}",
                capitalised(stored.kind.as_str()),
                capitalised(kind.as_str())
            ))),
            None if id.starts_with("http://") || id.starts_with("https://") => {
                Err(ApiError::bad_request("failed to get HTTP URL content"))
            }
            None => Err(ApiError::bad_request("wrong file identifier/HTTP URL specified")),
        }
    }

    /// Handles `getFile`.
    pub(crate) fn get(&self, id: &str) -> Result<Value, ApiError> {
        if id.is_empty() {
            return Err(ApiError::bad_request("file_id not specified"));
        }
        let stored = self.by_id.get(id).ok_or_else(|| ApiError::bad_request("invalid file_id"))?;
        if stored.size > DOWNLOAD {
            return Err(ApiError::bad_request("file is too big"));
        }
        Ok(json!({
            "file_id": id, "file_unique_id": stored.unique, "file_size": stored.size, "file_path": stored.path,
        }))
    }

    /// Returns the content for a download path.
    pub(crate) fn at(&self, path: &str) -> Option<Bytes> {
        self.by_id.get(self.by_path.get(path)?).map(|stored| stored.bytes.clone())
    }

    /// Returns the content of a file that a message shows.
    pub(crate) fn bytes(&self, id: &str) -> Option<Bytes> {
        self.by_id.get(id).map(|stored| stored.bytes.clone())
    }
}

fn capitalised(name: &str) -> String {
    let mut name = name.replace('_', " ");
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}
