//! Tests of calls without a chat: they mean the only chat that may be answered, or the error lists the chats.

use serde_json::{Value, json};

use super::{start, tools, write};
use crate::harness::{Home, Server, bazaar};

/// Starts a server of the bazaar with these people and groups.
fn with(home: &Home, people: &[&str], groups: &Value) -> Server {
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": people, "groups": groups}));
    start(home)
}

/// Returns a tool's required arguments, and its description of the argument for the chat.
fn listed(server: &mut Server, name: &str) -> (Vec<String>, String) {
    let answer = server.request("tools/list", &json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap();
    let schema = &tools.iter().find(|tool| tool["name"] == name).unwrap()["inputSchema"];
    let required = serde_json::from_value(schema["required"].clone()).unwrap();
    let chat = if name == "fetch_messages" { "channel" } else { "chat_id" };
    (required, schema["properties"][chat]["description"].as_str().unwrap().to_owned())
}

/// Returns the arguments of every tool without the one for the chat.
fn without_chat() -> [(&'static str, Value, &'static str); 5] {
    tools("").map(|(tool, mut arguments, call)| {
        let given = arguments.as_object_mut().unwrap();
        given.retain(|name, _| name != "chat_id" && name != "channel");
        (tool, arguments, call)
    })
}

#[test]
fn the_page_of_fakechat_is_answered_as_by_the_official_plugin() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    let (text, is_error) = server.call("reply", &json!({"text": "one"}));
    assert!(!is_error, "{text}");
    let id = page.wait("msg")["id"].clone();
    let (text, is_error) = server.call("edit_message", &json!({"message_id": id, "text": "two"}));
    assert!(!is_error, "{text}");
    assert_eq!(page.wait("edit")["text"], "two");
    let (required, about) = listed(&mut server, "reply");
    assert_eq!(required, ["text"]);
    assert!(about.contains("may be left out while web is the only chat"), "{about}");
    assert_eq!(listed(&mut server, "edit_message").0, ["message_id", "text"]);
}

#[test]
fn the_only_chat_is_meant_by_every_tool() {
    let home = Home::new();
    let mut server = with(&home, &["ada"], &json!({}));
    let mut page = server.page("bazaar");
    // By the id of the one who may write, until they have written from somewhere else.
    for chat in ["ada", "chat-7"] {
        if chat == "chat-7" {
            page.tell(&write("ada", chat, "x", &json!({"id": "m1", "attachments": [{"id": "f1"}]})));
            server.event();
        }
        for (tool, arguments, call) in without_chat() {
            if tool == "download_attachment" && chat == "ada" {
                continue;
            }
            let (text, is_error) = server.call(tool, &arguments);
            assert!(!is_error, "{tool}: {text}");
            let calls = page.calls();
            assert!(calls.len() == 1 && calls[0]["call"] == call && calls[0]["chat"] == chat, "{calls:?}");
        }
    }
    let (text, is_error) = server.call("download_attachment", &json!({"message_id": "m1"}));
    assert!(!is_error, "{text}");
    let (text, is_error) = server.call("download_attachment", &json!({}));
    assert!(is_error && text.contains("say which"), "{text}");
    for (tool, _, _) in without_chat() {
        let (required, about) = listed(&mut server, tool);
        assert!(!required.iter().any(|name| name == "chat_id" || name == "channel"), "{tool}: {required:?}");
        assert!(about.contains("while chat-7 is the only chat"), "{tool}: {about}");
    }
}

