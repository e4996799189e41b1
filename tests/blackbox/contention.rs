//! Tests that another process's use of one channel's files delays only that channel.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use rustix::{
    fs::{FlockOperation, flock},
    process::Signal,
};
use serde_json::{Value, json};

use crate::{
    harness::{Home, PATIENCE, Page, Server, bazaar},
    telegram::stage::{Stage, ada},
};

/// The number of messages of the delayed channel.
const MESSAGES: usize = 20;

/// The id of a reply whose result is pending.
const REPLY: u64 = 1 << 40;

/// Another process's transaction, which lasts until this is dropped.
struct Writing(Connection);

impl Writing {
    fn begin(folder: &Path) -> Self {
        let database = Connection::open(folder.join("journal.db")).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database.execute_batch("BEGIN IMMEDIATE; DELETE FROM set_aside").unwrap();
        Self(database)
    }

    fn end(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

/// Starts fakechat, and another channel, all of whose messages must arrive without delay.
fn pair(home: &Home) -> (Server, Page, Page) {
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]}));
    let file = bazaar(home, "good");
    let mut command = home.command(["serve", "fakechat", "--opt-in", "always"]);
    command.arg("--dangerously-load-development-channels").arg(&file).env("FAKECHAT_PORT", "0");
    let mut server = Server::start(command);
    server.initialize();
    let (mut fakechat, mut other) = (server.page("fakechat"), server.page("bazaar"));
    fakechat.say("first", "first");
    assert_eq!(server.content(), "first");
    trips(&mut server, &mut other, 1);
    (server, fakechat, other)
}

/// Sends messages from the other channel's page to the session, and replies back.
fn trips(server: &mut Server, page: &mut Page, count: usize) {
    for number in 0..count {
        let text = format!("trip {number}");
        page.tell(&json!({"message": {"sender": "ada", "chat": "ada", "text": text}}));
        let event = server.event();
        assert_eq!((&event["content"], &event["meta"]["chat_id"]), (&json!(text), &json!("bazaar:ada")));
        assert!(server.reply("bazaar:ada", &text).0.starts_with("sent (id: "));
        assert_eq!(page.call("send")["text"], text);
    }
}

/// Sends a reply to fakechat's page, without waiting for it.
fn reply_later(server: &mut Server) {
    let arguments = json!({"chat_id": "fakechat:web", "text": "late"});
    let params = json!({"name": "reply", "arguments": arguments});
    server.send(&json!({"jsonrpc": "2.0", "id": REPLY, "method": "tools/call", "params": params}));
}

/// Checks that all delayed messages arrive, in order.
fn everything_arrives(server: &mut Server, page: &mut Page) {
    for number in 0..MESSAGES {
        let event = server.event();
        assert_eq!(
            (&event["content"], &event["meta"]["redelivered"]),
            (&json!(format!("held {number}")), &Value::Null)
        );
    }
    // The reply may come between the acknowledgements.
    let (mut acknowledged, mut replied) = (0, false);
    while acknowledged < MESSAGES || !replied {
        let frame = page.frame_of(&["ack", "msg"]);
        if frame["type"] == "ack" {
            assert_eq!(frame["id"], format!("u{acknowledged}"));
            acknowledged += 1;
        } else {
            replied |= frame["text"] == "late";
        }
    }
    let answer = server.answer(REPLY);
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("sent (id: "), "{answer}");
    server.no_event();
}

fn say_all(page: &mut Page) {
    for number in 0..MESSAGES {
        let frame = json!({"id": format!("u{number}"), "text": format!("held {number}"), "ack": true});
        page.text(&frame.to_string());
    }
}

#[test]
fn a_journal_that_another_process_writes_holds_up_its_own_channel_only() {
    let home = Home::new();
    let (mut server, mut fakechat, mut other) = pair(&home);
    let writing = Writing::begin(&home.path().join("fakechat"));
    say_all(&mut fakechat);
    reply_later(&mut server);
    trips(&mut server, &mut other, 30);
    writing.end();
    everything_arrives(&mut server, &mut fakechat);
}

