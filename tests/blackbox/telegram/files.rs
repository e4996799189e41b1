//! Tests of pictures and files, in both directions.

use std::path::{Path, PathBuf};

use fake_telegram::{Call, Chat, Draft, Fault, MediaKind, User};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::stage::{Stage, ada, bob, event};
use crate::{
    harness::{PATIENCE, Server},
    pairing::eventually,
};

const GROUP: i64 = -1_001_234;

/// Returns the beginning of a PNG of this size, with bytes that make it different from others.
fn png(width: u32, height: u32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    bytes.extend(rest);
    bytes
}

/// Returns a path that the session got, which must be in the inbox.
fn path(stage: &Stage, told: &Value) -> PathBuf {
    let path = PathBuf::from(told.as_str().unwrap_or_else(|| panic!("{told} is no path")));
    let inbox = std::fs::canonicalize(stage.folder().join("inbox")).unwrap();
    assert_eq!(path.parent(), Some(&*inbox), "{}", path.display());
    path
}

/// Checks that no file was downloaded.
fn assert_no_downloads(stage: &Stage) {
    for method in ["getFile", "file"] {
        let calls = stage.platform.calls_of(method);
        assert!(calls.is_empty(), "{calls:?}");
    }
}

#[test]
fn a_picture_is_there_when_the_session_hears_of_it() {
    let stage = Stage::new();
    let mut server = stage.serve();
    for (caption, text) in [("", "(photo)"), ("a crane", "a crane")] {
        let bytes = png(1_000, 500, caption.as_bytes());
        stage.platform.says(&ada(), &ada().chat(), Draft::photo(bytes.clone()).caption(caption));
        let (content, meta) = event(&mut server);
        let path = path(&stage, &meta["image_path"]);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(content, text);
        assert_eq!(meta["file_path"], meta["image_path"]);
        assert_eq!(
            (&meta["attachment_kind"], &meta["attachment_mime"]),
            (&json!("photo"), &json!("image/jpeg"))
        );
        assert_eq!(path.extension().unwrap(), "jpg");
        assert_eq!(meta.get("attachment_file_id"), None);
    }
    // The largest of its sizes, and only that.
    assert_eq!(stage.platform.calls_of("getFile").len(), 2);
}

#[test]
fn a_picture_of_somebody_who_is_not_heard_is_never_fetched() {
    let stage = Stage::with(&json!({
        "dmPolicy": "pairing", "allowFrom": ["42"], "groups": {GROUP.to_string(): {"allowFrom": ["42"]}}
    }));
    let mut server = stage.serve();
    let photo = || Draft::photo(png(10, 10, b"x")).caption("@fake_telegram_bot look");
    let group = Chat::supergroup(GROUP, "Harbour");
    let (bob, eve) = (bob(), User::new(66, "Eve"));
    stage.platform.says(&bob, &bob.chat(), photo());
    stage.platform.says(&bob, &group, photo());
    stage.platform.says(&ada(), &Chat::supergroup(-1_009, "Elsewhere"), photo());
    stage.platform.says(&ada(), &group, Draft::photo(png(10, 10, b"y")).caption("unaddressed"));
    stage.platform.album(&eve, &eve.chat(), [photo(), photo()]);
    assert!(stage.told(&bob.chat()).contains("Your pairing code is"));
    assert!(stage.told(&eve.chat()).contains("Your pairing code is"));
    stage.platform.says(&ada(), &ada().chat(), "that was all");
    assert_eq!(server.content(), "that was all");
    // The session's user is asked about the two, and that is all.
    assert!(!server.arrived("elicitation/create").is_empty());
    server.no_event();
    assert_no_downloads(&stage);
    assert_eq!(std::fs::read_dir(stage.folder().join("inbox")).unwrap().count(), 0);
}

#[test]
fn a_picture_that_cannot_be_fetched_comes_without_and_says_so() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let bytes = png(10, 10, b"x");
    stage.platform.fault(Fault::refusal(400, "Bad Request: wrong file_id").on("getFile"));
    stage.platform.says(&ada(), &ada().chat(), Draft::photo(bytes.clone()).caption("look"));
    let (content, meta) = event(&mut server);
    assert_eq!(content, "look");
    assert!(
        meta["picture_missing"].as_str().is_some_and(|reason| reason.contains("wrong file_id")),
        "{meta}"
    );
    assert_eq!((meta.get("image_path"), meta.get("file_path")), (None, None));
    // The session may try itself.
    let (told, is_error) =
        server.call("download_attachment", &json!({"file_id": meta["attachment_file_id"]}));
    assert!(!is_error, "{told}");
    assert_eq!(std::fs::read(path(&stage, &json!(told))).unwrap(), bytes);
}

