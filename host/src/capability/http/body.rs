//! A request's body: bytes, a file, or a form with files, streamed.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

use axum::body::Bytes;
use futures_util::{Stream, stream};

use super::form;
use crate::{
    capability::files::{Files, Handles, LocalFile},
    contract::imports::http as wire,
};

/// The limit of a guest's own bytes in one request. Files do not count towards it.
const GUEST: usize = 16 << 20;
/// How many bytes of a file are read at once.
const PIECE: usize = 64 << 10;

/// A request's body, ready to be sent. It can be sent again unless it contains files.
#[derive(Clone, Debug, Default)]
pub(super) struct Payload {
    segments: Vec<Segment>,
    /// The length, in bytes.
    pub(super) length: u64,
    /// The media type, if the body determines it.
    pub(super) media_type: Option<String>,
}

/// A piece of a body.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    Bytes(Bytes),
    /// A vetted file of this many bytes, read through the channel's `files`.
    File {
        files: Files,
        file: Arc<File>,
        name: String,
        size: u64,
    },
}

/// The reason why a body cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("this call has no file {0}")]
    Handle(u64),
    #[error("a request may have {} MiB besides its files", GUEST >> 20)]
    Size,
    #[error("a form's {0} has line breaks or other control characters")]
    Form(&'static str),
    #[error("{name} cannot be read: {source}")]
    File { name: String, source: io::Error },
    #[error("the system has no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl Payload {
    /// Looks up and opens the files, and lays out the segments of the body.
    pub(super) async fn new(body: wire::Body, files: &Files, handles: &Handles) -> Result<Self, Unsendable> {
        match body {
            wire::Body::Empty => Ok(Self::default()),
            wire::Body::Bytes(bytes) if bytes.len() > GUEST => Err(Unsendable::Size),
            wire::Body::Bytes(bytes) => Ok(Self::of(vec![Segment::Bytes(bytes.into())], None)),
            wire::Body::Upload(upload) => {
                let file = find(upload.handle, handles)?;
                Ok(Self::of(vec![open(file, files).await?], Some(file.media_type.clone())))
            }
            wire::Body::Form(parts) => {
                let boundary = form::boundary()?;
                let (mut segments, mut own) = (Vec::new(), 0);
                for part in parts {
                    let (content, file) = match part.content {
                        wire::Content::Bytes(bytes) => (Segment::Bytes(bytes.into()), None),
                        wire::Content::Upload(upload) => {
                            let file = find(upload.handle, handles)?;
                            (open(file, files).await?, Some(file))
                        }
                    };
                    let filename = part.filename.as_deref().or_else(|| Some(file?.name.as_str()));
                    let media_type = part.media_type.as_deref().or_else(|| Some(file?.media_type.as_str()));
                    let head =
                        form::head(&boundary, &part.name, filename, media_type).map_err(Unsendable::Form)?;
                    own += head.len()
                        + if file.is_none() { usize::try_from(content.length()).unwrap_or(GUEST) } else { 0 };
                    if own > GUEST {
                        return Err(Unsendable::Size);
                    }
                    segments.extend([
                        Segment::Bytes(head.into()),
                        content,
                        Segment::Bytes(form::BREAK.into()),
                    ]);
                }
                segments.push(Segment::Bytes(form::end(&boundary).into()));
                Ok(Self::of(segments, Some(form::media_type(&boundary))))
            }
        }
    }

    fn of(segments: Vec<Segment>, media_type: Option<String>) -> Self {
        Self { length: segments.iter().map(Segment::length).sum(), segments, media_type }
    }

    /// Returns whether the body contains files.
    pub(super) fn has_files(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::File { .. }))
    }

    /// Returns the body for the HTTP client, or `None` if it is empty.
    pub(super) fn body(&self) -> Option<reqwest::Body> {
        match self.segments.as_slice() {
            [] => None,
            [Segment::Bytes(bytes)] => Some(bytes.clone().into()),
            _ => Some(reqwest::Body::wrap_stream(read(self.segments.clone()))),
        }
    }
}

impl Segment {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }
}

fn find(handle: u64, handles: &Handles) -> Result<&LocalFile, Unsendable> {
    handles.get(handle).ok_or(Unsendable::Handle(handle))
}

async fn open(file: &LocalFile, files: &Files) -> Result<Segment, Unsendable> {
    let failed = |source| Unsendable::File { name: file.name.clone(), source };
    let opened = files.reader(file).await.map_err(failed)?;
    Ok(Segment::File { files: files.clone(), file: opened, name: file.name.clone(), size: file.size })
}

