//! Sending files, each as the kind that Telegram displays best.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_guest::Upload;

use super::{Complaint, Reply, Step};
use crate::{api::Request, chat::ChatId};

/// The largest picture that is sent as a photo, in bytes.
const PHOTO: u64 = 10_000_000;
/// The maximum number of files in one album.
const ALBUM: usize = 10;
/// The maximum size of one album, in bytes: the limit of one request.
const ALBUM_SIZE: u64 = 50_000_000;

/// Telegram's kind of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Photo,
    Video,
    Audio,
    Document,
    Animation,
    Voice,
}

/// The kinds of files that may share an album.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mix {
    Pictures,
    Audios,
    Documents,
    /// The file cannot share an album.
    Alone,
}

impl Kind {
    fn of(upload: &Upload) -> Self {
        let media_type = upload.media_type.split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "image/jpeg" | "image/png" | "image/webp" if upload.size <= PHOTO => Self::Photo,
            "image/gif" => Self::Animation,
            "video/mp4" => Self::Video,
            "audio/mpeg" | "audio/mp3" | "audio/mp4" | "audio/m4a" | "audio/x-m4a" => Self::Audio,
            "audio/ogg" | "audio/opus" => Self::Voice,
            _ => Self::Document,
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Photo => "sendPhoto",
            Self::Video => "sendVideo",
            Self::Audio => "sendAudio",
            Self::Document => "sendDocument",
            Self::Animation => "sendAnimation",
            Self::Voice => "sendVoice",
        }
    }

    /// Returns the method's parameter, which is also the type in an album.
    fn word(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Animation => "animation",
            Self::Voice => "voice",
        }
    }

    fn mix(self) -> Mix {
        match self {
            Self::Photo | Self::Video => Mix::Pictures,
            Self::Audio => Mix::Audios,
            Self::Document => Mix::Documents,
            Self::Animation | Self::Voice => Mix::Alone,
        }
    }
}

/// Files that go into one message, or into one album.
#[derive(Debug)]
struct Group<'a> {
    mix: Mix,
    size: u64,
    files: Vec<(Kind, &'a Upload)>,
}

/// Groups neighbours that may share an album. The order does not change, even if another order needs fewer messages.
fn groups(uploads: &[Upload]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for upload in uploads {
        let kind = Kind::of(upload);
        match groups.last_mut() {
            Some(group)
                if group.mix == kind.mix()
                    && group.mix != Mix::Alone
                    && group.files.len() < ALBUM
                    && group.size.saturating_add(upload.size) <= ALBUM_SIZE =>
            {
                group.size = group.size.saturating_add(upload.size);
                group.files.push((kind, upload));
            }
            _ => groups.push(Group { mix: kind.mix(), size: upload.size, files: vec![(kind, upload)] }),
        }
    }
    groups
}

pub(super) fn steps(target: ChatId, mut reply: Option<Reply>, uploads: &[Upload]) -> Vec<Step> {
    let step = |group: Group| {
        let reply = reply.take();
        let documents =
            || group.files.iter().map(|(_, upload)| (Kind::Document, *upload)).collect::<Vec<_>>();
        let is_more = group.files.iter().any(|(kind, _)| *kind != Kind::Document);
        Step {
            request: request(target, reply, &group.files),
            messages: u32::try_from(group.files.len()).unwrap_or(u32::MAX),
            length: None,
            // Telegram inspects all other kinds, and refuses files that it cannot read or that are too wide.
            instead: is_more.then(|| (Complaint::Media, request(target, reply, &documents()))),
        }
    };
    groups(uploads).into_iter().map(step).collect()
}

/// One file of an album: `InputMediaPhoto` and similar types.
#[derive(Serialize)]
struct Media {
    r#type: &'static str,
    media: String,
}