#[test]
fn where_there_are_several_the_error_names_them() {
    let home = Home::new();
    let mut server = with(&home, &["ada", "bob"], &json!({"fair": {"requireMention": false}, "zoo": {}}));
    let mut page = server.page("bazaar");
    page.tell(&write("ada", "chat-7", "x", &json!({"name": "Ada), 666 (Eve"})));
    page.tell(&write("eve", "fair-2", "x", &json!({"kind": "group", "group": "fair", "title": "Tents"})));
    server.event();
    server.event();
    let choices = "chat-7 (\"Ada), 666 (Eve\", direct), bob (direct), fair (group), fair-2 (\"Tents\", group), zoo (group)";
    for (tool, arguments, _) in without_chat() {
        if tool == "download_attachment" {
            // A file's id is enough where there is one channel.
            continue;
        }
        let name = if tool == "fetch_messages" { "channel" } else { "chat_id" };
        let (text, is_error) = server.call(tool, &arguments);
        let expected =
            format!("{tool} failed: \"{name}\" is missing; the chats that may be answered are: {choices}");
        assert!(is_error && text == expected, "{text}");
    }
    let (text, is_error) = server.call("download_attachment", &json!({"message_id": "m1"}));
    assert!(is_error && text.contains("\"chat_id\" is missing; the chats"), "{text}");
    assert!(page.calls().is_empty());
    let (required, about) = listed(&mut server, "reply");
    assert_eq!(required, ["chat_id", "text"]);
    assert_eq!(about, "The chat_id of the message");
}

#[test]
fn not_all_of_many_are_named() {
    let home = Home::new();
    let people: Vec<String> = (10..30).map(|number| format!("p{number}")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut server = with(&home, &people, &json!({}));
    let (text, is_error) = server.call("reply", &json!({"text": "x"}));
    assert!(is_error && text.ends_with("p18 (direct), p19 (direct), and 10 more"), "{text}");
}

#[test]
fn where_nobody_may_write_the_error_says_what_to_do() {
    for access in [
        json!({"dmPolicy": "allowlist", "allowFrom": []}),
        json!({"dmPolicy": "disabled", "allowFrom": ["ada"], "groups": {"fair": {}}}),
    ] {
        let home = Home::new();
        home.access("bazaar", &access);
        let mut server = start(&home);
        let (text, is_error) = server.call("reply", &json!({"text": "x"}));
        assert!(is_error && text.contains("\"chat_id\" is missing, and nobody may write"), "{text}");
        assert!(text.contains("`tidegate access bazaar`"), "{text}");
        assert_eq!(listed(&mut server, "reply").0, ["chat_id", "text"]);
    }
}

#[test]
fn where_nobody_knows_who_may_write_no_chat_is_the_only_one() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("bazaar")).unwrap();
    std::fs::write(home.path().join("bazaar/access.json"), "{").unwrap();
    let file = bazaar(&home, "good");
    let mut command = home.command(["serve", "--opt-in", "always", "fakechat"]);
    command.arg("--dangerously-load-development-channels").arg(&file).env("FAKECHAT_PORT", "0");
    let mut server = Server::start(command);
    server.initialize();
    let (text, is_error) = server.call("reply", &json!({"text": "x"}));
    assert!(is_error && text.contains("the chats of bazaar are not known"), "{text}");
}

#[test]
fn of_several_channels_the_chats_carry_their_names() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]}));
    let file = bazaar(&home, "good");
    let mut command = home.command(["serve", "--opt-in", "always", "fakechat"]);
    command.arg("--dangerously-load-development-channels").arg(&file).env("FAKECHAT_PORT", "0");
    let mut server = Server::start(command);
    server.initialize();
    let (text, is_error) = server.call("reply", &json!({"text": "x"}));
    assert!(is_error && text.ends_with("are: fakechat:web (direct), bazaar:ada (direct)"), "{text}");
    // Only one of the two can react.
    let (text, is_error) = server.call("react", &json!({"message_id": "m1", "emoji": "👍"}));
    assert!(!is_error, "{text}");
    let (required, about) = listed(&mut server, "react");
    assert_eq!(required, ["message_id", "emoji"]);
    assert!(about.contains("before the colon; may be left out while bazaar:ada is"), "{about}");
    assert_eq!(listed(&mut server, "reply").0, ["chat_id", "text"]);
}
