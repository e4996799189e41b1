//! Tests of third-party polled channels, which may misbehave.

use serde_json::{Value, json};

use crate::harness::{Home, Server, component};

#[test]
fn a_letter_that_kills_its_reader_is_set_aside_and_the_rest_goes_on() {
    let home = Home::new();
    let path = home.path().join("postman.wasm");
    std::fs::write(&path, component("postman")).unwrap();
    std::fs::create_dir_all(home.path().join("postman")).unwrap();
    home.access("postman", &json!({"dmPolicy": "allowlist", "allowFrom": ["s"]}));
    let flag = "--dangerously-load-development-channels";
    let start = || Server::start(home.command(["serve", flag, path.to_str().unwrap(), "--opt-in", "always"]));
    let mut server = start();
    server.initialize();
    let (mut told, mut notices) = (Vec::new(), Vec::new());
    while told.last().map(String::as_str) != Some("last") {
        let event = server.event();
        let text = event["content"].as_str().unwrap().to_owned();
        if event["meta"]["notice"].is_string() { notices.push(text) } else { told.push(text) }
    }
    // The one that was not to be had at first comes in its place, and what it has noted meanwhile was kept.
    assert_eq!(told, ["first", "later", "sulk", "last"]);
    assert!(
        notices.iter().any(|text| text.contains("set aside") && text.contains("letter-1")),
        "{notices:?}"
    );
    server.no_event();

    let report = home.run(["report", "postman", "--json"], "");
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report.as_array().unwrap().len(), 1, "{report}");
    assert_eq!((&report[0]["id"], &report[0]["payload"]), (&json!("letter-1"), &json!("trap")));
    assert!(report[0]["reason"].as_str().unwrap().contains("crashed"), "{report}");
    let status = home.run(["status", "postman"], "");
    assert!(status.stdout.contains("tidegate report postman"), "{}", status.stdout);

    // The next start goes on behind them.
    server.close_stdin();
    server.end();
    let mut server = start();
    server.initialize();
    server.no_event();
}
