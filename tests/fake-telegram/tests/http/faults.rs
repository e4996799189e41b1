//! Tests of faults on demand.

use std::time::{Duration, Instant};

use fake_telegram::{Draft, Fault};
use serde_json::json;

use crate::{
    PATIENCE, acquainted, ada,
    client::{call, result, send, try_call},
};

#[test]
fn too_many_requests_say_when_to_come_again() {
    let server = acquainted();
    server.fault(Fault::too_many_requests(7).on("sendMessage").times(2));
    let hello = json!({"chat_id": 42, "text": "hello"});
    for _ in 0..2 {
        let answer = call(&server, "sendMessage", &hello);
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")));
        assert_eq!(
            answer.json(),
            json!({
                "ok": false,
                "error_code": 429,
                "description": "Too Many Requests: retry after 7",
                "parameters": {"retry_after": 7},
            })
        );
    }
    assert_eq!(server.messages(&ada().chat()).len(), 0);
    assert_eq!(call(&server, "sendMessage", &hello).status, 200);
    let faulted: Vec<bool> = server.calls_of("sendMessage").iter().map(|call| call.faulted).collect();
    assert_eq!(faulted, [true, true, false]);
}

#[test]
fn each_damage_looks_as_it_should() {
    let server = acquainted();
    let me = json!({});
    server.fault(Fault::status(502));
    let answer = call(&server, "getMe", &me);
    assert_eq!((answer.status, answer.header("content-type")), (502, Some("text/html")));
    assert!(answer.body.starts_with(b"<html>"));

    server.fault(Fault::refusal(400, "Bad Request: because"));
    assert_eq!(call(&server, "getMe", &me).json()["description"], "Bad Request: because");

    server.fault(Fault::redirect("http://127.0.0.1:1/elsewhere"));
    let answer = call(&server, "getMe", &me);
    assert_eq!((answer.status, answer.header("location")), (302, Some("http://127.0.0.1:1/elsewhere")));

    server.fault(Fault::malformed("{\"ok\":tru"));
    assert_eq!(call(&server, "getMe", &me).body, b"{\"ok\":tru");

    server.fault(Fault::large(3 << 20));
    let answer = call(&server, "getMe", &me);
    assert_eq!(answer.json()["result"].as_str().unwrap().len(), 3 << 20);

    server.fault(Fault::cut(10));
    let answer = call(&server, "getMe", &me);
    assert_eq!((answer.status, answer.whole, answer.body.len()), (200, false, 10));

    let whole = call(&server, "getMe", &me).body;
    server.fault(Fault::slow(50, Duration::from_millis(20)));
    let start = Instant::now();
    let answer = call(&server, "getMe", &me);
    assert!(answer.whole && answer.body == whole);
    assert!(start.elapsed() >= Duration::from_millis(20) * u32::try_from((whole.len() - 1) / 50).unwrap());

    server.fault(Fault::hang());
    server.clear_faults();
    assert_eq!(call(&server, "getMe", &me).status, 200);
}

#[test]
fn an_answer_is_held_until_it_is_released() {
    let server = acquainted();
    server.fault(Fault::hold().on("sendMessage"));
    std::thread::scope(|scope| {
        let held = scope.spawn(|| call(&server, "sendMessage", &json!({"chat_id": 42, "text": "hello"})));
        assert_eq!(server.hears(&ada().chat(), PATIENCE)["text"], "hello");
        // Others are not held.
        assert_eq!(call(&server, "sendMessage", &json!({"chat_id": 42, "text": "more"})).status, 200);
        assert!(!held.is_finished());
        server.release();
        assert_eq!(held.join().unwrap().json()["result"]["text"], "hello");
    });
}

#[test]
fn a_reset_may_come_before_or_after_the_effect() {
    let server = acquainted();
    for (handled, messages) in [(false, 0), (true, 1)] {
        server.fault(Fault::reset().on("sendMessage").handled(handled));
        let error = try_call(&server, "sendMessage", &json!({"chat_id": 42, "text": "hello"})).err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(server.messages(&ada().chat()).len(), messages);
    }
}

#[test]
fn downloads_go_wrong_too() {
    let server = acquainted();
    server.says(&ada(), &ada().chat(), Draft::document("a.txt", "hello"));
    let updates = result(&server, "getUpdates", &json!({}));
    let file = result(&server, "getFile", &json!({"file_id": updates[0]["message"]["document"]["file_id"]}));
    let path = format!("/file/bot{}/{}", server.token(), file["file_path"].as_str().unwrap());
    server.fault(Fault::cut(2).on("file"));
    let answer = send(&server, "GET", &path, "", b"").unwrap();
    assert_eq!((answer.whole, answer.body.as_slice()), (false, b"he".as_slice()));
    assert_eq!(send(&server, "GET", &path, "", b"").unwrap().body, b"hello");
    let notes: Vec<bool> = server.calls_of("file").iter().map(|call| call.faulted).collect();
    assert_eq!(notes, [true, false]);
    assert_eq!(server.wait_for("file", PATIENCE).parameter("file_path"), &file["file_path"]);
}

#[test]
fn a_round_trip_takes_as_long_as_was_said() {
    let server = acquainted();
    server.latency(Duration::from_millis(60));
    let start = Instant::now();
    result(&server, "getMe", &json!({}));
    assert!(start.elapsed() >= Duration::from_millis(60));
}
