//! Tests of files in both directions.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use fake_telegram::{Draft, File, MediaKind, Server};
use serde_json::{Value, json};

use crate::{
    PATIENCE, acquainted, ada,
    client::{refusal, result, send, upload},
};

/// Returns the beginning of a picture of this size; the rest is not read.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes
}

fn fetch(server: &Server, id: &Value) -> Vec<u8> {
    let file = result(server, "getFile", &json!({"file_id": id}));
    let path = format!("/file/bot{}/{}", server.token(), file["file_path"].as_str().unwrap());
    let answer = send(server, "GET", &path, "", b"").unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(file["file_size"], answer.body.len());
    answer.body
}

#[test]
fn what_a_person_sends_can_be_fetched() {
    let server = Server::start();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    server.says(&ada(), &ada().chat(), Draft::document("tide table.pdf", bytes.clone()).caption("here"));
    server.says(&ada(), &ada().chat(), Draft::media(MediaKind::Voice, File::new("v.ogg", "ogg")));
    let updates = result(&server, "getUpdates", &json!({}));
    let document = &updates[0]["message"]["document"];
    assert_eq!(document["file_name"], "tide table.pdf");
    assert_eq!(document["mime_type"], "application/pdf");
    assert_eq!(document["file_size"], 100_000);
    assert!(fetch(&server, &document["file_id"]) == bytes);
    assert_eq!(fetch(&server, &updates[1]["message"]["voice"]["file_id"]), b"ogg");
}

#[test]
fn what_is_too_large_cannot_be_fetched() {
    let server = Server::start();
    for (size, refused) in [(20 << 20, false), ((20 << 20) + 1, true)] {
        let file = File::new("a.bin", "x").claiming(size);
        server.says(&ada(), &ada().chat(), Draft::media(MediaKind::Document, file));
        let updates = result(&server, "getUpdates", &json!({"offset": -1}));
        let asked = json!({"file_id": updates[0]["message"]["document"]["file_id"]});
        if refused {
            assert_eq!(refusal(&server, "getFile", &asked), "Bad Request: file is too big");
        } else {
            assert_eq!(result(&server, "getFile", &asked)["file_size"], size);
        }
    }
}

#[test]
fn a_path_may_lead_astray() {
    let server = Server::start();
    for path in ["../../etc/passwd", "https://example.com/evil", "a/../../b\0c"] {
        let file = File::new("a.bin", "x").at_path(path);
        server.says(&ada(), &ada().chat(), Draft::media(MediaKind::Document, file));
        let updates = result(&server, "getUpdates", &json!({"offset": -1}));
        let asked = json!({"file_id": updates[0]["message"]["document"]["file_id"]});
        assert_eq!(result(&server, "getFile", &asked)["file_path"], path);
    }
}

