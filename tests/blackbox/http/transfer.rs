//! Tests of uploads and downloads of files.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{
    at,
    upstream::{Upstream, respond},
};
use crate::harness::Home;

#[test]
fn a_file_arrives_byte_for_byte_and_its_name_stays_a_name() {
    let home = Home::new();
    let upstream = Upstream::saying("fine");
    let mut courier = at(&home, &upstream);
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).take(1 << 20).collect();
    let paths: Vec<_> = ["a.bin", "b.txt"].iter().map(|name| folder.path().join(name)).collect();
    std::fs::write(&paths[0], &content).unwrap();
    std::fs::write(&paths[1], "--tidegate\r\n\r\n").unwrap();
    let (text, is_error) =
        courier.server.call("reply", &json!({"chat_id": "c", "text": upstream.url("/send"), "files": paths}));
    assert!(!is_error, "{text}");
    let seen = upstream.last();
    assert!(seen.path().starts_with("/bot12:") && seen.path().ends_with("/send"), "{}", seen.line);
    let media_type = seen.header("content-type").unwrap();
    let boundary = media_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let part = |head: &str, content: &[u8]| {
        [
            format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
            content,
            b"\r\n",
        ]
        .concat()
    };
    let evil = "name=\"again%22%0D%0A\"; filename=\"a%22; name=%22b%0D%0AX-Evil: 1\"";
    let expected = [
        part("name=\"chat\"", b"c"),
        part("name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream", &content),
        part(&format!("{evil}\r\nContent-Type: application/octet-stream"), &content),
        part("name=\"file\"; filename=\"b.txt\"\r\nContent-Type: text/plain", b"--tidegate\r\n\r\n"),
        part(&format!("{evil}\r\nContent-Type: text/plain"), b"--tidegate\r\n\r\n"),
        format!("--{boundary}--\r\n").into_bytes(),
    ]
    .concat();
    assert!(seen.body == expected, "{} bytes instead of {}", seen.body.len(), expected.len());
}

#[test]
fn a_file_is_not_sent_on_where_a_redirect_wants_it() {
    let home = Home::new();
    let upstream = Upstream::redirecting("307 Temporary Redirect", "/again".to_owned());
    let mut courier = at(&home, &upstream);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "x").unwrap();
    let (text, is_error) =
        courier.server.call("reply", &json!({"chat_id": "c", "text": upstream.url("/"), "files": [path]}));
    assert!(is_error && text.contains("redirects a file, which is sent once only"), "{text}");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_download_lands_in_the_inbox_under_a_safe_name() {
    let home = Home::new();
    let upstream = Upstream::new(|seen, stream| match seen.path() {
        "/moved" => respond(stream, "302 Found", &["Location: /file"], b""),
        "/file" => respond(stream, "200 OK", &["Content-Type: image/PNG; charset=x"], b"the bytes"),
        "/odd" => respond(stream, "200 OK", &["Content-Type: <script>"], b"odd"),
        "/large" => respond(stream, "200 OK", &[], &vec![7; 1 << 20]),
        _ => respond(
            stream,
            "404 Not Found",
            &[],
            format!("no\u{1b}[2J such\nfile {}", "x".repeat(500)).as_bytes(),
        ),
    });
    let courier = at(&home, &upstream);
    let fetch = |path: &str, name: &str| courier.run(&json!({"url": upstream.url(path), "download": name}));
    let saved = |name: &str, media_type: &str, size: u64| json!({"saved": {"name": name, "media_type": media_type, "size": size}});
    assert_eq!(fetch("/moved", "../../.bashrc"), saved("bashrc", "image/png", 9));
    assert_eq!(fetch("/file", "a.png"), saved("a.png", "image/png", 9));
    assert_eq!(fetch("/file", "a.png"), saved("a.png", "image/png", 9));
    assert_eq!(fetch("/odd", "a.txt"), saved("a.txt", "text/plain", 3));
    assert_eq!(fetch("/large", "large.bin"), saved("large.bin", "application/octet-stream", 1 << 20));
    let outcome = fetch("/missing", "b.txt");
    let reason = outcome["network"].as_str().unwrap();
    assert!(
        reason.starts_with(&format!("HTTP 404 from 127.0.0.1:{}: no [2J such file xxx", upstream.port)),
        "{reason}"
    );
    assert!(reason.len() < 260 && !reason.contains('\u{1b}'), "{reason}");
    let inbox = home.path().join("courier/inbox");
    assert_eq!(std::fs::metadata(&inbox).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names: Vec<String> = std::fs::read_dir(&inbox)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    let ends = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    assert_eq!(
        (ends("-bashrc"), ends("-a.png"), ends("-a.txt"), ends("-large.bin")),
        (1, 2, 1, 1),
        "{names:?}"
    );
    let png = names.iter().find(|name| name.ends_with("-a.png")).unwrap();
    assert_eq!(std::fs::read(inbox.join(png)).unwrap(), b"the bytes");
}