#[test]
fn an_access_file_that_another_process_changes_holds_up_its_own_channel_only() {
    let home = Home::new();
    home.access("fakechat", &json!({"dmPolicy": "allowlist", "allowFrom": ["web"]}));
    let (mut server, mut fakechat, mut other) = pair(&home);
    let folder = home.path().join("fakechat");
    let lock = File::options().write(true).open(folder.join("access.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    // Nobody may be heard by what held before: it could be somebody who was put out.
    home.access("fakechat", &json!({"dmPolicy": "allowlist", "allowFrom": ["web"], "replyToMode": "off"}));
    say_all(&mut fakechat);
    reply_later(&mut server);
    trips(&mut server, &mut other, 30);
    drop(lock);
    everything_arrives(&mut server, &mut fakechat);
}

#[test]
fn a_person_who_is_put_out_meanwhile_is_not_heard() {
    let home = Home::new();
    home.access("fakechat", &json!({"dmPolicy": "allowlist", "allowFrom": ["web"]}));
    let (mut server, mut fakechat, mut other) = pair(&home);
    let writing = Writing::begin(&home.path().join("fakechat"));
    say_all(&mut fakechat);
    trips(&mut server, &mut other, 3);
    home.access("fakechat", &json!({"dmPolicy": "allowlist", "allowFrom": []}));
    writing.end();
    // All were taken in, and went nowhere.
    for number in 0..MESSAGES {
        assert_eq!(fakechat.wait("ack")["id"], format!("u{number}"));
    }
    trips(&mut server, &mut other, 1);
    server.no_event();
}

#[test]
fn a_polled_channel_goes_on_by_itself_once_its_journal_can_be_written() {
    let stage = Stage::new();
    let mut command = stage.home.command(["serve", "telegram", "fakechat", "--opt-in", "always"]);
    command.env("FAKECHAT_PORT", "0");
    let mut server = Server::start(command);
    server.initialize();
    let mut page = server.page("fakechat");
    let says = |text: &str| stage.platform.says(&ada(), &ada().chat(), text);
    says("first");
    assert_eq!(server.content(), "first");
    let writing = Writing::begin(&stage.folder());
    for number in 0..MESSAGES {
        says(&format!("held {number}"));
    }
    for number in 0..30 {
        page.say(&format!("u{number}"), &format!("trip {number}"));
        assert_eq!(server.content(), format!("trip {number}"));
        assert!(server.reply("fakechat:web", "reply").0.starts_with("sent (id: "));
    }
    writing.end();
    for number in 0..MESSAGES {
        let event = server.event();
        assert_eq!(
            (&event["content"], &event["meta"]["redelivered"]),
            (&json!(format!("held {number}")), &Value::Null)
        );
    }
    says("last");
    assert_eq!(server.content(), "last");
    server.no_event();
}

#[test]
fn a_start_while_another_process_writes_takes_everything_over() {
    let home = Home::new();
    let mut server = home.spawn(["fakechat"]);
    let mut page = server.page("fakechat");
    page.text(&json!({"id": "u0", "text": "waits", "ack": true}).to_string());
    page.wait("ack");
    server.kill();
    let writing = Writing::begin(&home.path().join("fakechat"));
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").wait("history");
    server.no_event();
    writing.end();
    assert_eq!(server.content(), "waits");
}

#[test]
fn a_command_at_the_terminal_says_what_it_waits_for_and_gives_up() {
    let home = Home::new();
    home.access("fakechat", &json!({"dmPolicy": "pairing", "allowFrom": ["web"]}));
    home.run(["status", "fakechat"], "");
    let folder = home.path().join("fakechat");
    let writing = Writing::begin(&folder);
    for arguments in
        [&["access", "fakechat", "policy", "pairing"][..], &["access", "fakechat", "deny", "ACD347"]]
    {
        let output = home.at_terminal(arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{}", output.stdout);
        let lines: Vec<&str> = output.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].starts_with("Waiting for another process that is writing to the files of fakechat"),
            "{lines:?}"
        );
        let journal = folder.canonicalize().unwrap().join("journal.db");
        let expected = format!(
            "tidegate: another process has been writing to the journal {} for 5 s",
            journal.display()
        );
        assert!(lines[1].starts_with(&expected), "{lines:?}");
    }
    writing.end();
    let lock = File::options().write(true).open(folder.join("access.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let output = home.at_terminal(["access", "fakechat", "allow", "7"]);
    assert!(output.stderr.starts_with("Waiting for another process"), "{}", output.stderr);
    assert!(
        !output.status.success() && output.stderr.contains("is locked by another process"),
        "{}",
        output.stderr
    );
    drop(lock);
    let output = home.at_terminal(["access", "fakechat", "allow", "7"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", output.stderr);
}

fn market(home: &Home) -> (Server, Page) {
    home.access(
        "bazaar",
        &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"], "groups": {"fair": {"requireMention": false}}}),
    );
    let file: PathBuf = bazaar(home, "good");
    let mut server = home.serve(["--dangerously-load-development-channels", file.to_str().unwrap()]);
    let mut page = server.page("bazaar");
    page.calls();
    (server, page)
}

/// Sends the bazaar these frames so that they arrive together and are handled in one intake.
fn tell_at_once(server: &Server, page: &mut Page, frames: impl IntoIterator<Item = Value>) {
    server.signal(Signal::STOP);
    for frame in frames {
        page.tell(&frame);
    }
    server.signal(Signal::CONT);
}

#[test]
fn a_value_that_a_call_sets_is_there_for_the_next_one_of_the_same_batch() {
    let home = Home::new();
    let (mut server, mut page) = market(&home);
    // Each adds to the list that the one before has left.
    let failures = (0..10).map(
        |number| json!({"fail": {"call": "react", "fault": "rejected", "text": format!("failure {number}")}}),
    );
    tell_at_once(&server, &mut page, failures);
    page.calls();
    for number in 0..10 {
        let (text, _) = server.call("react", &json!({"chat_id": "ada", "message_id": "m1", "emoji": "👍"}));
        assert!(text.contains(&format!("failure {number}")), "{text}");
    }
}

#[test]
fn what_comes_behind_the_move_of_a_group_in_one_batch_is_heard_under_its_new_id() {
    let home = Home::new();
    let (mut server, mut page) = market(&home);
    let message = |chat: &str, text: &str| json!({"message": {"sender": "eve", "chat": chat, "kind": "group", "text": text}});
    let frames = [
        message("fair", "before"),
        json!({"moved": {"from": "fair", "to": "fair-2"}}),
        message("fair", "under the old id"),
        message("fair-2", "after"),
    ];
    tell_at_once(&server, &mut page, frames);
    let chats: Vec<_> = (0..2)
        .map(|_| server.event())
        .map(|event| (event["content"].clone(), event["meta"]["chat_id"].clone()))
        .collect();
    assert_eq!(chats, [(json!("before"), json!("fair")), (json!("after"), json!("fair-2"))]);
    page.calls();
    server.no_event();
}
