//! Tests that a component with WASI imports gets no access through WASI.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Courier;
use crate::harness::{Home, http};

#[test]
fn wasi_has_clocks_and_random_bytes_and_nothing_else() {
    let home = Home::new();
    let mut courier = Courier::start_with(&home, "", |command| {
        command.env("VISIBLE", "yes");
    });
    let response = http(courier.port, "GET", "/wasi", &[], b"");
    assert_eq!(response.status, 200, "{}", response.text());
    let world: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        world,
        json!({
            "environment": [], "arguments": [], "folder": null, "preopens": 0, "tcp": "access-denied",
            "udp": "access-denied", "name": "access-denied", "random": 16,
            "clock": true
        })
    );
    // Nothing of it is on stdout, which is the session's.
    assert!(courier.server.log("said on stdout").contains("courier"));
    courier.server.log("and more");
    // The limit is each call's own.
    for _ in 0..2 {
        http(courier.port, "GET", "/complain", &[], b"");
    }
    courier.server.log("more than 64 lines in one call");
    courier.server.close_stdin();
    courier.server.end();
    let log = super::log(&home);
    assert_eq!(log.matches("complaint 63").count(), 2, "{log}");
    assert_eq!(log.matches("complaint ").count(), 128, "{log}");
    assert!(courier.server.rest().is_empty());
}

#[test]
fn waiting_ends_with_the_call() {
    let home = Home::new();
    let mut courier = Courier::start(&home, "[courier]\ndeadline_seconds = 1\n");
    let start = Instant::now();
    assert_eq!(http(courier.port, "GET", "/sleep", &[], b"").status, 502);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    courier.server.log("it did not finish within 1 s");
}
