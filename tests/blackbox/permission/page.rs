//! Tests of prompts on fakechat's page, and of the key that gives access to them.

use std::path::Path;

use serde_json::{Value, json};

use super::{VERDICT, action, ask, labels, text, verdict};
use crate::harness::{Home, Page, Server};

fn press(page: &mut Page, action: &str, prompt: &Value) {
    page.text(&json!({"press": action, "message": prompt["id"]}).to_string());
}

/// Sends a message and returns all frames up to its acknowledgement.
fn frames(page: &mut Page, id: &str) -> Vec<Value> {
    page.text(&json!({"id": id, "text": "still there", "ack": true}).to_string());
    let mut frames = Vec::new();
    loop {
        if let tungstenite::Message::Text(text) = page.next() {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == "ack" && frame["id"] == id {
                return frames;
            }
            frames.push(frame);
        }
    }
}

fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}

fn key(server: &mut Server) -> String {
    let line = server.log("fakechat: to answer permission prompts");
    line.rsplit("#key=").next().unwrap().trim().to_owned()
}

#[test]
fn fakechat_is_asked_unless_its_user_does_not_want_that() {
    for (settings, expected) in [
        ("", json!({})),
        ("[fakechat]\npermission_prompts = true\n", json!({})),
        ("[fakechat]\npermission_prompts = false\n", Value::Null),
        ("[default]\npermission_prompts = false\n", Value::Null),
    ] {
        let home = Home::new();
        home.settings(settings);
        let mut server = home.spawn(["fakechat"]);
        let experimental = server.initialize()["capabilities"]["experimental"].clone();
        assert_eq!(experimental["claude/channel/permission"], expected, "{settings:?}");
        assert_eq!(experimental["claude/channel"], json!({}));
    }
}

#[test]
fn the_page_that_has_the_key_decides() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.own_page("fakechat");
    assert_eq!(page.wait("prompts")["prompts"], json!([]), "the page learns that it may");
    for (id, label, behaviour, notice) in
        [("abcde", "Allow", "allow", "Allowed."), ("bcdef", "Deny", "deny", "Denied.")]
    {
        ask(&mut server, id);
        let prompt = page.wait("prompt");
        assert_eq!(labels(&prompt), ["Allow", "Deny", "Details"]);
        assert!(text(&prompt).contains("`Bash`") && text(&prompt).contains(id), "{prompt}");
        press(&mut page, action(&prompt, "Details"), &prompt);
        let details = page.wait("prompt");
        assert_eq!((&details["id"], labels(&details)), (&prompt["id"], vec!["Allow", "Deny"]));
        assert!(text(&details).contains("{\"command\":\"ls\"}"), "{details}");
        press(&mut page, action(&prompt, label), &prompt);
        assert_eq!(verdict(&mut server), json!({"request_id": id, "behavior": behaviour}));
        assert_eq!(page.wait("notice")["text"], notice);
        let outcome = page.wait("prompt");
        assert_eq!(outcome["id"], prompt["id"]);
        assert!(labels(&outcome).is_empty() && text(&outcome).contains("by you"), "{outcome}");
    }
    // Whoever comes later sees how it went.
    let later = server.own_page("fakechat").wait("prompts")["prompts"].clone();
    assert!(later[0]["text"].as_str().unwrap().contains("allowed by you"), "{later}");
    assert_eq!(later.as_array().unwrap().len(), 2);

    ask(&mut server, "cdefg");
    page.wait("prompt");
    page.say("1", "yes cdefg");
    assert_eq!(verdict(&mut server)["behavior"], "allow", "typed answers count here as well");
    server.no_event();
}