/// Streams the bytes of the segments in order. A file is read at explicit offsets, so that two readers of the same file
/// do not disturb each other. Bytes that were added to a file after it was vetted are left out; a file that has become
/// shorter is an error.
fn read(segments: Vec<Segment>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((segments.into_iter(), None), |(mut segments, mut at)| async move {
        loop {
            match at.take().or_else(|| Some((segments.next()?, 0))) {
                None => return Ok(None),
                Some((Segment::Bytes(bytes), _)) => return Ok(Some((bytes, (segments, None)))),
                Some((Segment::File { size, .. }, position)) if position >= size => {}
                Some((Segment::File { files, file, name, size }, position)) => {
                    let reader = Arc::clone(&file);
                    let wanted = usize::try_from(size - position).unwrap_or(PIECE).min(PIECE);
                    let piece = files.run(move || {
                        let mut piece = vec![0; wanted];
                        let length = reader.read_at(&mut piece, position)?;
                        piece.truncate(length);
                        Ok(piece)
                    });
                    let piece = piece.await?;
                    if piece.is_empty() {
                        return Err(io::Error::other(format!(
                            "{name} became shorter while it was being sent"
                        )));
                    }
                    let next = position + piece.len() as u64;
                    return Ok(Some((
                        piece.into(),
                        (segments, Some((Segment::File { files, file, name, size }, next))),
                    )));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::contract::imports::types::Upload;

    struct Scene {
        root: tempfile::TempDir,
        files: Files,
        handles: Handles,
    }

    async fn scene(bytes: &[u8]) -> Scene {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(&root.path().join("chat"), &[], &[root.path().to_owned()]).unwrap();
        let path = root.path().join("a.txt");
        std::fs::write(&path, bytes).unwrap();
        let mut handles = Handles::default();
        handles.add(files.vet(path.to_str().unwrap(), &[], u64::MAX).await.unwrap());
        let mut incoming = files.receive("b.txt").await.unwrap();
        incoming.writer().unwrap().write_all(b"from the inbox").unwrap();
        handles.add(files.finish(incoming, None, 14).await.unwrap());
        Scene { root, files, handles }
    }

    fn upload(handle: u64) -> wire::Content {
        wire::Content::Upload(Upload { handle, name: String::new(), media_type: String::new(), size: 0 })
    }

    fn part(name: &str, content: wire::Content) -> wire::Part {
        wire::Part { name: name.into(), filename: None, media_type: None, content }
    }

    async fn bytes(payload: &Payload) -> io::Result<Vec<u8>> {
        read(payload.segments.clone())
            .try_fold(Vec::new(), async |mut all, piece| {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
    }

    #[tokio::test]
    async fn a_form_has_the_bytes_of_its_files() {
        let content: Vec<u8> =
            (0..PIECE * 2 + 17).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let scene = scene(&content).await;
        let parts = vec![
            part("chat", wire::Content::Bytes(b"7".to_vec())),
            part("one", upload(1)),
            part("two", upload(2)),
            part("again", upload(1)),
        ];
        let payload = Payload::new(wire::Body::Form(parts), &scene.files, &scene.handles).await.unwrap();
        assert!(payload.has_files());
        let (first, second) = tokio::join!(bytes(&payload), bytes(&payload));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.len() as u64, payload.length);
        assert_eq!(first, second, "two readers do not disturb each other");
        let media_type = payload.media_type.unwrap();
        let boundary = media_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let mut form =
            multer::Multipart::new(stream::iter([Ok::<_, io::Error>(Bytes::from(first))]), boundary);
        let mut fields = Vec::new();
        while let Some(field) = form.next_field().await.unwrap() {
            let name = field.file_name().map(str::to_owned);
            let media_type = field.content_type().map(ToString::to_string);
            fields.push((
                field.name().unwrap().to_owned(),
                name,
                media_type,
                field.bytes().await.unwrap().to_vec(),
            ));
        }
        let text = || Some("text/plain".to_owned());
        assert_eq!(fields[0], ("chat".into(), None, None, b"7".to_vec()));
        assert_eq!(fields[1], ("one".into(), Some("a.txt".into()), text(), content.clone()));
        assert_eq!(fields[2], ("two".into(), Some("b.txt".into()), text(), b"from the inbox".to_vec()));
        assert_eq!(fields[3].3, content);
    }

    #[tokio::test]
    async fn a_file_is_sent_as_it_was_when_it_was_vetted() {
        let scene = scene(b"0123456789").await;
        let body = || {
            wire::Body::Upload(Upload { handle: 1, name: String::new(), media_type: String::new(), size: 0 })
        };
        let payload = Payload::new(body(), &scene.files, &scene.handles).await.unwrap();
        let path = scene.root.path().join("a.txt");
        std::fs::write(&path, "0123456789 and more").unwrap();
        assert_eq!(bytes(&payload).await.unwrap(), b"0123456789");
        std::fs::write(&path, "0123").unwrap();
        let error = bytes(&payload).await.unwrap_err().to_string();
        assert_eq!(error, "a.txt became shorter while it was being sent");
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_refused() {
        let scene = scene(b"").await;
        let refused =
            async |body| Payload::new(body, &scene.files, &scene.handles).await.unwrap_err().to_string();
        assert_eq!(refused(wire::Body::Form(vec![part("x", upload(7))])).await, "this call has no file 7");
        assert!(refused(wire::Body::Bytes(vec![0; GUEST + 1])).await.contains("16 MiB"));
        let half = || part("x", wire::Content::Bytes(vec![0; GUEST / 2]));
        assert!(refused(wire::Body::Form(vec![half(), half()])).await.contains("16 MiB"));
        assert!(
            !Payload::new(wire::Body::Bytes(vec![0; GUEST]), &scene.files, &scene.handles)
                .await
                .unwrap()
                .has_files()
        );
    }
}