#[test]
fn a_picture_is_tried_for_again_where_telegram_is_ill() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let bytes = png(10, 10, b"x");
    for fault in [Fault::status(502).on("getFile"), Fault::cut(10).on("file"), Fault::reset().on("file")] {
        stage.platform.fault(fault);
        stage.platform.says(&ada(), &ada().chat(), Draft::photo(bytes.clone()));
        let (_, meta) = event(&mut server);
        assert_eq!(std::fs::read(path(&stage, &meta["image_path"])).unwrap(), bytes);
    }
    let files = std::fs::read_dir(stage.folder().join("inbox")).unwrap();
    assert_eq!(files.count(), 3, "nothing is left of what failed");
}

#[test]
fn a_picture_that_takes_its_time_holds_up_nothing_else() {
    let stage = Stage::new();
    stage.settings(&[("ack_reaction", "👀")]);
    let mut server = stage.serve();
    let (platform, chat) = (&stage.platform, ada().chat());
    platform.fault(Fault::hang().on("getFile"));
    let photo = platform.says(&ada(), &chat, Draft::photo(png(10, 10, b"x")).caption("look")).message_id;
    platform.wait_for("getFile", PATIENCE);
    for number in 0..5 {
        let said = platform.says(&ada(), &chat, number.to_string()).message_id;
        assert_eq!(server.content(), number.to_string());
        platform.wait_for("setMessageReaction", PATIENCE);
        assert_eq!(platform.reaction(&chat, said).as_deref(), Some("👀"));
    }
    let other = png(20, 20, b"another");
    platform.says(&ada(), &chat, Draft::photo(other.clone()));
    let (_, meta) = event(&mut server);
    assert_eq!(std::fs::read(path(&stage, &meta["image_path"])).unwrap(), other);
    platform.wait_for("setMessageReaction", PATIENCE);
    assert_eq!(platform.reaction(&chat, photo), None, "the session has not got it yet");
    // After twenty seconds it comes without.
    let (content, meta) = event(&mut server);
    assert_eq!((content.as_str(), &meta["message_id"]), ("look", &json!(photo.to_string())));
    assert!(meta["picture_missing"].is_string() && meta["attachment_file_id"].is_string(), "{meta}");
    platform.wait_for("setMessageReaction", PATIENCE);
    assert_eq!(platform.reaction(&chat, photo).as_deref(), Some("👀"));
}

#[test]
fn a_document_is_fetched_when_the_session_wants_it() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let draft = Draft::document("../plan <final>.pdf", bytes.clone()).caption("the plan");
    let said = stage.platform.says(&ada(), &ada().chat(), draft);
    let (content, meta) = event(&mut server);
    assert_eq!(content, "the plan");
    assert_eq!(meta["attachment_kind"], "document");
    assert_eq!(
        (&meta["attachment_size"], &meta["attachment_mime"]),
        (&json!("300000"), &json!("application/pdf"))
    );
    let name = meta["attachment_name"].as_str().unwrap();
    assert!(name.ends_with("plan final.pdf"), "{name}");
    assert!(meta.get("file_path").is_none() && meta.get("image_path").is_none(), "{meta}");
    assert_no_downloads(&stage);

    let whole = json!({"chat_id": "42", "message_id": said.message_id.to_string()});
    let one = json!({"file_id": meta["attachment_file_id"]});
    let mut all = whole.clone();
    all["file_id"] = one["file_id"].clone();
    for arguments in [one, whole, all] {
        let (told, is_error) = server.call("download_attachment", &arguments);
        assert!(!is_error, "{arguments}: {told}");
        let path = path(&stage, &json!(told));
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{arguments}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.ends_with("-plan final.pdf"), "{name}");
    }
    stage.platform.forget_calls();
    for arguments in [
        json!({"file_id": "BQACAgIAAxkBAAIB-invented"}),
        json!({"chat_id": "42", "message_id": "77"}),
        json!({"chat_id": "42"}),
    ] {
        assert!(server.call("download_attachment", &arguments).1, "{arguments}");
    }
    assert_no_downloads(&stage);
}

