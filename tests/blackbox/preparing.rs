//! Tests that a client does not wait for compilation: channels that need longer are added later.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::harness::{Home, Server, component, http};

/// Creates a named pipe, which is empty until the test writes to it: a reader waits.
fn pipe(home: &Home, name: &str) -> PathBuf {
    let path = home.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Starts the server and returns its answer to the handshake, which comes at once.
fn begin(home: &Home, arguments: &[&str], file: &PathBuf) -> (Server, Value) {
    let mut command = home.command(["serve", "--opt-in", "always"]);
    command.args(arguments).arg("--dangerously-load-development-channels").arg(file);
    let mut server = Server::start(command);
    let answer = server.request(
        "initialize",
        &json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "claude-code", "version": "1"}
        }),
    );
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    (server, answer["result"].clone())
}

fn tools(server: &mut Server) -> Vec<String> {
    let tools = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_channel_that_takes_longer_follows() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["s"]}));
    let file = pipe(&home, "bazaar.wasm");
    let (mut server, answer) = begin(&home, &["--port", "0"], &file);
    let instructions = answer["instructions"].as_str().unwrap();
    assert!(
        instructions.contains(&format!("The channel {} is being prepared", file.display())),
        "{instructions}"
    );
    assert_eq!(answer["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(tools(&mut server), ["reply"]);
    let (text, is_error) = server.reply("s", "hello?");
    assert!(is_error && text.contains("is being prepared"), "{text}");

    fs::write(&file, component("bazaar")).unwrap();
    server.wait("notifications/tools/list_changed");
    assert!(tools(&mut server).contains(&"edit_message".to_owned()));
    assert_eq!(http(server.port("bazaar"), "GET", "/", &[], b"").status, 200);
    assert!(!server.reply("s", "hello").1);
    assert!(server.ready[0].starts_with("The channel bazaar is ready."), "{:?}", server.ready);
}

#[test]
fn beside_it_other_channels_work() {
    let home = Home::new();
    let file = pipe(&home, "bazaar.wasm");
    let (mut server, answer) = begin(&home, &["fakechat", "--port", "0"], &file);
    assert!(answer["instructions"].as_str().unwrap().contains("Fakechat:"), "{answer}");
    server.page("fakechat").say("1", "hello");
    let event = server.event();
    assert_eq!((&event["content"], &event["meta"]["chat_id"]), (&json!("hello"), &json!("fakechat:web")));
    assert!(!server.reply("fakechat:web", "hello").1);
    let (text, is_error) = server.reply("bazaar:s", "hello");
    assert!(is_error && text.contains("is being prepared"), "{text}");
    fs::write(&file, "no component at all").unwrap();
    server.wait("notifications/tools/list_changed");
    server.log("bazaar.wasm cannot be loaded");
    // The form of chats stays as it was.
    assert!(!server.reply("fakechat:web", "hello").1);
}

#[test]
fn a_session_may_end_before_a_channel_is_prepared() {
    let home = Home::new();
    let file = pipe(&home, "bazaar.wasm");
    let (mut server, _) = begin(&home, &["--port", "0"], &file);
    server.close_stdin();
    assert!(server.end().0.success());
}
