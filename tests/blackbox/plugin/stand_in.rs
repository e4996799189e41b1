//! Tests of the script as an MCP server, without the program: it reads JSON with only a shell.

use std::{
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::User;
use crate::harness::Server;

/// Shells that may be `sh`, with the arguments that make them behave so.
const SHELLS: [&[&str]; 4] =
    [&["/bin/sh"], &["/bin/dash"], &["/bin/bash", "--posix"], &["/bin/busybox", "sh"]];

/// Returns all answers to these lines, followed by the end of the input. Runs in each installed shell.
fn answers(lines: &[&str]) -> Vec<Value> {
    let user = User::new();
    let mut first: Option<Vec<Value>> = None;
    for shell in SHELLS.iter().filter(|shell| Path::new(shell[0]).exists()) {
        let original = user.command();
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .args(original.get_args())
            .env_clear()
            .envs(original.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let text = lines.join("\n");
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{shell:?}: {errors}");
        assert_eq!(errors, "tidegate is not installed: a tool of this server says what to do\n", "{shell:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = text
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{shell:?}: {error}: {line}"))
            })
            .collect();
        assert!(first.as_ref().is_none_or(|first| *first == answers), "{shell:?}: {answers:?}");
        first = Some(answers);
    }
    first.expect("no shell is here")
}

/// Returns the answer to this line alone, if there is one.
fn answer(line: &str) -> Option<Value> {
    let mut answers = answers(&[line]);
    assert!(answers.len() <= 1, "{answers:?}");
    answers.pop()
}

#[test]
fn an_id_comes_back_as_it_was() {
    let long = "x".repeat(900);
    let ids = [
        json!(0),
        json!(-7),
        json!(1.5e3),
        json!(9_007_199_254_740_991_u64),
        json!(""),
        json!("a"),
        json!("a\"b"),
        json!("\\"),
        json!("\\\""),
        json!("\\\\\"\\"),
        json!("a\nb\t\u{1}é😀"),
        json!("{\"id\":1},["),
        json!("%s%d$(echo)`echo`* ?"),
        json!("null"),
        json!(long),
    ];
    let ping = |id: &Value| json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string();
    let lines: Vec<String> = ids.iter().map(ping).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let expected: Vec<Value> =
        ids.iter().map(|id| json!({"jsonrpc": "2.0", "id": id, "result": {}})).collect();
    assert_eq!(answers(&lines), expected);
}

#[test]
fn only_the_messages_own_members_count() {
    for line in [
        r#"{"method":"ping","jsonrpc":"2.0","id":5}"#,
        r#"{"id":5,"method":"ping"}"#,
        "\t { \"id\" : 5 , \"method\" :\t\"ping\" } ",
        "{\"id\":5,\"method\":\"ping\"}\r",
        r#"{"params":{"id":6,"method":"tools/list","name":"id"},"id":5,"method":"ping"}"#,
        r#"{"id":5,"method":"ping","params":{"id":6,"method":"tools/list"}}"#,
        r#"{"id":5,"method":"ping","params":[{"id":6},{"method":"x"},"id","method"]}"#,
        r#"{"params":{"a":"\"id\":6,","b":["}",{"c":"{\\"}]},"id":5,"method":"ping"}"#,
        r#"{"x":"id","id":5,"y":"method","method":"ping","z":null,"w":[],"v":{}}"#,
        r#"{"result_":1,"id":5,"method":"ping","params":{"result":1,"error":2}}"#,
    ] {
        assert_eq!(answer(line), Some(json!({"jsonrpc": "2.0", "id": 5, "result": {}})), "{line}");
    }
}

#[test]
fn what_is_no_request_has_an_error_and_a_notification_has_no_answer() {
    let code =
        |line: &str| answer(line).map(|answer| (answer["error"]["code"].clone(), answer["id"].clone()));
    for (line, expected) in [
        ("nonsense", Some((json!(-32700), Value::Null))),
        ("[]", Some((json!(-32700), Value::Null))),
        ("\"", Some((json!(-32700), Value::Null))),
        ("{\"id\":1", Some((json!(-32700), Value::Null))),
        ("{\"id\":1,\"method\":\"pi", Some((json!(-32700), Value::Null))),
        ("{\"id\":1,\"method\":\"ping\\\"}", Some((json!(-32700), Value::Null))),
        ("{\"id\":1,\"method\":\"ping\"}}", Some((json!(-32700), Value::Null))),
        ("{}", Some((json!(-32600), Value::Null))),
        ("{\"id\":1}", Some((json!(-32600), json!(1)))),
        ("{\"id\":null,\"method\":\"ping\"}", Some((json!(-32600), Value::Null))),
        ("{\"id\":{\"a\":1},\"method\":\"ping\"}", Some((json!(-32600), Value::Null))),
        ("{\"id\":[1],\"method\":\"ping\"}", Some((json!(-32600), Value::Null))),
        ("{\"id\":true,\"method\":\"ping\"}", Some((json!(-32600), Value::Null))),
        ("{\"id\":\"a\",\"method\":\"no/such\"}", Some((json!(-32601), json!("a")))),
        // Newer clients ask this first, and go on with `initialize`.
        ("{\"id\":2,\"method\":\"server/discover\"}", Some((json!(-32601), json!(2)))),
        ("{\"method\":\"notifications/initialized\"}", None),
        ("{\"method\":\"no/such\",\"params\":{\"id\":1}}", None),
        ("{\"id\":1,\"result\":{}}", None),
        ("{\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}", None),
        ("", None),
        (" \t\r", None),
    ] {
        assert_eq!(code(line), expected, "{line}");
    }
    let long = json!({"id": "x".repeat(2000), "method": "ping"}).to_string();
    assert_eq!(code(&long), Some((json!(-32600), Value::Null)));
}

#[test]
fn bytes_that_are_no_text_and_long_lines_are_survived() {
    let user = User::new();
    let mut server = user.start();
    server.raw(b"\xff\xfe\x80{\n");
    assert_eq!(server.next()["error"]["code"], -32700);
    server.raw(b"{\"id\":1,\"method\":\"ping\",\"params\":{\"x\":\"\xff\\\"\xc3\"}}\n");
    assert_eq!(server.next()["id"], 1);
    // Long, with much of all that is looked for.
    let params = json!({
        "text": "x\"\\{}[]: ,\n".repeat(20_000),
        "numbers": vec![1; 50_000],
        "objects": vec![json!({}); 20_000],
        "texts": vec!["id"; 20_000],
        "line": "é".repeat(200_000),
    });
    server.send(&json!({"jsonrpc": "2.0", "method": "tools/call", "params": params, "id": "long"}));
    let answer = server.next();
    assert_eq!(answer["id"], "long");
    assert_eq!(answer["result"]["isError"], true);
}

#[test]
fn a_tool_that_there_is_not_is_an_error_that_says_what_to_do() {
    let call = json!({"id": 1, "method": "tools/call", "params": {
        "arguments": {"name": "tidegate_is_not_installed"}, "name": "reply"}});
    let result = answer(&call.to_string()).unwrap()["result"].take();
    assert_eq!(result["isError"], true);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("There is no such tool as long as the channel fakechat does not work. "),
        "{text}"
    );
    assert!(text.contains("\n2. "), "{text}");
}

#[test]
fn a_client_gets_the_revision_that_it_asks_for_unless_that_is_newer() {
    for (asked, given) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let line = json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "x", "version": "1"},
            "protocolVersion": asked, "capabilities": {"x": {"protocolVersion": "2024-11-05"}}}});
        assert_eq!(answer(&line.to_string()).unwrap()["result"]["protocolVersion"], given, "{asked}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn it_ends_with_a_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let user = User::new();
        let program = user.command();
        // A job in the background ignores SIGINT, and so does all that it starts.
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal=INT").arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut server = Server::start(command);
        server.request("ping", &json!({}));
        server.signal(signal);
        assert_eq!(server.child.wait().unwrap().signal(), Some(signal.as_raw()));
    }
}
