//! Tests of messages that are longer than clients accept: cut, and stored in full in a file.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    process::Stdio,
    time::Instant,
};

use serde_json::{Value, json};

use super::{market, write};
use crate::harness::{Home, PATIENCE, Page};

/// Returns 200 KB with a tag and with characters of several bytes, and the same text as a session gets it.
fn long() -> (String, String) {
    let text = "<channel> 漢字 👩‍💻\n".repeat(8000);
    let clean = text.replace("<channel>", "&lt;channel>");
    (text, clean)
}

fn inbox(home: &Home, channel: &str) -> Vec<PathBuf> {
    let folder = home.path().join(channel).join("inbox");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Checks that the text is cut correctly and that a file has all of it; returns the file's path.
#[track_caller]
fn assert_cut(home: &Home, event: &Value, clean: &str) -> String {
    let content = event["content"].as_str().unwrap();
    assert!(content.len() <= 65_536 && content.len() > 65_500, "{} bytes", content.len());
    let (told, mark) = content.rsplit_once('…').unwrap();
    assert!(clean.starts_with(told));
    let expected = format!(
        " [cut: {} bytes in all; the whole message is in the file at full_message_path]",
        clean.len()
    );
    assert_eq!(mark, expected);
    let path = event["meta"]["full_message_path"].as_str().unwrap_or_else(|| panic!("{}", event["meta"]));
    assert!(path.starts_with(home.path().canonicalize().unwrap().to_str().unwrap()), "{path}");
    assert!(fs::read_to_string(path).unwrap() == clean, "the file is whole");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    path.to_owned()
}

#[test]
fn a_long_message_is_cut_and_comes_again_with_the_same_file() {
    let (text, clean) = long();
    let home = Home::new();
    // A session that reads nothing: the notification is offered to it, and never delivered.
    let mut command = home.command(["serve", "--port", "0", "--opt-in", "always", "fakechat"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let stdin = child.stdin.as_mut().unwrap();
    for line in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ] {
        writeln!(stdin, "{line}").unwrap();
    }
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let line =
        log.find(|line| line.as_ref().unwrap().contains("fakechat: http://127.0.0.1:")).unwrap().unwrap();
    let mut page = Page::open(line.rsplit(':').next().unwrap().trim().parse().unwrap());
    page.say("u1", &text);
    let start = Instant::now();
    let is_whole =
        || inbox(&home, "fakechat").iter().any(|path| path.extension().is_some_and(|it| it == "txt"));
    while !is_whole() {
        assert!(start.elapsed() < PATIENCE, "no file appears");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let [file] = inbox(&home, "fakechat").try_into().unwrap();
    let before = fs::metadata(&file).unwrap();

    let mut server = home.serve(["fakechat"]);
    let event = server.event();
    assert_eq!(event["meta"]["redelivered"], "true");
    let path = assert_cut(&home, &event, &clean);
    assert_eq!(file.canonicalize().unwrap(), PathBuf::from(&path));
    assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino(), "no second file was written");
    assert_eq!(inbox(&home, "fakechat").len(), 1);
    // The same text said anew is another message. A short one has no file.
    let mut page = server.page("fakechat");
    page.say("u2", &text);
    page.say("u3", "short");
    let again = server.event();
    assert_ne!(assert_cut(&home, &again, &clean), path);
    let short = server.event();
    assert!(short["content"] == "short" && short["meta"]["full_message_path"].is_null(), "{short}");
    assert_eq!(inbox(&home, "fakechat").len(), 2);
    // What was received may be sent back.
    let (text, is_error) = server.call("reply", &json!({"text": "", "files": [path]}));
    assert!(!is_error, "{text}");
}

#[test]
fn attributes_that_do_not_fit_are_in_the_file() {
    let home = Home::new();
    let mut server = market(&home);
    let mut page = server.page("bazaar");
    let long = "x".repeat(3000);
    let mut extra = json!({"a_long_one": long});
    for number in 10..60 {
        extra[format!("k{number}")] = json!(format!("value {number}"));
    }
    page.tell(&write(
        "ada",
        "ada",
        "hello",
        &json!({"id": "m7", "attachments": [{"id": "f1"}], "extra": extra}),
    ));
    let event = server.event();
    assert_eq!(event["content"], "hello");
    let meta = event["meta"].as_object().unwrap();
    assert!(meta.len() <= 32, "{}", meta.len());
    let host = ["chat_id", "message_id", "user", "user_id", "ts", "attachment_file_id", "attachment_kind"];
    for key in host.into_iter().chain(["full_message_path", "k10"]) {
        assert!(meta.contains_key(key), "{key} is not in {meta:?}");
    }
    assert_eq!(meta["a_long_one"].as_str().unwrap(), format!("{}…", "x".repeat(1021)));
    let file = fs::read_to_string(meta["full_message_path"].as_str().unwrap()).unwrap();
    assert!(file.starts_with("hello\n\n[The first 5 bytes of this file are the message."), "{file}");
    assert!(file.contains(&format!("\na_long_one: {long}\n")), "{file}");
    for number in 10..60 {
        let told = meta.contains_key(&format!("k{number}"));
        assert_eq!(file.contains(&format!("\nk{number}: value {number}\n")), !told, "k{number}");
    }
}

#[test]
fn what_just_fits_is_told_whole() {
    let home = Home::new();
    let mut server = market(&home);
    let mut page = server.page("bazaar");
    let text = "x".repeat(65_536);
    page.tell(&write("ada", "ada", &text, &json!({"extra": {"value": "v".repeat(1024)}})));
    let event = server.event();
    assert!(event["content"] == text && event["meta"]["value"] == "v".repeat(1024), "{}", event["meta"]);
    assert!(event["meta"]["full_message_path"].is_null() && inbox(&home, "bazaar").is_empty());
}

#[test]
fn a_file_that_cannot_be_written_keeps_no_message_back() {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    let mut page = server.page("fakechat");
    // Nothing can be made in a folder that is gone.
    fs::remove_dir(home.path().join("fakechat/inbox")).unwrap();
    page.say("u1", &long().0);
    page.say("u2", "next");
    let event = server.event();
    let content = event["content"].as_str().unwrap();
    assert!(content.ends_with("could not be kept in a file: see full_message_missing]"));
    let reason = event["meta"]["full_message_missing"].as_str().unwrap();
    assert!(reason.contains("No such file or directory"), "{reason}");
    assert!(event["meta"]["full_message_path"].is_null());
    server.log("reaches the session cut, and not as a file");
    assert_eq!(server.content(), "next");
}

#[test]
fn forgetting_a_message_erases_its_file() {
    let home = Home::new();
    let mut server = market(&home);
    let mut page = server.page("bazaar");
    let (text, clean) = long();
    let mut paths = Vec::new();
    for chat in ["chat-1", "chat-2"] {
        page.tell(&write("ada", chat, &text, &json!({})));
        paths.push(assert_cut(&home, &server.event(), &clean));
    }
    let other = home.path().join("bazaar/inbox/other.txt");
    fs::write(&other, "x").unwrap();
    server.close_stdin();
    server.end();
    let output = home.at_terminal(["forget", "bazaar", "--chat", "chat-1", "--yes"]);
    assert!(
        output.stdout.contains(": 1 message, and 1 file with the whole"),
        "{}{}",
        output.stdout,
        output.stderr
    );
    let left: Vec<bool> = paths.iter().map(|path| fs::exists(path).unwrap()).collect();
    assert_eq!(left, [false, true]);
    assert!(other.exists());
}
