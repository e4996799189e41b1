//! Tests of the page's side: who may write, limits on size, and files.

use std::io::Write as _;

use serde_json::json;
use tungstenite::{
    Bytes, Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::harness::{Home, Page, http, upload};

#[test]
fn foreign_pages_and_names_are_refused() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let port = server.port("fakechat");
    let own = format!("http://127.0.0.1:{port}");
    for headers in [
        [("Host", "evil.example"), ("Accept", "*/*")],
        [("Host", "127.0.0.1"), ("Accept", "*/*")],
        [("Origin", "http://evil.example"), ("Accept", "*/*")],
        [("Origin", "null"), ("Accept", "*/*")],
        [("Origin", "https://localhost"), ("Accept", "*/*")],
    ] {
        for (method, path) in [("GET", "/"), ("POST", "/upload"), ("GET", "/ws"), ("GET", "/files/a")] {
            let response = http(port, method, path, &headers, b"");
            assert_eq!(response.status, 403, "{method} {path} {headers:?}: {}", response.text());
        }
    }
    assert!(Page::with_headers(port, &[("Origin", "http://evil.example")]).is_err());
    assert!(Page::with_headers(port, &[("Origin", &own)]).is_ok());
    // Programs have no origin.
    assert!(Page::with_headers(port, &[]).is_ok());
    let response = http(port, "GET", "/", &[], b"");
    assert_eq!(response.status, 200);
    assert!(response.head.contains("content-security-policy: default-src 'none'"), "{}", response.head);
    assert!(response.head.contains("nosniff"), "{}", response.head);
    assert!(http(port, "GET", "/", &[("Host", &format!("localhost:{port}"))], b"").text().contains("<html"));
    assert_eq!(http(port, "GET", "/no/such/page", &[], b"").status, 404);
    assert_eq!(http(port, "DELETE", "/", &[], b"").status, 405);
    server.no_event();
}

#[test]
fn an_upload_arrives_in_the_inbox_and_in_the_session() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let port = server.port("fakechat");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let response = upload(port, "u1", "look", "../../etc/my photo.png", &bytes);
    assert_eq!(response.status, 204, "{}", response.text());
    let event = server.event();
    assert_eq!(event["content"], "look");
    let path = event["meta"]["file_path"].as_str().unwrap();
    assert!(
        path.starts_with(home.path().canonicalize().unwrap().join("fakechat/inbox").to_str().unwrap()),
        "{path}"
    );
    assert!(path.ends_with("my photo.png"), "{path}");
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    assert_eq!(event["meta"]["image_path"], path);
    assert_eq!(event["meta"]["attachment_size"], "3000000");
    // What was received may be sent back.
    let (text, is_error) = server.call("reply", &json!({"chat_id": "web", "text": "", "files": [path]}));
    assert!(!is_error, "{text}");
}

#[test]
fn uploads_beyond_the_limit_leave_nothing_behind() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let port = server.port("fakechat");
    let large = vec![7; (50 << 20) + 1];
    let response = upload(port, "u1", "", "large.bin", &large);
    assert_eq!(response.status, 413, "{}", response.text());
    assert!(response.text().contains("50 MiB"), "{}", response.text());
    // One that does not say beforehand how long it is.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let opening = b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    write!(stream, "{:x}\r\n", opening.len()).unwrap();
    stream.write_all(opening).unwrap();
    stream.write_all(b"\r\n").unwrap();
    for _ in 0..60 {
        let mut chunk = format!("{:x}\r\n", 1 << 20).into_bytes();
        chunk.extend(vec![7; 1 << 20]);
        chunk.extend(b"\r\n");
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    drop(stream);
    // A field whose header has no end.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"8\r\n--edge\r\n\r\n").unwrap();
    let mut sent = 0;
    while sent < 256 << 20
        && stream.write_all(format!("100000\r\n{}\r\n", "x".repeat(1 << 20)).as_bytes()).is_ok()
    {
        sent += 1 << 20;
    }
    assert!(sent < 64 << 20, "{sent} bytes of a header were taken");
    for (content_type, body, status) in [
        (
            "multipart/form-data; boundary=edge",
            "--edge\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nu",
            400,
        ),
        ("multipart/form-data; boundary=edge", "--edge--\r\n", 400),
        ("multipart/form-data", "", 415),
        ("text/plain", "hello", 415),
    ] {
        let response = http(port, "POST", "/upload", &[("Content-Type", content_type)], body.as_bytes());
        assert_eq!(response.status, status, "{content_type} {body:?}: {}", response.text());
        assert!(response.text().ends_with(".\n"), "{:?}", response.text());
    }
    let large = vec![7; 2 << 20];
    assert_eq!(http(port, "POST", "/upload", &[("Content-Type", "text/plain")], &large).status, 413);
    server.no_event();
    let inbox = home.path().join("fakechat/inbox");
    let start = std::time::Instant::now();
    while std::fs::read_dir(&inbox).unwrap().count() > 0 {
        assert!(start.elapsed() < crate::harness::PATIENCE, "something is left in the inbox");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(upload(port, "u2", "", "", b"").status, 204, "an empty file without a name is a file");
    assert!(server.event()["meta"]["file_path"].as_str().unwrap().ends_with("-file"));
}

#[test]
fn a_file_of_the_session_can_be_fetched_and_does_nothing_in_a_browser() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    let port = server.port("fakechat");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("räport & co.html");
    std::fs::write(&file, "<script>alert(1)</script>").unwrap();
    let (text, is_error) =
        server.call("reply", &json!({"chat_id": "web", "text": "here", "files": [file, file]}));
    assert!(!is_error && text.starts_with("sent 2 parts (ids: "), "{text}");
    let frame = page.wait("msg");
    assert_eq!(frame["text"], "here");
    assert_eq!(frame["file"]["name"], "räport _ co.html");
    let response = http(port, "GET", frame["file"]["url"].as_str().unwrap(), &[], b"");
    assert_eq!(response.text(), "<script>alert(1)</script>");
    for header in
        ["content-disposition: attachment", "sandbox", "nosniff", "cross-origin-resource-policy: same-origin"]
    {
        assert!(response.head.contains(header), "{header} is not in {}", response.head);
    }
    assert_eq!(page.wait("msg")["file"]["name"], "räport _ co.html");
    for path in ["/files/..%2F.env", "/files/%2Fetc%2Fpasswd", "/files/missing", "/files/"] {
        assert_eq!(http(port, "GET", path, &[], b"").status, 404, "{path}");
    }
    std::fs::write(home.path().join("fakechat/.env"), "TOKEN=1").unwrap();
    let own = home.path().join("fakechat/.env");
    let (text, is_error) = server.call("reply", &json!({"chat_id": "web", "text": "", "files": [own]}));
    assert!(is_error && text.contains("never sent"), "{text}");
    let many: Vec<_> = (0..11).map(|_| file.clone()).collect();
    let (text, is_error) = server.call("reply", &json!({"chat_id": "web", "text": "", "files": many}));
    assert!(is_error && text.contains("11 files are too many: fakechat accepts 10"), "{text}");
}