#[test]
fn a_page_without_the_key_neither_sees_a_prompt_nor_decides() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let port = server.port("fakechat");
    let key = key(&mut server);
    let mut own = server.own_page("fakechat");
    own.wait("prompts");
    let half = format!("/ws?key={}", &key[..16]);
    let long = format!("/ws?key={key}0");
    let other = format!("/ws?kee={key}");
    let keyless = ["/ws", "/ws?key=", &half, &long, &other];
    let mut attempts = 0;
    for (number, path) in keyless.into_iter().enumerate() {
        let mut page = Page::connect(port, path, &[]).unwrap();
        let id = format!("a{}", ["abcd", "bcde", "cdef", "defg", "efgh"][number]);
        ask(&mut server, &id);
        let prompt = own.wait("prompt");
        // It cannot see the prompt, and guesses all of it.
        for action in [format!("permission:allow:{id}"), format!("permission:details:{id}")] {
            press(&mut page, &action, &prompt);
            assert_eq!(page.wait("notice")["text"], "Not authorized.", "{path}");
            attempts += 1;
        }
        page.say(&format!("typed-{number}"), &format!("yes {id}"));
        assert_eq!(server.content(), format!("yes {id}"), "it is chat");
        attempts += 1;
        let seen = frames(&mut page, &format!("last-{number}"));
        assert!(!kinds(&seen).iter().any(|kind| kind.starts_with("prompt")), "{path}: {seen:?}");
        assert!(!seen.iter().any(|frame| frame.to_string().contains(&key)), "{path}: {seen:?}");
        assert_eq!(server.content(), "still there");
        assert!(server.arrived(VERDICT).is_empty(), "{path}");
        // Not even what was decided comes to it.
        press(&mut own, &format!("permission:deny:{id}"), &prompt);
        assert_eq!(verdict(&mut server)["behavior"], "deny");
        own.wait("notice");
        own.wait("prompt");
        let seen = frames(&mut page, &format!("end-{number}"));
        assert!(!kinds(&seen).iter().any(|kind| kind.starts_with("prompt")), "{path}: {seen:?}");
        server.content();
    }
    assert_eq!(attempts, 15);
}

#[test]
fn the_key_of_an_earlier_start_opens_nothing() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let old = key(&mut server);
    drop(server);
    let mut server = home.serve(["fakechat"]);
    assert_ne!(key(&mut server), old);
    let port = server.port("fakechat");
    let mut own = server.own_page("fakechat");
    let mut page = Page::connect(port, &format!("/ws?key={old}"), &[]).unwrap();
    ask(&mut server, "abcde");
    let prompt = own.wait("prompt");
    press(&mut page, action(&prompt, "Allow"), &prompt);
    assert_eq!(page.wait("notice")["text"], "Not authorized.");
    let seen = frames(&mut page, "1");
    assert!(!kinds(&seen).iter().any(|kind| kind.starts_with("prompt")), "{seen:?}");
    assert!(server.arrived(VERDICT).is_empty());
}

/// Returns every file below this folder, with its path.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if std::fs::symlink_metadata(&path).unwrap().is_dir() {
                files(&path)
            } else {
                vec![(path.display().to_string(), std::fs::read(&path).unwrap_or_default())]
            }
        })
        .collect()
}

#[test]
fn the_key_is_in_no_file() {
    let home = Home::new();
    let mut server = home.serve(["fakechat", "--log", "trace"]);
    let key = key(&mut server);
    let mut page = server.own_page("fakechat");
    ask(&mut server, "abcde");
    let prompt = page.wait("prompt");
    press(&mut page, action(&prompt, "Allow"), &prompt);
    verdict(&mut server);
    let contains =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let check = |when: &str| {
        let files = files(home.path());
        // All of it was looked at: the log, and what the page keeps.
        assert!(files.iter().any(|(path, bytes)| Path::new(path).extension().is_some_and(|it| it == "log")
            && contains(bytes, "fakechat: http://")));
        assert!(files.iter().any(|(path, _)| path.ends_with("journal.db")));
        assert!(files.iter().any(|(_, bytes)| contains(bytes, prompt["id"].as_str().unwrap())), "{when}");
        for (path, bytes) in &files {
            assert!(!contains(bytes, &key), "{when}, the key is in {path}");
        }
    };
    check("while it runs");
    server.close_stdin();
    server.end();
    check("at the end");
}