#[test]
fn a_document_that_telegram_does_not_give_to_bots_is_explained() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let file = fake_telegram::File::new("film.mp4", b"x".to_vec()).claiming(30 << 20);
    stage.platform.says(&ada(), &ada().chat(), Draft::media(MediaKind::Video, file));
    let (content, meta) = event(&mut server);
    assert_eq!((content.as_str(), &meta["attachment_size"]), ("(video)", &json!("31457280")));
    let (told, is_error) =
        server.call("download_attachment", &json!({"file_id": meta["attachment_file_id"]}));
    assert!(is_error && told.contains("bots get files of up to 20 MB"), "{told}");
}

#[test]
fn whatever_people_send_is_told_as_what_it_is() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let file = |name: &str| fake_telegram::File::new(name, b"some bytes".to_vec());
    for (draft, content, kind, media_type) in [
        (Draft::media(MediaKind::Voice, file("x.ogg")), "(voice message)", "voice", "audio/ogg"),
        (Draft::media(MediaKind::Sticker, file("x.webp")), "(sticker)", "sticker", "image/webp"),
        (Draft::media(MediaKind::Audio, file("x.mp3")), "(audio: x.mp3)", "audio", "audio/mpeg"),
        (Draft::media(MediaKind::Video, file("x.mp4")), "(video)", "video", "video/mp4"),
        (Draft::media(MediaKind::VideoNote, file("x.mp4")), "(video note)", "video", "video/mp4"),
        (Draft::media(MediaKind::Animation, file("x.mp4")), "(animation)", "video", "video/mp4"),
        (Draft::document("x.txt", "x"), "(document: x.txt)", "document", "text/plain"),
    ] {
        let shown = format!("{draft:?}");
        stage.platform.says(&ada(), &ada().chat(), draft);
        let (told, meta) = event(&mut server);
        assert_eq!(told, content, "{shown}");
        assert_eq!(
            (&meta["attachment_kind"], &meta["attachment_mime"]),
            (&json!(kind), &json!(media_type)),
            "{shown}"
        );
        assert!(
            meta["attachment_file_id"].is_string() && meta.get("attachment_file_id_2").is_none(),
            "{meta}"
        );
        let (told, is_error) =
            server.call("download_attachment", &json!({"file_id": meta["attachment_file_id"]}));
        assert!(!is_error, "{shown}: {told}");
    }
    for (field, value, content) in [
        ("location", json!({"latitude": 52.5, "longitude": 13.25}), "(location: 52.5, 13.25)"),
        (
            "contact",
            json!({"first_name": "Grace", "last_name": "Hopper", "phone_number": "+1 555"}),
            "(contact: Grace Hopper, +1 555)",
        ),
        (
            "poll",
            json!({"question": "Tea?", "options": [{"text": "yes"}, {"text": "no"}]}),
            "(poll: Tea? — yes / no)",
        ),
        ("dice", json!({"emoji": "🎲", "value": 6}), "(dice 🎲: 6)"),
    ] {
        stage.platform.says(&ada(), &ada().chat(), Draft::default().with(field, value));
        assert_eq!(server.content(), content);
    }
}

/// Returns the value of the n-th file.
fn nth<'a>(meta: &'a Value, key: &str, index: usize) -> &'a Value {
    if index == 0 { &meta[key] } else { &meta[format!("{key}_{}", index + 1)] }
}

#[test]
fn an_album_is_one_message_with_all_of_its_pictures() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let pictures: Vec<Vec<u8>> = (0..4).map(|number| png(10, 10, &[number])).collect();
    for (captioned, content) in [(Some(0), "the crane"), (Some(2), "the crane"), (None, "(album of 4)")] {
        let drafts = pictures.iter().enumerate().map(|(index, bytes)| {
            let draft = Draft::photo(bytes.clone());
            if captioned == Some(index) { draft.caption("the crane") } else { draft }
        });
        let told = stage.platform.album(&ada(), &ada().chat(), drafts);
        let (text, meta) = event(&mut server);
        assert_eq!((text.as_str(), &meta["message_id"]), (content, &json!(told[0].message_id.to_string())));
        for (index, bytes) in pictures.iter().enumerate() {
            let path = path(&stage, nth(&meta, "image_path", index));
            assert_eq!(&std::fs::read(path).unwrap(), bytes, "{index}");
        }
        assert_eq!(nth(&meta, "attachment_kind", 4), &Value::Null);
        server.no_event();
    }
}

