//! Tests that no message is lost, and that erased messages are gone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Home, upload};

#[test]
fn what_arrives_without_a_session_waits_for_one() {
    let home = Home::new();
    let mut server = home.spawn(["fakechat"]);
    let mut page = server.page("fakechat");
    for number in 0..300 {
        page.text(
            &json!({"id": format!("u{number}"), "text": format!("early {number}"), "ack": true}).to_string(),
        );
        assert_eq!(page.wait("ack")["id"], format!("u{number}"));
    }
    server.kill();
    let mut server = home.serve(["fakechat"]);
    for number in 0..300 {
        let event = server.event();
        assert_eq!(event["content"], format!("early {number}"));
        assert!(event["meta"]["redelivered"].is_null(), "it was never offered to anybody");
    }
    server.no_event();
}

#[test]
fn what_was_delivered_does_not_come_again() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").say("1", "once");
    assert_eq!(server.content(), "once");
    server.close_stdin();
    assert!(server.end().0.success());
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").say("2", "twice");
    assert_eq!(server.content(), "twice");
    server.no_event();
}

#[test]
fn after_a_kill_nothing_is_lost_and_repetitions_are_marked() {
    let home = Home::new();
    let mut seen: Vec<Value> = Vec::new();
    let mut acknowledged = Vec::new();
    for round in 0..10 {
        let mut server = home.serve(["fakechat"]);
        let mut page = server.page("fakechat");
        for number in 0..40 {
            let id = format!("{round}-{number}");
            page.text(&json!({"id": id, "text": id, "ack": true}).to_string());
        }
        // Killed at a different point each time.
        for _ in 0..round * 4 {
            acknowledged.push(page.wait("ack")["id"].as_str().unwrap().to_owned());
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let mut lines = server.rest();
        // A kill may cut the last line. It does not count: nobody could read it.
        let _ = lines.pop_if(|line| serde_json::from_str::<Value>(line).is_err());
        seen.extend(lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["params"].clone()));
    }
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").say("end", "end");
    loop {
        let event = server.event();
        if event["content"] == "end" {
            break;
        }
        seen.push(event);
    }
    for id in &acknowledged {
        assert!(seen.iter().any(|event| event["content"] == **id), "{id} was acknowledged and lost");
    }
    let mut known = std::collections::HashSet::new();
    for event in &seen {
        let first = known.insert(event["content"].to_string());
        assert!(first || event["meta"]["redelivered"] == "true", "{event} came again, unmarked");
    }
}

#[test]
fn a_message_that_the_page_sends_again_is_delivered_once() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    for _ in 0..3 {
        page.text(&json!({"id": "u1", "text": "once", "ack": true}).to_string());
        page.wait("ack");
    }
    page.text(&json!({"id": "u2", "text": "next", "ack": true}).to_string());
    assert_eq!(server.content(), "once");
    assert_eq!(server.content(), "next");
    // A client without acknowledgements starts its ids anew after a reload: that is no repetition.
    page.say("u1", "another");
    assert_eq!(server.content(), "another");
}

#[test]
fn history_survives_a_restart_with_both_sides_in_order() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    page.say("u1", "question");
    server.content();
    std::thread::sleep(Duration::from_millis(5));
    let (text, _) = server.reply("web", "answr");
    let id = text.trim_start_matches("sent (id: ").trim_end_matches(')').to_owned();
    server.call("edit_message", &json!({"chat_id": "web", "message_id": id, "text": "answer"}));
    std::thread::sleep(Duration::from_millis(5));
    page.say("u2", "thanks");
    server.content();
    server.kill();
    let mut server = home.serve(["fakechat"]);
    let history = server.page("fakechat").wait("history");
    let messages = history["messages"].as_array().unwrap();
    let texts: Vec<_> = messages.iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["question", "answer", "thanks"]);
    assert_eq!(messages[1]["id"], *id);
    assert_eq!(messages[1]["edited"], true);
}

#[test]
fn forgetting_erases_what_was_said() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let port = server.port("fakechat");
    server.page("fakechat").say("u1", "the secret password");
    server.content();
    assert_eq!(upload(port, "u2", "", "secret.txt", b"the secret file").status, 204);
    server.event();
    server.reply("web", "the secret answer");
    server.close_stdin();
    server.end();
    let output = home.at_terminal(["forget", "fakechat", "--older-than", "1h", "--yes"]);
    assert!(output.stdout.contains("0 messages"), "{}", output.stdout);
    let output = home.at_terminal(["forget", "fakechat", "--json", "--yes"]);
    let forgotten: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(forgotten["events"], 2, "{forgotten}");
    assert_eq!(forgotten["files"], 2, "the upload, and what the page shows of it");
    let mut folders = vec![home.path().join("fakechat")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&bytes).contains("the secret"), "{}", path.display());
            }
        }
    }
    let mut server = home.serve(["fakechat"]);
    assert_eq!(server.page("fakechat").wait("history")["messages"], json!([]));
}