#[test]
fn what_a_bot_sends_is_kept_to_the_byte() {
    let server = acquainted();
    let picture = png(2000, 1000);
    let answer = upload(
        &server,
        "sendPhoto",
        &[("chat_id", "42"), ("caption", "<b>look</b>"), ("parse_mode", "HTML")],
        &[("photo", "chart.png", &picture)],
    )
    .json();
    let message = &answer["result"];
    assert_eq!(message["caption_entities"][0]["type"], "bold");
    let sizes: Vec<(u64, u64)> = message["photo"]
        .as_array()
        .unwrap()
        .iter()
        .map(|size| (size["width"].as_u64().unwrap(), size["height"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(90, 45), (320, 160), (800, 400), (1280, 640)]);
    assert_eq!(server.file(message["photo"][0]["file_id"].as_str().unwrap()).unwrap(), picture);
    let call = server.wait_for("sendPhoto", PATIENCE);
    assert_eq!((call.files[0].name.as_str(), &call.files[0].bytes[..]), ("chart.png", &picture[..]));
    assert_eq!(call.parameter("chat_id"), 42);
    // By its id it can be sent again, as what it is.
    let id = &message["photo"][3]["file_id"];
    let again = result(&server, "sendPhoto", &json!({"chat_id": 42, "photo": id}));
    assert_eq!(again["photo"], message["photo"]);
    assert_eq!(
        refusal(&server, "sendDocument", &json!({"chat_id": 42, "document": id})),
        "Bad Request: can't use file of type Photo as Document"
    );
}

#[test]
fn what_is_no_photo_is_refused_as_one() {
    let server = acquainted();
    let large = [png(100, 100), vec![0; 10 << 20]].concat();
    for (bytes, expected) in [
        (b"hello".to_vec(), "IMAGE_PROCESS_FAILED"),
        (Vec::new(), "file must be non-empty"),
        (png(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
        (png(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (large, "file of size 10485784 bytes is too big for a photo; the maximum size is 10485760 bytes"),
    ] {
        let answer = upload(&server, "sendPhoto", &[("chat_id", "42")], &[("photo", "a.png", &bytes)]).json();
        assert_eq!(answer["description"], format!("Bad Request: {expected}"));
        if !bytes.is_empty() {
            let answer =
                upload(&server, "sendDocument", &[("chat_id", "42")], &[("document", "a.png", &bytes)]);
            assert_eq!(answer.status, 200);
        }
    }
}

#[test]
fn fifty_mebibytes_are_the_most() {
    let server = acquainted();
    let mut bytes = vec![7; 50 << 20];
    let send =
        |bytes: &[u8]| upload(&server, "sendDocument", &[("chat_id", "42")], &[("document", "a.bin", bytes)]);
    assert_eq!(send(&bytes).status, 200);
    bytes.push(7);
    let answer = send(&bytes);
    assert_eq!(answer.status, 413);
    assert_eq!(
        answer.json(),
        json!({"ok": false, "error_code": 413, "description": "Request Entity Too Large"})
    );
}

#[test]
fn an_album_is_of_compatible_kinds() {
    let server = acquainted();
    let picture = png(10, 10);
    let send = |kinds: &[&str]| {
        let media: Vec<Value> = kinds
            .iter()
            .map(|kind| json!({"type": kind, "media": "attach://one", "caption": kind}))
            .collect();
        let media = Value::from(media).to_string();
        upload(
            &server,
            "sendMediaGroup",
            &[("chat_id", "42"), ("media", &media)],
            &[("one", "a.png", &picture)],
        )
        .json()
    };
    let two = send(&["photo", "photo"]);
    let messages = two["result"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["media_group_id"], messages[1]["media_group_id"]);
    assert_eq!(messages[1]["caption"], "photo");
    assert_eq!(send(&["document", "document"])["ok"], true);
    assert_eq!(send(&["photo", "video"])["ok"], true);
    for (kinds, expected) in [
        (&["photo", "document"][..], "Document can't be mixed with other media types"),
        (&["audio", "photo"], "Audio can't be mixed with other media types"),
        (&["photo"], "media group must include 2-10 items"),
        (&["photo"; 11], "too many messages to send as an album"),
        (&[], "there are no messages to send"),
        (
            &["animation", "photo"],
            "can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup",
        ),
        (&["voice", "photo"], "can't parse InputMedia: type \"voice\" is unsupported"),
    ] {
        assert_eq!(send(kinds)["description"], format!("Bad Request: {expected}"), "{kinds:?}");
    }
    let long = json!([
        {"type": "photo", "media": "attach://one", "caption": "x".repeat(1025)},
        {"type": "photo", "media": "attach://one"},
    ]);
    let long = long.to_string();
    let answer = upload(
        &server,
        "sendMediaGroup",
        &[("chat_id", "42"), ("media", &long)],
        &[("one", "a.png", &picture)],
    )
    .json();
    assert_eq!(answer["description"], "Bad Request: message caption is too long");
    assert_eq!(server.messages(&ada().chat()).len(), 6);
}

#[test]
fn a_connection_goes_on_though_the_end_of_a_form_is_late() {
    let server = acquainted();
    let mut stream = TcpStream::connect(server.address().strip_prefix("http://").unwrap()).unwrap();
    let form = "--sea\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n--sea\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n--sea--\r\n";
    let token = server.token();
    for _ in 0..2 {
        write!(
            stream,
            "POST /bot{token}/sendMessage HTTP/1.1\r\nHost: fake\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=sea\r\n\r\n{:x}\r\n{form}\r\n",
            form.len()
        )
        .unwrap();
        thread::sleep(Duration::from_millis(50));
        stream.write_all(b"0\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
    }
    assert_eq!(server.messages(&ada().chat()).len(), 2);
}
