//! The files of a message.

use tidegate_guest::{Attachment, AttachmentKind};

use super::json::Object;

/// The longest id that the host accepts, in bytes.
const IDENTIFIER: usize = 256;

/// The files of a message, and a placeholder text for a message without a text.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) attachments: Vec<Attachment>,
    /// `(photo)`, `(document: name)`; empty where there are no files.
    pub(super) placeholder: String,
}

/// Telegram's field, the kind of file, and the media type if Telegram gives none.
const FORMS: [(&str, AttachmentKind, Option<&str>); 7] = [
    ("animation", AttachmentKind::Video, Some("video/mp4")),
    ("document", AttachmentKind::Document, None),
    ("audio", AttachmentKind::Audio, None),
    ("voice", AttachmentKind::Voice, Some("audio/ogg")),
    ("video", AttachmentKind::Video, Some("video/mp4")),
    ("video_note", AttachmentKind::Video, Some("video/mp4")),
    ("sticker", AttachmentKind::Sticker, None),
];

/// Returns the files of a message, each in its largest size.
///
/// A file with an invalid id is omitted; the placeholder still mentions it.
pub(super) fn files(message: &Object<'_>) -> Files {
    let mut files = Files::default();
    if message.has("photo") {
        files.add("(photo)", photo(message));
    }
    // Telegram repeats an animation as a document.
    let is_animation = message.has("animation");
    for (name, kind, media_type) in FORMS {
        if !message.has(name) || is_animation && name == "document" {
            continue;
        }
        let file = message.object(name).unwrap_or_default();
        let attachment = file_id(&file).map(|id| Attachment {
            id,
            kind,
            name: file.text("file_name").map(Into::into),
            media_type: media_type_of(&file, kind).or_else(|| media_type.map(Into::into)),
            size: size(&file),
            local: None,
        });
        files.add(&placeholder(name, &file), attachment);
    }
    files
}

impl Files {
    fn add(&mut self, placeholder: &str, attachment: Option<Attachment>) {
        if !self.placeholder.is_empty() {
            self.placeholder.push(' ');
        }
        self.placeholder.push_str(placeholder);
        self.attachments.extend(attachment);
    }
}

/// Returns the largest size of a photo. Telegram converts every photo to JPEG.
fn photo(message: &Object<'_>) -> Option<Attachment> {
    let pixels = |size: &Object<'_>| {
        let side = |name| size.integer(name).unwrap_or_default().max(0);
        side("width").saturating_mul(side("height"))
    };
    let sizes = message.list("photo").into_iter().filter_map(|size| {
        let size = size.object()?;
        Some((file_id(&size)?, size))
    });
    let (id, largest) = sizes.max_by_key(|(_, size)| pixels(size))?;
    Some(Attachment {
        id,
        kind: AttachmentKind::Photo,
        name: None,
        media_type: Some("image/jpeg".into()),
        size: size(&largest),
        local: None,
    })
}

fn file_id(file: &Object<'_>) -> Option<String> {
    let is_id = |id: &str| {
        id.len() <= IDENTIFIER
            && id.bytes().all(|byte| {
                byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'\'' | b'&' | b'`')
            })
    };
    file.text("file_id").filter(|id| is_id(id)).map(Into::into)
}

fn size(file: &Object<'_>) -> Option<u64> {
    file.integer("file_size").and_then(|size| u64::try_from(size).ok())
}

/// Returns a file's media type. Stickers are images in one of three formats and have no `mime_type`:
/// <https://core.telegram.org/stickers>
fn media_type_of(file: &Object<'_>, kind: AttachmentKind) -> Option<String> {
    if kind != AttachmentKind::Sticker {
        return file.text("mime_type").map(Into::into);
    }
    let media_type = if file.flag("is_animated") {
        "application/x-tgsticker"
    } else if file.flag("is_video") {
        "video/webm"
    } else {
        "image/webp"
    };
    Some(media_type.into())
}

fn placeholder(name: &str, file: &Object<'_>) -> String {
    let (word, detail) = match name {
        "document" => ("document: ", file.text("file_name")),
        "audio" => ("audio: ", file.text("title").or_else(|| file.text("file_name"))),
        "voice" => ("voice message", None),
        "video_note" => ("video note", None),
        "sticker" => ("sticker ", file.text("emoji")),
        other => (other, None),
    };
    match detail {
        Some(detail) => format!("({word}{detail})"),
        None => format!("({})", word.trim_end_matches([':', ' '])),
    }
}