#[test]
fn the_parts_of_an_album_need_not_come_together() {
    let stage = Stage::new();
    let mut server = stage.serve();
    // They are waited for no longer than a second, which a busy machine may miss.
    let is_whole = (0..5).any(|attempt| {
        for name in ["a", "b", "c"] {
            let part = Draft::document(name, name).with("media_group_id", attempt.to_string());
            stage.platform.says(&ada(), &ada().chat(), part);
            eventually("the next poll", || stage.platform.unconfirmed() == 0);
        }
        let (mut events, mut parts) = (0, 0);
        while parts < 3 {
            let (_, meta) = event(&mut server);
            events += 1;
            parts += (0..3).filter(|index| nth(&meta, "attachment_name", *index).is_string()).count();
        }
        events == 1
    });
    assert!(is_whole, "no album came as one message");
}

#[test]
fn albums_of_several_people_do_not_mix() {
    let stage = Stage::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42", "43"]}));
    let mut server = stage.serve();
    let document = |name: &str| Draft::document(name, name);
    // Both come in pieces, one after the other.
    let parts = |user: &User, group: &str, names: &[&str]| {
        for name in names {
            stage.platform.says(user, &user.chat(), document(name).with("media_group_id", group));
        }
    };
    parts(&ada(), "1", &["a1"]);
    parts(&bob(), "1", &["b1", "b2"]);
    parts(&ada(), "2", &["c1"]);
    parts(&ada(), "1", &["a2", "a3"]);
    let mut heard: Vec<(Value, Vec<Value>)> = (0..3)
        .map(|_| {
            let (_, meta) = event(&mut server);
            let names = (0..3).map(|index| nth(&meta, "attachment_name", index).clone());
            (meta["user_id"].clone(), names.filter(Value::is_string).collect())
        })
        .collect();
    heard.sort_by_key(|(_, names)| names[0].to_string());
    assert_eq!(
        heard,
        [
            (json!("42"), vec![json!("a1"), json!("a2"), json!("a3")]),
            (json!("43"), vec![json!("b1"), json!("b2")]),
            (json!("42"), vec![json!("c1")]),
        ]
    );
    server.no_event();
}

#[test]
fn all_files_of_an_album_are_fetched_at_once() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let names = ["one.txt", "two.txt", "three.txt"];
    stage.platform.album(&ada(), &ada().chat(), names.map(|name| Draft::document(name, name)));
    let (_, meta) = event(&mut server);
    assert_no_downloads(&stage);
    let arguments = json!({"chat_id": "42", "message_id": meta["message_id"]});
    let (told, is_error) = server.call("download_attachment", &arguments);
    assert!(!is_error, "{told}");
    let contents: Vec<String> =
        told.lines().map(|line| std::fs::read_to_string(path(&stage, &json!(line))).unwrap()).collect();
    assert_eq!(contents, names);
}

#[test]
fn in_a_group_one_mention_is_enough_for_a_whole_album() {
    let stage = Stage::with(&json!({
        "dmPolicy": "allowlist", "allowFrom": ["42"], "groups": {GROUP.to_string(): {}}
    }));
    let mut server = stage.serve();
    let group = Chat::supergroup(GROUP, "Harbour");
    let pictures: Vec<Vec<u8>> = (0..3).map(|number| png(10, 10, &[number])).collect();
    let drafts = |caption: &str| {
        let drafts = pictures
            .iter()
            .enumerate()
            .map(|(index, bytes)| Draft::photo(bytes.clone()).caption(if index == 0 { caption } else { "" }));
        drafts.collect::<Vec<_>>()
    };
    stage.platform.album(&bob(), &group, drafts("for the others"));
    let told = stage.platform.album(&bob(), &group, drafts("@fake_telegram_bot which one?"));
    let (text, meta) = event(&mut server);
    assert_eq!(text, "@fake_telegram_bot which one?");
    assert_eq!(meta["message_id"], told[0].message_id.to_string());
    for (index, bytes) in pictures.iter().enumerate() {
        assert_eq!(&std::fs::read(path(&stage, nth(&meta, "image_path", index))).unwrap(), bytes);
    }
    server.no_event();
    assert_eq!(stage.platform.calls_of("getFile").len(), 3);
}

