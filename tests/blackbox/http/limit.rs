//! Tests of the limits on size and duration of answers.

use std::{
    io::Write as _,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    Courier, at,
    upstream::{Upstream, respond},
};
use crate::harness::Home;

/// Writes a head, and then an endless body until the connection closes.
fn pour(stream: &mut TcpStream, head: &str) -> bool {
    let chunk = vec![b'x'; 1 << 16];
    let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes());
    // 1 GiB is without end.
    (0..1 << 14).all(|_| stream.write_all(&chunk).is_ok())
}

/// Returns the program's peak memory, in KiB.
fn peak(courier: &Courier) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", courier.server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_answer_without_end_is_cut_off_and_takes_no_memory() {
    let home = Home::new();
    let upstream = Upstream::new(|seen, stream| match seen.path() {
        "/endless" => pour(stream, ""),
        "/announced" => pour(stream, "Content-Length: 1073741824\r\n"),
        "/just" => respond(stream, "200 OK", &[], &vec![b'x'; 8 << 20]),
        "/more" => respond(stream, "200 OK", &[], &vec![b'x'; (8 << 20) + 1]),
        _ => respond(stream, "200 OK", &[], b""),
    });
    let courier = at(&home, &upstream);
    courier.get(&upstream.url("/"));
    let before = peak(&courier);
    for path in ["/endless", "/announced", "/more"] {
        assert_eq!(courier.get(&upstream.url(path)), json!({"too_large": 8 << 20}), "{path}");
    }
    assert_eq!(courier.get(&upstream.url("/just"))["answer"]["length"], 8 << 20);
    for path in ["/endless", "/announced"] {
        let outcome = courier.run(&json!({"url": upstream.url(path), "download": "a.bin"}));
        assert_eq!(outcome, json!({"too_large": 1 << 20}), "{path}");
    }
    let inbox = home.path().join("courier/inbox");
    assert_eq!(std::fs::read_dir(inbox).unwrap().count(), 0, "nothing is left of what was too large");
    let grown = peak(&courier) - before;
    #[cfg(target_os = "linux")]
    assert!(grown < 100 << 10, "{grown} KiB");
}

#[test]
fn an_answers_head_has_its_limits() {
    let home = Home::new();
    let upstream = Upstream::new(|seen, stream| {
        let (count, length) = seen.path()[1..].split_once('x').unwrap();
        let value = "x".repeat(length.parse().unwrap());
        let headers: Vec<String> =
            (0..count.parse::<usize>().unwrap()).map(|number| format!("X-{number}: {value}")).collect();
        respond(stream, "200 OK", &headers.iter().map(String::as_str).collect::<Vec<_>>(), b"fine")
    });
    let courier = at(&home, &upstream);
    assert_eq!(courier.get(&upstream.url("/50x1000"))["answer"]["body"], "fine");
    assert_eq!(courier.get(&upstream.url("/70x1000")), json!({"too_large": 64 << 10}));
    for path in ["/10000x10", "/1x1000000"] {
        let outcome = courier.get(&upstream.url(path));
        assert!(outcome["network"].is_string(), "{path}: {outcome}");
    }
}

#[test]
fn what_a_guest_sends_has_its_limit() {
    let home = Home::new();
    let upstream = Upstream::saying("fine");
    let courier = at(&home, &upstream);
    let errand = |length: usize| json!({"method": "POST", "url": upstream.url("/"), "fill": length});
    assert_eq!(courier.run(&errand(16 << 20))["answer"]["body"], "fine");
    assert_eq!(upstream.last().body.len(), 16 << 20);
    assert!(courier.denied(&errand((16 << 20) + 1)).contains("a request may have 16 MiB"));
}

#[test]
fn nothing_takes_longer_than_its_call() {
    let home = Home::new();
    let upstream = Upstream::new(|seen, stream| {
        if seen.path() == "/silent" {
            thread::sleep(Duration::from_secs(20));
            return false;
        }
        // A byte now and then, for ever.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
        false
    });
    let settings =
        format!("[courier]\ndeadline_seconds = 2\n[courier.settings]\nbase = \"{}\"\n", upstream.origin());
    let courier = Courier::start(&home, &settings);
    for path in ["/silent", "/slow"] {
        for (timeout, least, most) in [(Some(300), 0.3, 1.5), (Some(60_000), 1.5, 2.0), (None, 1.5, 2.0)] {
            let start = Instant::now();
            let outcome = courier.run(&json!({"url": upstream.url(path), "timeout_ms": timeout}));
            let took = start.elapsed().as_secs_f32();
            assert_eq!(outcome, json!({"timeout": null}), "{path} {timeout:?}");
            assert!((least..most + 1.0).contains(&took), "{path} {timeout:?}: {took} s");
        }
    }
    let outcome =
        courier.run(&json!({"url": upstream.url("/slow"), "timeout_ms": 300, "download": "slow.txt"}));
    assert_eq!(outcome, json!({"timeout": null}));
    assert_eq!(std::fs::read_dir(home.path().join("courier/inbox")).unwrap().count(), 0);
}

#[test]
fn nothing_is_unpacked() {
    let home = Home::new();
    // The beginning of something that gzip would make a thousand times larger.
    let upstream = Upstream::new(|_, stream| {
        respond(
            stream,
            "200 OK",
            &["Content-Encoding: gzip", "Content-Type: application/json"],
            b"\x1f\x8b\x08\0bomb",
        )
    });
    let courier = at(&home, &upstream);
    let outcome = courier.get(&upstream.url("/"));
    assert_eq!(outcome["answer"]["length"], 8);
    assert!(
        outcome["answer"]["headers"].as_array().unwrap().contains(&json!(["content-encoding", "gzip"])),
        "{outcome}"
    );
}