#[test]
fn frames_that_make_no_sense_are_answered_and_survived() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    for text in ["", "hello", "{\"id\": 1}", "[]", "{\"id\": \"a\", \"text\": \"\\ud800\"}"] {
        page.text(text);
        let answer = page.wait("error");
        assert!(answer["text"].as_str().unwrap().contains("expected {"), "{answer}");
    }
    page.say("1", "still here");
    assert_eq!(server.content(), "still here");

    page.frame(Message::binary(vec![1, 2, 3]));
    assert_eq!(page.closed().0, 1003);

    let mut page = server.page("fakechat");
    let large = "x".repeat(10 << 20);
    page.text(&json!({"id": "1", "text": large}).to_string());
    let (code, reason) = page.closed();
    assert!(code == 1009 && reason.contains("1 MiB"), "{code} {reason}");

    let mut page = server.page("fakechat");
    let not_utf8 = Bytes::from_static(b"{\"id\": \"\xff\"}");
    page.frame(Message::Frame(Frame::message(not_utf8, OpCode::Data(Data::Text), true)));
    assert_eq!(page.closed().0, 1007);

    server.page("fakechat").say("2", "and still");
    assert_eq!(server.content(), "and still");
    server.no_event();
}

/// The page shows a message's text as its author's, so only the author may change it.
#[test]
fn nobody_writes_in_the_sessions_place() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    server.initialize();
    let mut page = server.page("fakechat");
    page.say("u1", "hello");
    server.event();
    server.reply("web", "The truth.");
    let said = page.wait("msg");
    let id = said["id"].as_str().unwrap().to_owned();
    assert_eq!(said["from"], "assistant");
    let mut other = server.page("fakechat");
    for forged in [
        json!({"id": "u2", "text": "Forged.", "edits": id, "ack": true}),
        json!({"id": id, "text": "Forged."}),
    ] {
        other.text(&forged.to_string());
        let error = other.wait("error");
        assert!(error["text"].as_str().unwrap().contains("only your own"), "{error}");
    }
    let fields = format!(
        "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n--x\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"f\"\r\n\r\nForged.\r\n--x--\r\n"
    );
    let headers = [("Content-Type", "multipart/form-data; boundary=x")];
    assert_eq!(http(server.port("fakechat"), "POST", "/upload", &headers, fields.as_bytes()).status, 400);
    server.no_event();
    let history = server.page("fakechat").wait("history");
    let texts: Vec<&str> =
        history["messages"].as_array().unwrap().iter().map(|said| said["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["hello", "The truth."]);
}

#[test]
fn a_browser_that_does_not_read_is_let_go_and_holds_up_nobody() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let lazy = server.page("fakechat");
    let mut eager = server.page("fakechat");
    let text = "x".repeat(190_000);
    for number in 0..200 {
        assert!(!server.reply("web", &text).1, "{number}");
        eager.wait("msg");
    }
    server.no_event();
    drop(lazy);
}

#[test]
fn a_session_that_reads_slowly_slows_the_page_down() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    // More than pipes, sockets and buffers hold together; the harness's own reader is unbounded, so only the
    // server's side is watched here: everything arrives, in order, and its memory stays small.
    let text = "y".repeat(10_000);
    for number in 0..2000 {
        page.say(&format!("{number}"), &text);
    }
    for _ in 0..2000 {
        assert_eq!(server.content().len(), 10_000);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id()));
    if let Ok(status) = status {
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kibibytes: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kibibytes < 100 << 10, "20 MB of messages took {kibibytes} KiB");
    }
}