#[test]
fn the_mention_may_be_below_any_picture_of_an_album() {
    let stage = Stage::with(&json!({
        "dmPolicy": "allowlist", "allowFrom": ["42"], "groups": {GROUP.to_string(): {}}
    }));
    let mut server = stage.serve();
    let group = Chat::supergroup(GROUP, "Harbour");
    let drafts = ["", "@fake_telegram_bot which one?", ""]
        .into_iter()
        .enumerate()
        .map(|(index, caption)| Draft::photo(png(10, 10, &[u8::try_from(index).unwrap()])).caption(caption));
    stage.platform.album(&bob(), &group, drafts);
    let (text, meta) = event(&mut server);
    assert_eq!(text, "@fake_telegram_bot which one?");
    assert!(meta["image_path_3"].is_string(), "not all pictures are there: {meta}");
}

// ---- From the session ----

/// A folder from which files are sent.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Creates a sparse file of this size, which uses no disk space.
    fn sparse(&self, name: &str, begin: &[u8], size: u64) -> PathBuf {
        let path = self.write(name, begin);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
        path
    }
}

fn start() -> (Stage, Server) {
    let stage = Stage::new();
    stage.platform.knows(&ada().chat());
    let server = stage.serve();
    (stage, server)
}

fn send(server: &mut Server, text: &str, files: &[&Path]) -> (String, bool) {
    server.call("reply", &json!({"chat_id": "42", "text": text, "files": files}))
}

/// Returns the calls that sent messages: method, and names of files.
fn sent(stage: &Stage) -> Vec<(&'static str, Vec<String>)> {
    let calls = stage.platform.calls().into_iter();
    let calls = calls.filter(|call| call.method.starts_with("send") && call.method != "sendChatAction");
    calls.map(|call| (call.method, names(&call))).collect()
}

fn names(call: &Call) -> Vec<String> {
    call.files.iter().map(|file| file.name.clone()).collect()
}

#[test]
fn files_go_as_what_they_are_and_after_the_text() {
    let (stage, mut server) = start();
    let files = Files::new();
    let report = files.write("report (1).csv", b"a,b\n1,2\n");
    let crane = files.write("crane.png", &png(640, 480, b"crane"));
    let pier = files.write("pier.png", &png(800, 600, b"pier"));
    let chat = ada().chat();

    assert_eq!(send(&mut server, "", &[&report]), ("sent (id: 1)".to_owned(), false));
    assert_eq!(send(&mut server, "**look**", &[&crane]), ("sent 2 parts (ids: 2, 3)".to_owned(), false));
    let (told, is_error) = send(&mut server, "all", &[&report, &crane, &pier, &report]);
    assert_eq!((told.as_str(), is_error), ("sent 5 parts (ids: 4, 5, 6, 7, 8)", false));
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        sent(&stage),
        [
            ("sendDocument", list(&["report (1).csv"])),
            ("sendMessage", list(&[])),
            ("sendPhoto", list(&["crane.png"])),
            ("sendMessage", list(&[])),
            ("sendDocument", list(&["report (1).csv"])),
            ("sendMediaGroup", list(&["crane.png", "pier.png"])),
            ("sendDocument", list(&["report (1).csv"])),
        ]
    );
    let messages = stage.platform.messages(&chat);
    let id = messages[0]["document"]["file_id"].as_str().unwrap();
    assert_eq!(stage.platform.file(id).unwrap(), std::fs::read(&report).unwrap());
    assert_eq!(messages[0]["document"]["mime_type"], "text/csv");
    let photo = messages[2]["photo"].as_array().unwrap().last().unwrap();
    assert_eq!(
        stage.platform.file(photo["file_id"].as_str().unwrap()).unwrap(),
        std::fs::read(&crane).unwrap()
    );
    assert_eq!(messages[5]["media_group_id"], messages[6]["media_group_id"]);
    assert!(stage.platform.refusals().is_empty(), "{:?}", stage.platform.refusals());
}

#[test]
fn a_file_without_a_text_quotes_and_with_one_the_text_does() {
    let (stage, mut server) = start();
    let files = Files::new();
    let report = files.write("report.txt", b"x");
    let said = stage.platform.says(&ada(), &ada().chat(), "well?").message_id;
    server.content();
    for (text, quotes) in [("", &[true][..]), ("here", &[true, false])] {
        let before = stage.platform.messages(&ada().chat()).len();
        let arguments =
            json!({"chat_id": "42", "text": text, "files": [report], "reply_to": said.to_string()});
        assert!(!server.call("reply", &arguments).1);
        let messages = stage.platform.messages(&ada().chat()).split_off(before);
        let found: Vec<bool> =
            messages.iter().map(|message| message["reply_to_message"]["message_id"] == said).collect();
        assert_eq!(found, quotes, "{messages:?}");
    }
}