fn request(target: ChatId, reply: Option<Reply>, files: &[(Kind, &Upload)]) -> Request {
    let mut fields = vec![("chat_id", target.chat.to_string())];
    fields.extend(target.thread.map(|thread| ("message_thread_id", thread.to_string())));
    fields.extend(reply.and_then(|reply| Some(("reply_parameters", serde_json::to_string(&reply).ok()?))));
    if let [(kind, upload)] = files {
        let file = (Cow::Borrowed(kind.word()), (*upload).clone());
        return Request::form(kind.method(), fields, vec![file]);
    }
    let (mut album, mut parts) = (Vec::new(), Vec::new());
    for (index, (kind, upload)) in files.iter().enumerate() {
        let name = format!("file{index}");
        album.push(Media { r#type: kind.word(), media: format!("attach://{name}") });
        parts.push((Cow::Owned(name), (*upload).clone()));
    }
    fields.extend(serde_json::to_string(&album).ok().map(|album| ("media", album)));
    Request::form("sendMediaGroup", fields, parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::Content;

    const TARGET: ChatId = ChatId { chat: -100, thread: Some(4) };

    fn upload(handle: u64, media_type: &str) -> Upload {
        Upload { handle, name: format!("{handle}.bin"), media_type: media_type.into(), size: 3 }
    }

    /// Returns the method, and the handles of its files.
    fn shape(request: &Request) -> (&'static str, Vec<u64>) {
        let Content::Form { files, .. } = &request.content else { panic!() };
        (request.method, files.iter().map(|(_, upload)| upload.handle).collect())
    }

    fn field<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
        let Content::Form { fields, .. } = &request.content else { panic!() };
        fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_file_goes_as_what_it_is() {
        for (media_type, size, method, falls_back) in [
            ("image/jpeg", 3, "sendPhoto", true),
            ("image/PNG; x=y", 3, "sendPhoto", true),
            ("image/webp", PHOTO, "sendPhoto", true),
            ("image/jpeg", PHOTO + 1, "sendDocument", false),
            ("image/gif", 3, "sendAnimation", true),
            ("image/svg+xml", 3, "sendDocument", false),
            ("video/mp4", 3, "sendVideo", true),
            ("video/quicktime", 3, "sendDocument", false),
            ("audio/mpeg", 3, "sendAudio", true),
            ("audio/mp4", 3, "sendAudio", true),
            ("audio/ogg", 3, "sendVoice", true),
            ("audio/wav", 3, "sendDocument", false),
            ("text/plain", 3, "sendDocument", false),
            ("", 3, "sendDocument", false),
        ] {
            let file = Upload { size, ..upload(1, media_type) };
            let found = steps(TARGET, None, &[file]);
            let [step] = found.as_slice() else { panic!("{media_type}") };
            assert_eq!(shape(&step.request), (method, vec![1]), "{media_type}");
            let Content::Form { files, .. } = &step.request.content else { panic!() };
            assert_eq!(files[0].0, method[4..].to_lowercase(), "{media_type}");
            match &step.instead {
                Some((complaint, request)) => {
                    assert!(falls_back, "{media_type}");
                    assert_eq!(*complaint, Complaint::Media);
                    assert_eq!(shape(request), ("sendDocument", vec![1]));
                }
                None => assert!(!falls_back, "{media_type}"),
            }
        }
    }

    #[test]
    fn neighbours_of_one_mix_are_an_album() {
        let (photo, video, audio, voice, text) =
            ("image/png", "video/mp4", "audio/mpeg", "audio/ogg", "text/plain");
        for (types, expected) in [
            (vec![], vec![]),
            (vec![photo, video, photo], vec![("sendMediaGroup", vec![0, 1, 2])]),
            (vec![text, text], vec![("sendMediaGroup", vec![0, 1])]),
            (vec![audio, audio, text], vec![("sendMediaGroup", vec![0, 1]), ("sendDocument", vec![2])]),
            (
                vec![photo, text, photo],
                vec![("sendPhoto", vec![0]), ("sendDocument", vec![1]), ("sendPhoto", vec![2])],
            ),
            (vec![voice, voice], vec![("sendVoice", vec![0]), ("sendVoice", vec![1])]),
            (vec![photo; 12], vec![("sendMediaGroup", (0..10).collect()), ("sendMediaGroup", vec![10, 11])]),
        ] {
            let uploads: Vec<_> = (0..).zip(&types).map(|(handle, media)| upload(handle, media)).collect();
            let found: Vec<_> =
                steps(TARGET, None, &uploads).iter().map(|step| shape(&step.request)).collect();
            assert_eq!(found, expected, "{types:?}");
        }
    }

    #[test]
    fn an_album_is_spelled_as_telegram_reads_it() {
        let reply = Reply { message_id: 7, allow_sending_without_reply: true };
        let uploads = [upload(1, "image/png"), upload(2, "video/mp4")];
        let found = steps(TARGET, Some(reply), &uploads);
        let [step] = found.as_slice() else { panic!() };
        assert_eq!(field(&step.request, "chat_id"), Some("-100"));
        assert_eq!(field(&step.request, "message_thread_id"), Some("4"));
        assert_eq!(
            field(&step.request, "reply_parameters"),
            Some(r#"{"message_id":7,"allow_sending_without_reply":true}"#)
        );
        assert_eq!(
            field(&step.request, "media"),
            Some(r#"[{"type":"photo","media":"attach://file0"},{"type":"video","media":"attach://file1"}]"#)
        );
        let Content::Form { files, .. } = &step.request.content else { panic!() };
        assert_eq!(files.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["file0", "file1"]);
        let (_, instead) = step.instead.as_ref().unwrap();
        assert_eq!(
            field(instead, "media"),
            Some(
                r#"[{"type":"document","media":"attach://file0"},{"type":"document","media":"attach://file1"}]"#
            )
        );
    }

    #[test]
    fn only_the_first_files_quote() {
        let reply = Reply { message_id: 7, allow_sending_without_reply: true };
        let found = steps(TARGET, Some(reply), &[upload(1, "image/png"), upload(2, "text/plain")]);
        let quotes: Vec<_> =
            found.iter().map(|step| field(&step.request, "reply_parameters").is_some()).collect();
        assert_eq!(quotes, [true, false]);
    }

    proptest! {
        #[test]
        fn every_file_goes_once_in_order_and_within_limits(
            files in prop::collection::vec((0_usize..7, 0_u64..60_000_000), 0..30)
        ) {
            let types =
                ["image/png", "image/gif", "video/mp4", "audio/mpeg", "audio/ogg", "text/plain", "x"];
            let uploads: Vec<_> = (0..).zip(&files)
                .map(|(handle, (kind, size))| Upload { size: *size, ..upload(handle, types[*kind]) })
                .collect();
            let mut handles = Vec::new();
            for group in groups(&uploads) {
                prop_assert!((1..=ALBUM).contains(&group.files.len()));
                prop_assert!(group.files.len() == 1 || group.size <= ALBUM_SIZE);
                prop_assert!(group.files.len() == 1 || group.mix != Mix::Alone);
                handles.extend(group.files.iter().map(|(_, upload)| upload.handle));
            }
            prop_assert_eq!(handles, (0..).take(uploads.len()).collect::<Vec<u64>>());
        }
    }
}
