//! Tests of the MCP side, line by line.

use serde_json::{Value, json};

use crate::harness::{Home, bazaar, chameleon};

#[test]
fn a_later_revision_is_not_negotiated() {
    let home = Home::new();
    let mut server = home.spawn(["fakechat"]);
    // What a newer client asks first, with and without what rmcp insists on.
    for params in [json!({}), json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}})] {
        let answer = server.request("server/discover", &params);
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
    }
    for (asked, expected) in
        [("2026-07-28", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("nonsense", "2025-11-25")]
    {
        let mut server = home.spawn(["fakechat"]);
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
        let answer = server.request("initialize", &params);
        assert_eq!(answer["result"]["protocolVersion"], expected, "{answer}");
    }
}

#[test]
fn lines_that_are_no_messages_are_answered_and_survived() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    for (line, code) in [
        ("hello\n".as_bytes(), -32700),
        (b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \n", -32700),
        (b"\xff\xfe{}\n", -32700),
        (b"42\n", -32600),
        (b"[]\n", -32600),
        (b"{\"jsonrpc\": \"2.0\", \"id\": {}, \"method\": \"ping\"}\n", -32600),
    ] {
        server.raw(line);
        let answer = server.next();
        assert_eq!(answer["error"]["code"], code, "{} gives {answer}", String::from_utf8_lossy(line));
    }
    server.raw(b"\n  \n");
    let mut long = vec![b'x'; 17 << 20];
    long.push(b'\n');
    server.raw(&long);
    let answer = server.next();
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("16 MiB"));
    assert_eq!(server.request("ping", &json!({}))["result"], json!({}));
}

#[test]
fn what_comes_before_the_handshake_does_not_end_the_session() {
    let home = Home::new();
    let mut server = home.spawn(["fakechat"]);
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/whatever"}));
    server.send(&json!({"jsonrpc": "2.0", "id": 77, "result": {}}));
    assert!(server.request("tools/list", &json!({}))["error"].is_object());
    assert_eq!(server.request("ping", &json!({}))["result"], json!({}));
    assert_eq!(server.initialize()["serverInfo"]["name"], "tidegate");
}

#[test]
fn a_handshake_that_is_none_is_explained_and_the_end_is_still_seen() {
    let home = Home::new();
    let mut server = home.spawn(["fakechat"]);
    let answer = server.request("initialize", &json!({"protocolVersion": 1}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    server.send(&json!({"jsonrpc": "2.0", "method": "initialize", "params": {}}));
    assert_eq!(server.next()["error"]["code"], -32602);
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    assert_eq!(server.request("ping", &json!({}))["result"], json!({}));
    server.close_stdin();
    assert!(server.end().0.success());
}

#[test]
fn unknown_methods_and_wrong_calls_are_explained() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    assert_eq!(server.request("no/such/method", &json!({}))["error"]["code"], -32601);
    let answer = server.request("tools/call", &json!({"name": "no_such_tool", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("reply, edit_message"), "{answer}");
    let answer = server.request("tools/call", &json!({"name": "reply", "arguments": "text"}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    for (arguments, expected) in [
        (json!({}), "\"text\" is missing"),
        (json!({"chat_id": "web"}), "\"text\" is missing"),
        (json!({"chat_id": 7, "text": "x"}), "\"chat_id\" must be a string, not 7"),
        (json!({"chat_id": "web", "text": ["x"]}), "\"text\" must be a string"),
        (json!({"chat_id": "web", "text": "x", "files": "a.txt"}), "\"files\" must be an array of strings"),
        (json!({"chat_id": "web", "text": "x", "format": "html"}), "must be \"markdown\" or \"text\""),
        (json!({"chat_id": "web", "text": "x", "txet": 1}), "no argument \"txet\""),
        (json!({"chat_id": "wob", "text": "x"}), "the chat wob is not one that may write"),
        (json!({"chat_id": "web", "text": ""}), "nothing to send"),
        (json!({"chat_id": "web", "text": "x", "files": ["a.txt"]}), "not an absolute path"),
        (json!({"chat_id": "web", "text": "x", "files": ["/no/such/file"]}), "cannot be read"),
        (json!({"chat_id": "web", "text": "x", "files": ["/dev/zero"]}), "not a regular file"),
    ] {
        let (text, is_error) = server.call("reply", &arguments);
        assert!(is_error && text.contains(expected), "{expected:?} is not in {text:?}");
    }
    let (text, is_error) =
        server.call("edit_message", &json!({"chat_id": "web", "message_id": "m0", "text": "x"}));
    assert!(is_error && text.contains("not found: fakechat has no message m0"), "{text}");
}

#[test]
fn a_chat_names_its_channel_where_there_are_several() {
    let home = Home::new();
    let file = chameleon(&home, "good");
    let mut command = home.command(["serve", "fakechat", "--dangerously-load-development-channels"]);
    command.arg(&file).env("FAKECHAT_PORT", "0");
    let mut server = crate::harness::Server::start(command);
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    for part in ["fakechat:ID", "full_message_path"] {
        assert!(instructions.contains(part), "{part:?} is not in {instructions}");
    }
    let tools = server.request("tools/list", &json!({}));
    let names: Vec<&Value> =
        tools["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["reply", "react", "edit_message"], "what any of them can do");

    let mut page = server.page("fakechat");
    page.say("1", "one");
    assert_eq!(server.event()["meta"]["chat_id"], "fakechat:web");
    server.page("chameleon").text("two");
    assert_eq!(server.event()["meta"]["chat_id"], "chameleon:c");

    assert!(server.reply("fakechat:web", "to fakechat").0.starts_with("sent (id: m"));
    assert_eq!(page.wait("msg")["text"], "to fakechat");
    assert_eq!(server.reply("chameleon:c", "to chameleon").0, "sent (id: 1)");
    let (text, is_error) = server.reply("web", "to nobody");
    assert!(is_error && text.contains("names no channel") && text.contains("fakechat, chameleon"), "{text}");
}

#[test]
fn what_an_answer_needs_is_never_deferred() {
    let home = Home::new();
    let file = bazaar(&home, "good");
    let mut server = home.serve(["--dangerously-load-development-channels", file.to_str().unwrap()]);
    let answer = server.request("tools/list", &json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap();
    let always: Vec<&Value> = tools
        .iter()
        .filter(|tool| tool["_meta"]["anthropic/alwaysLoad"] == true)
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(always, ["reply", "download_attachment"]);
    assert_eq!(tools.iter().filter(|tool| tool["_meta"].is_null()).count(), 3, "{answer}");
}

#[test]
fn thousands_of_messages_arrive_in_order() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    let sender = std::thread::spawn(move || {
        for number in 0..5000 {
            page.say(&format!("u{number}"), &format!("message {number}"));
        }
        page
    });
    for number in 0..5000 {
        assert_eq!(server.content(), format!("message {number}"));
    }
    sender.join().unwrap();
}