#[test]
fn a_picture_that_telegram_cannot_show_goes_as_a_file() {
    let (stage, mut server) = start();
    let files = Files::new();
    let broken = files.write("broken.png", b"no picture at all");
    let ribbon = files.write("ribbon.png", &png(9_000, 20, b""));
    let fine = files.write("fine.png", &png(10, 10, b""));
    let large = files.sparse("large.png", &png(10, 10, b""), 10_000_001);
    for (paths, last) in [
        (vec![&broken], "sendDocument"),
        (vec![&ribbon], "sendDocument"),
        (vec![&large], "sendDocument"),
        (vec![&fine, &broken], "sendMediaGroup"),
    ] {
        let paths: Vec<&Path> = paths.into_iter().map(PathBuf::as_path).collect();
        let before = stage.platform.messages(&ada().chat()).len();
        let (told, is_error) = send(&mut server, "", &paths);
        assert!(!is_error, "{paths:?}: {told}");
        assert_eq!(sent(&stage).last().unwrap().0, last);
        let messages = stage.platform.messages(&ada().chat()).split_off(before);
        assert_eq!(messages.len(), paths.len());
        assert!(messages.iter().all(|message| message["document"].is_object()), "{messages:?}");
    }
}

#[test]
fn ten_files_are_one_album_and_eleven_are_too_many() {
    let (stage, mut server) = start();
    let files = Files::new();
    let all: Vec<PathBuf> =
        (0..11).map(|number| files.write(&format!("{number}.txt"), &[b'a' + number])).collect();
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let (told, is_error) = send(&mut server, "too many", &all);
    assert!(is_error && told.contains("11 files") && told.contains("accepts 10"), "{told}");
    assert_eq!(sent(&stage), [], "nor is the text sent");
    let (told, is_error) = send(&mut server, "", &all[..10]);
    assert!(!is_error, "{told}");
    let [(method, names)] = &sent(&stage)[..] else { panic!("{:?}", sent(&stage)) };
    let expected: Vec<String> = (0..10).map(|number| format!("{number}.txt")).collect();
    assert_eq!((*method, names), ("sendMediaGroup", &expected));
}

#[test]
fn fifty_megabytes_are_sent_and_one_byte_more_is_not() {
    let (stage, mut server) = start();
    let files = Files::new();
    let most = files.sparse("most.bin", b"begin", 50_000_000);
    let more = files.sparse("more.bin", b"begin", 50_000_001);
    let (told, is_error) = send(&mut server, "here", &[&more]);
    assert!(is_error && told.contains("50000001 bytes") && told.contains("up to 50000000"), "{told}");
    assert_eq!(sent(&stage), [], "nor is the text sent");
    let (told, is_error) = send(&mut server, "here", &[&most]);
    assert!(!is_error, "{told}");
    let call = stage.platform.wait_for("sendDocument", PATIENCE);
    assert_eq!(call.files[0].bytes.len(), 50_000_000);
    assert!(call.files[0].bytes.starts_with(b"begin"));
}

#[test]
fn what_was_sent_before_a_file_was_refused_is_told() {
    let (stage, mut server) = start();
    let files = Files::new();
    let report = files.write("report.txt", b"x");
    stage.platform.fault(Fault::refusal(413, "Request Entity Too Large").on("sendDocument"));
    let (told, is_error) = send(&mut server, "here it is", &[&report]);
    assert!(is_error && told.contains("sent only in part (id: 1)"), "{told}");
    assert!(told.contains("bots send files of up to 50 MB"), "{told}");
    assert_eq!(stage.platform.messages(&ada().chat()).len(), 1);
}

#[test]
fn the_token_cannot_be_sent() {
    let (stage, mut server) = start();
    for name in [".env", "access.json", "journal.db"] {
        let path = stage.folder().join(name);
        let (told, is_error) = send(&mut server, "x", &[&path]);
        assert!(is_error && told.contains("part of tidegate's own state"), "{told}");
    }
    assert_eq!(sent(&stage), []);
}
